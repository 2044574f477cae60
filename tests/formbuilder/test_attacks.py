"""Forms as an attacker meets them: past the gates, without paying, with files that fill the house, at other people's cost."""

import asyncio
import io
import struct
import tracemalloc
import zipfile
import zlib
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from quart.datastructures import FileStorage
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import clock, db, limits, queue
from app.core.errors import TooMany
from app.core.limits import Limit
from app.core.personal import Subject
from app.formbuilder import entries, personal
from app.formbuilder.answering import files, links, spam, submissions
from app.formbuilder.answering.file_types import recognise
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.definition import definitions, versions
from app.formbuilder.fields.date import day_of
from app.formbuilder.inbox import privacy
from app.formbuilder.models import Form
from app.formbuilder.payment import payments, stock
from app.formbuilder.queries import files as file_queries
from app.formbuilder.routes import sending, visits
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.formbuilder.entering import a_form

NAME: dict[str, Any] = {"id": "q1", "kind": "short_text", "label": "Name"}
EMAIL: dict[str, Any] = {"id": "q2", "kind": "email", "label": "Email", "required": True}
TICKET: dict[str, Any] = {
    "id": "q3", "kind": "product", "label": "Ticket", "required": True,
    "settings": {"options": [{"value": "full", "label": "Full", "price": 5000, "stock": 1}]},
}  # fmt: skip
SECRET = {"thanks": "The film is at /secret-film"}


def body(**texts: str) -> dict[str, str]:
    """What a browser sends after ten seconds."""
    return {"version": "1", "website": "", "stamp": stamp_of(clock.now().timestamp() - 10), "q1": "Ann", **texts}


async def published(*fields: dict[str, Any], **more: Any) -> Form:
    told = {"title": "Evening", "fields": list(fields), **more}
    return await versions.publish((await versions.create(definitions.read(told), by=None)).id)


async def changed(form: Form, **more: Any) -> Form:
    """The next version of it, published."""
    nobody: Any = SimpleNamespace(id=None)
    after = definitions.read({**definitions.write_definition(definitions.read(form.definition)), **more})
    await versions.edit(form.id, lambda _now: after, words="", by=nobody)
    return await versions.publish(form.id)


async def states() -> list[str]:
    return [row.state for row in await db.many(db.Row, "SELECT state FROM form_entries ORDER BY id")]


# --- gates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", [{"pin": "1234"}, {"sign_in": True}, {"by_link": True}, {"closes_at": "2020-01-01"}])
async def test_falling_for_the_trap_opens_no_gate(client: TestClientProtocol, gate: dict[str, Any]) -> None:
    form, _definition = await a_form(**gate, **SECRET)
    answer = await client.post(f"/forms/{form.slug}", form=body(website="x", q2="a@b.example"))
    assert answer.status_code in (403, 409)
    assert await states() == []


async def test_a_held_back_entry_shows_nothing_that_stands_behind_a_password(client: TestClientProtocol) -> None:
    word = {"id": "q4", "kind": "password", "label": "Word", "required": True, "settings": {"word": "sesame"}}
    form = await published(NAME, word, settings=SECRET)
    answer = await client.post(f"/forms/{form.slug}", form=body(website="x"))
    page = await (await client.get(answer.headers["Location"])).get_data(as_text=True)
    assert "Your answers have arrived" in page and "secret-film" not in page
    answer = await client.post(f"/forms/{form.slug}", form=body(q4="sesame"))
    assert "secret-film" in await (await client.get(answer.headers["Location"])).get_data(as_text=True)


async def test_passwords_are_not_tried_one_after_the_other(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    await limits.forget_all()
    monkeypatch.setattr(sending, "GUESSES", Limit(3, 300))
    word = {"id": "q4", "kind": "password", "label": "Word", "required": True, "settings": {"word": "sesame"}}
    form = await published(NAME, word)
    for _right in range(5):
        assert (await client.post(f"/forms/{form.slug}", form=body(q4="sesame"))).status_code == 303
    found = [(await client.post(f"/forms/{form.slug}", form=body(q4=f"guess {n}"))).status_code for n in range(5)]
    assert found == [422, 422, 422, 429, 429]
    assert (await client.post(f"/forms/{form.slug}", form=body(q4="sesame"))).status_code == 429


async def test_an_older_page_is_not_answered_without_the_password_of_now(client: TestClientProtocol) -> None:
    form = await published(NAME)
    word = {"id": "q4", "kind": "password", "label": "Word", "required": True, "settings": {"word": "sesame"}}
    await changed(form, fields=[NAME, word])
    answer = await client.post(f"/forms/{form.slug}", form=body(version="1"))
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 422 and 'name="version" value="2"' in page and 'value="Ann"' in page
    await changed(form, fields=[NAME, {**word, "settings": {"word": "other"}}])
    assert (await client.post(f"/forms/{form.slug}", form=body(version="2", q4="sesame"))).status_code == 422
    assert await states() == []


async def test_an_older_page_gives_no_answer_twice_that_may_be_there_once_by_now(client: TestClientProtocol) -> None:
    form = await published(EMAIL)
    await changed(form, fields=[{**EMAIL, "settings": {"unique": True}}])
    assert (await client.post(f"/forms/{form.slug}", form=body(q2="a@b.example"))).status_code == 303
    assert (await client.post(f"/forms/{form.slug}", form=body(q2="a@b.example"))).status_code == 422


async def test_capital_letters_make_no_other_address(client: TestClientProtocol) -> None:
    form = await published(NAME, {**EMAIL, "settings": {"unique": True}})
    told = ("ann@x.example", "ANN@x.example", "bea@x.example", "Bea@X.example")
    found = [(await client.post(f"/forms/{form.slug}", form=body(q2=email))).status_code for email in told]
    assert found == [303, 422, 303, 422]


async def test_an_older_page_asks_for_the_captcha_of_now(client: TestClientProtocol) -> None:
    form = await published(NAME)
    await changed(form, fields=[NAME, {"id": "q9", "kind": "captcha", "label": "Are you?"}])
    _form, definition = await visits.answered(form.slug, "1")
    assert definition.find("q9") is None
    assert spam.wants_captcha(definition)


# --- money ------------------------------------------------------------------------------------------------------------


async def test_an_older_page_that_cost_nothing_does_not_get_past_the_price(shop: Shop) -> None:
    form = await published(NAME, EMAIL)
    await changed(form, fields=[NAME, EMAIL, TICKET])
    answer = await shop.client.post(f"/forms/{form.slug}", form=body(version="1", q2="a@b.example", q3="full"))
    assert answer.status_code == 422
    assert 'name="version" value="2"' in await answer.get_data(as_text=True)
    assert await states() == []
    answer = await shop.client.post(f"/forms/{form.slug}", form=body(version="2", q2="a@b.example", q3="full"))
    assert await states() == ["unpaid"]


async def test_an_older_page_offers_no_way_of_paying_that_is_gone(shop: Shop) -> None:
    way = {"id": "q5", "kind": "payment_method", "label": "How", "settings": {"methods": ["card", "invoice"]}}
    form = await published(NAME, EMAIL, TICKET, way)
    await changed(form, fields=[NAME, EMAIL, TICKET, {**way, "settings": {"methods": ["card"]}}])
    told = {"q2": "a@b.example", "q3": "full", "q5": "invoice"}
    assert (await shop.client.post(f"/forms/{form.slug}", form=body(version="1", **told))).status_code == 422
    assert await states() == []


async def test_an_older_page_takes_of_the_stock_of_now(shop: Shop) -> None:
    endless = {**TICKET, "settings": {"options": [{"value": "full", "label": "Full", "price": 5000}]}}
    form = await published(NAME, EMAIL, endless)
    form = await changed(form, fields=[NAME, EMAIL, TICKET])
    told = {"q2": "a@b.example", "q3": "full", "version": "1"}
    assert (await shop.client.post(f"/forms/{form.slug}", form=body(**told))).status_code == 303
    assert (await stock.left_of(form.id, definitions.read(form.definition)))["q3", "full"] == 0
    assert (await shop.client.post(f"/forms/{form.slug}", form=body(**told))).status_code == 422


@pytest.mark.parametrize("trick", ["the trap", "links"])
async def test_what_is_paid_for_is_not_shown_to_who_is_held_back(shop: Shop, trick: str) -> None:
    form = await published(NAME, EMAIL, TICKET, settings=SECRET)
    told = {"website": "x"} if trick == "the trap" else {"q1": "http://a.example " * 6}
    answer = await shop.client.post(f"/forms/{form.slug}", form=body(q2="a@b.example", q3="full", **told))
    page = await shop.text(answer.headers["Location"])
    assert await states() == ["spam"]
    assert "Your answers have arrived" in page and "secret-film" not in page


@pytest.mark.parametrize(("number", "status"), [("-5", 422), ("0", 303), ("99999999999", 422), ("5", 303)])
@pytest.mark.parametrize("is_calculated", [False, True])
async def test_nobody_pays_less_than_nothing(shop: Shop, number: str, status: int, is_calculated: bool) -> None:
    seats: dict[str, Any] = {"id": "q8", "kind": "number", "label": "Seats", "settings": {}}
    total = {"id": "q9", "kind": "calculation", "label": "Sum", "settings": {"expression": "{q8} * 10", "hidden": True}}
    form = await published(NAME, EMAIL, seats, total, payment={"on": True, "amount": "q9" if is_calculated else "q8"})
    answer = await shop.client.post(f"/forms/{form.slug}", form=body(q2="a@b.example", q8=number))
    assert answer.status_code == status
    assert ("This amount cannot be paid." in await answer.get_data(as_text=True)) is (status == 422)
    assert await states() == ([] if status == 422 else ["received" if number == "0" else "unpaid"])


async def test_sending_a_screen_again_leads_nobody_past_the_payment(shop: Shop) -> None:
    form = await published(NAME, EMAIL, {"id": "p1", "kind": "page_break", "label": "Pay"}, TICKET, settings=SECRET)
    first = body(q2="a@b.example", screen="start")
    draft = (await shop.client.post(f"/forms/{form.slug}", form=first)).headers["Location"]
    await shop.client.post(draft, form={"version": "1", "screen": "p1", "q3": "full"})
    assert await states() == ["unpaid"]
    again = await shop.client.post(f"/forms/{form.slug}", form=first)
    shown = await shop.client.get(again.headers["Location"])
    assert shown.status_code == 303 and "/payments/" in shown.headers["Location"]


async def test_a_link_for_one_answer_does_not_come_back_from_payment_for_ever(shop: Shop, cast: Cast) -> None:
    olga: Any = await cast.olga()
    more = {**TICKET, "settings": {"options": [{"value": "full", "label": "Full", "price": 5000}]}}
    form = await published(NAME, EMAIL, more, settings={"by_link": True})
    await links.make(form, definitions.read(form.definition), 1, {}, by=olga)
    [made] = await db.many(db.Row, "SELECT public_id FROM form_links")
    token = links.path(form, made).partition("link=")[2]  # type: ignore[arg-type]
    told = body(q2="a@b.example", q3="full")
    assert (await shop.client.post(f"/forms/{form.slug}", form={**told, "link": token})).status_code == 303

    async def token_of_newest() -> str:
        from app.formbuilder.queries import entries as queries

        found = await queries.entry_by_id(await db.value("SELECT max(id) FROM form_entries"))
        assert found is not None
        return payments.token_of(found)

    first = await token_of_newest()
    again = await shop.client.post(f"/forms/{form.slug}", form=body(q2="a@b.example", q3="full", instead=first))
    assert again.status_code == 303
    # It gave its place once; and what was paid gives none.
    third = await shop.client.post(f"/forms/{form.slug}", form=body(q2="a@b.example", q3="full", instead=first))
    assert third.status_code == 403
    await shop.pay(again.headers["Location"])
    await shop.tell()
    paid = await token_of_newest()
    fourth = await shop.client.post(f"/forms/{form.slug}", form=body(q2="a@b.example", q3="full", instead=paid))
    assert fourth.status_code == 403
    assert sorted(await states()) == ["received", "unpaid"]


async def test_of_two_who_come_back_from_payment_at_once_one_is_let_in(
    shop: Shop,
    app: Lectern,
    cast: Cast,
) -> None:
    olga: Any = await cast.olga()
    more = {**TICKET, "settings": {"options": [{"value": "full", "label": "Full", "price": 5000}]}}
    form = await published(NAME, EMAIL, more, settings={"by_link": True})
    await links.make(form, definitions.read(form.definition), 1, {}, by=olga)
    [made] = await db.many(db.Row, "SELECT public_id FROM form_links")
    token = links.path(form, made).partition("link=")[2]  # type: ignore[arg-type]
    told = body(q2="a@b.example", q3="full", link=token)
    assert (await shop.client.post(f"/forms/{form.slug}", form=told)).status_code == 303
    first = await db.value("SELECT public_id FROM form_entries")
    instead = f"{first}-{payments._mac(first)}"
    both = [body(q2="a@b.example", q3="full", instead=instead) for _one in range(3)]
    found = await asyncio.gather(*(app.test_client().post(f"/forms/{form.slug}", form=each) for each in both))
    assert sorted(answer.status_code for answer in found)[0] == 303
    assert {answer.status_code for answer in found} <= {303, 403, 409}
    assert len(await states()) == 2


# --- files ------------------------------------------------------------------------------------------------------------


def a_bomb(unfolded: int) -> bytes:
    """An archive whose first file says that it has 40 bytes, and unfolds to far more."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _piece in range(unfolded >> 20)) + packer.flush()
    head = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(packed), 40, 8, 0) + b"mimetype"
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(packed), 40, 8, 0, 0, 0, 0, 0, 0)
    listed = entry + b"mimetype"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(listed), len(head) + len(packed), 0)
    return head + packed + listed + end


def an_archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def test_an_archive_is_told_without_unfolding_it() -> None:
    bomb = a_bomb(64 << 20)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        found = recognise(io.BytesIO(bomb), "paper.odt")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found is not None and found.group == "archive"
    assert most < 4 << 20


@pytest.mark.parametrize("is_hidden", [False, True])
def test_an_archive_with_an_endless_list_is_not_read(is_hidden: bool) -> None:
    listed = (
        struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    ) * 100_000
    head = b"PK\x03\x04" + bytes(26)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(listed), len(head), 0)
    if is_hidden:  # the second end, for large archives, counts where there is one
        more = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(listed), len(head))
        end = more + struct.pack("<4sLQL", b"PK\x06\x07", 0, len(head + listed), 1)
        end += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 47, len(head), 0)
    source = io.BytesIO(head + listed + end)
    tracemalloc.start()
    try:
        found = recognise(source, "a.zip")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found is None
    assert most < 1 << 20


def test_an_archive_is_taken_with_a_comment_behind_it() -> None:
    good = an_archive("a.txt", "b.txt")
    assert recognise(io.BytesIO(good), "a.zip") is not None
    assert recognise(io.BytesIO(good[:-2] + struct.pack("<H", 60_000) + bytes(60_000)), "a.zip") is not None
    assert recognise(io.BytesIO(good[: good.rfind(b"PK\x05\x06")]), "a.zip") is None


def test_an_open_document_is_still_one() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", "<x/>", zipfile.ZIP_DEFLATED)
    found = recognise(out, "a.odt")
    assert found is not None and found.extension == "odt"


def paper(size: int) -> FileStorage:
    return FileStorage(io.BytesIO(b"%PDF-1.4\n" + bytes(size)), filename="a.pdf", content_type="application/pdf")


async def test_nobody_fills_the_storage(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    await limits.forget_all()
    monkeypatch.setattr(files, "UPLOADS", Limit(3, 3600))
    form = await published(NAME, {"id": "q5", "kind": "file", "label": "Paper", "settings": {}})
    # Not even a stamp is needed: a file is kept before the rest is looked at.
    told = {"version": "1", "website": ""}
    found = []
    for size in (1000, 1_500_000, 1000):
        answer = await client.post(f"/forms/{form.slug}", form=told, files={"q5": paper(size)})
        found.append("was sent from your network" in await answer.get_data(as_text=True))
    assert await db.value("SELECT count(*) FROM form_entry_files") == 2
    answer = await client.post(f"/forms/{form.slug}", form=body(), files={"q5": paper(1000)})
    assert answer.status_code == 422
    assert "was sent from your network" in await answer.get_data(as_text=True)
    assert await states() == []
    assert found == [False, False, False]  # they are asked to press the button once more first


async def test_nobody_sends_along_the_file_of_somebody_else(app: Lectern, client: TestClientProtocol) -> None:
    field = {"id": "q5", "kind": "file", "label": "Paper", "settings": {}}
    form, other = await published(NAME, field), await published(NAME, field)
    told = {"version": "1", "website": ""}
    page = await (await client.post(f"/forms/{form.slug}", form=told, files={"q5": paper(10)})).get_data(as_text=True)
    token = page.partition('name="q5.kept" value="')[2].partition('"')[0]
    assert token
    for elsewhere, kept in (
        (other, token),
        (form, token[:-1]),
        (form, token.replace(".", "x.", 1)),
        (form, f"x{token}"),
    ):
        answer = await client.post(f"/forms/{elsewhere.slug}", form=body(**{"q5.kept": kept}))
        assert answer.status_code == (422 if elsewhere is other else 303)
    bound = "SELECT count(*) FROM form_entry_files WHERE entry_id IS NOT NULL"
    assert await db.value(bound) == 0
    # Whose it is may send it, once.
    found = [
        (await client.post(f"/forms/{form.slug}", form=body(**{"q5.kept": token}))).status_code for _time in range(2)
    ]
    assert found == [303, 422]
    assert await db.value(bound) == 1


async def test_nobody_fills_the_quarantine(client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch) -> None:
    await limits.forget_all()
    monkeypatch.setattr(submissions, "QUARANTINE", Limit(2, 3600))
    form = await published(NAME)
    found = [(await client.post(f"/forms/{form.slug}", form=body(website="x"))).status_code for _time in range(4)]
    assert found == [303, 303, 429, 429]
    assert (await client.post(f"/forms/{form.slug}", form=body())).status_code == 303
    assert await states() == ["spam", "spam", "received"]


@pytest.mark.parametrize("how", ["one name", "many names", "long texts"])
async def test_texts_do_not_fill_the_room_of_files(app: Lectern, client: TestClientProtocol, how: str) -> None:
    file = {"id": "q5", "kind": "file", "label": "Paper", "settings": {}}
    form = await published(NAME, file, {"id": "p1", "kind": "page_break", "label": "On"}, {**NAME, "id": "q6"})
    parts = {
        "one name": [("q1.x", "")] * 6000,
        "many names": [(f"q1.x{number}", "") for number in range(6000)],
        "long texts": [(f"q1.x{number}", "x" * 400_000) for number in range(3)],
    }[how]
    told = [*body(screen="start").items(), *parts]
    if how == "long texts":
        rows = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in told]
        sent, kind = "".join([*rows, "--b--\r\n"]), "multipart/form-data; boundary=b"
    else:
        sent, kind = urlencode(told), "application/x-www-form-urlencoded"
    answer = await client.post(f"/forms/{form.slug}", data=sent, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert await db.value("SELECT count(*) FROM form_drafts") == 0


async def test_what_was_begun_does_not_grow_without_end(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_KEPT", 1000)
    pages = [{"id": f"p{number}", "kind": "page_break", "label": "On"} for number in (1, 2)]
    long = {"kind": "long_text", "label": "Words", "settings": {}}
    form = await published(NAME, {**long, "id": "q7"}, pages[0], {**long, "id": "q8"}, pages[1], {**long, "id": "q9"})
    first = await client.post(f"/forms/{form.slug}", form=body(screen="start", q7="x" * 600))
    assert first.status_code == 303
    second = await client.post(first.headers["Location"], form=body(screen="p1", q8="x" * 600))
    assert second.status_code == 413
    assert (await client.post(first.headers["Location"], form=body(screen="p1", q8="x"))).status_code == 303


async def test_what_is_spent_is_spent_for_that_network_until_the_window_ends(app: Lectern, store: str) -> None:
    await limits.forget_all()
    some = Limit(10, 60)
    await limits.spend("test-bytes", "one", 9, some)
    with pytest.raises(TooMany):
        await limits.spend("test-bytes", "one", 2, some)
    await limits.spend("test-bytes", "two", 10, some)


async def test_a_form_that_keeps_nothing_keeps_no_files_either(app: Lectern, client: TestClientProtocol) -> None:
    form = await published(
        NAME, {"id": "q5", "kind": "file", "label": "Paper", "settings": {}}, settings={"no_store": True}
    )
    assert (await client.post(f"/forms/{form.slug}", form=body(), files={"q5": paper(10)})).status_code == 303
    await queue.drain()
    assert await db.value("SELECT count(*) FROM form_entry_files WHERE entry_id IS NOT NULL") == 1
    await db.run("UPDATE form_entries SET empty_after = empty_after - interval '2 hours'")
    await privacy.empty_sent()
    assert await db.value("SELECT answers FROM form_entries") == {}
    assert await db.value("SELECT count(*) FROM form_entry_files WHERE entry_id IS NOT NULL") == 0
    await db.run("UPDATE form_entry_files SET created_at = created_at - interval '3 days'")
    assert await files.sweep() == 1


ODD = [
    "\x00",
    "q1.\x00",
    "😀",
    "%00",
    "%ff",
    "a" * 5000,
    "../..",
    "1e999",
    "-1",
    "٣",
    "{q1}",
    "[]",
    "null",
    "\u202e",
    "' OR 1",
]


@pytest.mark.parametrize("presentation", ["classic", "one"])
async def test_nothing_that_a_request_says_is_a_fault_of_ours(
    client: TestClientProtocol, unlimited: None, presentation: str
) -> None:
    """Each parameter of each public address takes what no page of ours sends."""
    file = {"id": "q5", "kind": "file", "label": "Paper", "settings": {}}
    form = await published(
        NAME, file, {"id": "p1", "kind": "page_break", "label": "On"}, {**NAME, "id": "q6"},
        settings={"resume": True, "presentation": presentation},
    )  # fmt: skip
    path, met = f"/forms/{form.slug}", set[int]()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    async def post(address: str, told: dict[str, str]) -> str:
        answer = await client.post(address, data=urlencode(told), headers=headers)
        met.add(answer.status_code)
        assert answer.status_code < 500, (address, told)
        return str(answer.headers.get("Location", ""))

    for odd in ODD:
        for name in ("link", "pass", "payment", "embed", "q1", "q1.x", "q5.kept", "website", "screen"):
            answer = await client.get(path, query_string={name: odd})
            assert answer.status_code < 500, (name, odd)
        for part in ("thanks", "drafts", "payments", "confirmations"):
            assert (await client.get(f"{path}/{part}/{quote(odd, safe='')}")).status_code < 500, (part, odd)
        for name in (
            "version",
            "stamp",
            "link",
            "pass",
            "prices",
            "instead",
            "screen",
            "go",
            "embed",
            "q1",
            "q5.kept",
            "q5.drawn",
        ):
            await post(path, body(**{name: odd}))
        await post(path, {**body(screen="start"), f"q1.{odd}": odd, odd: odd})
        await post(f"{path}/pin", {"version": odd, "pin": odd})
        await post(f"{path}/left", {"stamp": odd, "field": odd})
        draft = (await post(path, body(screen="start"))).partition("?")[0]
        assert "/drafts/" in draft
        for name in ("version", "screen", "go", "q6", f"q6.{odd}", f"q1.{odd}", odd, "prices", "instead"):
            await post(draft, {"version": "1", "screen": "p1", "go": "back", name: odd})
        await post(f"{draft}/mail", {"email": odd})
        assert (await client.get(f"{draft}?later={quote(odd, safe='')}")).status_code < 500
    assert {303, 404, 422} <= met


# --- other people -----------------------------------------------------------------------------------------------------


async def test_nobody_is_flooded_with_links_to_confirm(app: Lectern, client: TestClientProtocol, cast: Cast) -> None:
    await limits.forget_all()
    form = await published(NAME, EMAIL, settings={"opt_in": True})
    for number in range(8):
        told = body(q1=f"Ann {number}", q2=f"victim+{number}@x.example")
        assert (await client.post(f"/forms/{form.slug}", form=told)).status_code == 303
    assert await states() == ["unconfirmed"] * 8
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'formbuilder/confirm'") == 5
    # The office may write once more, whoever was written to.
    olga = await cast.olga()
    last = await db.value("SELECT public_id FROM form_entries ORDER BY id DESC LIMIT 1")
    path = f"/admin/forms/{form.public_id}/entries/{last}/sending"
    assert (await olga.browser.post(path, form={"link": "1"})).status_code == 303
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'formbuilder/confirm'") == 6


async def test_nobody_is_flooded_with_links_to_go_on_with(app: Lectern, client: TestClientProtocol) -> None:
    await limits.forget_all()
    form = await published(NAME, settings={"resume": True})
    told = []
    for _draft in range(4):
        later = await client.post(f"/forms/{form.slug}", form=body(go="later"))
        draft = later.headers["Location"].partition("?")[0]
        for number in range(2):
            answer = await client.post(f"{draft}/mail", form={"email": f"victim+{number}@x.example"})
            told.append("mailed often enough" in await answer.get_data(as_text=True))
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'formbuilder/resume'") == 5
    assert told == [False] * 5 + [True] * 3


def test_a_day_is_written_as_a_day_only() -> None:
    # Python reads it, and as a text it lies behind every day of its year.
    assert day_of("2026-W01-1") is None
    assert day_of("2026-12-31") is not None


async def test_who_has_paid_gets_the_link_to_confirm_whoever_typed_their_address(shop: Shop) -> None:
    await limits.forget_all()
    flooding = await published(NAME, EMAIL, settings={"opt_in": True})
    for number in range(6):
        await shop.client.post(f"/forms/{flooding.slug}", form=body(q1=f"Ann {number}", q2="ann@x.example"))
    form = await published(NAME, EMAIL, TICKET, settings={"opt_in": True})
    answer = await shop.client.post(f"/forms/{form.slug}", form=body(q2="ann@x.example", q3="full"))
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    assert (await states())[-1] == "unconfirmed"
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'formbuilder/confirm'") == 6


async def test_nobody_reads_what_others_sent_with_their_address(client: TestClientProtocol, cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    form = await published(NAME, EMAIL)
    path = f"/forms/{form.slug}"
    for browser, name in ((ann.browser, "hers"), (rob.browser, "of another"), (client, "of nobody")):
        answer = await browser.post(path, form=body(q1=name, q2=ann.email), headers={"User-Agent": f"Browser {name}"})
        assert answer.status_code == 303
    subject = Subject(ann.id, ann.public_id, ann.email, ann.name)
    told = [each async for each in personal.answers_of(subject)]
    assert [(each["answers"][0]["answer"], each["browser"], bool(each["address"])) for each in told] == [
        ("hers", "Browser hers", True), ("of nobody", "", False),
    ]  # fmt: skip


async def test_an_entry_is_confirmed_by_its_own_link_only(app: Lectern, client: TestClientProtocol) -> None:
    form = await published(NAME, EMAIL, settings={"opt_in": True})
    other = await published(NAME, settings={})
    await client.post(f"/forms/{form.slug}", form=body(q2="ann@x.example"))
    entry_id = await db.value("SELECT id FROM form_entries")
    from app.core import tokens

    await db.run("UPDATE form_entries SET confirm_hash = :hash WHERE id = :id", hash=tokens.hashed("t"), id=entry_id)
    assert (await client.get(f"/forms/{other.slug}/confirmations/t")).status_code == 404
    assert (await client.post(f"/forms/{other.slug}/confirmations/t")).status_code == 404
    assert (await client.get(f"/forms/{form.slug}/confirmations/t")).status_code == 200
    assert await states() == ["unconfirmed"]  # a scanner looked at it
    assert await entries.of_link("") is None


async def test_files_that_nobody_sent_are_found_among_thousands_of_drafts(app: Lectern) -> None:
    form = await published(NAME, {"id": "q5", "kind": "file", "label": "Paper", "settings": {}})
    await db.run(
        """
        INSERT INTO form_drafts (form_id, version_id, token_hash, posted, step, created_at, updated_at, expires_at)
        SELECT :form_id, :version_id, sha256(CAST(CAST(n AS text) AS bytea)), jsonb_build_object(
                   'q1', jsonb_build_array(repeat(md5(CAST(n AS text)), 90)), 'q5.kept', jsonb_build_array('file' || n || '.x')),
               'start', now(), now(), now() + interval '1 day' FROM generate_series(1, 12000) n
        """,
        form_id=form.id,
        version_id=form.version_id,
    )
    await db.run(
        """
        INSERT INTO form_entry_files (public_id, form_id, field_id, storage_key, file_name, content_type, size_bytes,
                                      checksum, created_at)
        SELECT 'file' || n, :form_id, 'q5', 'key' || n, 'a.pdf', 'application/pdf', 1, '', CAST(:at AS timestamptz)
        FROM generate_series(11701, 12200) n
        """,
        form_id=form.id,
        at=clock.now() - timedelta(days=3),
    )
    # To look through the drafts for each file takes minutes, and a statement is given up after half of one.
    found = await file_queries.loose(clock.now() - timedelta(days=2), 1000)
    assert len(found) == 200


async def test_of_many_files_that_nobody_sent_none_is_left_for_later(
    app: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_AT_ONCE", 2)
    await db.run(
        """
        INSERT INTO form_entry_files (public_id, field_id, storage_key, file_name, content_type, size_bytes, checksum, created_at)
        SELECT 'file' || n, 'q5', 'form/aa/key' || n, 'a.pdf', 'application/pdf', 1, '', CAST(:at AS timestamptz)
        FROM generate_series(1, 5) n
        """,
        at=clock.now() - timedelta(days=3),
    )
    assert await files.sweep() == 5
