"""What looks like spam waits in quarantine with its reason; nothing is lost, nothing leaves."""

from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts import places
from app.application import _policy
from app.core import clock, db
from app.formbuilder import entries
from app.formbuilder.answering import spam
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, versions
from app.sandbox.turnstile import LocalTurnstile
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent, told
from tests.office import seen
from tests.web.test_captcha import SECRET, gate_to

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


async def test_the_country_that_the_proxy_tells_is_the_one_that_counts(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, _definition = await a_form(spam_from="but", spam_countries="FR")
    path, header = f"/forms/{form.slug}", {"CF-IPCountry": "fr"}
    # Nobody is believed who merely says where they are.
    await client.post(path, form=body(q2="a@example.org"), headers=header)
    assert await db.value(REASON) == "received "
    monkeypatch.setitem(app.config, "COUNTRY_HEADER", "CF-IPCountry")
    monkeypatch.setattr(places, "is_vouched", lambda: True)
    answer = await client.post(path, form=body(q2="b@example.org"), headers=header)
    assert answer.status_code == 303 and "/thanks/" in answer.headers["Location"]
    assert await db.value(REASON) == "spam country"
    await client.post(path, form=body(q2="c@example.org"), headers={"CF-IPCountry": "AT"})
    assert await db.value(REASON) == "received "


@pytest.fixture
def gate(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> LocalTurnstile:
    """Turnstile with keys, as its local stand-in answers."""
    local = LocalTurnstile(SECRET)
    made = gate_to(local)
    monkeypatch.setitem(app.config, "CAPTCHA", made)
    monkeypatch.setitem(app.config, "CAPTCHA_POLICY", _policy(app.config["LECTERN"], captcha=[made.origin]))
    return local


CAPTCHA = {"id": "c1", "kind": "captcha", "label": "Check"}
NAME, BREAK = {"id": "q1", "kind": "short_text", "label": "Name"}, {"id": "p1", "kind": "page_break", "label": "Then"}
CITY = {"id": "q2", "kind": "short_text", "label": "City"}
HIDING = {"id": "r1", "do": "hide", "targets": ["c1"], "when": {"all": []}}


@pytest.mark.parametrize(
    ("fields", "rules", "settings"),
    [
        ([NAME, CITY], [], {"captcha": True}),
        ([NAME, CAPTCHA, CITY], [], {}),
        ([NAME, CAPTCHA, CITY], [], {"captcha": True}),
        ([NAME, BREAK, CITY, CAPTCHA], [], {}),  # the check is that of the first page, where programs begin
        ([NAME, BREAK, CITY, CAPTCHA], [], {"presentation": "one"}),
        ([NAME, CAPTCHA, CITY], [HIDING], {}),  # no rule takes it away
    ],
)
async def test_where_turnstile_is_asked_for_it_is_on_the_first_page_once_and_must_be_solved(
    client: TestClientProtocol, gate: LocalTurnstile, fields: list[Any], rules: list[Any], settings: dict[str, Any]
) -> None:
    definition = definitions.read({"title": "Ask", "fields": fields, "rules": rules, "settings": settings})
    form = await versions.publish((await versions.create(definition, by=None)).id)
    path = f"/forms/{form.slug}"
    page = await client.get(path)
    assert (await page.get_data(as_text=True)).count('class="cf-turnstile"') == 1
    assert "turnstile.test" in page.headers["Content-Security-Policy"]
    answer = await client.post(path, form=body())
    assert answer.status_code == 422 and "that you are a person" in await answer.get_data(as_text=True)
    solved = {"cf-turnstile-response": gate.issue(action="form", hostname="localhost")}
    answer = await client.post(path, form=body(**solved))
    assert answer.status_code == 303
    for _screen in range(2):
        if "/thanks/" in answer.headers["Location"]:
            break
        # Who was seen to be a person is not asked again.
        page = await client.get(answer.headers["Location"])
        assert "cf-turnstile" not in await page.get_data(as_text=True)
        answer = await client.post(answer.headers["Location"], form={"version": "1", "go": "next", "q2": "Bath"})
    assert await db.value("SELECT count(*) FROM form_entries WHERE state = 'received'") == 1


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


async def test_what_the_office_calls_spam_lies_there_as_long(app: Lectern) -> None:
    form, definition = await a_form()
    entry = await sent(form, definition, Sender(stamp="a"))
    await db.run("UPDATE form_entries SET created_at = created_at - interval '60 days'")
    await entries.move(entry, "spam", definition)
    await spam.sweep()
    assert await entries.move(entry, "not_spam", definition) == "received"
    await entries.move(entry, "spam", definition)
    await db.run("UPDATE form_entry_acts SET created_at = created_at - interval '31 days'")
    await spam.sweep()
    assert await db.value("SELECT count(*) FROM form_entries") == 0


@pytest.mark.parametrize("text", ["Austria", "AT, X1", "A"])
def test_what_is_no_country_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="two letters"):
        spam.Countries(name="x", label="").read(text)


async def test_the_office_is_told_that_something_is_held_and_why(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form(spam_words=["casino"])
    inbox = f"/admin/forms/{form.public_id}/entries"
    assert "is held as spam" not in await seen(olga, inbox)
    await sent(form, definition, Sender(stamp="a"), q1="Casino")
    assert "1 entry is held as spam" in await seen(olga, inbox)
    entry = await db.value("SELECT public_id FROM form_entries")
    assert "It holds a word of the form’s list." in await seen(olga, f"{inbox}/{entry}")
    assert (await olga.browser.post(f"{inbox}/{entry}/state", form={"act": "not_spam"})).status_code == 303
    assert "It holds a word" not in await seen(olga, f"{inbox}/{entry}")
    assert "1 entry is held as spam" not in await seen(olga, inbox)
