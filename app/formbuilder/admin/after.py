"""What follows from an entry: mails, the words after sending, and the payment. Every act is a version, and can be undone."""

from collections.abc import Callable
from functools import partial
from typing import Any

from quart import Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.limits import Limit, check
from app.core.settings import school
from app.formbuilder.admin import admin, canvas, together
from app.formbuilder.admin.frame import framed
from app.formbuilder.after_sending import after, confirmations, following, merge_tags, notifications
from app.formbuilder.definition import differences, readings, versions
from app.formbuilder.definition.rules import OPERATORS
from app.formbuilder.logic import scoring, whens
from app.formbuilder.models import Definition, Form, Posted
from app.formbuilder.payment import bills
from app.web.flash import flash
from app.web.guards import requires
from app.web.render import page
from app.web.request import signed_in_user

TESTS = Limit(20, 60 * 60)
# What a row that came with an imported definition may leave out.
_UNSAID = dict.fromkeys(
    ("name", "subject", "body", "attach", "reply_to", "kind", "path", "url", "title", "text", "show_score"), ""
)


@admin.get("/<public_id>/after")
@requires("forms.view")
async def show_after(public_id: str) -> Response:
    """The mails, the words after sending, and the payment."""
    form = await versions.find(public_id)
    return await _list_page(form)


@admin.post("/<public_id>/after")
@requires("forms.edit", once=True)
async def create_following(public_id: str) -> BaseResponse:
    """A new mail or other words, to be edited."""
    kind = (await request.form).get("kind", "")
    made: list[str] = []

    def change(now: Definition) -> Definition:
        definition, row_id = following.added(now, kind)
        made.append(row_id)
        return definition

    await _edit(public_id, change, _("Added a mail") if kind == "notification" else _("Added words after sending"))
    return redirect(url_for(".show_following", public_id=public_id, row_id=made[-1]), 303)


@admin.get("/<public_id>/after/<row_id>")
@requires("forms.view")
async def show_following(public_id: str, row_id: str) -> Response:
    """One of them, with how it would look for a sample of answers."""
    form = await versions.find(public_id)
    try:
        return await _row_page(form, row_id)
    except Conflict:
        raise NotFound from None


@admin.post("/<public_id>/after/<row_id>")
@requires("forms.edit")
async def update_following(public_id: str, row_id: str) -> Response | BaseResponse:
    """Keep what was typed, or tell what cannot be. Where somebody else changed it since it was shown, nothing is kept: 409
    with both texts."""
    form, posted = await versions.find(public_id), await _posted()
    try:
        theirs = await together.keep(
            form, row_id, lambda now: following.find(now, row_id)[1],
            lambda now: following.changed(now, row_id=row_id, posted=posted),
            shown=posted.one("shown"), words=_("Changed what follows"), by=signed_in_user(),
        )  # fmt: skip
    except Invalid as error:
        return await _row_page(await versions.find(public_id), row_id, error=error, posted=posted, status=422)
    if theirs:
        return await _row_page(await versions.find(public_id), row_id, posted=posted, clash_with=theirs, status=409)
    flash(_("Kept. Visitors get it once you publish the form."))
    return redirect(url_for(".show_following", public_id=public_id, row_id=row_id), 303)


@admin.post("/<public_id>/after/<row_id>/removal")
@requires("forms.edit", once=True)
async def delete_following(public_id: str, row_id: str) -> BaseResponse:
    """Take it out; undo in the builder brings it back."""
    form = await _edit(public_id, partial(following.removed, row_id=row_id), _("Removed what followed"))
    undo_url = url_for(".create_undoing", public_id=public_id, tab="after", of=form.number)
    flash(_("It is removed."), undo_url=undo_url)
    return redirect(url_for(".show_after", public_id=public_id), 303)


@admin.post("/<public_id>/after/<row_id>/place")
@requires("forms.edit")
async def update_following_place(public_id: str, row_id: str) -> BaseResponse:
    """One place up or down: of words after sending the first that fits counts."""
    by = {"up": -1, "down": 1}.get((await request.form).get("direction", ""))
    if by is None:
        raise Invalid(_("Say up or down."))
    await _edit(public_id, partial(following.moved, row_id=row_id, by=by), _("Moved what follows"))
    return redirect(url_for(".show_after", public_id=public_id), 303)


@admin.post("/<public_id>/after/<row_id>/test")
@requires("forms.edit", once=True)
async def create_following_test(public_id: str, row_id: str) -> BaseResponse:
    """Send a mail to whoever asks, with a sample of answers."""
    form = await versions.find(public_id)
    definition = readings.of(form)
    kind, row = following.find(definition, row_id)
    if kind != "notification":
        raise Conflict(_("Only a mail can be sent."))
    who = signed_in_user()
    await check("form-mail-test", str(who.id), TESTS)
    await notifications.send_test(await after.sample(form, definition), row, who.email)
    flash(_("A test is on its way to %(email)s.", email=who.email))
    return redirect(url_for(".show_following", public_id=public_id, row_id=row_id), 303)


@admin.post("/<public_id>/payment")
@requires("forms.edit")
async def update_payment(public_id: str) -> Response | BaseResponse:
    """Whether the form takes payment, and for what. Where somebody else changed that since it was shown, nothing is kept: 409
    with both texts."""
    form, posted = await versions.find(public_id), await _posted()
    theirs = await together.keep(
        form, "payment", lambda now: now.payment, partial(following.with_payment, posted=posted),
        shown=posted.one("shown"), words=_("Changed the payment"), by=signed_in_user(),
    )  # fmt: skip
    if theirs:
        return await _list_page(await versions.find(public_id), clash_with=theirs, posted=posted)
    flash(_("Kept. Visitors get it once you publish the form."))
    return redirect(url_for(".show_after", public_id=public_id), 303)


async def _edit(public_id: str, change: Callable[[Definition], Definition], words: str, *, subject: str = "") -> Form:
    form = await versions.find(public_id)
    return await versions.edit(form.id, change, words=words, subject=subject, by=signed_in_user())


async def _posted() -> Posted:
    return Posted({name: values for name, values in (await request.form).lists() if isinstance(name, str)})


async def _list_page(form: Form, *, clash_with: str = "", posted: Posted | None = None) -> Response:
    """The page; where somebody else (`clash_with`) changed the payment since what was `posted` was shown, with both."""
    frame = await framed(form, "after")
    definition: Definition = frame["definition"]
    mine = following.with_payment(definition, posted) if posted is not None else definition
    both = (following.told_payment(definition), following.told_payment(mine))
    return await page(
        "formbuilder/admin/after.html",
        status=409 if clash_with else 200,
        **frame,
        clash=canvas.Clash(clash_with, differences.of_words(*both)) if clash_with else None,
        shown_payment=together.mark(definition.payment),
        mails=[_told(definition, row) | {"to": _reach(definition, row.get("to"))} for row in definition.notifications],
        words=[
            _told(definition, row) | {"kind": str(row.get("kind") or "message")} for row in definition.confirmations
        ],
        told=[*notifications.wrong(definition), *confirmations.wrong(definition), *scoring.wrong(definition)],
        told_payment=[*bills.wrong(definition), *bills.doubts(definition)],
        scoring=definition.settings["scoring"],
        takes_payment=bills.takes_payment(definition),
        amounts=_amounts(definition),
        payment={
            "on": {True: "yes", False: "no"}.get(mine.payment.get("on"), ""),  # type: ignore[arg-type]  # unset is neither
            "amount": mine.payment.get("amount", ""),
            "title": mine.payment.get("title", ""),
        },
        currency=(await school()).currency,
    )


def _told(definition: Definition, row: Any) -> dict[str, str]:
    return {
        "id": str(row.get("id") or ""),
        "name": str(row.get("name") or row.get("id") or ""),
        "when": following.sentence(definition, row.get("when")),
    }


def _amounts(definition: Definition) -> list[tuple[str, str]]:
    return [
        (field.id, field.label or field.id) for field in definition.fields if field.kind in ("calculation", "number")
    ]


def _reach(definition: Definition, to: Any) -> str:
    if isinstance(to, list):
        return _("By answer: %(n)s addresses", n=len(to))
    if to == "owner":
        return _("To the owner")
    if str(to or "").startswith("field:"):
        field = definition.find(str(to).removeprefix("field:"))
        return _("To the address in “%(label)s”", label=field.label if field is not None else "…")
    return str(to or "–")


async def _row_page(
    form: Form, row_id: str, *, error: Invalid | None = None, posted: Posted | None = None, clash_with: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    frame = await framed(form, "after")
    definition: Definition = frame["definition"]
    kind, row = following.find(definition, row_id)
    situation = await after.sample(form, definition)
    when = row.get("when")
    word, lines = following.drawn(when if following.is_simple(when) else None)
    if posted is not None:
        word, lines = _as_typed(posted, word, lines)
    clash = None
    if clash_with and posted is not None:
        mine = following.find(following.changed(definition, row_id, posted), row_id)[1]
        both = (following.told(definition, row), following.told(definition, mine))
        clash = canvas.Clash(clash_with, differences.of_words(*both))
    typed = {name: values[0] for name, values in posted.texts.items() if values} if posted is not None else {}
    return await page(
        "formbuilder/admin/following.html",
        status=status,
        **frame,
        kind=kind,
        shown_row=together.mark(row),
        clash=clash,
        attach=(posted.all("attach") if posted is not None else str(row.get("attach") or "").split()),
        row={**_UNSAID, **row, **({name: typed.get(name, "") for name in typed if "." not in name and name != "when"})},
        to=typed.get("to") or _to_of(row),
        address=typed.get("address") or (_plain_addresses(row)),
        senders=[(f"field:{field.id}", _("The address in “%(label)s”", label=field.label or field.id))
                 for field in definition.fields if field.kind == "email"],
        routes=following.routes_drawn(row.get("to")),
        word=word,
        lines=lines,
        kept_condition="" if following.is_simple(when) else following.sentence(definition, when),
        names=list(whens.labels_of(definition).items()),
        operators=list(OPERATORS.items()),
        tags=list(merge_tags.names_of(definition).items()),
        error=error,
        mail={
            "subject": merge_tags.line(str(row.get("subject") or "{form}"), situation.facts),
            "html": merge_tags.html(str(row.get("body") or "{all}"), situation.facts),
        },
        shown=confirmations.of_row(situation, row) if kind == "confirmation" else None,
        is_quiz=definition.settings.get("scoring") != "off",
    )  # fmt: skip


def _as_typed(posted: Posted, word: str, lines: list[dict[str, str]]) -> tuple[str, list[dict[str, str]]]:
    parts = ("field", "is", "value")
    found = [{part: posted.one(f"when.{number}.{part}") for part in parts} for number in range(len(lines))]
    return posted.one("when") or word, found


def _to_of(row: Any) -> str:
    to = row.get("to")
    if isinstance(to, list):
        return "routes"
    return str(to) if to == "owner" or str(to or "").startswith("field:") else "address"


def _plain_addresses(row: Any) -> str:
    return str(row.get("to") or "") if _to_of(row) == "address" else ""
