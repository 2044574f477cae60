"""The properties panel, for every kind of field and every setting: what it shows can be sent back, and rubbish is told beside it."""

import io
from typing import Any

import pytest
from werkzeug.datastructures import FileStorage

from app.core import db
from app.core.errors import Conflict
from app.core.money import plain_amount
from app.formbuilder.definition import definitions, versions
from app.formbuilder.fields.kinds import all_kinds
from app.formbuilder.models import Form
from app.formbuilder.settings import (
    Choice,
    Lines,
    Number,
    OneField,
    Option,
    Options,
    Setting,
    Several,
    SomeFields,
    Switch,
    Text,
    Unfit,
    write,
)
from tests.cast import Cast, Person
from tests.formbuilder.building import a_definition, as_body, field, now
from tests.formbuilder.panels import Panel
from tests.media import files as samples
from tests.office import seen

KINDS = sorted(all_kinds())
RICH = [
    Option("one", "One | & <b>two</b>", points=1234567.25, price=1999, stock=0, picture="/media/a.webp", under="x"),
    Option("two", "“Two”", points=-0.5, price=5),
    Option("three", "Three\\"),
]
NAMED = (field(2, "radio", "Points", settings={"options": [{"label": "A", "points": 2}]}), field(3, "product", "Goods"))
RUBBISH = ("nonsense-nobody-knows", "-1e999", "nan", "1e400", "\x00\x01", "🤡" * 3000, "٣", "²", "<script>", "{", "%s")


def other(setting: Setting) -> Any:
    """A sound value of a setting that is not its default, if there is one."""
    for value in candidates(setting):
        try:
            found = setting.read(value)
        except Unfit:
            continue
        if found != setting.read(setting.default):
            return write(found)
    return write(setting.default)


def candidates(setting: Setting) -> list[Any]:
    if isinstance(setting, Switch):
        return [not setting.default]
    if isinstance(setting, Number):
        return [setting.low, setting.high, (setting.low + setting.high) / 2]
    if isinstance(setting, Choice):
        return [key for key, _label in reversed(setting.choices)]
    if isinstance(setting, Several):
        return [[key for key, _label in setting.choices], []]
    if isinstance(setting, Options):
        return [RICH]
    if isinstance(setting, OneField):
        return ["q3"]
    if isinstance(setting, SomeFields):
        return [["q2"]]
    if isinstance(setting, Lines):
        return [["A & B > C", "<i>“two”</i>"], ["https://example.org"]]
    assert isinstance(setting, Text)
    texts = [
        "a “b” <i>&amp;</i>\n\n  c" if setting.is_long else "a “b” <i>&amp;",
        "2027-01-31",
        "10:30",
        "#123456",
        "DE",
    ]
    return [*texts, "ann@example.org"]


async def made(person: Person, kind: str, settings: dict[str, Any]) -> Form:
    told = field(1, kind, "What & <why>?", help="A\nhint", width=3, settings=settings)
    return await versions.create(a_definition(told, *NAMED), by=person)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_panel_shows_is_what_is_kept_when_it_is_sent_back(cast: Cast, kind: str) -> None:
    olga = await cast.olga()
    for settings in ({}, {each.name: other(each) for each in all_kinds()[kind].settings}):
        form = await made(olga, kind, settings)
        before = await now(form)
        page = await seen(olga, f"/admin/forms/{form.public_id}?field=q1")
        panel = Panel(page)
        assert len(panel.ids) == len(set(panel.ids))
        for setting in all_kinds()[kind].settings:
            assert drawn(panel, setting, before.fields[0][setting.name]), f"{setting.name} cannot be set"
        answer = await olga.browser.post(f"/admin/forms/{form.public_id}/fields/q1", **as_body(panel.texts))
        assert answer.status_code == 303, await answer.get_data(as_text=True)
        assert await now(form) == before
        assert await db.value("SELECT count(*) FROM form_versions WHERE form_id = :id", id=form.id) == 1


def drawn(panel: Panel, setting: Setting, value: Any) -> bool:
    """Whether there is a control; nothing is sent of a box that is not ticked."""
    name = f"s.{setting.name}"
    if isinstance(setting, Switch | Several | SomeFields):
        return (name in panel.texts) == bool(value)
    return name in panel.texts or f"{name}.label" in panel.texts


@pytest.mark.parametrize("kind", KINDS)
async def test_rubbish_is_refused_beside_its_setting_or_made_sound(cast: Cast, kind: str) -> None:
    olga = await cast.olga()
    form = await made(olga, kind, {})
    panel = Panel(await seen(olga, f"/admin/forms/{form.public_id}?field=q1")).texts
    for setting in all_kinds()[kind].settings:
        names = [f"s.{setting.name}"]
        if isinstance(setting, Options):
            names = [f"s.{setting.name}.{each}" for each in ("label", "value", *setting.extras)]
        for name in names:
            for text in RUBBISH:
                before = await now(form)
                sent = {**panel, name: [text, text]}
                answer = await olga.browser.post(f"/admin/forms/{form.public_id}/fields/q1", **as_body(sent))
                page = await answer.get_data(as_text=True)
                assert answer.status_code in (303, 422), f"{name}={text!r}: {answer.status_code}"
                after = await now(form)
                if answer.status_code == 422:
                    assert "field__error" in page, f"{name}={text!r}: nothing is told beside it"
                    assert after.fields[0][setting.name] == before.fields[0][setting.name]
                # Whatever was taken is sound: it is read again as it was written.
                assert definitions.read(definitions.write_definition(after)) == after
        await seen(olga, f"/admin/forms/{form.public_id}?field=q1")


async def test_prices_are_written_in_the_currency_of_the_field(cast: Cast) -> None:
    olga = await cast.olga()
    for currency, minor, shown in (("EUR", 1999, "19.99"), ("JPY", 1999, "1999")):
        settings = {"currency": currency, "options": [{"label": "A", "price": minor}]}
        form = await made(olga, "product", settings)
        page = await seen(olga, f"/admin/forms/{form.public_id}?field=q1")
        assert Panel(page).texts["s.options.price"][0] == shown == plain_amount(minor, currency)
        sent = {**Panel(page).texts, "s.options.price": ["25", ""]}
        await olga.browser.post(f"/admin/forms/{form.public_id}/fields/q1", **as_body(sent))
        assert (await now(form)).fields[0]["options"][0].price == (2500 if currency == "EUR" else 25)


async def test_options_as_text_keep_bars_points_and_prices(cast: Cast) -> None:
    olga = await cast.olga()
    rows = [{"value": "a", "label": "A | B", "points": 1234567.25}, {"value": "c", "label": "C", "points": 3}]
    form = await made(olga, "radio", {"options": rows})
    page = await seen(olga, f"/admin/forms/{form.public_id}?field=q1")
    text = page.split('id="t-options"')[1].split(">", 1)[1].split("</textarea>")[0].strip()
    before = await now(form)
    sent = {"only": "options", "s.options": text}
    assert (await olga.browser.post(f"/admin/forms/{form.public_id}/fields/q1", **as_body(sent))).status_code == 303
    assert await now(form) == before


async def test_questions_and_products_are_picked_and_a_missing_one_is_told(cast: Cast) -> None:
    olga = await cast.olga()
    form = await versions.create(
        a_definition(field(1, "quiz_score", "Score", settings={"of": ["q2", "q9"]}), *NAMED,
                     field(4, "quantity", "How many", settings={"of": "q8"})),
        by=olga,
    )  # fmt: skip
    page = await seen(olga, f"/admin/forms/{form.public_id}?field=q1")
    assert 'value="q2" checked' in page and 'value="q9" checked' in page and "q9 (not there)" in page
    assert page.count("which is not there") >= 2
    page = await seen(olga, f"/admin/forms/{form.public_id}?field=q4")
    assert '<option value="q3">Goods</option>' in page and '<option value="q2"' not in page


async def test_a_picture_for_an_option_that_is_gone_meanwhile_is_not_kept(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()
    form = await made(olga, "picture_choice", {"options": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]})

    async def gone(*_arguments: Any, **_more: Any) -> None:
        raise Conflict("This field is gone.")

    monkeypatch.setattr(versions, "edit", gone)
    answer = await olga.browser.post(
        f"/admin/forms/{form.public_id}/fields/q1/pictures",
        form={"option": "a"},
        files={"file": FileStorage(io.BytesIO(samples.picture()), filename="a.png")},
    )
    assert answer.status_code == 409
    assert await db.value("SELECT count(*) FROM uploads") == 0


async def test_an_option_gets_a_picture_from_somebodys_disk(cast: Cast) -> None:
    olga = await cast.olga()
    form = await made(olga, "picture_choice", {"options": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]})
    path = f"/admin/forms/{form.public_id}/fields/q1/pictures"

    async def bring(option: str, content: bytes, name: str) -> None:
        file = FileStorage(io.BytesIO(content), filename=name)
        answer = await olga.browser.post(path, form={"option": option}, files={"file": file})
        assert answer.status_code == 303

    for option, content, name in (("c", samples.picture(), "a.png"), ("b", b"no picture", "a.png"), ("b", b"", "")):
        await bring(option, content, name)
    assert [option.picture for option in (await now(form)).fields[0]["options"]] == ["", ""]
    assert await db.value("SELECT count(*) FROM uploads") == 0
    await bring("b", samples.picture(), "red.png")
    a, b = (await now(form)).fields[0]["options"]
    assert a.picture == "" and b.picture.startswith("/media/") and b.picture.endswith("/red.png")
    assert (await olga.browser.get(b.picture)).status_code == 200
    assert b.picture in await seen(olga, f"/admin/forms/{form.public_id}")
