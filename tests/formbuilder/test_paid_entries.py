"""What else an entry waits for when it is paid, what it counts for meanwhile, and how it is given back."""

import asyncio
import html
import io
import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default as policy
from pathlib import Path
from typing import Any

import pytest
from quart.datastructures import FileStorage
from quart.typing import TestClientProtocol

from app import Lectern
from app.commerce import orders, refunds
from app.config import Config
from app.core import clock, db, queue
from app.formbuilder import entries
from app.formbuilder.answering.submissions import read_answers
from app.formbuilder.definition import definitions, versions
from app.formbuilder.logic import scoring
from app.formbuilder.models import Form, Posted
from app.formbuilder.payment import bills, payments, stock
from app.formbuilder.routes import stamp_of
from app.gateways.payments import Refund
from tests.cast import Cast
from tests.commerce.shop import Shop

TICKET = {
    "id": "q3", "kind": "product", "label": "Ticket",
    "settings": {"most": 5, "options": [{"value": "full", "label": "Full", "price": 5000, "stock": 3},
                                        {"value": "half", "label": "Half", "price": 2500}]},
}  # fmt: skip
FIELDS: list[dict[str, Any]] = [
    {"id": "q1", "kind": "short_text", "label": "Name"},
    {"id": "q2", "kind": "email", "label": "Email", "required": True},
    TICKET,
]
MAIL = {"id": "n1", "name": "To me", "to": "owner", "subject": "{q1} paid {amount}", "body": "{all}"}


async def a_form(fields: list[dict[str, Any]] | None = None, **more: Any) -> Form:
    told = {"title": "Evening", "fields": fields or FIELDS, "notifications": [MAIL], **more}
    return await versions.publish((await versions.create(definitions.read(told), by=None)).id)


async def send(form: Form, browser: TestClientProtocol, path: str = "", **texts: Any) -> Any:
    stamp = stamp_of(clock.now().timestamp() - 10)
    sent = {"version": "1", "stamp": stamp, "website": "", "q1": "Ann", "q2": "ann@x.example", "q3": "full", **texts}
    return await browser.post(path or f"/forms/{form.slug}", form=sent)


async def states() -> list[str]:
    return [row.state for row in await db.many(db.Row, "SELECT state FROM form_entries ORDER BY id")]


async def left(form: Form, value: str = "full") -> int:
    return (await stock.left_of(form.id, definitions.read(form.definition)))["q3", value]


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    return html.unescape(found[1]) if found else ""


async def told() -> list[str]:
    rows = await db.many(db.Row, "SELECT subject FROM mails WHERE template = 'formbuilder/notification' ORDER BY id")
    return [row.subject for row in rows]


async def test_it_is_paid_then_confirmed_then_approved_and_leaves_once(shop: Shop, cast: Cast) -> None:
    form = await a_form(settings={"opt_in": True, "approval": True})
    answer = await send(form, shop.client)
    assert await states() == ["unpaid"]
    assert await shop.mails("formbuilder/confirm") == []
    back = await shop.pay(answer.headers["Location"])
    for _twice in range(2):
        await shop.tell()
    assert await states() == ["unconfirmed"]
    [link] = await shop.mails("formbuilder/confirm")
    thanks = await shop.client.get((await shop.client.get(back)).headers["Location"])
    assert "We mailed you a link" in await thanks.get_data(as_text=True)
    token = await db.value("SELECT confirm_hash FROM form_entries")
    assert token is not None
    assert link is not None
    entry = await payments.entry_of_token(form, back.rpartition("/")[2])
    definition = definitions.read(form.definition)
    await entries.move(entry, "confirm", definition)
    assert await states() == ["waiting"]
    await queue.drain()
    assert await told() == []
    await entries.move(entry, "approve", definition)
    await queue.drain()
    await shop.tell()
    assert await states() == ["received"]
    assert await told() == ["Ann paid €50"]


async def test_who_paid_and_never_clicked_is_not_swept_away(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = await a_form(settings={"opt_in": True})
    await shop.pay((await send(form, shop.client)).headers["Location"])
    await shop.tell()
    await send(form, shop.client, q2="ben@x.example", q3="")
    assert await states() == ["unconfirmed", "unconfirmed"]
    later = clock.now() + entries.CONFIRM_WITHIN + entries.SWEPT_AFTER + timedelta(minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await entries.sweep() == (1, 0)
    assert await db.value("SELECT email FROM form_entries") == "ann@x.example"
    assert await left(form) == 2


async def test_what_the_office_corrects_does_not_take_the_total_away(shop: Shop, cast: Cast) -> None:
    form = await a_form(fields=[*FIELDS, {"id": "q4", "kind": "total", "label": "Total"}])
    await shop.pay((await send(form, shop.client)).headers["Location"])
    await shop.tell()
    olga = await cast.olga()
    [entry] = await db.many(db.Row, "SELECT public_id, answers FROM form_entries")
    assert entry.answers["q4"] == {"minor": 5000, "currency": "EUR"}
    path = f"/admin/forms/{form.public_id}/entries/{entry.public_id}/answers"
    sent = {"q1": "Anna", "q2": "ann@x.example", "q3": "full", "q3.quantity": "1"}
    assert (await olga.browser.post(path, form=sent)).status_code == 303
    answers = await db.value("SELECT answers FROM form_entries")
    assert (answers["q1"], answers["q4"]) == ("Anna", {"minor": 5000, "currency": "EUR"})


async def test_of_a_stock_as_many_are_held_as_are_ordered(shop: Shop) -> None:
    form = await a_form()
    assert (await send(form, shop.client, **{"q3.quantity": "2"})).status_code == 303
    assert await left(form) == 1
    page = await (await send(form, shop.client, **{"q3.quantity": "2"})).get_data(as_text=True)
    assert "Of “Full” there are only 1 left." in page
    assert (await send(form, shop.client)).status_code == 303
    assert "sold out" in await (await send(form, shop.client)).get_data(as_text=True)
    assert (await shop.order()).total_minor in (5000, 10000)


async def test_what_was_given_up_counts_for_no_limit(shop: Shop) -> None:
    form = await a_form(settings={"most_entries": 1, "most_per_person": 1})
    first = await send(form, shop.client)
    assert first.status_code == 303
    assert (await send(form, shop.client)).status_code == 409  # it is held
    entry = await db.one(db.Row, "SELECT public_id FROM form_entries")
    assert entry is not None
    found = await payments.entry_of_token(form, f"{entry.public_id}-{payments._mac(entry.public_id)}")
    # The same person turns back and sends it again: the first gives its place.
    again = await send(form, shop.client, instead=payments.token_of(found))
    assert again.status_code == 303
    await queue.drain()
    assert await states() == ["unpaid", "unpaid"]
    order = await orders.find(await db.value("SELECT order_id FROM form_entries ORDER BY id DESC LIMIT 1"))
    assert order is not None
    await shop.stripe.post(f"/v1/checkout/sessions/{order.stripe_session_id}/expire")
    await shop.tell()
    assert (await send(form, shop.client, q2="ben@x.example")).status_code == 303


async def test_what_was_given_up_keeps_no_answer_from_others(shop: Shop) -> None:
    once = {"settings": {"unique": True}}
    form = await a_form([{**FIELDS[0], **once}, {**FIELDS[1], **once}, TICKET])
    assert (await send(form, shop.client)).status_code == 303
    assert (await send(form, shop.client)).status_code == 422
    await db.run("UPDATE form_entries SET given_up_at = created_at")
    assert (await send(form, shop.client)).status_code == 303


async def test_all_money_back_gives_the_place_back(shop: Shop, cast: Cast) -> None:
    form = await a_form()
    answer = await send(form, shop.client)
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    assert await left(form) == 2
    order = await shop.order()
    assert not await payments.paid_back(order.id)
    assert not await payments.given_up(order.id)
    await db.run("UPDATE orders SET state = 'partially_refunded', refunded_minor = 1000 WHERE id = :id", id=order.id)
    assert not await payments.paid_back(order.id)
    await db.run("UPDATE orders SET state = 'refunded', refunded_minor = 5000 WHERE id = :id", id=order.id)
    assert await payments.paid_back(order.id)
    assert not await payments.paid_back(order.id)
    assert await left(form) == 3
    assert await states() == ["received"]


async def test_a_refund_that_fails_later_takes_the_place_again(shop: Shop) -> None:
    form = await a_form()
    answer = await send(form, shop.client)
    await shop.pay(answer.headers["Location"])
    await shop.tell()
    order = await shop.order()
    went = Refund("re_1", "succeeded", 5000, "EUR", payment_id=order.stripe_payment_intent_id or "")
    assert await refunds.record(order.id, went)
    await queue.drain()
    assert await left(form) == 3
    assert await refunds.record(order.id, replace(went, state="failed"))
    await queue.drain()
    assert ((await shop.order()).state, await left(form)) == ("paid", 2)


async def test_of_news_that_come_twice_and_in_any_order_the_payment_wins_once(shop: Shop) -> None:
    form = await a_form()
    answer = await send(form, shop.client)
    await shop.pay(answer.headers["Location"])
    order = await shop.order()
    await shop.tell()
    await asyncio.gather(*(payments.received(order.id) for _time in range(3)))
    for _time in range(2):
        assert not await payments.given_up(order.id)
        assert not await payments.received(order.id)
    await queue.drain()
    assert await states() == ["received"]
    assert await told() == ["Ann paid €50"]
    assert await db.value("SELECT count(*) FROM form_stock") == 1


async def test_who_pays_in_another_way_is_heard_of_at_once(shop: Shop) -> None:
    ways = {"id": "q4", "kind": "payment_method", "label": "How", "settings": {"methods": ["card", "invoice"]}}
    form = await a_form([*FIELDS, ways])
    answer = await send(form, shop.client, q4="invoice")
    assert "/thanks/" in answer.headers["Location"]
    assert await states() == ["received"]
    assert await left(form) == 2
    await queue.drain()
    assert len(await told()) == 1
    assert (await send(form, shop.client, q4="card")).headers["Location"].startswith("http")


async def test_spam_is_led_to_no_payment_and_holds_nothing(shop: Shop) -> None:
    form = await a_form(settings={"spam_words": ["casino"]})
    answer = await send(form, shop.client, q1="casino", website="x")
    assert "/thanks/" in answer.headers["Location"]
    assert await states() == ["spam"]
    assert await left(form) == 3
    assert await db.value("SELECT count(*) FROM orders") == 0


async def test_at_the_end_of_a_stepped_form_it_is_paid_and_turning_back_loses_nothing(shop: Shop) -> None:
    fields = [*FIELDS[:2], {"id": "p1", "kind": "page_break", "label": "Ticket"}, TICKET]
    form = await a_form(fields)
    stamp = stamp_of(clock.now().timestamp() - 10)
    first = {"version": "1", "stamp": stamp, "website": "", "screen": "start", "q1": "Ann", "q2": "ann@x.example"}
    draft = (await shop.client.post(f"/forms/{form.slug}", form=first)).headers["Location"]
    assert "/drafts/" in draft
    page = await shop.text(draft)
    assert "Go on to payment" in page
    paying = await shop.client.post(draft, form={"version": "1", "screen": "p1", "q3": "half"})
    assert paying.headers["Location"].startswith("http")
    entry = await db.one(db.Row, "SELECT public_id FROM form_entries")
    assert entry is not None
    token = f"{entry.public_id}-{payments._mac(entry.public_id)}"
    for _twice in range(2):
        again = (await shop.client.get(f"/forms/{form.slug}?payment={token}")).headers["Location"]
    assert again != draft
    assert 'value="Ann"' in await shop.text(again)
    on = await shop.client.post(again, form={"version": "1", "screen": "start", "q1": "Ann", "q2": "ann@x.example"})
    page = await shop.text(on.headers["Location"])
    assert re.search(r'value="half"[^>]*checked', page)
    paying = await shop.client.post(again, form={"version": "1", "screen": "p1", "q3": "full"})
    await queue.drain()
    await shop.pay(paying.headers["Location"])
    await shop.tell()
    assert await states() == ["unpaid", "received"]
    # The first one's page is closed, and its address leads to how it stands.
    closed = await shop.text(f"/forms/{form.slug}/payments/{token}")
    assert "nothing was charged" in closed


async def test_files_go_along_with_the_mail_and_with_who_turns_back(
    shop: Shop,
    config: Config,
) -> None:
    mail = {**MAIL, "attach": "csv files"}
    form = await a_form([*FIELDS, {"id": "q5", "kind": "file", "label": "Paper", "settings": {}}], notifications=[mail])
    paper = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
    stamp = stamp_of(clock.now().timestamp() - 10)
    told_form = {"version": "1", "stamp": stamp, "website": "", "q1": "Ann", "q2": "ann@x.example", "q3": "half"}
    first = await shop.client.post(
        f"/forms/{form.slug}", form=told_form,
        files={"q5": FileStorage(io.BytesIO(paper), filename="my paper.pdf", content_type="application/pdf")},
    )  # fmt: skip
    assert first.status_code == 303, await first.get_data(as_text=True)
    entry = await db.one(db.Row, "SELECT public_id FROM form_entries")
    assert entry is not None
    token = f"{entry.public_id}-{payments._mac(entry.public_id)}"
    page = await shop.text(f"/forms/{form.slug}?payment={token}")
    kept = hidden(page, "q5.kept")
    assert kept
    again = await send(form, shop.client, q3="half", instead=token, **{"q5.kept": kept})
    assert again.status_code == 303, await again.get_data(as_text=True)
    await queue.drain()
    await shop.pay(again.headers["Location"])
    await shop.tell()
    await queue.drain()
    sent = [
        message_from_bytes(path.read_bytes(), policy=policy) for path in Path(config.data_dir, "mail").glob("*.eml")
    ]
    [message] = [each for each in sent if list(each.iter_attachments()) and each["Subject"] == "Ann paid €25"]
    along = {each.get_filename(): each.get_content() for each in message.iter_attachments()}
    assert along["my-paper.pdf"] == paper
    assert any(str(name).endswith(".csv") for name in along)


@pytest.mark.parametrize(
    ("posted", "minor"),
    [
        ({"q3": ["full"], "q3.quantity": ["2"]}, 10000),
        ({"q3": ["half"], "q6": ["3"]}, 7500),
        ({"q3": ["half"], "q5": ["12.50"]}, 3750),
        ({"q5": ["0.50"]}, 50),
        ({}, 0),
    ],
)
def test_there_is_one_bill(posted: dict[str, list[str]], minor: int) -> None:
    fields = [
        *FIELDS,
        {"id": "q6", "kind": "quantity", "label": "How many", "settings": {"of": "q3"}},
        {"id": "q5", "kind": "custom_amount", "label": "Gift", "settings": {}},
        {"id": "q7", "kind": "total", "label": "Total"},
    ]
    definition = definitions.read({"title": "F", "fields": fields})
    found = read_answers(definition, Posted({"q2": ["a@b.example"], **posted}), "2026-01-01").answers
    bill = bills.bill(definition, found, {})
    assert (bill.minor, sum(line.minor for line in bill.lines), dict(bill.wrong)) == (minor, minor, {})
    assert bills.totals(definition, found, {})["q7"]["minor"] == minor
    assert payments.is_due(definition, found, bill) == bool(minor)


def test_the_score_of_a_quiz_is_that_of_its_field() -> None:
    options = [{"value": "a", "label": "A", "points": 3}, {"value": "b", "label": "B", "points": -1}, {"value": "c", "label": "C", "points": 2}]  # fmt: skip
    fields = [
        {"id": "q1", "kind": "radio", "label": "One", "settings": {"options": options}},
        {"id": "q2", "kind": "checkbox", "label": "Several", "settings": {"options": options}},
        {"id": "q3", "kind": "picture_choice", "label": "Pictures", "settings": {"options": options, "several": False}},
        {"id": "q4", "kind": "ranking", "label": "Order", "settings": {"options": options}},
        {"id": "q9", "kind": "quiz_score", "label": "Points", "settings": {}},
    ]
    definition = definitions.read({"title": "F", "fields": fields, "settings": {"scoring": "points"}})
    for picked in (["a"], ["b"], ["a", "b"], ["a", "c"], []):
        posted = {"q1": picked[:1], "q2": picked, "q3": picked[-1:]}
        answers = read_answers(definition, Posted(posted), "2026-01-01").answers
        result = scoring.result_of(definition, answers)
        assert result is not None
        assert result.score == float(answers.get("q9") or 0)
        assert result.most == 3 + 5 + 3


def test_of_outcomes_the_one_with_the_most_points_is_told() -> None:
    options = [{"value": "sea", "label": "Sea", "outcome": "swimmer", "points": 2},
               {"value": "hill", "label": "Hill", "outcome": "walker"},
               {"value": "none", "label": "Neither"}]  # fmt: skip
    fields = [{"id": f"q{n}", "kind": "radio", "label": f"{n}", "settings": {"options": options}} for n in (1, 2, 3)]
    told = {"scoring": "outcome", "outcomes": ["walker | You walk", "swimmer | You swim"]}
    definition = definitions.read({"title": "F", "fields": fields, "settings": told})
    for picked, outcome in (
        (["hill", "sea", "none"], "You swim"),
        (["hill", "hill", "sea"], "You walk"),  # two and two: the one that was named first
        (["none", "none", "none"], ""),
    ):
        answers = {f"q{n}": {"value": value} for n, value in enumerate(picked, 1)}
        result = scoring.result_of(definition, answers)
        assert result is not None
        assert result.outcome == outcome


async def test_of_two_in_the_office_the_second_is_told_what_the_first_did(app: Lectern, cast: Cast) -> None:
    form = await a_form()
    olga, pat = await cast.olga(), await cast.person("Pat", "pat@meridian.example", role="owner")
    base = f"/admin/forms/{form.public_id}/after/n1"
    shown = hidden(await (await olga.browser.get(base)).get_data(as_text=True), "shown")
    mail = {"name": "To us", "to": "owner", "subject": "One", "body": "{all}", "shown": shown}
    assert (await olga.browser.post(base, form=mail)).status_code == 303
    late = await pat.browser.post(base, form={**mail, "subject": "Two"})
    page = await late.get_data(as_text=True)
    assert late.status_code == 409
    assert 'value="Two"' in page
    kept = definitions.read((await versions.find(form.public_id)).definition).notifications[0]
    assert kept["subject"] == "One"
    assert (
        await pat.browser.post(base, form={**mail, "subject": "Two", "shown": hidden(page, "shown")})
    ).status_code == 303
    undo = await olga.browser.post(f"/admin/forms/{form.public_id}/undoing", form={"tab": "after"})
    assert undo.headers["Location"].endswith("/after")


async def test_the_inbox_sends_mails_again_and_an_edit_is_scored_anew(app: Lectern, cast: Cast) -> None:
    quiz = {"id": "q3", "kind": "radio", "label": "Capital", "settings": {"options": [{"label": "Paris", "points": 2}, {"label": "Rome"}]}}  # fmt: skip
    form = await a_form([*FIELDS[:2], quiz], settings={"scoring": "points"})
    browser, olga = app.test_client(), await cast.olga()
    assert (await send(form, browser, q3="rome")).status_code == 303
    await queue.drain()
    entry = await db.value("SELECT public_id FROM form_entries")
    base = f"/admin/forms/{form.public_id}/entries/{entry}"
    assert "The notifications" in await (await olga.browser.get(base)).get_data(as_text=True)
    assert (await olga.browser.post(f"{base}/sending", form={"way": "notifications"})).status_code == 303
    await queue.drain()
    assert len(await told()) == 2
    page = await (await olga.browser.get(f"{base}/answers")).get_data(as_text=True)
    kept = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    edited = await olga.browser.post(
        f"{base}/answers", form={**kept, "q1": "Ann", "q2": "ann@x.example", "q3": "paris"}
    )
    assert edited.status_code == 303
    assert float(await db.value("SELECT score FROM form_entries")) == 2


def test_what_the_shop_has_not_yet_is_said() -> None:
    definition = definitions.read({"title": "F", "fields": [*FIELDS, {"id": "q8", "kind": "coupon", "label": "Code"}]})
    assert any("no coupons" in each.sentence for each in definitions.problems(definition))


async def test_out_of_a_frame_a_button_leads_to_the_payment_page(shop: Shop) -> None:
    form = await a_form(settings={"sites": ["https://other.example"]})
    answer = await send(form, shop.client, embed="1")
    there = answer.headers["Location"]
    assert there.startswith(f"/forms/{form.slug}/payments/")
    page = await shop.text(there)
    action = re.search(r'<form method="post" action="([^"]+)" target="_top"', page)
    assert action is not None
    assert (await shop.client.post(action[1])).headers["Location"].startswith("http")


async def test_whoever_is_at_the_form_while_its_address_changes_comes_to_the_end(shop: Shop) -> None:
    form = await a_form(settings={"opt_in": True})
    paying = await send(form, shop.client)
    await versions.move_to(form.id, "another-evening")
    # A page that was open is sent to the old address; whoever pays comes back to it, and so does the click in a mail.
    late = await send(form, shop.client, q2="ben@x.example")
    await shop.pay(paying.headers["Location"])
    await shop.tell()
    assert late.status_code == 303
    [paid, _unpaid] = await db.many(db.Row, "SELECT public_id, state FROM form_entries ORDER BY id")
    back = await shop.client.get(f"/forms/{form.slug}/payments/{paid.public_id}-{payments._mac(paid.public_id)}")
    assert (paid.state, back.status_code) == ("unconfirmed", 303)
    entry = await payments.entry_of_token(form, f"{paid.public_id}-{payments._mac(paid.public_id)}")
    await entries.send_link_again(entry, definitions.read(form.definition), by=None)
    path = await db.value("SELECT context ->> 'path' FROM mails ORDER BY id DESC LIMIT 1")
    assert (await shop.client.post(str(path).replace("another-evening", form.slug))).status_code == 303
    assert await states() == ["received", "unpaid"]
    # Another form may have the address: then it is that form's.
    other = await a_form()
    await versions.move_to(other.id, form.slug)
    assert (await shop.client.get(back.headers["Location"].replace("another-evening", form.slug))).status_code == 404
