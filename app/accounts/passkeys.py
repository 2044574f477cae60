"""Passkeys (WebAuthn level 3): add, rename, remove; sign in, second step and confirmation with one.

A passkey that checked its owner (PIN, finger, face) is two proofs in one: something held and something known or borne.
As the step after a password, holding it is enough. Signatures are checked by py_webauthn; counters, challenges and whose
it is, here.
"""

from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
import webauthn
from quart import current_app
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    options_to_json,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from app.accounts import authenticators, challenges, endings, links, second_factors, sessions, sign_ins
from app.accounts import queries as people_queries
from app.accounts.models import KnownPasskey, Passkey, PendingSignIn, SignedIn
from app.accounts.queries import passkeys as queries
from app.config import Config
from app.core import audit, clock, db, mail, tokens
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.core.settings import school

T = TypeVar("T")
log = structlog.get_logger()

MOST = 20
ALGORITHMS = [Algorithm.ECDSA_SHA_256, Algorithm.EDDSA, Algorithm.RSASSA_PKCS1_v1_5_SHA_256]
_MILLISECONDS = int(challenges.LIFETIME.total_seconds() * 1000)
REQUIRED, PREFERRED = UserVerificationRequirement.REQUIRED, UserVerificationRequirement.PREFERRED
# What an answer is for: one for another purpose is refused.
ADD, SIGN_IN, SECOND_STEP, CONFIRM = "add", "sign-in", "second-step", "confirm"


# The school, as passkeys know it


def are_possible() -> bool:
    """Whether APP_URL has a name: a passkey belongs to one, and an IP address is none."""
    try:
        ip_address(_rp_id())
    except ValueError:
        return True
    return False


def _rp_id() -> str:
    config: Config = current_app.config["LECTERN"]
    return urlsplit(config.app_url).hostname or ""


def _origin() -> str:
    config: Config = current_app.config["LECTERN"]
    parts = urlsplit(config.app_url)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}"


# What the browser is asked for, as JSON


async def options_to_add(person: SignedIn) -> str:
    """What a device needs to make a passkey for this person; those that hold one already are told to decline."""
    return options_to_json(
        webauthn.generate_registration_options(
            rp_id=_rp_id(),
            rp_name=(await school()).name or _rp_id(),
            user_id=_handle(person),
            user_name=person.email,
            user_display_name=person.name,
            challenge=challenges.new(ADD, str(person.id)),
            timeout=_MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=REQUIRED
            ),
            exclude_credentials=_named(await of(person.id)),
            supported_pub_key_algs=ALGORITHMS,
        )
    )


async def options_to_sign_in() -> str:
    """The same for everybody: the device offers what it holds for this school, and we learn whose only from its answer."""
    return _options(challenges.new(SIGN_IN), REQUIRED)


async def options_for_second_step(waiting: PendingSignIn) -> str:
    """For the person who gave the first proof in this browser."""
    challenge = challenges.new(SECOND_STEP, str(waiting.id))
    return _options(challenge, PREFERRED, await of(waiting.user_id))


async def options_to_confirm(person: SignedIn) -> str:
    """For the person who is signed in."""
    return _options(challenges.new(CONFIRM, str(person.id)), REQUIRED, await of(person.id))


def _options(challenge: bytes, verification: UserVerificationRequirement, known: list[Passkey] | None = None) -> str:
    return options_to_json(
        webauthn.generate_authentication_options(
            rp_id=_rp_id(),
            challenge=challenge,
            timeout=_MILLISECONDS,
            allow_credentials=_named(known or []),
            user_verification=verification,
        )
    )


def _named(known: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id, transports=[AuthenticatorTransport(way) for way in one.transports]
        )
        for one in known
    ]


def _handle(person: SignedIn) -> bytes:
    """What devices call the account: 32 bytes that tell nothing, and are the same for all its passkeys."""
    return tokens.keyed(f"passkey handle:{person.public_id}")


# What a person has


async def of(user_id: int) -> list[Passkey]:
    """The passkeys of a person, oldest first."""
    return await queries.of_person(user_id)


async def find(user_id: int, passkey_id: str) -> Passkey:
    """One of them, by its public id. Raises NotFound for somebody else's."""
    found = await queries.of_person_by_public_id(user_id, passkey_id)
    if found is None:
        raise _unknown()
    return found


async def add(person: SignedIn, credential: str, *, name: str, user_agent: str) -> list[str]:
    """Keep a new passkey; returns the recovery codes, to be shown once, when it is the first second factor, else none.

    Other sessions end, as after every change of how somebody proves who they are. Raises Invalid when the answer of the
    device is not good or the address is not confirmed, Conflict when it is known already or there are too many.
    """
    second_factors.check_address(person)
    made, transports = await _made(person, credential)
    name = name or authenticators.name_of(made.aaguid, user_agent)
    codes = None if (await second_factors.of(person.id)).is_on else await second_factors.fresh_codes()
    async with db.transaction():
        await sessions.hold(person)
        before = await second_factors.of(person.id)
        if before.passkeys >= MOST:
            raise Conflict(_("Your account has as many passkeys as it can hold. Remove one first."))
        if not await _keep(person, made, name=name, transports=transports):
            raise Conflict(_("The school knows this passkey already."))
        await _note(person, "passkey.add", "added", name)
        if before.is_on:
            await endings.end(person.id, "second_step", but=person.session_id)
            return []
        if codes is None:
            raise Conflict(_("Your account has just changed. Please try once more."))
        await second_factors.begin(person, codes)
    return codes.shown


async def _made(person: SignedIn, credential: str) -> tuple[VerifiedRegistration, list[str]]:
    """The passkey that a device made for this person just now, and the ways to reach it. Raises Invalid."""
    answer = _judged(lambda: parse_registration_credential_json(credential))
    challenge = _challenge_in(answer.response.client_data_json)
    await challenges.use(challenge, ADD, str(person.id))

    def verify() -> VerifiedRegistration:
        return webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=_rp_id(),
            expected_origin=_origin(),
            supported_pub_key_algs=ALGORITHMS,
        )

    made = _judged(verify)
    if not made.user_verified:
        raise _unverified()
    return made, [way.value for way in answer.response.transports or []]


async def _keep(person: SignedIn, made: VerifiedRegistration, *, name: str, transports: list[str]) -> bool:
    """False when the passkey is known already."""
    return await queries.insert(
        public_id=public_id(),
        user_id=person.id,
        name=name,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        aaguid=made.aaguid,
        user_handle=_handle(person),
        transports=transports,
        is_backup_eligible=made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        is_backed_up=made.credential_backed_up,
        now=clock.now(),
    )


async def rename(person: SignedIn, passkey_id: str, name: str) -> None:
    """Call it something else. Raises NotFound for somebody else's."""
    async with db.transaction():
        before = await find(person.id, passkey_id)
        if await queries.rename(person.id, passkey_id, name):
            was, now = {"passkey": before.name}, {"passkey": name}
            await audit.record("passkey.rename", "person", person.public_id, before=was, after=now)


async def remove(person: SignedIn, passkey_id: str) -> None:
    """Forget one, and the recovery codes when nothing is left that they stand in for. Other sessions end.

    Raises NotFound for somebody else's, Conflict when it is the only way in: somebody without a password keeps one.
    """
    async with db.transaction():
        owner = await sessions.hold(person)
        name = await queries.delete(person.id, passkey_id)
        if name is None:
            raise _unknown()
        left = await second_factors.of(person.id)
        if not owner.has_password and not left.passkeys and not await queries.has_identity(person.id):
            raise Conflict(_("This passkey is your only way in. Set a password first, or add another passkey."))
        await second_factors.settle(person)
        await _note(person, "passkey.remove", "removed", name)


# Proving who one is


async def sign_in(credential: str, *, keep: bool) -> None:
    """Sign in with nothing but a passkey that checked its owner. Raises Invalid."""
    found = await _signed(credential, SIGN_IN, is_named=True)
    async with db.transaction():
        await _hold(found)
        await sessions.start(found.user_id, keep=keep, method="passkey", second_factor=True)


async def take_second_step(waiting: PendingSignIn, credential: str) -> None:
    """The second step of a sign-in; the first proof told who it is, so holding the device is enough. Raises Invalid."""
    await _signed(credential, SECOND_STEP, str(waiting.id), owner_id=waiting.user_id, is_verified=False)
    async with db.transaction():
        await sign_ins.finish(waiting)


async def confirm(person: SignedIn, credential: str) -> None:
    """The signed-in person shows a passkey again: the session is fresh from here on (and rotated). Raises Invalid."""
    found = await _signed(credential, CONFIRM, str(person.id), owner_id=person.id)
    async with db.transaction():
        await _hold(found)
        await sessions.start(person.id, second_factor=True)


async def _hold(passkey: KnownPasskey) -> None:
    """Keep a passkey that has just signed for the rest of the transaction. Raises Invalid when it was taken away since.

    Whoever takes one away holds the person's row, and ends what it began: so they wait, or have been.
    """
    await people_queries.lock_users([passkey.user_id])
    if not await queries.exists(passkey.id):
        raise _unheard_of()


async def _signed(
    credential: str,
    purpose: str,
    subject: str = "",
    *,
    owner_id: int | None = None,
    is_verified: bool = True,
    is_named: bool = False,
) -> KnownPasskey:
    """The passkey that signed this answer, its use noted. `owner_id`: whose it must be; `is_verified`: whether the
    device must have checked its owner; `is_named`: whether it must say whose it is, since nobody else did.
    """
    answer = _judged(lambda: parse_authentication_credential_json(credential))
    challenge = _challenge_in(answer.response.client_data_json)
    await challenges.use(challenge, purpose, subject)
    found = await queries.by_credential_id(answer.raw_id)
    if found is None:
        raise _unheard_of()
    shown = _verified(answer, challenge, found.public_key)
    handle = answer.response.user_handle
    is_theirs = owner_id in (None, found.user_id)
    says_so = handle == found.user_handle if handle or is_named else True
    is_eligible = shown.credential_device_type is CredentialDeviceType.MULTI_DEVICE
    if not is_theirs or not says_so or is_eligible is not found.is_backup_eligible:
        raise Invalid(_("This passkey is not one of this account's."))
    if is_verified and not shown.user_verified:
        raise _unverified()
    if found.owner_state != "active":
        raise Invalid(_("This account is suspended. Write to us if you think that this is a mistake."))
    await _note_use(found, shown)
    return found


def _verified(answer: AuthenticationCredential, challenge: bytes, public_key: bytes) -> VerifiedAuthentication:
    def verify() -> VerifiedAuthentication:
        return webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=_rp_id(),
            expected_origin=_origin(),
            credential_public_key=public_key,
            # The library would look at the counter before the signature: anybody could raise the alarm of `_note_use`.
            credential_current_sign_count=0,
        )

    return _judged(verify)


async def _note_use(found: KnownPasskey, shown: VerifiedAuthentication) -> None:
    """Raises Invalid when the counter did not rise, which says that there are two of a kind; the owner hears of it."""
    if await queries.note_use(found.id, shown.new_sign_count, shown.credential_backed_up, clock.now()):
        return
    async with db.transaction():
        if await queries.exists(found.id):
            await audit.record("passkey.refuse", "person", found.owner_public_id, summary=found.name)
            await _mail(found.user_id, found.owner_email, found.owner_name, "refused", found.name)
    raise Invalid(_("This passkey was refused, because it looks like a copy. Sign in another way, then remove it."))


def _challenge_in(client_data: bytes) -> bytes:
    """What was signed. A page in a frame of another site must not have asked for it."""
    said = _judged(lambda: parse_client_data_json(client_data))
    if said.cross_origin:
        raise _unfit()
    return said.challenge


def _judged(judge: Callable[[], T]) -> T:
    """What the library makes of an answer. Anybody can send anything: whatever it raises, it is a refusal."""
    try:
        return judge()
    except Exception as error:
        log.info("a passkey was not good", error=type(error).__name__, why=str(error)[:200])
        raise _unfit() from None


def _unfit() -> Invalid:
    return Invalid(_("That passkey could not be checked. Please try again, or take another way."))


def _unheard_of() -> Invalid:
    return Invalid(_("The school does not know this passkey. It may have been removed here; remove it there too."))


def _unverified() -> Invalid:
    return Invalid(_("The device did not check that it is you. Turn on its PIN, fingerprint or face, then try again."))


def _unknown() -> NotFound:
    return NotFound(_("There is no such passkey."))


async def _note(person: SignedIn, action: str, what: str, name: str) -> None:
    await audit.record(action, "person", person.public_id, summary=name)
    await _mail(person.id, person.email, person.name, what, name)


async def _mail(user_id: int, email: str, name: str, what: str, passkey: str) -> None:
    _id, token = await links.issue(user_id, email, "not_me")
    await mail.send(
        email,
        "accounts/passkey_changed",
        {"name": name, "what": what, "passkey": passkey, "path": f"/not-me/{token}"},
        fact=f"passkey:{public_id()}",
    )
