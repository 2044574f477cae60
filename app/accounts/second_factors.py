"""A second proof beside the first: codes of an app, recovery codes. Passkeys count as one too.

Whoever turns one on gets ten recovery codes, shown once. Every change is mailed to the person and audited.
"""

import secrets

from app.accounts import familiar, sessions, totp
from app.accounts.models import Factors, SignedIn
from app.accounts.queries import second_factors as queries
from app.core import audit, clock, db, limits, mail, tokens
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.ids import public_id
from app.core.limits import Limit

RECOVERY_CODES = 10
# Six digits can be guessed: few tries, whatever the place they come from.
TRIES = (Limit(5, 5 * 60), Limit(20, 60 * 60), Limit(50, 24 * 60 * 60))
# Letters and digits that are not taken for each other; ten of them hold 50 bits.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


async def of(user_id: int) -> Factors:
    """What this person has turned on."""
    return await queries.factors_of(user_id)


async def turn_on_totp(person: SignedIn, sealed: str, code: str) -> list[str]:
    """Take over the offered key, since the app shows its code; returns the recovery codes, to be shown once.

    Raises Invalid for a wrong code or an offer that is too old, Conflict when there is a key. This session counts as
    one with a second factor from here on, all others end.
    """
    secret = totp.opened_offer(person.id, sealed)
    if secret is None:
        raise Invalid(_("That took a while, so here is a new key. Scan it once more."), field="code")
    await _count(person.id, person.email)
    step = totp.matching_step(secret, code)
    if step is None:
        raise Invalid(_("That is not the code of this moment. Look at the app again."), field="code")
    async with db.transaction():
        if not await queries.insert_secret(person.id, totp.kept(secret), step, clock.now()):
            raise Conflict(_("Your account has an authenticator app already."))
        codes = await _make_recovery_codes(person.id)
        await _note(person, "second_factor.totp_on", "totp_on")
        await sessions.revoke_others(person)
        await sessions.start(person.id, second_factor=True)
    await _forgive(person.id, person.email)
    return codes


async def turn_off_totp(person: SignedIn) -> None:
    """Forget the app's key, and the recovery codes when nothing is left that they stand in for."""
    async with db.transaction():
        if not await queries.delete_secret(person.id):
            raise Conflict(_("Your account has no authenticator app."))
        if not (await queries.factors_of(person.id)).is_on:
            await queries.delete_recovery_codes(person.id)
        await _note(person, "second_factor.totp_off", "totp_off")


async def renew_recovery_codes(person: SignedIn) -> list[str]:
    """Ten new codes, to be shown once; the old ones are worth nothing from here on."""
    async with db.transaction():
        if not (await queries.factors_of(person.id)).is_on:
            raise Conflict(_("Turn on a second step first."))
        codes = await _make_recovery_codes(person.id)
        await _note(person, "second_factor.codes_renewed", "codes_renewed")
    return codes


async def turn_off_all(user_id: int, *, subject: str, email: str, name: str, action: str, reason: str = "") -> None:
    """Forget app and codes of somebody who lost both, in the current transaction: by an owner, or the command line."""
    await queries.delete_secret(user_id)
    await queries.delete_recovery_codes(user_id)
    await audit.record(action, "person", subject, summary=reason)
    await _mail(email, name, "turned_off")


async def check(user_id: int, email: str, code: str) -> str:
    """Take a code of the app, or a recovery code, in the current transaction; which it was: "totp" or "recovery".

    Each is good once. Raises Invalid for a wrong or used one, TooMany after a few.
    """
    await _count(user_id, email)
    if await _take_totp(user_id, code):
        await _forgive(user_id, email)
        return "totp"
    if await _take_recovery_code(user_id, code):
        await _forgive(user_id, email)
        return "recovery"
    raise Invalid(_("That code is not right, or was used before. Wait for the next one and try again."), field="code")


async def tell_of_recovery(email: str, name: str, left: int) -> None:
    """Mail that a recovery code was used, and how many are left."""
    await _mail(email, name, "recovery_used", left=left)


async def _take_totp(user_id: int, code: str) -> bool:
    sealed = await queries.secret_of(user_id)
    secret = totp.opened(sealed) if sealed is not None else None
    step = totp.matching_step(secret, code) if secret is not None else None
    return step is not None and await queries.use_step(user_id, step)


async def _take_recovery_code(user_id: int, code: str) -> bool:
    typed = "".join(letter for letter in code.lower() if letter in _ALPHABET)
    return len(typed) == 10 and await queries.use_recovery_code(user_id, _hashed(user_id, typed), clock.now())


async def _make_recovery_codes(user_id: int) -> list[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _at in range(10)) for _code in range(RECOVERY_CODES)]
    await queries.replace_recovery_codes(user_id, [_hashed(user_id, code) for code in codes], clock.now())
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _hashed(user_id: int, code: str) -> bytes:
    """50 random bits under our key: who reads the table alone cannot try them out."""
    return tokens.keyed(f"recovery:{user_id}:{code}")


async def _note(person: SignedIn, action: str, what: str) -> None:
    await audit.record(action, "person", person.public_id)
    await _mail(person.email, person.name, what)


async def _mail(email: str, name: str, what: str, *, left: int = 0) -> None:
    await mail.send(
        email,
        "accounts/second_factor_changed",
        {"name": name, "what": what, "left": left, "at": clock.now().isoformat()},
        fact=f"second_factor:{public_id()}",
    )


async def _count(user_id: int, email: str) -> None:
    for limit in TRIES:
        await limits.check("second-factor", _counted_as(user_id, email), limit)


async def _forgive(user_id: int, email: str) -> None:
    for limit in TRIES:
        await limits.forget("second-factor", _counted_as(user_id, email), limit)


def _counted_as(user_id: int, email: str) -> str:
    """A browser that the person signed in with before is counted by itself: who knows the password cannot shut them out."""
    return f"user:{user_id}:{familiar.known(familiar.account_key(email))}"
