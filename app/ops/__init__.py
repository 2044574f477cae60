"""Keeping it running: the queue, mails, webhook deliveries, the audit log, and pruning. Owns no table.

Hears nothing; tells the owner once a day when something failed for good.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Say where alerts go."""
    from app.ops import alerts

    alerts.configure(app.config["LECTERN"].admin_email)
