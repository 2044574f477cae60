"""Where the bytes of uploads lie: the storage gateway that create_app() chose."""

from app.gateways.storage import Storage

_storage: Storage | None = None


def configure(storage: Storage) -> None:
    """Say where files are kept; called once by create_app()."""
    global _storage
    _storage = storage


def storage() -> Storage:
    """The storage gateway."""
    if _storage is None:
        raise RuntimeError("storage is not configured")
    return _storage
