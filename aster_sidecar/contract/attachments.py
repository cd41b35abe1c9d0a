"""Wire models of attachments: files that people send with messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from aster_sidecar.contract.base import VALID, Model, Name


class AttachmentInfo(Model):
    """A file that can be attached to a message. `media_type` is that of its content."""

    attachment_id: str
    name: str
    media_type: str
    size: int = Field(description="bytes")
    sha256: str = Field(description="of the content, in hexadecimal")
    width: int | None = Field(default=None, description="pixels, if it is an image")
    height: int | None = Field(default=None, description="pixels, if it is an image")


class AttachmentRef(Model):
    """A file to attach: an uploaded one, or one in the session's folder. Give one of the two."""

    model_config = ConfigDict(extra="forbid", strict=True)

    attachment_id: Name | None = None
    path: Annotated[str, StringConstraints(min_length=1, max_length=4096), VALID] | None = Field(
        default=None, description="relative to the session's folder, or absolute and inside it"
    )

    @model_validator(mode="after")
    def _one(self) -> AttachmentRef:
        if (self.attachment_id is None) == (self.path is None):
            raise ValueError("give either attachment_id or path")
        return self


class ImagePart(AttachmentInfo):
    """An image in a message: png, jpeg, gif or webp. GET /api/attachments/{attachment_id} has its bytes."""

    type: Literal["image"] = "image"


class FilePart(AttachmentInfo):
    """A file in a message. GET /api/attachments/{attachment_id} has its bytes."""

    type: Literal["file"] = "file"
