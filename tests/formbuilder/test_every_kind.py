"""A form with a field of every kind, drawn on its page and sent by plain posts as a browser without scripts sends it."""

import json
import re
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from quart.typing import TestClientProtocol
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from app import Lectern
from app.core import clock, db
from app.formbuilder import definitions, versions
from app.formbuilder.fields.kinds import all_kinds
from app.formbuilder.models import Form
from app.formbuilder.stamps import stamp_of
from tests.cast import Cast
from tests.formbuilder.every_kind import FILLED, IN_FOLD, SILENT, STEPS, TEXT_FILE, Controls, definition, label, name_of
from tests.markup import alive

PRESENTATIONS = ("classic", "steps", "one")


async def a_form(presentation: str, **settings: Any) -> Form:
    read = definitions.read(definition(presentation, **settings))
    assert [each.sentence for each in definitions.problems(read) if each.level == "error"] == []
    return await versions.publish((await versions.create(read, by=None)).id)


def filled_in(page: str, *, without: tuple[str, ...] = ()) -> tuple[dict[str, list[str]], dict[str, FileStorage]]:
    """What is sent after every question of the page was answered."""
    controls = Controls(page)
    texts: dict[str, list[str]] = {}
    for name, value in controls.sent:
        texts.setdefault(name, []).append(value)
    files = {}
    for kind, filled in FILLED.items():
        if kind in without or not controls.of_kind(kind):
            continue
        for part, typed in filled.typed.items():
            name = name_of(kind, part)
            if isinstance(typed, tuple):
                assert name in controls.files, name
                files[name] = FileStorage(BytesIO(typed[1]), typed[0], content_type=typed[2])
                continue
            values = typed if isinstance(typed, list) else [typed]
            if name in controls.offered:
                assert set(values) <= controls.offered[name], (name, controls.offered[name])
            else:
                assert name in controls.texts, name
            # A box that is ticked is sent before what is hidden behind it.
            texts[name] = values + [each for each in texts.get(name, []) if kind == "toggle"]
    if IN_FOLD in controls.texts:
        texts[IN_FOLD] = ["In the fold"]
    return texts, files


async def post(client: TestClientProtocol, address: str, texts: dict[str, list[str]], files: Any = None) -> Any:
    """As the page's form is sent: in parts, with its files."""
    boundary, body = encode_multipart(
        MultiDict([*((n, v) for n, sent in texts.items() for v in sent), *(files or {}).items()])
    )
    return await client.post(
        address, data=body, headers={"Content-Type": f'multipart/form-data; boundary="{boundary}"'}
    )  # fmt: skip


async def send(client: TestClientProtocol, address: str, page: str, **more: Any) -> Any:
    texts, files = filled_in(page)
    texts |= {"website": [""], "go": ["next"], **more}
    if not texts.get("stamp", [""])[0]:
        texts["stamp"] = [stamp_of(clock.now().timestamp() - 60)]
    return await post(client, address, texts, files)


async def whole(client: TestClientProtocol, address: str) -> str:
    answer = await client.get(address)
    assert answer.status_code == 200, address
    return await answer.get_data(as_text=True)


def test_every_kind_is_in_the_form() -> None:
    assert set(FILLED) | set(SILENT) | {"page_break"} == set(all_kinds())


@pytest.mark.parametrize("presentation", PRESENTATIONS)
async def test_a_form_of_every_kind_is_drawn_and_sent_without_scripts(
    client: TestClientProtocol, cast: Cast, presentation: str
) -> None:
    form = await a_form(presentation)
    address = f"/forms/{form.slug}"
    asked: set[str] = set()
    for _screen in range(80):
        page = await whole(client, address)
        assert alive(page) == []
        asked |= {kind for kind in FILLED if Controls(page).of_kind(kind)}
        answer = await send(client, address, page)
        body = await answer.get_data(as_text=True)
        assert answer.status_code == 303, re.findall(r'field__error"[^>]*>[^<]*|class="notice"[^<]*<', body)
        address = answer.headers["Location"]
        if "/thanks/" in address:
            break
    assert asked == set(FILLED)
    thanks = await whole(client, address)
    assert "You are in" in thanks and "We write to you <strong>soon</strong>." in thanks
    olga = await cast.olga()
    entry = await db.value("SELECT public_id FROM form_entries")
    shown = await whole(olga.browser, f"/admin/forms/{form.public_id}/entries/{entry}")
    rows = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", shown, re.DOTALL)
    read = {unescape(question): unescape(re.sub("<[^>]*>", "", text)) for question, text in rows}
    for kind, filled in FILLED.items():
        assert label(kind) in read, kind
        assert filled.read in read[label(kind)], (kind, read[label(kind)])
        assert read[label(kind)] != "no answer", kind
    for kind, (_settings, said) in SILENT.items():
        assert said in read.get(label(kind), ""), (kind, read.get(label(kind)))
    assert read["The folded one"] == "In the fold"
    assert await db.value("SELECT count(*) FROM form_entry_files WHERE entry_id IS NOT NULL") == 2


async def test_one_question_at_a_time_asks_each_kind_on_a_screen_of_its_own(client: TestClientProtocol) -> None:
    form = await a_form("one")
    page = await whole(client, f"/forms/{form.slug}")
    # A hidden value is not asked for; the folded question is one more.
    assert f"Step 1 of {len(FILLED) - 1 + 1}" in page
    assert len(STEPS) == 3


async def test_questions_are_numbered_over_all_steps(client: TestClientProtocol) -> None:
    form = await a_form("steps")
    address = f"/forms/{form.slug}"
    found: list[int] = []
    for _screen in range(len(STEPS) + 1):
        page = await whole(client, address)
        found += [int(number) for number in re.findall(r'class="q__n">(\d+)<', page)]
        address = (await send(client, address, page)).headers["Location"]
    assert found == list(range(1, len(FILLED) + 1))


async def test_a_file_of_the_first_step_is_there_after_a_mistake_and_on_another_device(
    client: TestClientProtocol, app: Lectern
) -> None:
    stored = definition("steps", resume=True)
    stored["fields"].insert(0, {"id": "must", "kind": "short_text", "label": "Must", "required": True})
    read = definitions.read(stored)
    form = await versions.publish((await versions.create(read, by=None)).id)
    address = f"/forms/{form.slug}"
    # A mistake on the page: the file came, and the page that is drawn again brings it.
    answer = await send(client, address, await whole(client, address))
    assert answer.status_code == 422
    page = await answer.get_data(as_text=True)
    kept = [name for name, value in Controls(page).sent if name.endswith(".kept") and value]
    assert kept == ["k_file.kept", "k_image.kept"]
    texts, _files = filled_in(page, without=("file", "image"))
    texts |= {"website": [""], "go": ["next"], "must": ["Here"], "stamp": [stamp_of(clock.now().timestamp() - 60)]}
    answer = await post(client, address, texts)
    assert answer.status_code == 303
    draft = answer.headers["Location"]
    # On another device, later: what is in the draft is all that is known.
    cast_away = app.test_client()
    answer = await client.post(draft, form={"version": "1", "screen": "p_toggle", "go": "back"})
    back = await whole(cast_away, draft)
    assert "cv.txt" in back and "me.png" in back and 'value="sesame"' not in back
    again, _files = filled_in(back, without=("file", "image", "password"))
    answer = await post(cast_away, draft, again | {"go": ["next"]})
    assert answer.headers["Location"] == draft
    for _step in STEPS:
        answer = await send(cast_away, draft, await whole(cast_away, draft))
    assert "/thanks/" in answer.headers["Location"]
    answers = await db.value("SELECT answers FROM form_entries")
    assert answers["k_file"][0]["name"] == TEXT_FILE[0] and answers["k_image"][0]["name"] == "me.png"
    assert answers["k_password"] == {"known": True}
    assert await db.value("SELECT count(*) FROM form_entry_files WHERE entry_id IS NOT NULL") == 2


async def test_a_password_never_lies_in_a_draft_nor_on_a_page(client: TestClientProtocol) -> None:
    fields = [
        {"id": "q1", "kind": "password", "label": "Word", "required": True, "settings": {"word": "sesame"}},
        {"id": "p1", "kind": "page_break", "label": "Then"},
        {"id": "q2", "kind": "short_text", "label": "Name", "required": True},
    ]
    read = definitions.read({"title": "x", "fields": fields, "settings": {"resume": True}})
    form = await versions.publish((await versions.create(read, by=None)).id)
    address = f"/forms/{form.slug}"
    sent = {"version": "1", "website": "", "stamp": stamp_of(clock.now().timestamp() - 60), "screen": "start"}
    wrong = await client.post(address, form={**sent, "q1": "open", "go": "next"})
    assert wrong.status_code == 422 and "This is not the password" in await wrong.get_data(as_text=True)
    answer = await client.post(address, form={**sent, "q1": "sesame", "go": "next"})
    draft = answer.headers["Location"]
    assert "sesame" not in str(await db.value("SELECT posted FROM form_drafts"))
    await client.post(draft, form={"version": "1", "screen": "p1", "go": "back"})
    back = await whole(client, draft)
    assert "sesame" not in back and "Given already" in back
    texts = {name: [value] for name, value in Controls(back).sent}
    await post(client, draft, texts | {"go": ["next"]})
    answer = await client.post(draft, form={"version": "1", "screen": "p1", "q2": "Ann", "go": "next"})
    assert "/thanks/" in answer.headers["Location"]
    # A token of the office's former password opens nothing.
    await db.run(
        """UPDATE form_versions SET definition = jsonb_set(definition, '{fields,0,settings,word}', '"other"')"""
    )
    later = await client.post(address, form={**sent, "stamp": stamp_of(clock.now().timestamp() - 61), "go": "next", "q1.known": texts["q1.known"][0]})  # fmt: skip
    assert later.status_code == 422


async def test_values_of_later_steps_come_along_from_the_address_and_from_the_owner(client: TestClientProtocol) -> None:
    fields = [
        {"id": "q1", "kind": "short_text", "label": "Name"},
        {"id": "p1", "kind": "page_break", "label": "Then"},
        {"id": "q2", "kind": "short_text", "label": "City"},
        {"id": "p2", "kind": "page_break", "label": "Nothing to see"},
        {"id": "q3", "kind": "hidden", "label": "Source", "settings": {"value": "site"}},
        {"id": "q4", "kind": "hidden", "label": "Campaign", "settings": {"value": "none"}},
    ]
    read = definitions.read({"title": "x", "fields": fields})
    form = await versions.publish((await versions.create(read, by=None)).id)
    page = await whole(client, f"/forms/{form.slug}?q2=Bath&q4=spring")
    assert "Step 1 of 2" in page
    answer = await send(client, f"/forms/{form.slug}", page)
    second = await whole(client, answer.headers["Location"])
    assert 'value="Bath"' in second and ">Send<" in second
    answer = await send(client, answer.headers["Location"], second)
    assert "/thanks/" in answer.headers["Location"]
    assert await db.value("SELECT answers FROM form_entries") == {"q2": "Bath", "q3": "site", "q4": "spring"}


async def test_a_total_on_the_last_step_counts_what_was_chosen_before(client: TestClientProtocol) -> None:
    fields = [
        {"id": "q1", "kind": "product", "label": "Seat", "settings": {"most": 5, "options": [{"value": "s", "label": "Seat", "price": 1500}]}},
        {"id": "p1", "kind": "page_break", "label": "Then"},
        {"id": "q2", "kind": "custom_amount", "label": "Gift"},
        {"id": "q3", "kind": "total", "label": "Total", "settings": {"lines": True}},
    ]  # fmt: skip
    read = definitions.read({"title": "x", "fields": fields, "payment": {"on": False}})
    form = await versions.publish((await versions.create(read, by=None)).id)
    stamp = stamp_of(clock.now().timestamp() - 60)
    first = {"version": "1", "website": "", "stamp": stamp, "screen": "start", "q1": "s", "q1.quantity": "2"}
    answer = await client.post(f"/forms/{form.slug}", form=first)
    page = await whole(client, answer.headers["Location"])
    assert "€30<" in page and "Seat × 2" in page
    told = re.search(r'<form-total data-told="([^"]+)"', page)
    assert told is not None
    # What static/js/field-total.js goes on from.
    assert json.loads(unescape(told[1])) == {"kept": [["q1", "Seat: Seat", 2, 3000, "EUR"]], "times": {}}
    answer = await client.post(answer.headers["Location"], form={"version": "1", "screen": "p1", "q2": "4.50"})
    assert (await db.value("SELECT answers FROM form_entries"))["q3"] == {"minor": 3450, "currency": "EUR"}
