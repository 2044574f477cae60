"""What is taught: courses, sections, lessons.

Owns `topics`, `courses`, `sections`, `lessons`. Publishes what changed; knows nothing of prices or learners.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Let the addresses of a free lesson's files ask whether it is still free."""
    from app.courses import lessons
    from app.media import uploads

    uploads.free_when(lessons.shows_free)
