"""Uploaded files as plain data."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored file: what it is, whose, and where its bytes lie. Sizes in bytes and pixels, duration in seconds."""

    id: int
    public_id: str
    owner_id: int | None
    kind: str  # image | video | captions | file
    storage_key: str
    file_name: str
    content_type: str
    size_bytes: int
    checksum: str
    width: int | None
    height: int | None
    duration_seconds: int | None
    is_public: bool
    created_at: datetime
