"""What people agreed to: one row each time they say yes or take it back, with the words that they read."""

from datetime import timedelta

from app.accounts import queries
from app.accounts.models import Consent
from app.accounts.queries import consents as rows
from app.core import audit, clock, db
from app.core.i18n import lazy

MARKETING = "marketing"
# The words by kind, newest last. Words that somebody agreed to are never changed: write a new version.
WORDINGS = {
    MARKETING: (lazy("Write to me now and then about new courses and offers. I can stop this at any time."),),
}
# So long a guest's order may still make an account.
STRAY = timedelta(days=30)


def words_of(kind: str, wording: int = 0) -> str:
    """The text of a version; of the newest when none is named."""
    texts = WORDINGS[kind]
    return str(texts[(wording or len(texts)) - 1])


def is_given(history: list[Consent], kind: str) -> bool:
    """Whether the last word of this kind is a yes; `history` is newest first."""
    return next((one.is_given for one in history if one.kind == kind), False)


async def of(user_id: int) -> list[Consent]:
    """What this person said, newest first."""
    return await rows.consents_of(user_id)


async def say(user_id: int, kind: str, *, yes: bool, origin: str, subject: str = "") -> bool:
    """Keep a yes or a no; False when it was said already, or the account is closed by now. `subject`: the person's public id,
    to note it in the log.
    """
    async with db.transaction():
        (person,) = await queries.lock_users([user_id])
        if person.is_closed or is_given(await rows.consents_of(user_id), kind) == yes:
            return False
        await _insert(user_id, kind, yes=yes, origin=origin)
        if subject:
            await audit.record(
                "privacy.consent", "person", subject, after={"kind": kind, "state": "given" if yes else "withdrawn"}
            )
        return True


async def say_as_guest(kind: str, *, origin: str) -> None:
    """Keep the yes of somebody without an account, until the order that `origin` names makes one."""
    async with db.transaction():
        if not await rows.has_consent_of(origin, kind):
            await _insert(None, kind, yes=True, origin=origin)


async def adopt(origin: str, user_id: int) -> None:
    """The order of a guest made this account: what was agreed to with it is theirs."""
    await rows.adopt_consents(origin, user_id)


async def _insert(user_id: int | None, kind: str, *, yes: bool, origin: str) -> None:
    await rows.insert_consent(
        user_id=user_id,
        kind=kind,
        wording=len(WORDINGS[kind]),
        is_given=yes,
        origin=origin,
        address=audit.current_actor().address,
        now=clock.now(),
    )
