"""When a sign-in looks like guessing, and a captcha is set up, it is asked for: after three failures for one account from
one place, or from one place whatever the accounts.

A browser that the person signed in with before counts by itself, so that nobody can bring it upon somebody else.
"""

from app.accounts import familiar
from app.core import limits
from app.core.limits import Limit
from app.web.request import client_network
from app.web.traps import captcha

FAILURES = 3
# Nobody is refused here: these count, and the limits of `passwords` refuse.
_COUNT = Limit(1_000_000, 15 * 60)


async def asks_for_captcha(email: str) -> bool:
    """Whether the next try for this address, from here, has to solve a captcha first."""
    if captcha() is None:
        return False
    return any([await limits.used("failed-sign-in", key, _COUNT) >= FAILURES for key in _keys(email)])


async def note_failure(email: str) -> None:
    """Count a try that failed. It says nothing about whether there is such an account."""
    if captcha() is not None:
        await limits.check("failed-sign-in", _keys(email), _COUNT)


def _keys(email: str) -> list[str]:
    account = familiar.account_key(email)
    browser = familiar.known(account)
    if browser:
        return [f"{account}:known:{browser}"]
    return [f"{account}:{client_network()}", f"place:{client_network()}"]
