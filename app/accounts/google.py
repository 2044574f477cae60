"""Sign in with Google: whom the provider names, and which account here that is.

A known identity signs in by its subject, whatever its address says by now. An unknown one is connected by its address
only when the address is proved on both sides: there, since otherwise anybody could claim it; here, since otherwise
somebody else may have made the account. On the way to the provider and back, everything that must match is in a sealed
cookie of this browser, which is taken once.
"""

import base64
import hmac
from dataclasses import asdict, dataclass
from datetime import timedelta

import orjson
from quart import Quart, Response

from app.accounts import links, queries, second_factors, sessions, sign_ins, users
from app.accounts.events import UserRegistered, UserVerified
from app.accounts.models import ConnectedIdentity, SignedIn, User
from app.accounts.names import is_name
from app.accounts.queries import identities as own
from app.core import audit, clock, db, events, mail, tokens
from app.core.errors import Conflict, Invalid
from app.core.i18n import _
from app.core.ids import public_id
from app.gateways import identity as gateway
from app.gateways.identity import Identity, IdentityProvider
from app.web import cookies
from app.web.current import g
from app.web.forms import is_email, unreadable
from app.web.render import add_context

PROVIDER = "google"
COOKIE = "google"
LIFETIME = timedelta(minutes=10)
CALLBACK = "/login/google/callback"


class NotSignedIn(Exception):
    """Why somebody came back from the provider and is not signed in; `templates/accounts/google_trouble.html` says it.

    cancelled, stale, away, refused: between the browser, the provider and us. unproven_there, unproven_here, another,
    taken, merged, suspended: whose account it is.
    """

    def __init__(self, why: str, email: str = "") -> None:
        super().__init__(why)
        self.why, self.email = why, email


@dataclass(frozen=True, slots=True)
class Flow:
    """What this browser was sent to the provider with. `connects`: the signed-in person who connects it, else None."""

    state: str
    nonce: str
    verifier: str
    onward: str
    connects: int | None
    begun_at: float


@dataclass(slots=True)
class _Wiring:
    provider: IdentityProvider | None
    redirect_uri: str


_wiring = _Wiring(None, "")


def configure(provider: IdentityProvider | None, app_url: str) -> None:
    """Say who is asked, and where the school is; called once by install()."""
    global _wiring
    _wiring = _Wiring(provider, app_url.rstrip("/") + CALLBACK)


def is_offered() -> bool:
    """Whether there is a button."""
    return _wiring.provider is not None


async def begin(*, onward: str, connects: SignedIn | None = None) -> str:
    """Where to send the browser; what must match when it comes back goes into its cookie. Raises NotSignedIn("away")."""
    try:
        begun = await _provider().begin(_wiring.redirect_uri)
    except gateway.Unavailable as error:
        raise NotSignedIn("away") from error
    person = connects.id if connects is not None else None
    g.google_flow = Flow(begun.state, begun.nonce, begun.verifier, onward, person, clock.now().timestamp())
    return begun.url


def take_flow(state: str) -> Flow:
    """What this browser was sent away with; its cookie goes. Raises NotSignedIn("stale") when it does not match."""
    flow, g.google_flow = _opened(cookies.read(COOKIE)), None
    if flow is None or not hmac.compare_digest(flow.state.encode(), state.encode("utf-8", "surrogatepass")):
        raise NotSignedIn("stale")
    return flow


async def identify(flow: Flow, code: str) -> Identity:
    """Who came back with this code. Raises NotSignedIn."""
    try:
        return await _provider().finish(
            code, verifier=flow.verifier, nonce=flow.nonce, redirect_uri=_wiring.redirect_uri
        )
    except gateway.Unavailable as error:
        raise NotSignedIn("away") from error
    except gateway.Refused as error:
        raise NotSignedIn("refused") from error


async def sign_in(found: Identity, *, onward: str) -> bool:
    """Sign in whoever this is here, with a new account when nobody is; False when the second step comes first.

    Raises NotSignedIn.
    """
    async with db.transaction():
        person = await _known(found) or await _by_address(found)
        is_same = g.get("user") is not None and g.user.id == person.user_id
        try:
            return await sign_ins.go_on(person.user_id, method=PROVIDER, keep=None if is_same else True, onward=onward)
        except Invalid as error:
            raise NotSignedIn("suspended") from error


async def connect(person: SignedIn, found: Identity) -> None:
    """From now on this person may sign in with this identity. Raises NotSignedIn, Conflict when there is one."""
    async with db.transaction():
        here = await sessions.hold(person)
        proves = found.is_verified and found.email.lower() == here.email.lower()
        if here.email_verified_at is None and not proves:
            raise NotSignedIn("unproven_here", here.email)
        if not await _insert(here, found):
            other = await own.identity_by_subject(PROVIDER, found.subject)
            if other is not None and other.user_id != here.id:
                raise NotSignedIn("taken", found.email)
            raise Conflict(_("A Google account is connected already."))
        if proves:
            await users.prove_address(here.id, here.email)


async def disconnect(person: SignedIn) -> None:
    """Forget the identity. Raises Conflict when there is none, or no password or passkey would be left."""
    async with db.transaction():
        here = await sessions.hold(person)
        if not here.has_password and not (await second_factors.of(here.id)).passkeys:
            raise Conflict(_("Set a password first: without Google you would have no way in but mailed links."))
        if not await forget(here):
            raise Conflict(_("No Google account is connected."))


async def forget(here: User) -> bool:
    """Disconnect, in the current transaction; False when nothing is connected."""
    gone = await own.identity_of(here.id, PROVIDER)
    if gone is None or not await own.delete_identity(here.id, PROVIDER):
        return False
    await _note(here, "disconnect", gone.email)
    return True


async def connected(user_id: int) -> ConnectedIdentity | None:
    """The identity of this person, when there is one and Google is asked at all."""
    return await own.identity_of(user_id, PROVIDER) if is_offered() else None


async def _known(found: Identity) -> ConnectedIdentity | None:
    known = await own.identity_by_subject(PROVIDER, found.subject)
    if known is None:
        return None
    if known.state != "active":
        raise NotSignedIn("suspended")
    # Held from here on: whoever disconnects it, or says that it was not them, waits for the session to end it, or has been.
    await queries.lock_users([known.user_id])
    if not await own.note_use(known.user_id, PROVIDER, found.subject, found.email, clock.now()):
        raise NotSignedIn("stale")
    return known


async def _by_address(found: Identity) -> ConnectedIdentity:
    """Connect the identity to the account of its address, which is made when there is none."""
    if not found.is_verified or not is_email(found.email) or unreadable(found.email):
        raise NotSignedIn("unproven_there", found.email)
    here = await _registered(found) or await queries.user_by_email(found.email)
    if here is None:  # it was given up meanwhile
        raise NotSignedIn("stale")
    if here.state != "active":
        raise NotSignedIn("merged" if here.state == "merged" else "suspended", here.email)
    if here.email_verified_at is None:
        raise NotSignedIn("unproven_here", here.email)
    (now,) = await queries.lock_users([here.id])
    if now.email != here.email:
        raise NotSignedIn("stale")
    with audit.acting(audit.current_actor().known_as(here.id)):
        if not await _insert(here, found) and await own.identity_by_subject(PROVIDER, found.subject) is None:
            raise NotSignedIn("another", here.email)  # the address has changed hands there
    known = await own.identity_by_subject(PROVIDER, found.subject)
    if known is None or known.user_id != here.id:
        raise NotSignedIn("taken", found.email)
    return known


async def _registered(found: Identity) -> User | None:
    """A new account whose address is proved, without a password; None when the address has one."""
    made = await users.insert(
        found.email, found.name[:100] if is_name(found.name) and not unreadable(found.name) else ""
    )
    if made is None:
        return None
    await queries.mark_verified(made.id, made.email, clock.now())
    await events.publish(UserRegistered(made.id))
    await events.publish(UserVerified(made.id))
    await mail.send(made.email, "accounts/welcome", {"name": made.name}, fact=f"welcome:{made.id}")
    return await queries.user_by_id(made.id)


async def _insert(here: User, found: Identity) -> bool:
    if not await own.insert_identity(here.id, PROVIDER, found.subject, found.email, clock.now()):
        return False
    await _note(here, "connect", found.email)
    return True


async def _note(here: User, what: str, email: str) -> None:
    await audit.record(f"identity.{what}", "person", here.public_id, summary="Google")
    _id, token = await links.issue(here.id, here.email, "not_me")
    await mail.send(
        here.email,
        "accounts/identity_changed",
        {"name": here.name, "what": what, "email": email, "path": f"/not-me/{token}"},
        fact=f"identity:{public_id()}",
    )


def _provider() -> IdentityProvider:
    if _wiring.provider is None:
        raise RuntimeError("nobody is asked who somebody is")
    return _wiring.provider


def _sealed(flow: Flow) -> str:
    return base64.urlsafe_b64encode(tokens.seal(orjson.dumps(asdict(flow)), COOKIE)).decode()


def _opened(sealed: str) -> Flow | None:
    """None when there is none, it is not ours, or the browser was away for too long."""
    try:
        kept = tokens.unseal(base64.urlsafe_b64decode(sealed), COOKIE) if 0 < len(sealed) < 4000 else None
    except ValueError:
        return None
    flow = Flow(**orjson.loads(kept)) if kept is not None else None
    if flow is None or clock.now().timestamp() - flow.begun_at > LIFETIME.total_seconds():
        return None
    return flow


def install(app: Quart) -> None:
    """Choose who is asked, tell the pages, and carry the cookie."""
    config = app.config["LECTERN"]
    configure(gateway.choose(config), config.app_url)
    add_context(_for_pages)

    @app.after_request
    async def carry_google_flow(response: Response) -> Response:
        if "google_flow" in g:
            if g.google_flow is None:
                cookies.clear(response, COOKIE)
            else:
                cookies.put(response, COOKIE, _sealed(g.google_flow), max_age=int(LIFETIME.total_seconds()))
        return response


def _for_pages() -> dict[str, bool]:
    return {"has_google": is_offered()}
