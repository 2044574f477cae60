"""The page of a form is kept whole for everybody, and never shows what is not so any more."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app.catalogue import products
from app.core import clock, db
from app.formbuilder.answering import contests
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.definition import versions
from app.web.page_cache import PageCache
from tests.cast import Cast
from tests.formbuilder.entering import a_form
from tests.formbuilder.test_contests import two_versions
from tests.school import a_course
from tests.web.kept import Entries, how, text


def body(**texts: str) -> dict[str, str]:
    return {"version": "1", "website": "", "stamp": stamp_of(clock.now().timestamp() - 60), "q1": "Ann", **texts}


async def settled(client: TestClientProtocol, path: str) -> None:
    """Ask until the page is kept: what was written before it may still be heard of."""
    async with asyncio.timeout(5):
        while await how(client, path) != "hit":  # noqa: ASYNC110 (the cache has no event for it)
            await asyncio.sleep(0.01)


async def test_a_form_is_drawn_once_and_kept_also_for_links_of_letters_without_values(
    client: TestClientProtocol, kept: PageCache, entries: Entries
) -> None:  # fmt: skip
    form, _definition = await a_form()
    path = f"/forms/{form.slug}"
    assert await how(client, path) == "miss"
    await settled(client, path)
    before = len(entries)
    assert [await how(client, each) for each in (path, f"{path}?q1=", path)] == ["hit"] * 3
    assert len(entries) == before
    # What the address fills in is nobody else's.
    assert 'value="Ann"' in await text(client, f"{path}?q1=Ann")
    assert 'value="Ann"' not in await text(client, path)
    # The page holds no stamp: each visitor fetches one of their own.
    assert 'name="stamp" value=""' in await text(client, path)


async def test_what_is_published_is_seen_at_once(client: TestClientProtocol, kept: PageCache, cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form()
    path = f"/forms/{form.slug}"
    await settled(client, path)
    await versions.edit(form.id, lambda now: replace(now, title="Apply now"), words="", by=olga)  # type: ignore[arg-type]
    assert "Apply now" not in await text(client, path)
    answer = await olga.browser.post(f"/admin/forms/{form.public_id}/publication")
    assert answer.status_code == 303
    assert "Apply now" in await text(client, path)
    answer = await olga.browser.post(f"/admin/forms/{form.public_id}/state", form={"state": "closed"})
    assert answer.status_code == 303
    assert "takes no more answers" in await text(client, path)


async def test_a_new_price_of_a_product_is_seen_at_once(client: TestClientProtocol, kept: PageCache) -> None:
    course = await a_course("risk", "Risk", price=24900)
    slug = await db.value("SELECT slug FROM products")
    fields = [
        {"id": "q1", "kind": "product", "label": "Seat", "settings": {"options": [{"value": slug, "label": "Risk"}]}},
        {"id": "q2", "kind": "email", "label": "Email"},
    ]
    form, _definition = await a_form(fields)
    path = f"/forms/{form.slug}"
    assert "€249<" in await text(client, path)
    await settled(client, path)
    await products.set_price(course.id, 19900, "EUR")
    # It was not changed by a page of the office, which would have waited until it is heard of.
    async with asyncio.timeout(2):
        while "€199<" not in (shown := await text(client, path)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert "€249<" not in shown


@pytest.mark.parametrize(
    "settings",
    [
        {"closes_at": "2030-01-01"}, {"opens_at": "2020-01-01"}, {"weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        {"most_entries": 5}, {"most_in_period": 5, "period": "hour"}, {"sign_in": True}, {"prefill_member": True},
    ],
)  # fmt: skip
async def test_what_changes_by_the_clock_or_by_what_comes_in_is_never_kept(
    client: TestClientProtocol, kept: PageCache, settings: dict[str, Any]
) -> None:  # fmt: skip
    form, _definition = await a_form(**settings)
    path = f"/forms/{form.slug}"
    for _time in range(2):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert await how(client, path) != "hit"


async def test_the_last_place_closes_the_form_for_the_next_visitor(client: TestClientProtocol, kept: PageCache) -> None:
    form, _definition = await a_form(most_entries=1)
    path = f"/forms/{form.slug}"
    assert 'name="q1"' in await text(client, path)
    assert (await client.post(path, form=body())).status_code == 303
    assert "takes no more answers" in await text(client, path)


async def test_a_pin_and_a_link_open_no_page_for_others(client: TestClientProtocol, kept: PageCache) -> None:
    form, _definition = await a_form(pin="1234")
    path = f"/forms/{form.slug}"
    await text(client, path)
    answer = await client.post(f"{path}/pin", form={"version": "1", "pin": "1234"})
    inside = await client.get(answer.headers["Location"])
    assert 'name="q1"' in await inside.get_data(as_text=True)
    assert inside.headers["Cache-Control"] == "no-store"
    assert 'name="q1"' not in await text(client, path)


async def test_each_visitor_of_a_trial_is_drawn_a_page_of_their_own(
    client: TestClientProtocol, kept: PageCache, entries: Entries
) -> None:  # fmt: skip
    form = await two_versions()
    await client.get(f"/forms/{form.slug}")
    trial = await contests.begin(form.id, 50)
    assert await kept.listener.heard_all(2)
    seen_arms = []
    for number in range(20):
        answer = await client.get(
            f"/forms/{form.slug}", headers={"User-Agent": f"Browser {number}", "Sec-Fetch-Dest": "document"}
        )
        seen_arms.append("b" if "Join us" in await answer.get_data(as_text=True) else "a")
    assert set(seen_arms) == {"a", "b"}
    a, b = await contests.arms_of(trial)
    assert (a.seen, b.seen) == (seen_arms.count("a"), seen_arms.count("b"))
    # Once it is known that the page is each visitor's own, it is drawn once for each.
    before = len(entries)
    await client.get(f"/forms/{form.slug}")
    assert len(entries) == before + 1
    await contests.end(form.id, "")
    await settled(client, f"/forms/{form.slug}")
