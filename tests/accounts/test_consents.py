"""Yes and no to mails about offers: unticked, kept each time with its words, shown to the person and the office."""

from datetime import timedelta

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.accounts import consents
from app.accounts.queries import consents as consent_queries
from app.core import clock, db, queue
from tests import everywhere
from tests.accounts.conftest import Browser
from tests.cast import Cast
from tests.commerce.shop import Shop
from tests.meeting import held_up
from tests.office import seen
from tests.school import a_course


async def rows() -> list[tuple[bool, str]]:
    found = await db.many(db.Row, "SELECT is_given, origin FROM consents ORDER BY id")
    return [(row.is_given, row.origin) for row in found]


@pytest.mark.parametrize("ticked", [True, False])
async def test_who_registers_agrees_only_by_ticking(app: Lectern, client: TestClientProtocol, ticked: bool) -> None:
    page = await (await client.get("/register")).get_data(as_text=True)
    (box,) = [line for line in page.splitlines() if 'name="marketing"' in line]
    assert "checked" not in box
    await Browser(client).register(**({"marketing": "y"} if ticked else {}))
    assert await rows() == ([(True, "registration")] if ticked else [])


async def test_a_guest_agrees_at_the_checkout_and_keeps_it_with_the_account(shop: Shop) -> None:
    await a_course("free", "Free", price=0)
    browser = shop.app.test_client()
    await shop.add("free", browser)
    form = {
        "quote": await shop.quote(browser, "/checkout"),
        "email": "gus@example.org",
        "name": "Gus",
        "marketing": "y",
    }
    page = await (await browser.get("/checkout")).get_data(as_text=True)
    (box,) = [line for line in page.splitlines() if 'name="marketing"' in line]
    assert "checked" not in box
    for _time in range(2):
        await browser.post("/checkout", form=form)
    order = (await shop.order()).public_id
    assert await rows() == [(True, f"order:{order}")]
    assert await db.value("SELECT user_id FROM consents") is None
    from app.core import tokens

    await browser.post(f"/checkout/confirmations/{tokens.sign(order, 'free-order')}")
    await queue.drain()
    gus = await db.value("SELECT id FROM users WHERE email = 'gus@example.org'")
    assert gus is not None
    assert await db.value("SELECT user_id FROM consents") == gus
    assert consents.is_given(await consents.of(gus), consents.MARKETING)


async def test_what_a_guest_agreed_to_without_buying_is_forgotten(app: Lectern) -> None:
    from app.accounts.jobs import clear_privacy

    await consents.say_as_guest(consents.MARKETING, origin="order:never")
    await clear_privacy()
    assert len(await rows()) == 1
    with clock.shifted(timedelta(days=31)):
        await clear_privacy()
    assert await rows() == []


async def test_it_is_given_and_taken_back_on_the_account_and_both_are_kept(cast: Cast) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    for form in ({"marketing": "y"}, {"marketing": "y"}, {}, {}, {"marketing": "y"}):
        assert (await ann.browser.post("/account/privacy/consents", form=form)).status_code == 303
    assert await rows() == [(True, "account"), (False, "account"), (True, "account")]
    page = await seen(ann, "/account/privacy")
    assert page.count("Agreed: Write to me now and then") == 2
    assert page.count("Taken back: Write to me now and then") == 1
    assert "wording 1" in await seen(rob, f"/admin/people/{ann.public_id}/erasure")
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'privacy.consent'") == 3
    address = await db.value("SELECT address FROM consents LIMIT 1")
    assert address


def test_words_that_somebody_agreed_to_are_never_changed() -> None:
    """A new version is added behind; the first one stays as it was read."""
    assert consents.words_of("marketing", 1) == (
        "Write to me now and then about new courses and offers. I can stop this at any time."
    )


async def test_the_boxes_show_the_newest_words(app: Lectern, client: TestClientProtocol) -> None:
    page = await (await client.get("/register")).get_data(as_text=True)
    assert consents.words_of(consents.MARKETING) in page
    assert everywhere.routes(app, "POST")


async def test_what_an_account_adopts_while_the_strays_are_swept_stays(cast: Cast) -> None:
    ann = await cast.ann()
    long_ago = clock.now() - timedelta(days=400)
    for origin in ("order:here", "order:there"):
        await consent_queries.insert_consent(
            user_id=None, kind="offers", wording=1, is_given=True, origin=origin, address=None, now=long_ago
        )
    await held_up(
        lambda: consent_queries.adopt_consents("order:here", ann.id),
        lambda: consent_queries.delete_stray_consents(clock.now()),
    )
    assert await db.value("SELECT array_agg(origin) FROM consents") == ["order:here"]
