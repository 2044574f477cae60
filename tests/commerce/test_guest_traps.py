"""A guest's checkout is open to anybody: the field that people do not see, and the captcha where one is set up."""

import re

import pytest
from quart import Response

from app import Lectern
from app.application import _policy
from app.core import db
from app.gateways.captcha import Turnstile
from app.sandbox.turnstile import LocalTurnstile
from app.web import traps
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.commerce.test_checkout import opened, order_count
from tests.school import a_course
from tests.web.test_captcha import SECRET, asks, gate_to, text


@pytest.fixture
def local() -> LocalTurnstile:
    return LocalTurnstile(SECRET)


@pytest.fixture
def keyed(app: Lectern, local: LocalTurnstile, monkeypatch: pytest.MonkeyPatch) -> Turnstile:
    """As if the keys were set."""
    gate = gate_to(local)
    monkeypatch.setitem(app.config, "CAPTCHA", gate)
    monkeypatch.setitem(app.config, "CAPTCHA_POLICY", _policy(app.config["LECTERN"], captcha=[gate.origin]))
    return gate


async def buy(shop: Shop, **more: str) -> Response:
    quote = await shop.quote(path="/checkout")
    form = {"quote": quote, "email": "gus@example.org", "name": "Gus Guest", **more}
    answer = await shop.client.post("/checkout", form=form)
    assert isinstance(answer, Response)
    return answer


async def test_the_field_that_people_do_not_see_is_there_and_left_alone_by_people(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    page = await shop.text("/checkout")
    field = re.search(r'<input[^>]*name="website"[^>]*>', page)
    assert field is not None
    assert 'tabindex="-1"' in field[0]
    assert 'autocomplete="off"' in field[0]
    around = page[: field.start()].rpartition("<div")[2]
    assert 'aria-hidden="true"' in around or "hidden" in around


async def test_whoever_fills_it_in_gets_what_looks_like_the_next_page_and_no_order(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    answer = await buy(shop, website="https://spam.example")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart")
    assert await order_count() == 0
    assert opened(shop) == []
    assert not await db.value("SELECT count(*) FROM users") and not await db.value("SELECT count(*) FROM mails")
    # The negative control: the same form without it is an order.
    assert (await buy(shop, website="")).status_code == 303
    assert await order_count() == 1


async def test_without_keys_no_captcha_is_shown_or_asked(shop: Shop) -> None:
    await a_course()
    await shop.add("reading-price")
    assert "cf-turnstile" not in await shop.text("/checkout")
    assert (await buy(shop)).status_code == 303
    assert await order_count() == 1


@pytest.mark.usefixtures("keyed")
async def test_with_keys_an_order_needs_a_token_of_this_form_once(shop: Shop, local: LocalTurnstile) -> None:
    await a_course()
    await shop.add("reading-price")
    assert asks(await shop.text("/checkout"))
    good = local.issue(action="checkout", hostname="localhost")
    for token in (
        "",
        "invented",
        local.issue(action="register", hostname="localhost"),
        local.issue(action="checkout", hostname="evil.example"),
    ):
        answer = await buy(shop, **{traps.FIELD: token})
        assert answer.status_code == 422
        page = await text(answer)
        assert "We could not see that you are a person" in page
        assert asks(page)
        assert 'value="gus@example.org"' in page
        assert "frame-src" in answer.headers["Content-Security-Policy"]
    assert await order_count() == 0
    assert opened(shop) == []
    assert (await buy(shop, **{traps.FIELD: good})).status_code == 303
    assert await order_count() == 1
    assert (await buy(shop, email="other@example.org", **{traps.FIELD: good})).status_code == 422
    assert await order_count() == 1


@pytest.mark.usefixtures("keyed")
async def test_a_form_that_is_trapped_or_wrong_does_not_use_a_token_up(shop: Shop, local: LocalTurnstile) -> None:
    await a_course()
    await shop.add("reading-price")
    token = local.issue(action="checkout", hostname="localhost")
    assert (await buy(shop, website="x", **{traps.FIELD: token})).status_code == 303
    assert (await buy(shop, email="nowhere", **{traps.FIELD: token})).status_code == 422
    assert local.checks == 0
    assert await order_count() == 0


@pytest.mark.usefixtures("keyed")
async def test_while_the_provider_is_away_a_few_buy_all_the_same(shop: Shop, local: LocalTurnstile) -> None:
    await a_course()
    await shop.add("reading-price")
    local.down = True
    codes = [(await buy(shop, **{traps.FIELD: "whatever"})).status_code for _ in range(traps.WITHOUT.count + 1)]
    assert codes == [303] * traps.WITHOUT.count + [429]


@pytest.mark.usefixtures("keyed")
async def test_members_who_are_signed_in_are_not_asked(shop: Shop, cast: Cast) -> None:
    await a_course()
    ann = await cast.ann()
    await shop.add("reading-price", ann.browser)
    assert await shop.check_out(ann.browser)
    assert await order_count() == 1
