"""Credentials while somebody else renews them: a token that is good once is never lost, and nothing old is put over what is new."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextvars import Context
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core import clock, db
from app.core.errors import Invalid
from app.formbuilder.delivery import connections, deliveries
from app.formbuilder.integrations import client
from app.formbuilder.models import Connection
from tests.cast import Cast
from tests.formbuilder.building import as_body
from tests.formbuilder.panels import Panel
from tests.formbuilder.test_deliveries import Post, a_form, answered, connect, only, post, sending
from tests.meeting import until_it_waits

__all__ = ["post"]


@pytest.fixture
def rotating(post: Post, monkeypatch: pytest.MonkeyPatch) -> Post:
    """Constant Contact, where each refresh token is good once."""
    stand = post.stand("constant_contact")
    give = type(stand).give_token

    def give_once(self: Any, call: Any) -> Any:
        found = give(self, call)
        if isinstance(found, dict):
            fresh = f"{self.given['refresh_token']}+"
            self.given = {**self.given, "refresh_token": fresh}
            return {**found, "refresh_token": fresh}
        return found

    give_once.routes = give.routes  # type: ignore[attr-defined]  # the table of its addresses
    monkeypatch.setattr(type(stand), "give_token", give_once)
    return post


def meanwhile(
    post: Post, monkeypatch: pytest.MonkeyPatch, at: str, do: Callable[[], Awaitable[httpx.Response | None]]
) -> None:
    """Do something once, when a request with this in its address is under way; what comes of it may be the answer."""
    handle = post.handle

    async def handled(request: httpx.Request) -> httpx.Response:
        if at in str(request.url):
            monkeypatch.setattr(post, "handle", handle)
            if (told := await do()) is not None:
                return told
        return await handle(request)

    monkeypatch.setattr(post, "handle", handled)


def answer(status: int, **told: Any) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(json.dumps(told).encode()))


async def now(connection: Connection) -> dict[str, str]:
    return connections.opened(await connections.find(connection.public_id))


async def works(connection: Connection) -> None:
    """It is connected also for a worker that knows none of its access tokens."""
    client._tokens.clear()
    await connections.verify(await connections.find(connection.public_id))


async def test_a_name_that_is_taken_uses_up_no_token(rotating: Post) -> None:
    await connect(rotating, "kit", "News")
    given, stand = rotating.stand("constant_contact").given, rotating.stand("constant_contact")
    with pytest.raises(Invalid, match="called so"):
        await connections.create("constant_contact", "News", given, by=None)
    assert not stand.calls
    await works(await connections.create("constant_contact", "Contact", given, by=None))


async def test_a_token_that_was_replaced_is_kept_though_the_service_fails_after_it(
    rotating: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = await connect(rotating, "constant_contact")
    client._tokens.clear()

    async def fail() -> httpx.Response:
        return answer(503)

    meanwhile(rotating, monkeypatch, "/v3/", fail)
    with pytest.raises(Invalid, match="just now"):
        await connections.change(contact, {"client_id": (await now(contact))["client_id"]})
    await works(contact)


async def test_a_token_that_a_worker_renews_while_credentials_are_checked_is_kept(
    rotating: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = await connect(rotating, "constant_contact")
    stand = rotating.stand("constant_contact")

    async def renew() -> None:
        stand.given = {**stand.given, "refresh_token": "refresh-2"}
        await connections.keep_renewed(contact, {"refresh_token": "refresh-2"})

    meanwhile(rotating, monkeypatch, "/v3/", renew)
    await connections.change(contact, {"client_id": (await now(contact))["client_id"]})
    assert (await now(contact))["refresh_token"] == "refresh-2"
    await works(contact)


async def test_a_token_of_before_is_not_put_over_new_credentials(
    rotating: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = await connect(rotating, "constant_contact")
    entry = await answered(await a_form(sending(rotating, contact)))
    await deliveries.plan(entry.id)
    client._tokens.clear()
    stand = rotating.stand("constant_contact")

    async def change() -> httpx.Response:
        stand.given = {**stand.given, "refresh_token": "of-another-account"}
        await connections.change(contact, stand.given)
        return answer(200, access_token="a", refresh_token="of-before", expires_in=60)

    meanwhile(rotating, monkeypatch, "oauth2", change)
    await deliveries.deliver((await only(entry)).id)
    assert (await now(contact))["refresh_token"] == "of-another-account+"
    await works(contact)


async def test_a_signing_secret_that_is_renewed_while_the_address_changes_is_the_one(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await connect(post, "webhook")
    before, fresh = (await now(hook))["secret"], list[str]()

    async def renew() -> None:
        fresh.append(await connections.renew_secret(hook))

    stand = post.stand("webhook")
    meanwhile(post, monkeypatch, "", renew)
    await connections.change(hook, {"url": stand.given["url"], "secret": ""})
    kept = await now(hook)
    assert ([kept["secret"]], kept["old_secret"]) == (fresh, before)


async def test_a_check_of_credentials_that_are_replaced_meanwhile_speaks_not_against_the_new(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = await connect(post, "kit")

    async def replace() -> httpx.Response:
        post.stand("kit").given = {"api_key": "kit_new"}
        await connections.change(kit, {"api_key": "kit_new"})
        return answer(401)

    meanwhile(post, monkeypatch, "", replace)
    with pytest.raises(Invalid):
        await connections.verify(kit)
    assert (await connections.find(kit.public_id)).state == "good"


async def test_of_two_that_are_called_the_same_at_once_the_second_is_told(post: Post) -> None:
    kit, brevo = await connect(post, "kit"), await connect(post, "brevo")

    async def second() -> None:
        async with db.hold():
            await connections.rename(brevo, "News")

    async with db.hold(), db.transaction():
        await connections.rename(kit, "News")
        renaming = asyncio.create_task(second())
        await until_it_waits(renaming)
    with pytest.raises(Invalid, match="called so"):
        await renaming
    assert [each.name for each in await connections.all_connections()] == ["brevo", "News"]


async def test_the_secret_that_a_receiver_knows_signs_though_it_is_replaced_twice(post: Post) -> None:
    """By a double click, or by two people: nobody has told the receiver of the first."""
    hook = await connect(post, "webhook")
    for _time in range(2):
        await connections.renew_secret(hook)
    await connections.verify(await connections.find(hook.public_id))
    assert post.stand("webhook").calls[-1].headers["lectern-signature"].count("v1=") == 3
    for _time in range(3):
        await connections.renew_secret(hook)
    assert len((await now(hook))["old_secret"].splitlines()) == connections.MOST_OLD
    with clock.shifted(connections.OVERLAP + timedelta(seconds=5)):
        last = (await now(hook))["secret"]
        await connections.renew_secret(hook)
        assert (await now(hook))["old_secret"] == last


async def test_a_page_that_was_drawn_before_an_address_changed_does_not_put_the_old_one_back(
    post: Post, cast: Cast
) -> None:
    olga = await cast.olga()
    hook = await connect(post, "webhook")
    path = f"/admin/connections/{hook.public_id}"

    async def drawn() -> dict[str, list[str]]:
        return Panel(await (await olga.browser.get(path)).get_data(as_text=True), "credentials-form").texts

    old, url = await drawn(), f"{(await now(hook))['url']}?new=1"
    await connections.change(hook, {"url": url, "secret": ""})
    post.stand("webhook").given = {"url": url, "secret": "whs_typed_by_hand"}
    answer = await olga.browser.post(f"{path}/credentials", **as_body({**old, "s.secret": "whs_typed_by_hand"}))
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "were changed since you opened this page" in page and url in page
    assert (await now(hook))["url"] == url
    answer = await olga.browser.post(
        f"{path}/credentials", **as_body({**await drawn(), "s.secret": "whs_typed_by_hand"})
    )
    assert answer.status_code == 303
    assert ((await now(hook))["url"], (await now(hook))["secret"]) == (url, "whs_typed_by_hand")


async def test_a_token_that_a_worker_has_replaced_and_still_works_with_is_known_to_the_next(
    rotating: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = await connect(rotating, "constant_contact")
    form = await a_form(sending(rotating, contact))
    first, second = await answered(form), await answered(form, "bo@learner.example")
    for entry in (first, second):
        await deliveries.plan(entry.id)
    seconds = await only(second)
    client._tokens.clear()

    async def another() -> None:
        # In a context of its own, as another worker's job is.
        await asyncio.create_task(deliveries.deliver(seconds.id), context=Context())

    meanwhile(rotating, monkeypatch, "/v3/", another)
    await deliveries.deliver((await only(first)).id)
    assert ((await only(first)).state, (await only(second)).state) == ("sent", "sent")
    assert (await connections.find(contact.public_id)).state == "good"


async def test_a_refusal_by_the_service_is_told_though_its_token_was_replaced_on_the_way(
    rotating: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = await connect(rotating, "constant_contact")
    entry = await answered(await a_form(sending(rotating, contact)))
    await deliveries.plan(entry.id)

    async def forbid() -> httpx.Response:
        return answer(403)

    client._tokens.clear()
    meanwhile(rotating, monkeypatch, "/v3/", forbid)
    with pytest.raises(Invalid):
        await connections.verify(contact)
    assert (await connections.find(contact.public_id)).state == "refused"
    client._tokens.clear()
    meanwhile(rotating, monkeypatch, "/v3/", forbid)
    await deliveries.deliver((await only(entry)).id)
    assert (await only(entry)).state == "held"


async def test_who_presses_twice_has_changed_nothing_since_they_opened_the_page(post: Post, cast: Cast) -> None:
    olga = await cast.olga()
    hook = await connect(post, "webhook")
    path = f"/admin/connections/{hook.public_id}"
    url = f"{(await now(hook))['url']}?new=1"
    post.stand("webhook").given = {"url": url, "secret": "whs_typed_by_hand"}
    shown = Panel(await (await olga.browser.get(path)).get_data(as_text=True), "credentials-form").texts
    typed = as_body({**shown, "s.url": url, "s.secret": "whs_typed_by_hand"})
    for _click in "12":
        answer = await olga.browser.post(f"{path}/credentials", **typed)
        assert (answer.status_code, (await now(hook))["url"]) == (303, url)
