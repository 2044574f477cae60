"""Mails to addresses that a visitor typed: anybody can type anybody's, so each gets a few, and a form writes some hundred."""

from app.core import limits
from app.core.limits import Limit

TO_ADDRESS = Limit(5, 60 * 60)
TO_ADDRESS_DAILY = Limit(15, 24 * 60 * 60)
OF_FORM = Limit(500, 60 * 60)


async def may_write(form_id: int, address: str) -> bool:
    """Whether another notification of this form may go to this address. Counts it."""
    key = _mailbox(address)
    for name, one, limit in (
        ("form-mail-form", str(form_id), OF_FORM),
        ("form-mail-address", key, TO_ADDRESS),
        ("form-mail-address", key, TO_ADDRESS_DAILY),
    ):
        if await limits.count(name, one, limit) > limit.count:
            return False
    return True


async def may_ask(address: str) -> bool:
    """Whether another link (to confirm, to go on later) may go to this address, of whatever form. Counts it."""
    for limit in (TO_ADDRESS, TO_ADDRESS_DAILY):
        if await limits.count("form-link-address", _mailbox(address), limit) > limit.count:
            return False
    return True


def _mailbox(address: str) -> str:
    """Where it arrives: what stands behind a plus is its owner's to invent, and anybody else's."""
    local, _at, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
