"""Every provider against the stand-in that enforces its documented shape, credentials, errors and consent."""

import base64
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from app.core import clock
from app.formbuilder import integrations
from app.formbuilder.integrations import Passing, Permanent, RefusedCredentials, Unsure, client, waits
from app.formbuilder.integrations.replies import Reply
from app.formbuilder.integrations.webhook import signature
from app.gateways.outgoing import Outgoing
from app.sandbox.providers import KINDS
from app.sandbox.providers.core import Problem
from tests.formbuilder.integrations.conftest import Maker, Town

NAMES = sorted(kind.name for kind in KINDS)
# Those that keep people, those that know who left, and those that keep a line an entry.
MESSAGES = {"slack", "discord", "telegram", "webhook"}
TABLES = {"google_sheets", "notion", "airtable"}
SALES = {"hubspot", "pipedrive", "zoho", "salesforce"}
MAILING = sorted(set(NAMES) - MESSAGES - TABLES - SALES)
# Their fields have no list of their own, or it is not asked for.
FREE_FIELDS = {"klaviyo", "omnisend", "listmonk"}
every = pytest.mark.parametrize("name", NAMES)


def test_there_are_thirty_and_each_has_a_stand_in() -> None:
    assert sorted(integrations.providers()) == NAMES
    assert len(NAMES) == 30
    for name, kind in integrations.providers().items():
        assert kind.name == name
        assert kind.label
        assert any(each.is_secret for each in kind.settings), name


@every
async def test_a_good_key_is_verified(town: Town, name: str) -> None:
    assert await town.provider(name).verify()


@every
async def test_a_bad_key_is_refused(town: Town, name: str) -> None:
    stand = town.stand(name)
    provider = town.provider(name, **{stand.key_name: "x" + stand.given[stand.key_name]})
    with pytest.raises(RefusedCredentials):
        await provider.verify()


@every
async def test_a_missing_setting_is_named(town: Town, name: str) -> None:
    with pytest.raises(RefusedCredentials, match="missing"):
        town.provider(name, **{town.stand(name).key_name: " "})


@every
async def test_places_can_be_chosen(town: Town, name: str) -> None:
    provider = town.provider(name)
    found = [each.id for each in await provider.lists()]
    if provider.place_label and name != "telegram":
        assert town.stand(name).place in found
    else:
        assert found == []


@every
async def test_fields_can_be_chosen(town: Town, name: str) -> None:
    custom = town.stand(name).custom
    found = [each.id for each in await town.provider(name).fields()]
    assert (custom in found) == (bool(custom) and name not in FREE_FIELDS)


@every
async def test_who_is_new_is_added_with_her_fields(town: Town, contact: Maker, name: str) -> None:
    stand = town.stand(name)
    sent = await town.provider(name).upsert(contact(name), "entry:1:a")
    assert sent.outcome in ("created", "updated", "posted")
    assert stand.count == 1
    if name in MESSAGES | {"google_sheets"}:
        return
    person = stand.find("ann@learner.example")
    assert person is not None
    if stand.custom:
        assert person.fields[stand.custom] == "Aarhus"
    if name in MAILING:
        assert person.state in ("active", "pending")


@every
async def test_the_same_key_again_doubles_nothing(town: Town, contact: Maker, name: str) -> None:
    if name == "telegram":  # it cannot: see test_what_cannot_be_repeated_is_left_to_a_person
        return
    for _ in range(2):
        await town.provider(name).upsert(contact(name), "entry:1:a")
    assert town.stand(name).count == 1
    assert not (town.stand(name).messages and name in SALES | {"notion"})


@pytest.mark.parametrize("name", sorted(MESSAGES | {"google_sheets"}))
async def test_another_entry_of_the_same_person_is_another_line(town: Town, contact: Maker, name: str) -> None:
    for number in range(2):
        await town.provider(name).upsert(contact(name), f"entry:{number}:a")
    assert town.stand(name).count == 2


@pytest.mark.parametrize("name", MAILING)
async def test_who_left_stays_away(town: Town, contact: Maker, name: str) -> None:
    stand = town.stand(name)
    for email in ("ann@learner.example", "Bo.Berg@learner.example", "o'b/c+d%&#?=x@learner.example"):
        places = set(stand.leave(email).places)
        sent = await town.provider(name).upsert(contact(name, email, tags=("course",)), "entry:1:a")
        person = stand.find(email)
        assert person is not None
        assert (person.state, person.places) == (
            "left",
            places | ({stand.place} if name in ("keap", "ontraport") else set()),
        )
        assert sent.outcome in ("left", "updated")


# Who did not agree: what comes of it, and the state that she has there; "" for a service that is not told of her at all.
UNASKED = {
    "activecampaign": ("created", "active"),
    "aweber": ("no_consent", ""),
    "beehiiv": ("no_consent", ""),
    "brevo": ("created", "active"),
    "campaign_monitor": ("no_consent", ""),
    "constant_contact": ("no_consent", ""),
    "drip": ("no_consent", ""),
    "getresponse": ("no_consent", ""),
    "keap": ("created", "none"),
    "kit": ("no_consent", ""),
    "klaviyo": ("created", "none"),
    "listmonk": ("no_consent", ""),
    "mailchimp": ("created", "none"),
    "mailerlite": ("no_consent", ""),
    "mailjet": ("no_consent", ""),
    "moosend": ("no_consent", ""),
    "omnisend": ("created", "none"),
    "ontraport": ("created", "none"),
    "sendgrid": ("updated", "active"),
}


@pytest.mark.parametrize("name", MAILING)
async def test_without_consent_nobody_is_put_on_a_list(town: Town, contact: Maker, name: str) -> None:
    stand, kind = town.stand(name), integrations.providers()[name]
    sent = await town.provider(name).upsert(contact(name, consent=False), "entry:1:a")
    person = stand.find("ann@learner.example")
    outcome, state = UNASKED[name]
    assert (sent.outcome, person.state if person else "") == (outcome, state)
    if kind.needs_consent:
        assert not stand.calls
        return
    assert str(kind.unasked), "its owner is told what becomes of her"
    assert person is not None
    # A contact that stands on no list gets nothing there; tags say nothing about mail.
    assert not person.places or name in ("keap", "ontraport")


@pytest.mark.parametrize("name", MAILING)
async def test_who_left_stays_away_whether_or_not_she_agrees_again(town: Town, contact: Maker, name: str) -> None:
    stand = town.stand(name)
    stand.leave("ann@learner.example")
    for number, consent in enumerate((False, True, False)):
        await town.provider(name).upsert(contact(name, consent=consent), f"entry:{number}:a")
        person = stand.find("ann@learner.example")
        assert person is not None
        assert person.state == "left"


@pytest.mark.parametrize("name", sorted(SALES | TABLES))
async def test_who_may_be_written_to_is_not_said_to_those_that_send_no_newsletter(
    town: Town, contact: Maker, name: str
) -> None:
    await town.provider(name).upsert(contact(name, consent=True), "entry:1:a")
    said = b" ".join(call.body for call in town.stand(name).calls).lower()
    for word in (b"optout", b"opt_out", b"opted", b"subscri", b"legal_basis", b"marketing_status", b"marketable"):
        assert word not in said, word


@pytest.mark.parametrize("name", sorted({*MAILING, *SALES} - {"mailjet", "moosend", "campaign_monitor", "sendgrid"}))
async def test_tags_and_an_address_in_other_letters_reach_the_same_person(
    town: Town, contact: Maker, name: str
) -> None:
    provider = town.provider(name)
    await provider.upsert(contact(name, tags=("course",)), "entry:1:a")
    await provider.upsert(contact(name, "ANN@learner.example", tags=("course",)), "entry:2:a")
    assert town.stand(name).count == 1


@every
async def test_a_full_house_is_a_passing_failure_with_its_seconds(town: Town, contact: Maker, name: str) -> None:
    town.stand(name).faults = [(429, {"retry-after": "7"})]
    with pytest.raises(Passing) as found:
        await town.provider(name).upsert(contact(name), "entry:1:a")
    assert found.value.retry_after == 7
    assert await town.provider(name).upsert(contact(name), "entry:1:a")
    assert town.stand(name).count == 1


@every
async def test_a_fault_of_the_service_is_passing(town: Town, contact: Maker, name: str) -> None:
    town.stand(name).faults = [(500, {})]
    with pytest.raises(Passing):
        await town.provider(name).upsert(contact(name), "entry:1:a")
    town.stand(name).is_down = True
    with pytest.raises(Passing):
        await town.provider(name).upsert(contact(name), "entry:1:a")


@every
async def test_what_cannot_be_accepted_is_permanent(town: Town, contact: Maker, name: str) -> None:
    with pytest.raises(Permanent) as found:
        await town.provider(name).upsert(contact(name, "ann@invalid.example"), "entry:1:a")
    assert not isinstance(found.value, RefusedCredentials)
    assert found.value.reason


@every
async def test_a_place_that_is_not_there_is_permanent(town: Town, contact: Maker, name: str) -> None:
    provider = town.provider(name, place="999999")
    if not provider.place_label or name in ("zoho", "salesforce"):  # theirs are two, and known
        return
    with pytest.raises(Permanent):
        await provider.upsert(contact(name), "entry:1:a")


@every
async def test_exchanges_are_kept_without_a_secret(town: Town, contact: Maker, name: str) -> None:
    provider, stand = town.provider(name), town.stand(name)
    await provider.verify()
    await provider.upsert(contact(name), "entry:1:a")
    assert provider.exchanges[-1].method in ("POST", "PUT", "PATCH")
    assert provider.exchanges[-1].status in range(200, 300)
    kept = repr(provider.exchanges)
    secrets = [stand.given[each.name] for each in provider.settings if each.is_secret] + list(stand.tokens)
    for secret in secrets:
        assert secret not in kept
        assert base64.b64encode(secret.encode()).decode() not in kept
    assert stand.name in ("google_sheets",) or "ann@learner.example" in unquote(kept).lower()


async def test_a_secret_is_masked_however_it_comes_back(town: Town) -> None:
    provider = town.provider("webhook", secret='pa"ss w/örd+&')
    for form in ('pa"ss w/örd+&', "pa%22ss%20w%2F%C3%B6rd%2B%26", 'pa\\"ss w/örd+&', "pa%22ss+w%2F%C3%B6rd%2B%26"):
        assert provider.masked(f"a {form} b") == f"a {client.MASK} b"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.2", 1),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("nan", 0),
        ("999999999", waits.LONGEST_WAIT),
        ("in a\n", 0),
    ],
)
def test_a_wait_is_read_in_seconds(value: str, seconds: int) -> None:
    assert waits.wait_of(Reply(429, {"retry-after": value}, None, "")) == seconds


def test_a_wait_is_read_as_a_date_too() -> None:
    when = format_datetime(clock.now() + timedelta(seconds=90), usegmt=True)
    assert 85 <= waits.wait_of(Reply(503, {"retry-after": when}, None, "")) <= 91
    assert waits.wait_of(Reply(503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None, "")) == 0


class Broken(httpx.AsyncBaseTransport):
    """Takes the request, and falls silent."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self.error


@every
async def test_what_cannot_be_repeated_is_left_to_a_person(town: Town, contact: Maker, name: str) -> None:
    stand = town.stand(name)
    http = Outgoing(base="http://outside", transport=Broken(httpx.ReadTimeout("silence")))
    provider = integrations.make(name, stand.given, http, stand.place)
    with pytest.raises(Unsure if name == "telegram" else Passing):
        await provider.upsert(contact(name), "entry:1:a")
    assert provider.exchanges[-1].status == 0
    refused = Outgoing(base="http://outside", transport=Broken(httpx.ConnectError("nobody there")))
    with pytest.raises(Passing):
        await integrations.make(name, stand.given, refused, stand.place).upsert(contact(name), "entry:1:a")


@pytest.mark.parametrize("name", ["aweber", "constant_contact", "zoho", "salesforce", "google_sheets"])
async def test_an_access_token_is_kept_and_replaced_when_it_is_over(town: Town, contact: Maker, name: str) -> None:
    stand = town.stand(name)
    for _ in range(2):
        await town.provider(name).verify()
    assert len(stand.tokens) == 1
    stand.tokens.clear()  # it ended before its time
    await town.provider(name).verify()
    assert len(stand.tokens) == 1


async def test_a_refresh_token_that_is_replaced_is_told(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = town.stand("constant_contact")
    give = type(stand).give_token

    def rotating(self: Any, call: Any) -> Any:
        found = give(self, call)
        return {**found, "refresh_token": "refresh-new"} if isinstance(found, dict) else found

    rotating.routes = give.routes  # type: ignore[attr-defined]
    monkeypatch.setattr(type(stand), "give_token", rotating)
    provider = town.provider("constant_contact")
    await provider.verify()
    assert provider.renewed == {"refresh_token": "refresh-new"}
    assert "refresh-new" not in repr(provider.exchanges)


async def test_a_webhook_says_when_it_was_signed_and_what_with(town: Town, contact: Maker) -> None:
    await town.provider("webhook").upsert(contact("webhook"), "entry:7:a")
    [call] = town.stand("webhook").calls
    given = call.headers["lectern-signature"]
    at = int(given.split(",")[0].removeprefix("t="))
    assert given == signature("whs_0123456789abcdef", call.body, at)
    assert given != signature("whs_0123456789abcdef", call.body + b" ", at)
    assert (call.headers["idempotency-key"], call.headers["lectern-tolerance"]) == ("entry:7:a", "300")
    with clock.shifted(timedelta(seconds=-400)), pytest.raises(RefusedCredentials):
        await town.provider("webhook").upsert(contact("webhook"), "entry:8:a")


async def test_a_webhook_that_leads_elsewhere_is_permanent(town: Town, contact: Maker) -> None:
    town.stand("webhook").faults = [(302, {"location": "http://169.254.169.254/"})]
    with pytest.raises(Permanent, match="Redirects"):
        await town.provider("webhook").upsert(contact("webhook"), "entry:1:a")


async def test_a_webhook_to_our_own_network_is_permanent(contact: Maker) -> None:
    for url in ("https://127.0.0.1/hook", "http://hooks.example/", "https://[::ffff:10.0.0.1]/"):
        provider = integrations.make("webhook", {"url": url, "secret": "s"}, Outgoing())
        with pytest.raises(Permanent):
            await provider.upsert(contact("webhook"), "entry:1:a")
        assert provider.exchanges[0].status == 0


async def test_nobody_is_mentioned_and_no_formula_is_written(town: Town, contact: Maker) -> None:
    evil = (("Name", "=1+1"), ("Text", "<!channel> @everyone"))
    for name in ("slack", "discord", "google_sheets"):
        await town.provider(name).upsert(contact(name, answers=evil), "entry:1:a")
    assert "<!channel>" not in town.stand("slack").messages[0]["text"]
    assert town.stand("discord").messages[0]["allowed_mentions"] == {"parse": []}


async def test_a_row_that_is_sent_again_keeps_what_the_owner_wrote_beside_it(town: Town, contact: Maker) -> None:
    stand: Any = town.stand("google_sheets")
    stand.rows[0].append("Called?")
    await town.provider("google_sheets").upsert(contact("google_sheets"), "entry:1:a")
    stand.rows[1][3] = "yes, on Monday"
    sent = await town.provider("google_sheets").upsert(contact("google_sheets", fields={"City": "Odense"}), "entry:1:a")
    assert sent.outcome == "updated"
    assert stand.rows[1] == ["ann@learner.example", "Ann", "Odense", "yes, on Monday", "entry:1:a"]


async def test_moosend_keeps_the_fields_that_a_form_does_not_ask_for(town: Town, contact: Maker) -> None:
    town.stand("moosend").keep("ann@learner.example", City="Odense")
    await town.provider("moosend").upsert(contact("moosend", fields={}), "entry:1:a")
    person = town.stand("moosend").find("ann@learner.example")
    assert person is not None
    assert person.fields == {"City": "Odense"}


@pytest.mark.parametrize("name", ["omnisend", "klaviyo", "mailchimp", "brevo", "activecampaign", "sendgrid"])
async def test_who_agrees_later_is_subscribed_then(town: Town, contact: Maker, name: str) -> None:
    await town.provider(name).upsert(contact(name, consent=False), "entry:1:a")
    await town.provider(name).upsert(contact(name), "entry:2:a")
    person = town.stand(name).find("ann@learner.example")
    assert person is not None
    assert person.state == ("pending" if name == "mailchimp" else "active")
    assert person.places == (set() if name in ("omnisend", "mailchimp") else {town.stand(name).place})


async def test_no_query_is_led_by_an_address(town: Town, contact: Maker) -> None:
    for name in ("salesforce", "listmonk", "klaviyo"):
        for _ in range(2):
            await town.provider(name).upsert(contact(name, "o'brien\"\\@learner.example"), "entry:1:a")
        assert town.stand(name).count == 1


# The stand-ins themselves: what they would let through proves nothing.


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("kit", "POST", "/v4/forms/7/subscribers", {"email_address": "ann@learner.example"}),
        ("mailerlite", "POST", "/api/subscribers", {"email": "ann@learner.example", "groups": ["4243829086487936"]}),
        (
            "getresponse",
            "POST",
            "/v3/contacts",
            {"email": "ann@learner.example", "campaign": {"campaignId": "tamqY"}},
        ),
        (
            "constant_contact",
            "POST",
            "/v3/contacts/sign_up_form",
            {"email_address": "ann@learner.example", "list_memberships": ["06a6b4a0-list"]},
        ),
        (
            "beehiiv",
            "POST",
            "/v2/publications/pub_1/subscriptions",
            {"email": "ann@learner.example", "reactivate_existing": True},
        ),
        (
            "mailjet",
            "POST",
            "/v3/REST/contactslist/11/managecontact",
            {"Email": "ann@learner.example", "Action": "addforce"},
        ),
        (
            "campaign_monitor",
            "POST",
            "/api/v3.3/subscribers/0a1b2c3d.json",
            {"EmailAddress": "ann@learner.example", "Resubscribe": True, "ConsentToTrack": "Unchanged"},
        ),
        ("moosend", "POST", "/v3/subscribers/a589366a-1a34/subscribe.json", {"Email": "ann@learner.example"}),
        ("brevo", "POST", "/v3/contacts", {"email": "ann@learner.example", "listIds": [3], "updateEnabled": True}),
    ],
)
async def test_a_careless_request_would_bring_somebody_back(
    town: Town, name: str, method: str, path: str, body: dict[str, Any]
) -> None:
    """The negative control."""
    stand = town.stand(name)
    person = stand.leave("ann@learner.example")
    await town.provider(name).ask(method, f"https://{stand.host}{path}", body=body)
    assert person.state == "active"


async def test_a_stand_in_refuses_what_its_service_does_not_know(town: Town) -> None:
    provider = town.provider("kit")
    for body in ({}, {"email_address": 7}, {"email_address": "a@b.example", "nonsense": 1}, []):
        with pytest.raises(Permanent):
            await provider.ask("POST", "/subscribers", body=body)
    with pytest.raises(Permanent):
        await provider.ask("POST", "/nowhere", body={})
    with pytest.raises(Problem):
        town.stand("kit").keep("no address")


async def test_credentials_that_no_header_can_hold_are_refused_unasked(town: Town) -> None:
    with pytest.raises(RefusedCredentials, match="characters that none have"):
        await town.provider("kit", api_key="schlüssel").verify()
    assert not town.stand("kit").calls


@pytest.mark.parametrize("email", ["", "nobody", f"{'a' * 250}@x.example"])
async def test_nobody_without_an_address_is_told_to_a_newsletter(town: Town, contact: Maker, email: str) -> None:
    with pytest.raises(Permanent, match="no e-mail address"):
        await town.provider("kit").upsert(contact("kit", email=email), "key-1")
    assert not town.stand("kit").calls
