"""Who may call a route, and how often. Deny first: a route that says nothing is refused (and fails the tests).

@routes.post("/orders/<public_id>/refunds")
@requires("orders.refund")
async def create_refund(public_id: str) -> Response: ...
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from quart import Quart, Response, current_app

from app.core import limits
from app.core.errors import Conflict, Forbidden, SignInNeeded
from app.core.i18n import _
from app.core.limits import Limit
from app.web import acting, bodies, once
from app.web.current import g, request
from app.web.request import Visitor, client_network, user

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The field by which a form tells for whom its page was drawn (static/js/requests.js).
VIEWER = "_viewer"


@dataclass(frozen=True, slots=True)
class Guard:
    """What a route declares. `capability` None asks only for a sign-in; `fresh` asks for a recent one.

    `once` makes the same form of the same person, sent twice within seconds, act once.
    """

    kind: str  # public | member | capability | machine | api
    capability: str | None = None
    limit: Limit = limits.WRITE
    fresh: bool = False
    once: bool = False
    # It may be called while acting as another person: only what ends that.
    while_acting: bool = False


def _declare(guard: Guard) -> Callable[[F], F]:
    def mark(view: F) -> F:
        view.guard = guard  # type: ignore[attr-defined]
        return view

    return mark


def public(*, limit: Limit = limits.WRITE, once: bool = False, while_acting: bool = False) -> Callable[[F], F]:
    """Anyone may call it; writes count against `limit` per address."""
    return _declare(Guard("public", limit=limit, once=once, while_acting=while_acting))


def signed_in(
    *, limit: Limit = limits.WRITE, fresh: bool = False, once: bool = False, while_acting: bool = False
) -> Callable[[F], F]:
    """Any signed-in person may call it; it loads rows through that person."""
    return _declare(Guard("member", limit=limit, fresh=fresh, once=once, while_acting=while_acting))


def requires(
    capability: str, *, limit: Limit = limits.WRITE, fresh: bool = False, once: bool = False
) -> Callable[[F], F]:
    """Only people whose role holds this capability may call it."""
    return _declare(Guard("capability", capability, limit, fresh, once))


def machine(*, limit: Limit = Limit(5000, 10)) -> Callable[[F], F]:
    """Called by machines that prove themselves otherwise (a signature); free of the cross-site check."""
    return _declare(Guard("machine", limit=limit))


def api(scope: str = "", *, limit: Limit = limits.API) -> Callable[[F], F]:
    """Called by programs below /api, which show a token that was made for `scope`; without one, by anybody.

    Cookies count for nothing there, so another site gains nothing by sending somebody's browser: free of that check.
    """
    return _declare(Guard("api", scope or None, limit))


def guard_kind() -> str:
    """How the route of this request is guarded; empty when it has none."""
    guard = guard_of(current_app.view_functions.get(request.endpoint or ""))
    return guard.kind if guard is not None else ""


def guard_of(view: Any) -> Guard | None:
    """What a view function declares, or None."""
    return getattr(view, "guard", None)


def install(app: Quart, is_fresh: Callable[[], bool], look_again: Callable[[], Awaitable[None]]) -> None:
    """Check the guard of every request before its handler. `is_fresh` tells whether the sign-in is recent; `look_again` finds
    who asks, as they are by then.
    """

    app.after_request(once.conclude)

    @app.before_request
    async def check_guard() -> Response | None:
        endpoint = request.endpoint
        if endpoint is None:
            return None
        view = app.view_functions.get(endpoint)
        guard = guard_of(view)
        if guard is None:
            raise Forbidden(_("This address is not open to anyone."))
        person, looks = user(), acting.current()
        # What somebody does while acting as another is counted as theirs.
        counted = looks.real if looks is not None else person
        await _check_limit(guard, str(counted.id) if counted else None)
        if not guard.while_acting:
            acting.check(is_sensitive=guard.fresh)
        if guard.kind == "api":
            _check_bearer(guard, person)
        elif guard.kind not in ("public", "machine"):
            _check_person(guard, person, is_fresh)
            await _check_viewer(person)
            if bodies.limit_of(view) is not None:
                bodies.when_read(partial(check_again, guard))
        return await once.take_on() if guard.once else None

    async def check_again(guard: Guard) -> None:
        """What somebody brings may be on its way for hours: whether they may do so is asked again when it is here."""
        await look_again()
        _check_person(guard, user(), lambda: True)


def _check_person(guard: Guard, person: Visitor | None, is_fresh: Callable[[], bool]) -> None:
    if person is None:
        raise SignInNeeded(_("Please sign in first."))
    if person.must_choose_password:
        raise SignInNeeded(_("Please choose a new password first."), field="new_password")
    if guard.capability is not None and person.is_held_back:
        raise SignInNeeded(_("Your role asks for a second step at sign-in."), field="second_factor")
    if guard.capability is not None and not person.can(guard.capability):
        looks = acting.current()
        if looks is not None:  # whoever acts may have the role, and reads this as of themselves
            raise Forbidden(_("You look as %(name)s, who may not open this.", name=looks.name))
        raise Forbidden(_("Your role does not allow this. Whoever gives roles in the school can change that."))
    if guard.fresh and not is_fresh():
        raise SignInNeeded(_("Please confirm your password first."), field="fresh")


async def _check_viewer(person: Visitor | None) -> None:
    """Raises Conflict for a form whose page was drawn for somebody else: another tab of this browser signed in since."""
    if person is None or request.method in SAFE_METHODS or request.mimetype != "application/x-www-form-urlencoded":
        return
    if (await request.form).get(VIEWER, person.public_id) != person.public_id:
        raise Conflict(
            _(
                "You are signed in as %(name)s now, and this page was somebody else’s. Nothing was saved.",
                name=person.name,
            )
        )


def _check_bearer(guard: Guard, person: Visitor | None) -> None:
    if guard.capability is None:
        return
    if person is None:
        raise SignInNeeded(_("Send a token that is good now: Authorization: Bearer lec_…"), field="token")
    if guard.capability not in getattr(person, "scopes", ()):
        raise Forbidden(
            _("This token was not made for this: it lacks the scope %(scope)s.", scope=guard.capability),
            field=guard.capability,
        )
    # The person's own things stay theirs, whatever their role may do.
    if "." in guard.capability and not person.can(guard.capability):
        raise Forbidden(_("Your role does not allow this."))


async def _check_limit(guard: Guard, user_id: str | None) -> None:
    if guard.kind == "api":
        await _check_api_limit(guard, user_id)
        return
    if request.method in SAFE_METHODS and guard.limit is limits.WRITE:
        return
    # Every write counts together, and those with a limit of their own count by themselves besides.
    here = f"address:{client_network()}"
    keys = [here, f"user:{user_id}"] if user_id is not None else [here]
    if request.method not in SAFE_METHODS and guard.kind != "machine":
        await limits.check("write", keys, limits.WRITE)
    if guard.limit is not limits.WRITE:
        await limits.check(str(request.endpoint), keys, guard.limit)


async def _check_api_limit(guard: Guard, user_id: str | None) -> None:
    """Programs of one person count together, wherever they run; those that nobody knows by where they come from."""
    g.api_limit, g.api_left = guard.limit, None
    await limits.check("api", f"address:{client_network()}", limits.API_ADDRESS)
    who = f"user:{user_id}" if user_id is not None else f"address:{client_network()}"
    g.api_left = await limits.check("api", who, guard.limit)
