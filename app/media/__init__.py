"""Files that people upload: pictures, films, captions.

Owns `uploads`. The bytes are with the storage gateway; this package knows whose they are and who may see them.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Choose where files are kept."""
    from app.gateways import storage
    from app.media import shelf

    shelf.configure(storage.choose(app.config["LECTERN"]))
