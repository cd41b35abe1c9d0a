"""Routes of attachments. Their bodies are the files themselves, not JSON."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from io import FileIO
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Header, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from aster_sidecar.contract import wire
from aster_sidecar.errors import BadRequest, InvalidShape
from aster_sidecar.http.routes.common import Here, answers, ok

PIECE_BYTES = 1 << 18
"""How much of a file is in memory for each download, which a client may read slowly."""

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
    if "over_socket" in request.scope["state"]:
        raise InvalidShape("path: a file can't be uploaded over a WebSocket", hint="send it over HTTP")
    try:
        return ok(request, await here.attachments.upload(unquote(x_filename), request.stream()))
    except ClientDisconnect as error:
        raise BadRequest("the client disconnected before the end of the file") from error


@router.get("/api/attachments/{attachment_id}")
async def download(attachment_id: str, here: Here) -> Response:
    """The bytes of an attachment, never to be shown as a page."""
    found, file = await here.attachments.download(attachment_id)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "content-length": str(os.fstat(file.fileno()).st_size),
    }
    return FileStream(file, found.media_type, headers)


class FileStream(StreamingResponse):
    """The bytes of an open file, which it closes at its end."""

    def __init__(self, file: FileIO, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(pieces(file), media_type=media_type, headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


async def pieces(file: FileIO) -> AsyncIterator[bytes]:
    """The content of a file in pieces."""
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece
