"""Today, search, settings."""

from quart import Blueprint, Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import custom_roles, sessions
from app.accounts.roles import ROLES, may_give
from app.admin import connections, dashboard, navigation, queries, search
from app.admin.forms import LogoForm, SettingsForm
from app.core import clock
from app.core.errors import Forbidden, Invalid, SignInNeeded, Stale, TooLarge
from app.core.i18n import _
from app.core.settings import change_school, forget_copy, save_school, school
from app.media import uploads
from app.media.models import Upload
from app.web import tables
from app.web.bodies import brings
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user
from app.web.stale import catch_up, differing

admin = Blueprint("admin", __name__, url_prefix="/admin")


@admin.get("")
@requires("admin.enter")
async def show_today() -> Response | BaseResponse:
    """Figures, what needs a person, the latest orders. Those who may not see figures begin with their first page."""
    person = signed_in_user()
    if not person.can("dashboard.view"):
        pages = navigation.links()
        if not pages:
            raise Forbidden(_("Your role does not allow this. Whoever gives roles in the school can change that."))
        return redirect(pages[0].url, 303)
    asked = request.args
    today = await dashboard.today(
        asked.get("period", ""),
        asked.get("from", ""),
        asked.get("to", ""),
        can_see_orders=person.can("orders.view"),
        has_payments=bool(current_app.config["LECTERN"].stripe_secret),
    )
    return await page(
        "admin/today.html",
        today=today,
        due=dashboard.due(navigation.waiting(), today.totals, person.can),
        waiting=navigation.waiting(),
        periods=dashboard.period_links(today.period),
        now=clock.now(),
    )


@admin.get("/learners")
@requires("people.view")
async def list_learners() -> Response:
    """Who opened lessons, and on how many days."""
    return await tables.show(queries.LEARNERS, "admin/learners.html", trail=[(_("Today"), url_for(".show_today"))])


@admin.get("/search")
@requires("admin.enter")
async def show_search() -> Response:
    """What the words in `q` may mean."""
    return await page("admin/search.html", hits=await search.find(request.args.get("q", ""), signed_in_user().can))


@admin.get("/settings")
@requires("settings.edit")
async def show_settings() -> Response:
    """The school's settings, as they are."""
    return await _settings_page(await _form_of_school())


@admin.post("/settings")
@requires("settings.edit")
async def update_settings() -> Response | BaseResponse:
    """Keep the settings; they hold from the next request on."""
    form = await submitted(SettingsForm, roles=await custom_roles.labels())
    if not form.validate():
        return await _settings_page(form, status=422)
    changes, now = form.changes(), await school()
    try:
        # The second of two clicks finds it done.
        is_new = any(getattr(now, name) != value for name, value in changes.items())
        if is_new and form.seen.data and form.seen.data != form.mark_of(now):
            raise Stale(_("Something of this has changed meanwhile. Open it again and look."))
        changed = set(changes.get("second_factor_roles", ())) ^ set(now.second_factor_roles)
        if changed:
            await _check_may_ask_for_second_step(changed)
        await save_school(since=now, **changes)
    except Stale:
        now = await school()
        catch_up(form.seen, form.mark_of(now))
        stored = differing(form, {name: getattr(now, name) for name in changes})
        if not sessions.me().can("roles.edit"):  # theirs to see and not to decide: saved again, it stays as it is
            form.second_factor_roles.data = list(now.second_factor_roles)
        return await _settings_page(form, status=409, stored=stored)
    flash(_("The settings are saved."))
    return redirect(url_for(".show_settings"), 303)


@admin.post("/settings/logo")
@requires("settings.edit")
@brings(uploads.IMAGE_BODY)
async def create_logo() -> Response | BaseResponse:
    """Show this picture beside the school's name."""
    form = await submitted(LogoForm)
    file = form.logo.data
    try:
        if not file or not file.filename:
            raise Invalid(_("Choose a picture first."), field="logo")
        await uploads.store(
            file.stream,
            file.filename,
            kind="image",
            owner_id=signed_in_user().id,
            is_public=True,
            field="logo",
            then=_show_logo,
        )
    except (Invalid, TooLarge) as error:
        form.refuse(Invalid(error.message, field="logo"))
        return await _settings_page(await _form_of_school(), logo_form=form, status=422)
    await forget_copy()
    flash(_("The logo is in place."))
    return redirect(url_for(".show_settings"), 303)


async def _show_logo(logo: Upload) -> None:
    await change_school(logo_url=uploads.address(logo))


@admin.post("/settings/logo/removal")
@requires("settings.edit")
async def delete_logo() -> BaseResponse:
    """Show the drawn mark again. The file stays: mails that were sent still show it."""
    await save_school(logo_url="")
    flash(_("The logo is gone. The name stands alone again."))
    return redirect(url_for(".show_settings"), 303)


async def _check_may_ask_for_second_step(roles: set[str]) -> None:
    """Whoever may not make roles, or holds a stolen session, does not take away what protects those above them."""
    person = sessions.me()
    if not person.can("roles.edit"):
        raise Forbidden(_("Only those who make roles decide which of them need a second step."))
    own = {role.key: frozenset(role.capabilities) for role in await custom_roles.every()}
    if not all(may_give(person, key, ROLES.get(key) or own.get(key, frozenset())) for key in roles):
        raise Forbidden(_("You cannot decide about a role that may do more than you."))
    if not sessions.is_fresh():
        raise SignInNeeded(_("Please confirm that it is you first."), field="fresh")


async def _form_of_school() -> SettingsForm:
    form = SettingsForm(obj=await school(), roles=await custom_roles.labels())
    form.seen.data = form.mark_of(await school())
    return form


async def _settings_page(
    form: SettingsForm,
    *,
    logo_form: LogoForm | None = None,
    status: int = 200,
    stored: list[tuple[str, str]] | None = None,
) -> Response:
    return await page(
        "admin/settings.html",
        status=status,
        form=form,
        stored=stored,
        logo_form=logo_form or LogoForm(),
        services=connections.connected(current_app.config["LECTERN"]),
    )
