"""Entries on their way to the services: planned with the entry, sent once, tried again, held, sent again."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app import Lectern
from app.core import clock, db, events, queue
from app.core.errors import Conflict, Invalid
from app.formbuilder.answering import submissions
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, mapping, versions
from app.formbuilder.delivery import connections, deliveries
from app.formbuilder.events import EntryReceived
from app.formbuilder.integrations import client
from app.formbuilder.models import Connection, Delivery, Entry, Form, Posted
from app.gateways.outgoing import Outgoing
from app.sandbox.providers import KINDS, Outside
from app.sandbox.providers.core import Stand

FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "First name"},
    {"id": "q2", "kind": "email", "label": "E-mail", "required": True},
    {"id": "q3", "kind": "number", "label": "Age"},
    {"id": "q4", "kind": "consent", "label": "News"},
]


class Post:
    """The services, reached through a network that can lose answers, and held up while a test looks."""

    def __init__(self) -> None:
        self.outside = Outside()
        self.lose = 0
        self.slow = 0.0
        # Every answer is a refusal that repeats all that was asked.
        self.is_parrot = False
        self.heard: list[httpx.Request] = []

    def stand(self, name: str) -> Stand:
        return self.outside.stands[name]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.is_parrot:
            self.heard.append(request)
            said = [request.method, str(request.url), *map(str, request.headers.items()), request.content.decode()]
            return httpx.Response(400, stream=httpx.ByteStream(json.dumps({"message": said}).encode()))
        answer = await httpx.ASGITransport(self.outside).handle_async_request(request)
        if self.lose and request.method != "GET":
            self.lose -= 1
            raise httpx.ReadTimeout("lost")
        return answer


class Wire(httpx.AsyncBaseTransport):
    def __init__(self, post: Post) -> None:
        self.post = post

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.post.handle(request)


@pytest.fixture
def post(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> Post:
    client._tokens.clear()
    made = Post()
    monkeypatch.setattr(connections, "_http", Outgoing(base="http://outside", transport=Wire(made)))
    return made


async def connect(post: Post, name: str, called: str = "") -> Connection:
    return await connections.create(name, called or name, post.stand(name).given, by=None)


def sending(post: Post, connection: Connection, number: int = 1, **more: Any) -> dict[str, Any]:
    """An integration of a definition."""
    place = post.stand(connection.provider).place
    mapped = {"email": "q2", "first_name": "q1"}
    # Sending this form is the agreement.
    agreed = {"consent": mapping.SENDING}
    return {"id": f"i{number}", "connection": connection.public_id, "list": place, "map": mapped, **agreed, **more}


async def a_form(*integrations: dict[str, Any]) -> Form:
    definition = definitions.read({"title": "Feedback", "fields": FIELDS, "integrations": list(integrations)})
    return await versions.publish((await versions.create(definition, by=None)).id)


async def answered(form: Form, email: str = "ann@learner.example", **more: str) -> Entry:
    texts = {"q1": ["Ann"], "q2": [email], **{name: [value] for name, value in more.items()}}
    return await submissions.submit(form, definitions.read(form.definition), Posted(texts), Sender())


async def only(entry: Entry) -> Delivery:
    [found] = await deliveries.of_entry(entry.id)
    return found


async def test_an_entry_arrives_with_what_was_mapped(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit, map={"email": "q2", "first_name": "q1", "city": "q3"}, tags=["course"]))
    entry = await answered(form, q3="41")
    assert await deliveries.of_entry(entry.id) == []
    await queue.drain()
    found = await only(entry)
    assert (found.state, found.outcome, found.attempts, found.error) == ("sent", "created", 1, "")
    person = post.stand("kit").find("ann@learner.example")
    assert person is not None
    assert (person.fields, person.places, person.tags) == ({"city": "41"}, {"7"}, {"course"})
    assert found.sent_at is not None
    assert [each["status"] for each in found.exchanges][-1] == 201
    assert post.stand("kit").given["api_key"] not in str(found.exchanges)


async def test_an_entry_that_is_rolled_back_leaves_nothing(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "kit")))
    with pytest.raises(RuntimeError):
        async with db.transaction():
            await answered(form)
            raise RuntimeError
    await queue.drain()
    assert not post.stand("kit").people
    assert await db.value("SELECT count(*) FROM form_deliveries") == 0


async def test_hearing_of_an_entry_twice_sends_it_once(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "webhook")))
    entry = await answered(form)
    async with db.transaction():
        await events.publish(EntryReceived(entry.id))
    await queue.drain()
    assert len(post.stand("webhook").messages) == 1
    assert (await only(entry)).attempts == 1


async def test_two_workers_send_a_delivery_once(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "telegram")))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    found, post.slow = await only(entry), 0.2

    async def work() -> None:
        async with db.hold():
            await deliveries.deliver(found.id)

    await asyncio.gather(work(), work(), work())
    assert len(post.stand("telegram").messages) == 1
    # The negative control: without the claim each of them would have sent.
    await db.run("UPDATE form_deliveries SET state = 'waiting', claimed_until = NULL")
    await work()
    assert len(post.stand("telegram").messages) == 2


@pytest.mark.parametrize("name", ["kit", "webhook", "google_sheets", "discord", "mailchimp"])
async def test_an_answer_that_is_lost_doubles_nothing(post: Post, name: str) -> None:
    form = await a_form(sending(post, await connect(post, name)))
    entry = await answered(form)
    post.lose = 1
    await queue.drain()
    assert (await only(entry)).state == "waiting"
    await _later(timedelta(minutes=1))
    assert (await only(entry)).state == "sent"
    assert post.stand(name).count == 1


async def test_what_cannot_be_repeated_waits_for_a_person(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "telegram")))
    entry = await answered(form)
    post.lose = 1
    await queue.drain()
    found = await only(entry)
    assert (found.state, len(post.stand("telegram").messages)) == ("held", 1)
    await deliveries.replay(found.id)
    await queue.drain()
    assert ((await only(entry)).state, len(post.stand("telegram").messages)) == ("sent", 2)


async def _later(by: timedelta) -> None:
    """What waits until then runs."""
    with clock.shifted(by):
        await queue.drain(ignore_delays=True, limit=50)


async def test_a_service_that_was_down_gets_everything_when_it_is_back(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "listmonk")))
    post.stand("listmonk").is_down = True
    entries = [await answered(form, f"p{number}@learner.example") for number in range(5)]
    await queue.drain()
    for entry in entries:
        found = await only(entry)
        assert (found.state, found.attempts) == ("waiting", 1)
        assert "503" in found.error
    assert not post.stand("listmonk").people
    post.stand("listmonk").is_down = False
    await _later(timedelta(minutes=2))
    assert {(await only(entry)).state for entry in entries} == {"sent"}
    assert len(post.stand("listmonk").people) == 5


async def test_retry_after_is_honoured_by_all_of_the_account(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit))
    post.stand("kit").faults = [(429, {"retry-after": "600"})]
    first, second = await answered(form), await answered(form, "bo@learner.example")
    await queue.drain()
    asked = len(post.stand("kit").calls)
    assert (await only(first)).attempts + (await only(second)).attempts == 1
    waiting = await only(first)
    due = await db.value("SELECT min(execute_after) FROM pgqueuer WHERE status = 'queued'")
    assert 590 < (due - clock.now()).total_seconds() <= 601
    assert (waiting.next_at - clock.now()).total_seconds() > 590
    with clock.shifted(timedelta(seconds=300)):
        await queue.drain(ignore_delays=True, limit=2)
    assert len(post.stand("kit").calls) == asked, "it was asked too early"
    await _later(timedelta(seconds=700))
    assert (await only(first)).state == (await only(second)).state == "sent"


async def test_what_is_refused_for_good_is_held_at_once_and_can_be_sent_again(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit, list="999"))
    entry = await answered(form)
    await queue.drain()
    found = await only(entry)
    assert (found.state, found.attempts) == ("held", 1)
    assert "404" in found.error
    # The owner puts the form right: what is sent again goes by the form of now.
    definition = definitions.write_definition(definitions.read(form.definition))
    definition["integrations"][0]["list"] = "7"
    async with db.transaction():
        await db.run(
            "UPDATE form_versions SET definition = CAST(:definition AS jsonb) WHERE id = :id",
            definition=definition,
            id=form.version_id,
        )
    await deliveries.replay(found.id)
    with pytest.raises(Conflict):
        await deliveries.replay(found.id)
    await queue.drain()
    assert (await only(entry)).state == "sent"
    assert post.stand("kit").count == 1


async def test_patience_ends_and_everything_stays_to_be_sent_again(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "kit")))
    entry = await answered(form)
    post.stand("kit").is_down = True
    await queue.drain()
    for day in range(deliveries.ATTEMPTS):
        await _later(timedelta(days=day + 1))
    found = await only(entry)
    assert (found.state, found.attempts) == ("held", deliveries.ATTEMPTS)


async def test_credentials_that_are_refused_are_told_and_renewed(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit))
    entry = await answered(form)
    post.stand("kit").given = {"api_key": "kit_new"}
    await queue.drain()
    assert (await only(entry)).state == "held"
    kit = await connections.find(kit.public_id)
    assert kit.state == "refused"
    with pytest.raises(Invalid):
        await connections.change(kit, {"api_key": "wrong"})
    kit = await connections.change(kit, {"api_key": "kit_new"})
    assert kit.state == "good"
    assert await deliveries.replay_held(kit) == 1
    await queue.drain()
    assert (await only(entry)).state == "sent"


async def test_an_integration_that_goes_between_two_tries_speaks_not_against_the_credentials(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit))
    post.lose = 1
    entry = await answered(form)
    await queue.drain()
    assert (await only(entry)).exchanges
    await db.run("UPDATE form_versions SET definition = definition || '{\"integrations\": []}'")
    await _later(timedelta(minutes=5))
    assert (await only(entry)).state == "held"
    assert (await connections.find(kit.public_id)).state == "good"


async def test_conditions_and_consent_are_looked_at(post: Post) -> None:
    kit = await connect(post, "kit")
    adults = {"all": [{"field": "q3", "is": "at_least", "value": "18"}]}
    form = await a_form(sending(post, kit, 1, when=adults), sending(post, kit, 2, consent="q4"))
    young = await answered(form, q3="17")
    grown = await answered(form, "bo@learner.example", q3="18", q4="yes")
    await queue.drain()
    found = {(each.integration_id): (each.state, each.outcome) for each in await deliveries.of_entry(young.id)}
    assert found == {"i1": ("skipped", "condition"), "i2": ("skipped", "no_consent")}
    assert {each.state for each in await deliveries.of_entry(grown.id)} == {"sent"}
    assert post.stand("kit").find("ann@learner.example") is None


async def test_a_connection_that_goes_holds_what_waits(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    await connections.remove(kit)
    with pytest.raises(Conflict):
        await connections.remove(kit)
    await queue.drain()
    later = await answered(form, "bo@learner.example")
    await queue.drain()
    for each in (entry, later):
        found = await only(each)
        assert (found.state, found.connection_id) == ("held", None)
        assert found.error
    assert not post.stand("kit").people


async def test_a_worker_that_dies_leaves_a_claim_that_ends(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "kit")))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    await db.run("DELETE FROM pgqueuer")
    until = clock.now() + deliveries.CLAIM
    await db.run("UPDATE form_deliveries SET attempts = 1, claimed_until = :until", until=until)
    found = await only(entry)
    await deliveries.deliver(found.id)
    assert not post.stand("kit").people
    await _later(deliveries.CLAIM + timedelta(seconds=5))
    assert ((await only(entry)).state, (await only(entry)).attempts) == ("sent", 2)


async def test_a_delivery_whose_job_is_lost_is_found(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "kit")))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    await db.run("DELETE FROM pgqueuer")
    assert await deliveries.look_for_forgotten() == 0
    with clock.shifted(timedelta(minutes=16)):
        assert await deliveries.look_for_forgotten() == 1
        assert await deliveries.look_for_forgotten() == 1
        assert await db.value("SELECT count(*) FROM pgqueuer") == 1
        await queue.drain()
    assert (await only(entry)).state == "sent"


async def test_what_was_said_is_forgotten_after_a_while_and_what_is_held_stays(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit, 1), sending(post, kit, 2, list="999"))
    entry = await answered(form)
    await queue.drain()
    assert await deliveries.forget_old_exchanges() == 0
    with clock.shifted(timedelta(days=91)):
        assert await deliveries.forget_old_exchanges() == 1
        assert await deliveries.forget_old_exchanges() == 0
    assert {each.state: bool(each.exchanges) for each in await deliveries.of_entry(entry.id)} == {
        "sent": False,
        "held": True,
    }


async def test_an_entry_that_goes_takes_its_deliveries_along(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "kit")))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    await db.run("DELETE FROM form_entries WHERE id = :id", id=entry.id)
    await queue.drain()
    assert await db.value("SELECT count(*) FROM form_deliveries") == 0
    assert not post.stand("kit").people


async def test_nonsense_in_an_integration_or_an_answer_stops_nobody(post: Post) -> None:
    kit = await connect(post, "kit")
    odd: list[dict[str, Any]] = [
        {},
        {"id": "a", "connection": 7, "map": "x", "tags": {"a": 1}, "when": "nonsense", "consent": ["q"]},
        {"id": "b", "connection": kit.public_id, "map": ["email"], "list": {"a": 1}},
        {"id": "c", "connection": kit.public_id, "map": {"email": 5, "x": "q9.first"}, "when": {"any": []}},
    ]
    # It could not be published like this: an older version may hold it all the same.
    form = await a_form(sending(post, kit, 4))
    whole = {**form.definition, "integrations": [*odd, sending(post, kit, 4)]}
    async with db.transaction():
        await db.run(
            "UPDATE form_versions SET definition = CAST(:whole AS jsonb) WHERE id = :id",
            whole=whole,
            id=form.version_id,
        )
    entry = await answered(form)
    await queue.drain()
    found = {each.integration_id: each.state for each in await deliveries.of_entry(entry.id)}
    assert found["i4"] == "sent"
    assert set(found.values()) <= {"sent", "skipped", "held"}


async def test_secrets_lie_sealed_and_are_never_shown(post: Post) -> None:
    mailjet = await connect(post, "mailjet", "News")
    stored = bytes(await db.value("SELECT sealed FROM form_connections"))
    assert b"private" not in stored
    assert b"public" not in stored
    assert connections.shown(mailjet) == {"api_key": "mj-public", "api_secret": ""}
    assert connections.opened(mailjet)["api_secret"] == "mj-private-0123456789"
    assert "private" not in repr(mailjet)
    assert "private" not in str(await db.many(db.Row, "SELECT CAST(l.* AS text) AS row FROM audit_log l"))
    # A row moved to another connection opens nothing.
    other = await connect(post, "kit")
    await db.run("UPDATE form_connections SET sealed = :sealed WHERE id = :id", sealed=stored, id=other.id)
    with pytest.raises(client.RefusedCredentials):
        connections.opened(await connections.find(other.public_id))


async def test_a_connection_is_kept_only_when_it_is_good_and_named_once(post: Post) -> None:
    with pytest.raises(Invalid):
        await connections.create("kit", "Kit", {"api_key": "wrong"}, by=None)
    with pytest.raises(Invalid):
        await connections.create("nonsense", "Kit", {}, by=None)
    with pytest.raises(Invalid):
        await connections.create("kit", "  ", post.stand("kit").given, by=None)
    post.stand("kit").is_down = True
    with pytest.raises(Invalid, match="just now"):
        await connect(post, "kit")
    post.stand("kit").is_down = False
    kit = await connect(post, "kit", "Kit")
    with pytest.raises(Invalid):
        await connect(post, "brevo", "Kit")
    brevo = await connect(post, "brevo", "Brevo")
    with pytest.raises(Invalid):
        await connections.rename(brevo, "Kit")
    await connections.rename(brevo, "Brevo")
    assert [each.account for each in await connections.all_connections()] == ["Meridian", "Meridian"]
    assert [each.id for each in await connections.places(kit)] == ["7"]
    assert [each.id for each in await connections.fields(kit, "7")] == ["city"]


async def test_a_refresh_token_that_is_good_once_is_kept(post: Post) -> None:
    contact = await connect(post, "constant_contact")
    await connections.keep_renewed(contact, {"refresh_token": "refresh-2"})
    assert connections.opened(await connections.find(contact.public_id))["refresh_token"] == "refresh-2"
    assert connections.opened(await connections.find(contact.public_id))["client_id"] == "client-1"


def test_a_preview_tells_what_a_service_gets() -> None:
    definition = definitions.read({"title": "F", "fields": FIELDS})
    answers = {"q1": "Ann", "q2": "ann@learner.example", "q3": 41, "q4": {"agreed": "Yes, news"}}
    made = mapping.contact_of(
        definition, "F", {"map": {"email": "q2", "age": "q3", "why": "q4.agreed"}, "consent": "q4"}, answers, ""
    )
    assert (made.email, made.fields, made.consent) == ("ann@learner.example", {"age": 41, "why": "Yes, news"}, True)
    assert ("Age", "41") in made.answers


def test_the_owner_is_told_what_would_keep_an_integration_from_working() -> None:
    good = {"id": "i1", "connection": "k", "map": {"email": "q2"}, "when": {"all": [{"field": "q3", "is": "empty"}]}}
    bad = [
        {**good, "id": ""},
        {**good, "id": "i1"},
        {**good, "id": "i2", "connection": ""},
        {**good, "id": "i3", "map": {"email": "q9.first"}},
        {**good, "id": "i4", "consent": "q9"},
        {**good, "id": "i5", "when": {"any": [{"all": [{"field": "q9", "is": "empty"}]}]}},
        {**good, "id": "i6", "map": "nonsense", "when": "nonsense"},
    ]
    found = mapping.problems(definitions.read({"title": "F", "fields": FIELDS, "integrations": [good, *bad]}))
    assert [name for name, _sentence in found] == ["", "i1", "i2", "i3", "i4", "i5"]


async def test_a_token_that_another_worker_renewed_is_no_refusal(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    contact = await connect(post, "constant_contact")
    form = await a_form(sending(post, contact))
    entry = await answered(form)
    client._tokens.clear()
    stand = post.stand("constant_contact")
    handle = post.handle

    async def renewing(request: httpx.Request) -> httpx.Response:
        """Somebody else is faster: the token is used up, and the new one kept, before this request arrives."""
        if "oauth2" in request.url.path and stand.given["refresh_token"] != "refresh-2":
            stand.given = {**stand.given, "refresh_token": "refresh-2"}
            await connections.keep_renewed(contact, {"refresh_token": "refresh-2"})
        return await handle(request)

    monkeypatch.setattr(post, "handle", renewing)
    await queue.drain()
    found = await only(entry)
    assert (found.state, (await connections.find(contact.public_id)).state) == ("waiting", "good")
    await _later(timedelta(minutes=1))
    assert (await only(entry)).state == "sent"


@pytest.mark.parametrize("name", sorted(kind.name for kind in KINDS))
async def test_a_service_that_repeats_our_secrets_betrays_none(
    post: Post, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in the log of the delivery nor in that of the process, the audit, or the failed job."""
    account = await connect(post, name)
    form = await a_form(sending(post, account))
    post.is_parrot = True
    client._tokens.clear()
    entry = await answered(form)
    await queue.drain()
    post.is_parrot = False
    kind, stand = type(connections.open_provider(account)), post.stand(name)
    secrets = {stand.given[each.name] for each in kind.settings if each.is_secret and each.name in stand.given}
    assert secrets
    found = await only(entry)
    assert found.state in ("held", "waiting")
    logged = capfd.readouterr()
    written = [str(found), logged.out, logged.err]
    for table in ("form_deliveries", "audit_log", "pgqueuer", "pgqueuer_log"):
        rows = await db.many(db.Row, f"SELECT CAST(t.* AS text) AS row FROM {table} t")
        written += [row.row for row in rows]
    assert post.heard
    proofs = {request.headers.get("authorization", "").rpartition(" ")[2] for request in post.heard} - {""}
    for secret in secrets | stand.tokens | proofs:
        for form_of_it in (secret, base64.b64encode(secret.encode()).decode()):
            assert not any(form_of_it in text for text in written), form_of_it


async def test_a_new_signing_secret_signs_beside_the_old_one_for_a_day(post: Post) -> None:
    hook = await connect(post, "webhook")
    form = await a_form(sending(post, hook))
    fresh = await connections.renew_secret(hook)
    hook = await connections.find(hook.public_id)
    assert fresh not in repr(hook)
    assert connections.shown(hook)["secret"] == ""
    await answered(form)
    await queue.drain()
    stand = post.stand("webhook")
    assert stand.calls[-1].headers["lectern-signature"].count("v1=") == 2
    assert len(stand.messages) == 1, "who receives it still knows the old one"
    stand.given = {**stand.given, "secret": fresh}
    await answered(form, "bo@learner.example")
    await queue.drain()
    assert len(stand.messages) == 2
    opened = connections.opened(hook)
    provider = connections.open_provider(hook)
    with clock.shifted(connections.OVERLAP + timedelta(seconds=5)):
        late = connections.open_provider(hook)
        assert (provider._old_secrets, late._old_secrets) == ([opened["old_secret"]], [])  # type: ignore[attr-defined]  # a webhook's
    assert "secret" in str(await db.many(db.Row, "SELECT CAST(l.* AS text) AS row FROM audit_log l"))
    assert fresh not in str(await db.many(db.Row, "SELECT CAST(l.* AS text) AS row FROM audit_log l"))
    with pytest.raises(Conflict):
        await connections.renew_secret(await connect(post, "kit"))


async def test_a_form_that_cannot_be_read_any_more_is_held_and_not_tried_for_ever(post: Post) -> None:
    form = await a_form(sending(post, await connect(post, "kit")))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    await db.run(
        "UPDATE form_versions SET definition = :told WHERE form_id = :id",
        told={"fields": [{"id": "q1", "kind": "hologram"}]},
        id=form.id,
    )
    found = await only(entry)
    await deliveries.deliver(found.id)
    held = await only(entry)
    assert (held.state, held.attempts) == ("held", 1)
    assert "hologram" in held.error
