"""The account of the signed-in person: profile, password, devices."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import email_changes, endings, impersonations, passwords, sessions, users
from app.accounts.devices import Device, device_of
from app.accounts.forms import PasswordForm, ProfileForm
from app.accounts.models import Session
from app.accounts.places import place_of
from app.accounts.routes import routes
from app.accounts.sessions import me
from app.core import limits
from app.core.errors import Invalid, NotFound, Stale
from app.core.i18n import _, ngettext
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import signed_in
from app.web.render import page
from app.web.request import client_network
from app.web.stale import catch_up, differing


@routes.get("/account")
@signed_in()
async def show_account() -> ResponseReturnValue:
    """Profile and password."""
    return await _account_page()


@routes.post("/account/profile")
@signed_in()
async def update_profile() -> ResponseReturnValue:
    """Change name, headline, time zone; those who teach also write about themselves."""
    form, person = await submitted(ProfileForm), me()
    if form.validate():
        try:
            await users.update_profile(
                person.id,
                name=form.name.data,
                headline=form.headline.data or "",
                biography=(form.biography.data or "") if person.can("courses.edit") else None,
                time_zone=form.time_zone.data or None,
                seen=form.seen.data or "",
            )
        except Stale:
            return await _account_page(profile=form, status=409, is_stale=True)
        flash(_("Your profile is saved."))
        return _to_account()
    return await _account_page(profile=form, status=422)


@routes.post("/account/password")
@signed_in(limit=limits.SENSITIVE)
async def update_password() -> ResponseReturnValue:
    """Change the password; every other device is signed out."""
    form = await submitted(PasswordForm)
    if form.validate():
        try:
            await passwords.change(me(), form.current_password.data, form.new_password.data, address=client_network())
            flash(_("Your password is changed. Your other devices are signed out."))
            return _to_account()
        except Invalid as refused:
            form.refuse(refused)
    return await _account_page(password=form, status=422)


@routes.post("/account/password/link")
@signed_in(limit=limits.SENSITIVE, once=True)
async def create_own_reset_mail() -> ResponseReturnValue:
    """Mail the signed-in person the link that sets a password."""
    await passwords.ask_for_reset(me().email)
    flash(_("A mail to %(email)s is on its way.", email=me().email))
    return _to_account()


@dataclass(frozen=True, slots=True)
class Place:
    """A row of the list of devices. `idle_until`: when it ends if nobody comes back to it."""

    session: Session
    device: Device
    place: str
    idle_until: datetime


@routes.get("/account/sessions")
@signed_in()
async def list_sessions() -> ResponseReturnValue:
    """Where this person is signed in."""
    person = me()
    devices = [
        Place(one, device_of(one.user_agent), place_of(one.address, one.country), sessions.idle_until(one))
        for one in await sessions.of(person.id)
    ]
    devices.sort(key=lambda place: place.session.id != person.session_id)
    looks = await impersonations.seen_by(person.id)
    return await page("accounts/sessions.html", devices=devices, current=person.session_public_id, looks=looks)


@routes.post("/account/sessions/<public_id>/removal")
@signed_in(fresh=True)
async def delete_one_session(public_id: str) -> ResponseReturnValue:
    """Sign one device out; somebody else's is not found."""
    person = me()
    if public_id == person.session_public_id:
        await sessions.end()
        return redirect("/", 303)
    await sessions.revoke(person.id, public_id)
    flash(_("That device is signed out."))
    return _to_sessions()


@routes.post("/account/sessions/removal")
@signed_in(fresh=True)
async def delete_other_sessions() -> ResponseReturnValue:
    """Sign every other device out."""
    person = me()
    ended = (await endings.end(person.id, "other_devices", but=person.session_id)).sessions
    flash(ngettext("%(num)s other device is signed out.", "%(num)s other devices are signed out.", ended))
    return _to_sessions()


def _to_account() -> ResponseReturnValue:
    return redirect(url_for("accounts.show_account"), 303)


def _to_sessions() -> ResponseReturnValue:
    return redirect(url_for("accounts.list_sessions"), 303)


async def _account_page(
    *,
    profile: ProfileForm | None = None,
    password: PasswordForm | None = None,
    status: int = 200,
    is_stale: bool = False,
) -> ResponseReturnValue:
    person = await users.find(me().id)
    if person is None:
        raise NotFound
    filled: dict[str, Any] = {
        "name": person.name,
        "headline": person.headline,
        "biography": person.biography,
        "time_zone": person.time_zone or "",
    }
    seen, stored = users.mark_of(person), None
    if profile is not None and is_stale:
        # Who writes nothing about themselves has typed none.
        stored = differing(profile, filled, but=() if me().can("courses.edit") else ("biography",))
        catch_up(profile.seen, seen)
    return await page(
        "accounts/account.html",
        status=status,
        person=person,
        email_change=await email_changes.open_of(person.id),
        profile=profile or ProfileForm(data={**filled, "seen": seen}),
        stored=stored,
        password=password or PasswordForm(),
    )
