"""What looks like spam waits in quarantine with its reason; nothing is lost, nothing leaves."""

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import clock, db
from app.formbuilder import entries, spam
from app.formbuilder.stamps import stamp_of
from app.formbuilder.submissions import Sender
from tests.formbuilder.entering import a_form, sent, told

REASON = "SELECT state || ' ' || spam_reason FROM form_entries ORDER BY id DESC LIMIT 1"


def body(**texts: str) -> dict[str, str]:
    return {"version": "1", "website": "", "stamp": stamp_of(clock.now().timestamp() - 60), "q1": "Ann", **texts}


@pytest.mark.parametrize("website", ["http://spam.example", None])
async def test_a_program_that_fell_for_the_trap_is_kept_in_quarantine(
    client: TestClientProtocol, website: str | None
) -> None:
    form, _definition = await a_form()
    sent_body = body(q2="no address")
    if website is None:
        del sent_body["website"]
    else:
        sent_body["website"] = website
    answer = await client.post(f"/forms/{form.slug}", form=sent_body)
    assert answer.status_code == 303 and "/thanks/" in answer.headers["Location"]
    assert await db.value(REASON) == "spam trap"
    assert await db.value("SELECT answers FROM form_entries") == {"q1": "Ann"}
    assert await told(await db.value("SELECT id FROM form_entries")) == 0


@pytest.mark.parametrize(
    ("settings", "answer", "country", "reason"),
    [
        ({"spam_words": ["Casino"]}, "Play at the CASINO tonight", "", "spam word"),
        ({"spam_words": ["casino"]}, "Casinos are another word", "", "received "),
        ({"spam_links": 1}, "https://a.example www.b.example", "", "spam links"),
        ({"spam_links": 2}, "https://a.example www.b.example", "", "received "),
        ({"spam_from": "only", "spam_countries": "at, de"}, "Hello", "FR", "spam country"),
        ({"spam_from": "only", "spam_countries": "at, de"}, "Hello", "AT", "received "),
        ({"spam_from": "only", "spam_countries": "at, de"}, "Hello", "", "received "),  # nobody told where from
        ({"spam_from": "but", "spam_countries": "FR"}, "Hello", "FR", "spam country"),
    ],
)
async def test_rules_send_an_entry_into_quarantine(
    app: Lectern, settings: dict[str, object], answer: str, country: str, reason: str
) -> None:
    form, definition = await a_form(**settings)
    entry = await sent(form, definition, Sender(stamp="a", country=country), q1=answer)
    assert await db.value(REASON) == reason
    assert await told(entry.id) == (0 if entry.state == "spam" else 1)


async def test_the_same_answers_again_wait_for_a_day(app: Lectern) -> None:
    form, definition = await a_form(spam_same=True)
    assert (await sent(form, definition, Sender(stamp="a"))).state == "received"
    assert (await sent(form, definition, Sender(stamp="b"))).state == "spam"
    await db.run("UPDATE form_entries SET created_at = created_at - interval '25 hours'")
    assert (await sent(form, definition, Sender(stamp="c"))).state == "received"


async def test_very_many_from_one_address_wait(app: Lectern) -> None:
    form, definition = await a_form(spam_rate=2)
    states = [(await sent(form, definition, Sender(stamp=str(n), address="192.0.2.1"))).state for n in range(4)]
    assert states == ["received", "received", "spam", "spam"]
    assert (await sent(form, definition, Sender(stamp="x", address="192.0.2.2"))).state == "received"


async def test_what_is_let_out_counts_once_and_then_goes_where_it_would_have_gone(app: Lectern) -> None:
    form, definition = await a_form(spam_words=["casino"])
    entry = await sent(form, definition, Sender(stamp="a"), q1="casino")
    assert await told(entry.id) == 0
    assert await entries.move(entry, "not_spam", definition) == "received"
    assert await told(entry.id) == 1


async def test_spam_does_not_use_up_the_places_of_a_form(app: Lectern) -> None:
    form, definition = await a_form(spam_words=["casino"], most_entries=1)
    await sent(form, definition, Sender(stamp="a"), q1="casino")
    assert (await sent(form, definition, Sender(stamp="b"))).state == "received"


async def test_old_spam_is_swept_and_nothing_else(app: Lectern) -> None:
    form, definition = await a_form(spam_words=["casino"])
    await sent(form, definition, Sender(stamp="a"), q1="casino")
    await sent(form, definition, Sender(stamp="b"))
    await spam.sweep()
    assert await db.value("SELECT count(*) FROM form_entries") == 2
    await db.run("UPDATE form_entries SET created_at = created_at - interval '31 days'")
    await spam.sweep()
    assert await db.value("SELECT string_agg(state, ',') FROM form_entries") == "received"


@pytest.mark.parametrize("text", ["Austria", "AT, X1", "A"])
def test_what_is_no_country_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="two letters"):
        spam.Countries(name="x", label="").read(text)
