"""What the services' documents say beyond the common: pages, waits, what is replaced, and who left in which way."""

from datetime import timedelta
from typing import Any

import pytest

from app.core import clock
from app.formbuilder import integrations
from app.formbuilder.integrations import Passing, Permanent, RefusedCredentials, waits
from app.formbuilder.integrations.replies import Reply
from app.gateways.outgoing import Outgoing
from tests.formbuilder.integrations.conftest import Maker, Town

# The rows of a page of places, as each is asked for.
PAGES = {
    "activecampaign": 100,
    "aweber": 100,
    "beehiiv": 100,
    "brevo": 50,
    "constant_contact": 1000,
    "drip": 100,
    "getresponse": 1000,
    "hubspot": 500,
    "keap": 1000,
    "kit": 1000,
    "klaviyo": 10,
    "mailchimp": 1000,
    "mailerlite": 100,
    "mailjet": 1000,
    "moosend": 100,
    "notion": 100,
    "ontraport": 50,
    "sendgrid": 1000,
    "slack": 200,
}


@pytest.mark.parametrize("name", sorted(PAGES))
async def test_places_on_later_pages_can_be_chosen(town: Town, name: str) -> None:
    stand, size = town.stand(name), PAGES[name]
    for others in (size - 1, 2 * size):
        stand.others = others
        found = [each.id for each in await town.provider(name).lists()]
        assert found[-1] == stand.place
        assert len(found) == len(set(found)) == others + 1


async def test_a_list_without_end_is_not_followed_for_ever(town: Town) -> None:
    town.stand("klaviyo").others = 1000
    assert len(await town.provider("klaviyo").lists()) == 200


async def test_the_next_page_is_not_sought_on_another_host(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def lead_away(self: Any, call: Any) -> Any:
        return {"data": [{"id": "Y6nRLr"}], "links": {"next": "https://api.kit.com/v4/account"}}

    lead_away.routes = type(town.stand("klaviyo")).lists.routes  # type: ignore[attr-defined]
    monkeypatch.setattr(type(town.stand("klaviyo")), "lists", lead_away)
    assert len(await town.provider("klaviyo").lists()) == 1
    assert not town.stand("kit").calls


@pytest.mark.parametrize(
    ("headers", "data", "seconds"),
    [
        ({"x-sib-ratelimit-reset": "12"}, None, 12),
        ({"x-rate-limit-reset": "31"}, None, 31),
        ({"x-ratelimit-reset": "600 seconds"}, None, 600),
        ({"x-ratelimit-reset": "soon"}, None, 0),
        ({}, {"retryAfter": 60}, 60),
        ({}, {"retry_after": 1.5}, 2),
        ({}, {"retry_after": -4}, 0),
        ({}, {"retry_after": "x"}, 0),
        ({"retry-after": "7", "x-ratelimit-reset": "600"}, {"retry_after": 60}, 7),
        ({"x-ratelimit-reset": "99999999"}, None, waits.LONGEST_WAIT),
    ],
)
def test_services_say_in_their_own_ways_how_long_to_wait(headers: dict[str, str], data: Any, seconds: int) -> None:
    assert waits.wait_of(Reply(429, headers, data, "")) == seconds


def test_a_window_that_ends_at_a_moment_is_waited_for() -> None:
    at = int(clock.now().timestamp()) + 40
    for text in (str(at), str(at * 1000)):
        assert 35 <= waits.wait_of(Reply(429, {"ratelimit-reset": text}, None, "")) <= 41
    assert waits.wait_of(Reply(429, {"ratelimit-reset": str(at - 100)}, None, "")) == 0


def test_the_end_of_a_window_is_no_wait_when_something_else_went_wrong() -> None:
    assert waits.wait_of(Reply(500, {"x-ratelimit-reset": "600"}, {"retry_after": 60}, "")) == 0


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("airtable", 30),
        ("drip", 3600),
        ("google_sheets", 60),
        ("kit", 60),
        ("moosend", 10),
        ("omnisend", 7),
        ("zoho", 60),
    ],
)
async def test_a_full_house_that_says_no_time_gets_the_documented_one(
    town: Town, contact: Maker, name: str, seconds: int
) -> None:
    provider = town.provider(name)
    await provider.verify()  # it has its token now
    town.stand(name).faults = [(429, {})]
    with pytest.raises(Passing) as found:
        await provider.upsert(contact(name), "entry:1:a")
    assert found.value.retry_after == seconds


async def test_aweber_says_403_for_a_full_house(town: Town, contact: Maker) -> None:
    stand, provider = town.stand("aweber"), town.provider("aweber")
    await provider.verify()
    stand.faults = [(403, {}, "Rate Limit Error")]
    with pytest.raises(Passing) as found:
        await provider.upsert(contact("aweber"), "entry:1:a")
    assert found.value.retry_after == 60
    stand.faults = [(403, {}, "Account Temporarily Suspended")]
    with pytest.raises(RefusedCredentials):
        await provider.upsert(contact("aweber"), "entry:1:a")


async def test_the_gate_before_mailchimp_is_no_refusal_of_the_key(town: Town, contact: Maker) -> None:
    town.stand("mailchimp").faults = [(403, {})]
    with pytest.raises(Passing):
        await town.provider("mailchimp").upsert(contact("mailchimp"), "entry:1:a")


async def test_an_account_of_hubspot_that_moves_house_is_waited_for(town: Town, contact: Maker) -> None:
    town.stand("hubspot").faults = [(477, {"retry-after": "86400"})]
    with pytest.raises(Passing) as found:
        await town.provider("hubspot").upsert(contact("hubspot"), "entry:1:a")
    assert found.value.retry_after == 86400


async def test_the_quota_of_a_day_is_waited_for_until_midnight(town: Town, contact: Maker) -> None:
    provider = town.provider("constant_contact")
    await provider.verify()
    town.stand("constant_contact").faults = [(429, {}, "quota_exceeded"), (429, {}, "throttled")]
    now = clock.now()
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    with pytest.raises(Passing) as found:
        await provider.upsert(contact("constant_contact"), "entry:1:a")
    assert abs(found.value.retry_after - (midnight - now).total_seconds()) < 5
    with pytest.raises(Passing) as found:
        await provider.upsert(contact("constant_contact"), "entry:1:a")
    assert found.value.retry_after == 2


# Who left, in ways of their own.


async def test_who_was_archived_is_not_brought_back(town: Town, contact: Maker) -> None:
    stand = town.stand("mailchimp")
    person = stand.keep("ann@learner.example")
    person.state = "archived"
    assert (await town.provider("mailchimp").upsert(contact("mailchimp"), "entry:1:a")).outcome == "left"
    assert person.state == "archived"


async def test_who_left_one_list_of_klaviyo_is_not_put_on_it_again(town: Town, contact: Maker) -> None:
    stand: Any = town.stand("klaviyo")
    person = stand.keep("ann@learner.example")
    stand.left_lists = {stand.place}
    sent = await town.provider("klaviyo").upsert(contact("klaviyo"), "entry:1:a")
    assert (sent.outcome, person.places) == ("left", set())
    stand.left_lists = {"another"}
    assert (await town.provider("klaviyo").upsert(contact("klaviyo"), "entry:2:a")).outcome == "updated"
    assert person.places == {stand.place}


async def test_who_paused_is_left_in_peace(town: Town, contact: Maker) -> None:
    person = town.stand("beehiiv").keep("ann@learner.example")
    person.state = "paused"
    sent = await town.provider("beehiiv").upsert(contact("beehiiv", tags=("course",)), "entry:1:a")
    assert (sent.outcome, person.state, person.tags) == ("left", "paused", set())


@pytest.mark.parametrize(("why", "kind"), [("RATE_LIMIT_EXCEEDED", Passing), ("SOMETHING_ELSE", Permanent)])
async def test_who_cannot_be_looked_up_at_moosend_is_not_subscribed(
    town: Town, contact: Maker, why: str, kind: type[Exception]
) -> None:
    stand = town.stand("moosend")
    person = stand.leave("ann@learner.example")
    stand.faults = [(200, {}, why)]
    with pytest.raises(kind):
        await town.provider("moosend").upsert(contact("moosend"), "entry:1:a")
    assert person.state == "left"


async def test_who_is_added_to_a_list_of_listmonk_later_is_asked_to_confirm(town: Town, contact: Maker) -> None:
    stand: Any = town.stand("listmonk")
    stand.keep("ann@learner.example")
    for number in range(2):
        await town.provider("listmonk").upsert(contact("listmonk"), f"entry:{number}:a")
    assert stand.asked == ["ann@learner.example"]


# What is replaced, and what is kept.


async def test_getresponse_keeps_tags_and_fields_that_a_form_does_not_name(town: Town, contact: Maker) -> None:
    stand = town.stand("getresponse")
    person = stand.keep("ann@learner.example", other="kept")
    person.tags = {"old_one"}
    for number in range(2):
        await town.provider("getresponse").upsert(contact("getresponse", tags=("Tax course!",)), f"entry:{number}:a")
    assert person.fields == {"other": "kept", "kL6Nh": "Aarhus"}
    assert person.tags == {"old_one", "Tax_course_"}


async def test_getresponse_is_asked_for_the_whole_address(town: Town, contact: Maker) -> None:
    stand = town.stand("getresponse")
    for number in range(3):
        stand.keep(f"{number}-ann@learner.example")
    await town.provider("getresponse").upsert(contact("getresponse"), "entry:1:a")
    seeking = [call for call in stand.calls if call.path == "/v3/contacts" and call.method == "GET"]
    assert [call.query["additionalFlags"] for call in seeking] == ["exactMatch"]


async def test_omnisend_keeps_tags_and_is_told_a_telephone_of_who_is_new_alone(town: Town, contact: Maker) -> None:
    stand, provider = town.stand("omnisend"), town.provider("omnisend")
    await provider.upsert(contact("omnisend", tags=("first",)), "entry:1:a")
    person = stand.find("ann@learner.example")
    assert person is not None
    assert person.fields["sms"] == ("+4512345678", "nonSubscribed")
    person.fields["sms"] = ("+4512345678", "subscribed")
    await provider.upsert(contact("omnisend", tags=("course",)), "entry:2:a")
    assert person.tags == {"first", "course"}
    assert person.fields["sms"] == ("+4512345678", "subscribed")


async def test_pipedrive_keeps_the_telephones_that_it_has(town: Town, contact: Maker) -> None:
    stand, provider = town.stand("pipedrive"), town.provider("pipedrive")
    for number, phone in enumerate(("", "+4511111111", "+4522222222")):
        await provider.upsert(contact("pipedrive", phone=phone), f"entry:{number}:a")
    person = stand.find("ann@learner.example")
    assert person is not None
    assert person.fields["phones"] == ["+4511111111"]


async def test_pipedrive_gets_options_by_their_numbers_and_numbers_as_such(town: Town, contact: Maker) -> None:
    stand, provider = town.stand("pipedrive"), town.provider("pipedrive")
    given = {"b" * 40: ["tax", "Law"], "c" * 40: "41.5", "a" * 40: "Aarhus"}
    await provider.upsert(contact("pipedrive", fields=given), "entry:1:a")
    person = stand.find("ann@learner.example")
    assert person is not None
    assert [person.fields[each * 40] for each in "abc"] == ["Aarhus", [31, 32], 41.5]
    for wrong in ({"b" * 40: "Cooking"}, {"c" * 40: "many"}):
        with pytest.raises(Permanent):
            await provider.upsert(contact("pipedrive", fields=wrong), "entry:2:a")


@pytest.mark.parametrize(("name", "one"), [("zoho", "City"), ("brevo", "CITY"), ("beehiiv", "City")])
async def test_several_choices_are_a_list_only_where_the_field_holds_several(
    town: Town, contact: Maker, name: str, one: str
) -> None:
    several = one.replace("CITY", "TOPICS").replace("City", "Topics")
    chosen = ["Tax", "Law"]
    await town.provider(name).upsert(contact(name, fields={one: chosen, several: chosen}), "entry:1:a")
    person = town.stand(name).find("ann@learner.example")
    assert person is not None
    assert (person.fields[one], person.fields[several]) == ("Tax, Law", chosen)


async def test_a_telephone_of_somebody_else_does_not_keep_her_out_of_brevo(town: Town, contact: Maker) -> None:
    stand, provider = town.stand("brevo"), town.provider("brevo")
    for email in ("ann@learner.example", "bo@learner.example"):
        await provider.upsert(contact("brevo", email), "entry:1:a")
    person = stand.find("bo@learner.example")
    assert person is not None
    assert "SMS" not in person.fields
    assert person.places == {stand.place}


@pytest.mark.parametrize("name", ["kit", "beehiiv"])
async def test_an_answer_that_would_be_thrown_away_is_told(town: Town, contact: Maker, name: str) -> None:
    with pytest.raises(Permanent, match="gone"):
        await town.provider(name).upsert(contact(name, fields={"gone": "x"}), "entry:1:a")


@pytest.mark.parametrize("name", ["keap", "ontraport"])
async def test_tags_are_put_on_by_their_names(town: Town, contact: Maker, name: str) -> None:
    for number in range(2):
        await town.provider(name).upsert(contact(name, tags=("course", "tax")), f"entry:{number}:a")
    person = town.stand(name).find("ann@learner.example")
    assert person is not None
    assert person.tags == {"course", "tax"}


# Where, and as whom.


async def test_a_database_of_one_source_is_taken_for_it(town: Town, contact: Maker) -> None:
    await town.provider("notion", place="842a0286-cef0").upsert(contact("notion"), "entry:1:a")
    assert town.stand("notion").find("ann@learner.example") is not None
    with pytest.raises(Permanent, match="several"):
        await town.provider("notion", place="9f11aa02-two0").upsert(contact("notion"), "entry:2:a")


async def test_accounts_of_other_regions_have_addresses_of_their_own(town: Town) -> None:
    zoho = town.provider("zoho", region="ca")
    await zoho.verify()
    assert [each.url.split("/")[2] for each in zoho.exchanges] == ["accounts.zohocloud.ca", "www.zohoapis.ca"]
    sendgrid = town.provider("sendgrid", region="eu")
    await sendgrid.lists()
    assert [each.url.split("/")[2] for each in sendgrid.exchanges] == ["api.eu.sendgrid.com"]


def test_a_token_of_keap_that_is_no_key_is_the_bearer() -> None:
    provider: Any = integrations.make("keap", {"api_key": "oauth-token"}, Outgoing())
    assert provider.headers() == {"Authorization": "Bearer oauth-token"}
    provider = integrations.make("keap", {"api_key": "KeapAK-1"}, Outgoing())
    assert provider.headers() == {"X-Keap-API-Key": "KeapAK-1"}


@pytest.mark.parametrize("name", ["discord", "telegram"])
async def test_a_closed_channel_is_no_refusal_of_the_token(town: Town, contact: Maker, name: str) -> None:
    town.stand(name).faults = [(403, {})]
    with pytest.raises(Permanent) as found:
        await town.provider(name).upsert(contact(name), "entry:1:a")
    assert not isinstance(found.value, RefusedCredentials)


async def test_a_list_of_campaign_monitor_that_is_not_ours_is_no_refusal_of_the_key(town: Town, contact: Maker) -> None:
    with pytest.raises(Permanent) as found:
        await town.provider("campaign_monitor", place="999999").upsert(contact("campaign_monitor"), "entry:1:a")
    assert not isinstance(found.value, RefusedCredentials)


@pytest.mark.parametrize(
    ("name", "given", "field", "kept"),
    [
        ("campaign_monitor", {}, "Name", "Ann Larsen"),
        ("notion", {}, "Name", "Ann Larsen"),
        ("zoho", {}, "Last_Name", "Larsen"),
        ("salesforce", {"external_id": "Code__c"}, "LastName", "Larsen"),
    ],
)
async def test_a_form_that_asks_for_no_name_overwrites_none(
    town: Town, contact: Maker, name: str, given: dict[str, str], field: str, kept: str
) -> None:
    stand, provider = town.stand(name), town.provider(name, **given)
    await provider.upsert(contact(name), "entry:1:a")
    await provider.upsert(contact(name, first_name="", last_name=""), "entry:2:a")
    person = stand.find("ann@learner.example")
    assert person is not None
    assert person.fields[field] == kept


@pytest.mark.parametrize(("name", "given"), [("zoho", {}), ("salesforce", {"external_id": "Code__c"})])
async def test_who_is_new_and_gave_no_name_is_kept_all_the_same(
    town: Town, contact: Maker, name: str, given: dict[str, str]
) -> None:
    sent = await town.provider(name, **given).upsert(contact(name, first_name="", last_name=""), "entry:1:a")
    assert (sent.outcome, town.stand(name).count) == ("created", 1)


@pytest.mark.parametrize("name", sorted(set(integrations.providers()) - {"airtable", "google_sheets", "notion"}))
async def test_a_service_is_sent_tags_or_its_owner_is_told_that_it_is_not(
    town: Town, contact: Maker, name: str
) -> None:
    await town.provider(name).upsert(contact(name, tags=("tag_of_ann",)), "entry:1:a")
    is_sent = any(b"tag_of_ann" in call.body for call in town.stand(name).calls)
    assert is_sent == integrations.providers()[name].takes_tags
