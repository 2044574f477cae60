"""The ledger of who may use what, from when, until when, and why.

Owns `entitlements`. Every "may she open this?" in the product is one question to `entitlements`, which can explain
its answer.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Let the addresses of a course's files ask whether the course is open."""
    from app.access import entitlements
    from app.media import uploads

    uploads.admit_by(entitlements.admits)
