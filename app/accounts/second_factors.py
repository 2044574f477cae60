"""A second proof beside the first: codes of an app, recovery codes. Passkeys (app.accounts.passkeys) count as one too.

Whoever turns one on gets ten recovery codes, shown once. Every change is mailed to the person and audited.
"""

import secrets
from dataclasses import dataclass

from app.accounts import endings, familiar, hashing, links, sessions, totp
from app.accounts.models import Factors, SignedIn
from app.accounts.queries import access_tokens as token_queries
from app.accounts.queries import passkeys
from app.accounts.queries import second_factors as queries
from app.core import audit, clock, db, limits, mail
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.ids import public_id
from app.core.limits import Limit

RECOVERY_CODES = 10
# Six digits can be guessed: few tries, whatever the place they come from.
TRIES = (Limit(5, 5 * 60), Limit(20, 60 * 60), Limit(50, 24 * 60 * 60))
# Of all known browsers together: whoever was in once may have made many of them known.
TRIES_OF_KNOWN = Limit(100, 24 * 60 * 60)
# Letters and digits that are not taken for each other; ten of them hold 50 bits.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LETTERS = 10


@dataclass(frozen=True, slots=True)
class Proof:
    """What a typed code may be: the half minute of the app's key, or a recovery code as it is stored."""

    step: int | None
    recovery: bytes | None


@dataclass(frozen=True, slots=True)
class FreshCodes:
    """Recovery codes that were just made. Hashing them takes a second, so they are made before the transaction."""

    shown: list[str]
    hashes: list[bytes]
    salt: bytes

    async def keep(self, user_id: int) -> None:
        """Put them in the place of the old ones."""
        await queries.replace_recovery_codes(user_id, self.hashes, self.salt, clock.now())


async def of(user_id: int) -> Factors:
    """What this person has turned on."""
    return await queries.factors_of(user_id)


async def turn_on_totp(person: SignedIn, sealed: str, code: str) -> list[str]:
    """Take over the offered key, since the app shows its code; returns the recovery codes, to be shown once, when this
    is the first second factor, else none: those of before stay good.

    Raises Invalid for a wrong code or an offer that is too old, Conflict when there is a key. This session counts as
    one with a second factor from here on, all others end.
    """
    check_address(person)
    secret = totp.opened_offer(person.id, sealed)
    if secret is None:
        raise Invalid(_("That took a while, so here is a new key. Scan it once more."), field="code")
    await _count(person.id, person.email)
    step = totp.matching_step(secret, code)
    if step is None:
        raise Invalid(_("That is not the code of this moment. Look at the app again."), field="code")
    codes = await fresh_codes()
    async with db.transaction():
        await sessions.hold(person)
        was_on = (await queries.factors_of(person.id)).is_on
        if not await queries.insert_secret(person.id, totp.kept(secret), step, clock.now()):
            raise Conflict(_("Your account has an authenticator app already."))
        await _note(person, "second_factor.totp_on", "totp_on")
        if was_on:
            await _stay_here_only(person)
        else:
            await begin(person, codes)
    await _forgive(person.id, person.email)
    return [] if was_on else codes.shown


async def begin(person: SignedIn, codes: FreshCodes) -> None:
    """The first second factor was just turned on, in the current transaction: keep the codes that are shown now.

    This session counts as one with a second factor from here on, all others end.
    """
    await codes.keep(person.id)
    await _stay_here_only(person)


async def _stay_here_only(person: SignedIn) -> None:
    await endings.end(person.id, "second_step", but=person.session_id)
    await sessions.start(person.id, second_factor=True)


async def settle(person: SignedIn) -> None:
    """A second factor was just turned off, in the current transaction: other sessions end, this one is a new one.

    When it was the last, the recovery codes have nothing to stand in for, and where the school asks for a second step,
    the rights of this session and of the tokens sleep from here on.
    """
    is_on = (await queries.factors_of(person.id)).is_on
    if not is_on:
        await queries.delete_recovery_codes(person.id)
        await token_queries.forget_second_factor(person.id)
    await endings.end(person.id, "second_step", but=person.session_id)
    await sessions.start(person.id, second_factor=None if is_on else False)


def check_address(person: SignedIn) -> None:
    """Raises Invalid while the address is not confirmed. Somebody else may have registered it, and would keep a way in,
    or keep its owner out, once the owner takes the account over by mail.
    """
    if person.email_verified_at is None:
        raise Invalid(_("Confirm your email address first: then nobody else can set this up in your name."))


async def turn_off_totp(person: SignedIn) -> None:
    """Forget the app's key, and the recovery codes when nothing is left that they stand in for.

    Other sessions end, as after every change of how somebody proves who they are.
    """
    async with db.transaction():
        await sessions.hold(person)
        if not await queries.delete_secret(person.id):
            raise Conflict(_("Your account has no authenticator app."))
        await settle(person)
        await _note(person, "second_factor.totp_off", "totp_off")


async def renew_recovery_codes(person: SignedIn) -> list[str]:
    """Ten new codes, to be shown once; the old ones are worth nothing from here on."""
    codes = await fresh_codes()
    async with db.transaction():
        await sessions.hold(person)
        if not (await queries.factors_of(person.id)).is_on:
            raise Conflict(_("Turn on a second step first."))
        await codes.keep(person.id)
        await _note(person, "second_factor.codes_renewed", "codes_renewed")
    return codes.shown


async def turn_off_all(user_id: int, *, subject: str, email: str, name: str, action: str, reason: str = "") -> None:
    """Forget app, passkeys and codes of somebody who lost all, in the current transaction: by an owner, or the command
    line. Whoever signed in with a passkey alone gets a link by mail.
    """
    await queries.delete_secret(user_id)
    await passkeys.delete_all_of(user_id)
    await queries.delete_recovery_codes(user_id)
    await audit.record(action, "person", subject, summary=reason)
    await _mail(user_id, email, name, "turned_off")


async def read(user_id: int, email: str, code: str) -> Proof:
    """What a typed code may be. Counts as a try; reckons for a moment, so not inside a transaction. Raises TooMany."""
    await _count(user_id, email)
    sealed = await queries.secret_of(user_id)
    secret = totp.opened(sealed) if sealed is not None else None
    step = totp.matching_step(secret, code) if secret is not None else None
    typed = "".join(letter for letter in code.lower() if letter in _ALPHABET)
    salt = await queries.recovery_salt(user_id) if step is None and len(typed) == _LETTERS else None
    return Proof(step, (await hashing.derived([typed], salt))[0] if salt else None)


async def take(user_id: int, email: str, proof: Proof) -> str:
    """Use the code up, in the current transaction; which it was: "totp" or "recovery".

    Each is good once. Raises Invalid for a wrong or used one.
    """
    used = ""
    if proof.step is not None and await queries.use_step(user_id, proof.step):
        used = "totp"
    elif proof.recovery is not None and await queries.use_recovery_code(user_id, proof.recovery, clock.now()):
        used = "recovery"
    if not used:
        raise Invalid(
            _("That code is not right, or was used before. Wait for the next one and try again."), field="code"
        )
    await _forgive(user_id, email)
    return used


async def tell_of_recovery(user_id: int, email: str, name: str, left: int) -> None:
    """Mail that a recovery code was used, and how many are left; in the current transaction."""
    await _mail(user_id, email, name, "recovery_used", left=left)


async def fresh_codes() -> FreshCodes:
    """Ten new recovery codes. Takes a second, so not inside a transaction."""
    codes = ["".join(secrets.choice(_ALPHABET) for _at in range(_LETTERS)) for _code in range(RECOVERY_CODES)]
    salt = secrets.token_bytes(16)
    return FreshCodes([f"{code[:5]}-{code[5:]}" for code in codes], await hashing.derived(codes, salt), salt)


async def _note(person: SignedIn, action: str, what: str) -> None:
    await audit.record(action, "person", person.public_id)
    await _mail(person.id, person.email, person.name, what)


async def _mail(user_id: int, email: str, name: str, what: str, *, left: int = 0) -> None:
    _id, token = await links.issue(user_id, email, "not_me")
    await mail.send(
        email,
        "accounts/second_factor_changed",
        {"name": name, "what": what, "left": left, "path": f"/not-me/{token}"},
        fact=f"second_factor:{public_id()}",
    )


async def _count(user_id: int, email: str) -> None:
    for limit in TRIES:
        await limits.check("second-factor", _counted_as(user_id, email), limit)
    if familiar.known(familiar.account_key(email)):
        await limits.check("second-factor", f"user:{user_id}:all-known", TRIES_OF_KNOWN)


async def _forgive(user_id: int, email: str) -> None:
    for limit in TRIES:
        await limits.forget("second-factor", _counted_as(user_id, email), limit)


def _counted_as(user_id: int, email: str) -> str:
    """A browser that the person signed in with before is counted by itself: who knows the password cannot shut them out."""
    return f"user:{user_id}:{familiar.known(familiar.account_key(email))}"
