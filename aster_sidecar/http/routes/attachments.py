"""Routes of attachments. Their bodies are the files themselves, not JSON."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from aster_sidecar.contract import wire
from aster_sidecar.http.routes.common import Here, answers, ok

router = APIRouter(tags=["attachments"])

BINARY = {"type": "string", "format": "binary"}
UPLOAD = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}}


@router.post("/api/attachments", openapi_extra=UPLOAD)
@answers(wire.AttachmentInfo)
async def upload(
    request: Request,
    here: Here,
    x_filename: Annotated[str, Header(max_length=4096, description="the file's name, UTF-8, percent-encoded")] = "",
) -> Response:
    """Keep a file for a message. The body is the file's bytes, of any type, at most 25 MiB."""
    return ok(request, await here.attachments.upload(unquote(x_filename), request.stream()))


@router.get("/api/attachments/{attachment_id}")
async def download(attachment_id: str, here: Here) -> Response:
    """The bytes of an attachment, never to be shown as a page."""
    found, content = await here.attachments.download(attachment_id)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    return Response(content, media_type=found.media_type, headers=headers)
