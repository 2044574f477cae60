"""The builder's pages: what is kept, what is refused beside its setting, what somebody else did meanwhile."""

import json
import re
from typing import Any

import pytest

from app.core import db, settings
from app.formbuilder.definition import definitions, exchange, starters, versions
from app.formbuilder.definition.definitions import Malformed
from app.formbuilder.fields.kinds import all_kinds
from app.formbuilder.models import Form
from app.web.render import TEMPLATES
from tests.cast import Cast, Person
from tests.formbuilder.building import a_definition, as_body, field, now
from tests.formbuilder.panels import Panel
from tests.office import seen

OPTIONS = {"options": [{"value": "one", "label": "One"}, {"value": "two", "label": "Two"}]}


async def made(person: Person, *fields: dict[str, Any], **more: Any) -> Form:
    return await versions.create(a_definition(*fields, **more), by=person)


async def post(person: Person, form: Form, path: str, status: int = 303, **sent: Any) -> str:
    """Send a form of the builder; names with `__` for a dot."""
    told = {name.replace("__", "."): value for name, value in sent.items()}
    answer = await person.browser.post(f"/admin/forms/{form.public_id}{path}", **as_body(told))
    text: str = await answer.get_data(as_text=True)
    wrong = [part.split("</p>")[0] for part in text.split('class="field__error"')[1:]]
    assert answer.status_code == status, f"{answer.status_code}: {wrong} {text[:500]}"
    return text


def shown(page: str) -> str:
    """The state of the field that a panel shows."""
    return page.split('name="shown" value="')[1].split('"')[0]


async def test_the_canvas_shows_every_field_as_visitors_see_it_and_lets_nobody_fill_it_in(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(
        olga, field(1, label="Your name"), field(2, "page_break", "More"), field(3, "radio", "Which?", settings=OPTIONS)
    )
    page = await seen(olga, f"/admin/forms/{form.public_id}?field=q3")
    for words in ("Your name", "Page 2", "Which?", 'value="two"', "block--picked", "inert"):
        assert words in page
    assert page.count("block__drawn") == page.count('class="block__drawn" inert')


async def test_every_kind_can_be_added_chosen_and_kept(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    drawn = [name for name, kind in all_kinds().items() if (TEMPLATES / kind.template).exists()]
    for number, kind in enumerate(drawn, start=4):
        await post(olga, form, "/fields", kind=kind, after="", at=number)
        await seen(olga, f"/admin/forms/{form.public_id}?field=q{number}")
    found = await now(form)
    assert [each.kind for each in found.fields[3:]] == drawn


async def test_a_new_price_is_in_the_currency_of_the_school(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    await settings.save_school(name="Meridian", currency="USD", tax_percent="19")
    await post(olga, form, "/fields", kind="currency", after="", at=4)
    assert (await now(form)).fields[3]["currency"] == "USD"
    answer = await olga.browser.post("/admin/forms", form={"title": "", "starter": "order-form"})
    begun = await now(await versions.find(answer.headers["Location"].rpartition("/")[2]))
    assert [each["currency"] for each in begun.fields if each.kind == "product"] == ["USD"]


async def test_a_setting_that_does_not_fit_is_told_beside_it_and_the_others_are_kept(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    page = await post(
        olga, form, "/fields/q1", 422, label="Name", s__max_length="many", s__placeholder="Ann", width="3"
    )
    assert 'aria-invalid="true"' in page and 'value="many"' in page and "Write a number." in page
    kept = (await now(form)).fields[0]
    assert (kept.label, kept["placeholder"], kept["max_length"], kept.width) == ("Name", "Ann", 250, 3)


@pytest.mark.parametrize("width", ["", "5", "²", "9" * 5000])
async def test_a_width_that_there_is_not_leaves_it_as_it_was(cast: Cast, width: str) -> None:
    olga = await cast.olga()
    form = await made(olga)
    await post(olga, form, "/fields/q1", label="Name", width="3")
    await post(olga, form, "/fields/q1", label="Name", width=width)
    await post(olga, form, "/fields/q1", 422, label="Name", s__max_length="many", width=width)
    assert (await now(form)).fields[0].width == 3


async def test_options_are_kept_by_rows_and_as_text(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga, field(1, "radio", "Which?", settings=OPTIONS))
    rows = {
        "label": "Which?", "s.options.label": ["Two", "", "Three"], "s.options.value": ["two", "gone", ""],
        "s.options.points": ["5", "", "1.5"], "s.options.price": ["12.50", "", ""], "s.options.stock": ["", "", "8"],
        "s.options.picture": ["", "", ""], "s.options.under": ["", "", ""],
    }  # fmt: skip
    await post(olga, form, "/fields/q1", **rows)
    told = [(one.value, one.label, one.points, one.price, one.stock) for one in (await now(form)).fields[0]["options"]]
    assert told == [("two", "Two", 5, 1250, None), ("three", "Three", 1.5, 0, 8)]
    await post(olga, form, "/fields/q1", only="options", s__options="a | First | 3\nSecond")
    kept = (await now(form)).fields[0]
    assert [(one.value, one.label, one.points) for one in kept["options"]] == [
        ("a", "First", 3),
        ("second", "Second", 0),
    ]
    assert kept.label == "Which?"


async def test_a_field_that_somebody_else_changed_meanwhile_is_not_written_over(cast: Cast) -> None:
    olga, ines = await cast.olga(), await cast.rob()
    form = await made(olga)
    old = shown(await seen(olga, f"/admin/forms/{form.public_id}?field=q1"))
    await post(ines, form, "/fields/q1", label="Full name", shown=old)
    page = await post(olga, form, "/fields/q1", 409, label="First name", shown=old)
    assert "Full name" in page and "First name" in page and ines.name in page
    assert (await now(form)).fields[0].label == "Full name"
    await post(olga, form, "/fields/q1", label="First name", shown=shown(page))  # she saw it, and keeps hers
    assert (await now(form)).fields[0].label == "First name"


async def test_one_person_who_types_on_is_not_warned_of_themselves(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    old = shown(await seen(olga, f"/admin/forms/{form.public_id}?field=q1"))
    await post(olga, form, "/fields/q1", label="N", shown=old)
    await post(olga, form, "/fields/q1", label="Name", shown=old)  # the answer with the new state was not there yet
    assert (await now(form)).fields[0].label == "Name"


async def test_settings_of_two_people_are_merged_and_one_that_both_changed_is_asked_about(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = await made(olga)
    old = Panel(await seen(olga, f"/admin/forms/{form.public_id}/settings"), "whole-form").texts
    assert "was" in old
    await post(rob, form, "/settings", **{**old, "s.thanks_title": ["Bye"], "s.closed_words": ["Too late"]})
    await post(olga, form, "/settings", **{**old, "s.thanks": ["Words"]})  # her page is older
    kept = (await now(form)).settings
    assert (kept["thanks_title"], kept["closed_words"], kept["thanks"]) == ("Bye", "Too late", "Words")

    newer = Panel(await seen(olga, f"/admin/forms/{form.public_id}/settings"), "whole-form").texts
    await post(rob, form, "/settings", **{**newer, "s.thanks_title": ["See you"]})
    page = await post(olga, form, "/settings", 409, **{**newer, "s.thanks_title": ["So long"], "s.thanks": ["More"]})
    assert "Rob Rask changed this since you opened it" in page and 'value="So long"' in page
    kept = (await now(form)).settings
    assert (kept["thanks_title"], kept["thanks"]) == ("See you", "More")
    again = Panel(page, "whole-form").texts
    await post(olga, form, "/settings", **again)  # she saw it, and keeps hers
    assert (await now(form)).settings["thanks_title"] == "So long"
    await post(olga, form, "/settings", **{**again, "was": ["{nonsense"]})


async def test_a_rule_and_a_name_that_somebody_else_changed_are_not_written_over(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = await made(olga, field(1, "radio", "Which?", settings=OPTIONS), field(2, label="Why?"))
    await post(olga, form, "/rules", about="q2")
    for path, address, mine, theirs, told, status in (
        ("/rules/r1", "/logic?rule=r1", {"c.0.value": ["one"]}, {"c.0.value": ["two"]}, "“Which?” is Two", 303),
        ("/head", "?field=head", {"title": ["Mine"]}, {"title": ["Theirs"]}, "Theirs", 409),
    ):
        page = await seen(olga, f"/admin/forms/{form.public_id}{address}")
        sent = Panel(page, "part-form").texts
        await post(rob, form, path, **{**sent, **theirs})
        page = await post(olga, form, path, status, **{**sent, **mine})
        if status == 303:
            page = await seen(olga, f"/admin/forms/{form.public_id}{address}")
            assert "it said: " in page and "“Which?” is One" in page
        else:
            assert 'value="Mine"' in page
        assert told in page and "Rob Rask changed this since you opened it" in page
        await post(olga, form, path, **{**Panel(page, "part-form").texts, **mine})
        assert told not in (await seen(olga, f"/admin/forms/{form.public_id}{address}")).split("builder__tabs")[1]


async def test_who_else_has_the_form_open_is_told(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = await made(olga)
    assert await seen(olga, f"/admin/forms/{form.public_id}/editors") == ""
    assert olga.name in await seen(rob, f"/admin/forms/{form.public_id}/editors")
    assert rob.name in await seen(olga, f"/admin/forms/{form.public_id}/editors")


@pytest.mark.usefixtures("without_redis")
async def test_without_redis_nobody_is_warned_and_the_builder_works(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = await made(olga)
    await seen(olga, f"/admin/forms/{form.public_id}/editors")
    assert await seen(rob, f"/admin/forms/{form.public_id}/editors") == ""
    await post(olga, form, "/fields/q1", label="Name")


async def test_a_double_click_on_undo_goes_back_once(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    for kind in ("email", "number"):
        await post(olga, form, "/fields", kind=kind, after="")
    at = (await versions.find(form.public_id)).number
    await post(olga, form, "/undoing", at=at)
    await post(olga, form, "/undoing", at=at)
    assert len((await now(form)).fields) == 4


async def test_a_removed_field_comes_back_by_the_undo_of_its_message(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    await post(olga, form, "/fields/q2/removal")
    page = await seen(olga, f"/admin/forms/{form.public_id}")
    assert "is removed" in page and f"/admin/forms/{form.public_id}/undoing" in page
    await post(olga, form, "/undoing")
    assert [each.id for each in (await now(form)).fields] == ["q1", "q2", "q3"]


async def test_a_rule_is_made_and_told_as_a_sentence_with_what_is_wrong(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga, field(1, "radio", "Which?", settings=OPTIONS), field(2, label="Why?"))
    await post(olga, form, "/rules", about="q2")
    page = await seen(olga, f"/admin/forms/{form.public_id}/logic?rule=r1")
    assert "is missing" in page  # what it is compared with
    await post(
        olga,
        form,
        "/rules/r1",
        do="show",
        targets="q2",
        c__join="all",
        c__0__field="q1",
        c__0__is="equals",
        c__0__value="two",
    )
    page = await seen(olga, f"/admin/forms/{form.public_id}/logic")
    assert "Show “Why?” when “Which?” is Two." in page and "is missing" not in page
    await post(
        olga,
        form,
        "/rules/r1",
        do="show",
        targets="q2",
        c__join="all",
        c__0__field="q1",
        c__0__is="equals",
        c__0__value="two",
        act="group:c",
    )
    assert "any" in (await now(form)).rules[0]["when"]["all"][1]
    await post(olga, form, "/rules/r1/removal")
    assert (await now(form)).rules == ()


async def test_a_calculation_tells_its_meaning_or_the_place_of_its_mistake(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(
        olga, field(1, "number", "Seats"), field(2, "calculation", "Sum", settings={"expression": "{q1} * 12"})
    )
    assert "“Seats” × 12" in await seen(olga, f"/admin/forms/{form.public_id}?field=q2")
    await post(olga, form, "/fields/q2", label="Sum", s__expression="{q1} * * 12", s__decimals="2")
    page = await seen(olga, f"/admin/forms/{form.public_id}?field=q2")
    assert "is not expected here" in page and "<mark>* 12</mark>" in page


async def test_settings_and_address_are_kept_or_refused_beside_themselves(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    page = await post(
        olga, form, "/settings", 422, s__most_entries="lots", s__thanks_title="Bye", s__presentation="one"
    )
    assert "Write a number." in page
    kept = (await now(form)).settings
    assert (kept["thanks_title"], kept["presentation"], kept["most_entries"]) == ("Bye", "one", None)
    assert "Small letters" in await post(olga, form, "/address", 422, slug="No Way")
    await post(olga, form, "/address", slug="ask-us")
    assert (await versions.find(form.public_id)).slug == "ask-us"


async def test_name_introduction_and_button_are_kept_and_a_name_is_needed(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    await post(olga, form, "/head", title="Tell us", intro="*Please*", button="Go")
    page = await seen(olga, f"/admin/forms/{form.public_id}?field=head")
    assert "<em>Please</em>" in page and "Tell us" in page
    assert "needs a name" in await post(olga, form, "/head", 422, title=" ", intro="", button="")


async def test_the_versions_page_compares_two_and_restores_one(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    await post(olga, form, "/fields/q1", label="Name")
    await post(olga, form, "/fields", kind="email", after="q1")
    page = await seen(olga, f"/admin/forms/{form.public_id}/versions?a=1&b=3")
    assert "<del>Question 1</del>" in page and "<ins>Name</ins>" in page and "Added" in page
    await post(olga, form, "/versions/1/restoration")
    assert [each.label for each in (await now(form)).fields] == ["Question 1", "Question 2", "Question 3"]
    await seen(olga, f"/admin/forms/{form.public_id}/versions?a=1&b=99", 404)


async def test_the_preview_may_be_framed_by_us_only_and_keeps_nothing(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(
        olga, field(1, required=True), field(2, "page_break", "More"), field(3, label="Why?", required=True)
    )
    address = f"/admin/forms/{form.public_id}/preview/page"
    answer = await olga.browser.get(address)
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert (await olga.browser.get("/admin/forms")).headers["X-Frame-Options"] == "DENY"
    assert "Please answer this." in await post(olga, form, "/preview/page", 422, screen="start", q1="")
    page = await post(olga, form, "/preview/page", 200, screen="start", q1="Ann", go="next")
    assert "Why?" in page and "q1=Ann" in page
    answer = await olga.browser.post(f"{address}?q1=Ann", form={"screen": "q2", "q3": "So", "go": "next"})
    assert "Thank you" in await answer.get_data(as_text=True)
    assert (
        await db.value("SELECT count(*) FROM form_entries") == 0 == await db.value("SELECT count(*) FROM form_drafts")
    )


async def test_a_form_goes_out_as_a_file_and_comes_back_the_same(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(
        olga,
        field(1, "radio", "Which?", settings=OPTIONS),
        rules=[{"id": "r1", "do": "hide", "targets": ["q1"], "when": {"any": []}}],
    )
    text = await seen(olga, f"/admin/forms/{form.public_id}/definition.json")
    answer = await olga.browser.post("/admin/forms/imports", form={"definition": text})
    assert answer.status_code == 303
    copy = await versions.find(answer.headers["Location"].rpartition("/")[2])
    assert await now(copy) == await now(form) and copy.slug != form.slug


async def test_an_imported_form_tells_what_is_wrong_with_it(cast: Cast) -> None:
    olga = await cast.olga()
    answer = await olga.browser.post("/admin/forms/imports", form={"definition": '{"title": "Empty"}'})
    page = await seen(olga, answer.headers["Location"])
    assert "nothing to answer" in page and "The form is here, with 1 thing to look at." in page


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1"),
        ("[]", "not a form"),
        ('{"fields": [{"id": "q1", "kind": "nonsense"}]}', "unknown kind"),
        ('{"fields": [{"id": "q1", "kind": "email"}, {"id": "q1", "kind": "email"}]}', "Two fields"),
        ('{"rules": [{"id": "a\\u0000b"}]}', "cannot be stored"),
        ('{"rules": [{"id": "\\ud800"}]}', "cannot be stored"),
        ('{"rules": [{"id": 1e999}]}', "cannot be stored"),
        ("[" * 100_000, "JSON"),
        ('{"schema": 2}', "newer version"),
    ],
)
async def test_a_file_that_is_no_form_is_refused_with_why(cast: Cast, text: str, why: str) -> None:
    olga = await cast.olga()
    answer = await olga.browser.post("/admin/forms/imports", form={"definition": text})
    assert answer.status_code == 422 and why in await answer.get_data(as_text=True)
    assert await db.value("SELECT count(*) FROM forms") == 0


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(Malformed):
        exchange.read(" " * (exchange.MOST_CHARACTERS + 1))


async def test_a_duplicate_is_a_draft_of_its_own(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    await post(olga, form, "/duplicates")
    assert sorted(row.title for row in await db.many(db.Row, "SELECT title FROM forms")) == ["Ask", "Copy of Ask"]


async def test_a_form_is_put_away_and_brought_back(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga)
    await post(olga, form, "/state", state="archived")
    assert "Bring it back" in await seen(olga, f"/admin/forms/{form.public_id}/settings")
    await post(olga, form, "/state", state="draft")
    assert (await versions.find(form.public_id)).state == "draft"


# --- starters ---------------------------------------------------------------------------------------------------------


def test_there_are_at_least_twenty_starters() -> None:
    assert len(starters.every()) >= 20


@pytest.mark.parametrize("key", list(starters.every()))
async def test_every_starter_is_read_without_loss_published_and_shown(cast: Cast, key: str) -> None:
    olga = await cast.olga()
    starter = starters.one(key)
    stored = json.loads(json.dumps(starter.stored))
    definition = starter.definition
    assert definitions.problems(definition) == []
    again = definitions.write_definition(definition)
    for one, other in zip(stored["fields"], again["fields"], strict=True):
        assert one["label"] == other["label"]
        for name, value in one["settings"].items():
            assert name in other["settings"], f"{one['kind']} has no setting {name}"
            assert bool(value) == bool(other["settings"][name])
    answer = await olga.browser.post("/admin/forms", form={"title": "", "starter": key})
    form = await versions.find(answer.headers["Location"].rpartition("/")[2])
    assert form.title == definition.title
    await versions.publish(form.id)
    assert definition.fields[0].label in await seen(olga, f"/forms/{form.slug}") or not definition.fields[0].label


async def test_the_gallery_shows_every_starter_and_a_name_of_ones_own_wins(cast: Cast) -> None:
    olga = await cast.olga()
    page = await seen(olga, "/admin/forms/new")
    assert all(f'value="{key}"' in page for key in starters.every())
    answer = await olga.browser.post("/admin/forms", form={"title": "Ours", "starter": "contact"})
    assert (await versions.find(answer.headers["Location"].rpartition("/")[2])).title == "Ours"
    assert (await olga.browser.post("/admin/forms", form={"title": "", "starter": ""})).status_code == 422
    assert (await olga.browser.post("/admin/forms", form={"title": "", "starter": "nonsense"})).status_code == 404


@pytest.mark.parametrize(("before", "wanted"), [("open", "archived"), ("open", "closed"), ("closed", "archived")])
async def test_what_was_closed_or_archived_is_open_again_by_undo(cast: Cast, before: str, wanted: str) -> None:
    olga = await cast.olga()
    answer = await olga.browser.post("/admin/forms", form={"title": "", "starter": "contact"})
    form = await versions.find(answer.headers["Location"].rpartition("/")[2])
    await versions.publish(form.id)
    if before == "closed":
        await versions.close(form.id)
    answer = await olga.browser.post(f"/admin/forms/{form.public_id}/state", form={"state": wanted})
    page = await seen(olga, answer.headers["Location"])
    undo = re.search(r'action="([^"]*/state\?state=[^"]*)"', page)
    assert undo is not None
    assert ">Publish<" not in page or wanted != "archived"
    assert (await olga.browser.post(undo[1].replace("&amp;", "&"))).status_code == 303
    assert (await versions.find(form.public_id)).state == before
