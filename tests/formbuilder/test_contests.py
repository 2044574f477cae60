"""Two versions tried against each other: who sees which, what is counted, and what can be said of it."""

import asyncio
import random
from dataclasses import replace

import pytest
from quart.typing import TestClientProtocol

from app.core import clock, db
from app.core.errors import Conflict, Invalid
from app.formbuilder.answering import contests
from app.formbuilder.answering.contests import Arm
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.definition import definitions, versions
from app.formbuilder.models import Form
from app.formbuilder.queries import contests as queries
from tests.cast import Cast
from tests.formbuilder.entering import a_form
from tests.office import seen

BROWSER = {"Sec-Fetch-Dest": "document"}


async def two_versions(**settings: object) -> Form:
    """An open form "Apply" with another version in the builder, called "Join us"."""
    form, _definition = await a_form()
    stored = definitions.write_definition(replace(definitions.read(form.definition), title="Join us"))
    stored["settings"] |= settings
    version = await db.value(
        """
        INSERT INTO form_versions (form_id, number, parent_id, definition, made_at)
        VALUES (:form, 2, :parent, CAST(:definition AS jsonb), now()) RETURNING id
        """,
        form=form.id, parent=form.version_id, definition=stored,
    )  # fmt: skip
    await db.run("UPDATE forms SET head_id = :version WHERE id = :form", version=version, form=form.id)
    return await versions.find(form.public_id)


async def _page(client: TestClientProtocol, slug: str, agent: str, **headers: str) -> tuple[str, str]:
    answer = await client.get(f"/forms/{slug}", headers={"User-Agent": agent, **BROWSER, **headers})
    text = await answer.get_data(as_text=True)
    assert answer.status_code == 200
    return ("b" if "Join us" in text else "a"), answer.headers.get("Cache-Control", "")


async def test_half_see_each_and_a_visitor_always_the_same(client: TestClientProtocol) -> None:
    form = await two_versions()
    assert (await _page(client, form.slug, "x"))[0] == "a"
    trial = await contests.begin(form.id, 50)
    agents = [f"Browser {n}" for n in range(40)]
    arms = [(await _page(client, form.slug, agent))[0] for agent in agents]
    assert arms == [(await _page(client, form.slug, agent))[0] for agent in agents]
    assert 8 <= arms.count("b") <= 32
    a, b = await contests.arms_of(trial)
    # Whoever looks again counts once.
    assert (a.seen, b.seen) == (arms.count("a"), arms.count("b"))
    assert await db.value("SELECT count(*) FROM form_trial_people") == 40
    await contests.end(form.id, "")
    assert await db.value("SELECT count(*) FROM form_trial_people") == 0
    assert await contests.arms_of(trial) == (a, b)


async def test_of_a_form_that_keeps_no_address_each_view_counts_and_nobody_is_known_again(
    client: TestClientProtocol,
) -> None:
    form = await two_versions()
    await db.run(
        """UPDATE form_versions SET definition = jsonb_set(definition, '{settings,no_address}', 'true')
           WHERE form_id = :form""",
        form=form.id,
    )
    trial = await contests.begin(form.id, 50)
    for _time in range(3):
        await _page(client, form.slug, "x")
    assert sum(each.seen for each in await contests.arms_of(trial)) == 3


async def test_nothing_of_a_trial_is_kept_by_a_cache_and_no_cookie_is_set(client: TestClientProtocol) -> None:
    form = await two_versions()
    await _page(client, form.slug, "warm")
    await contests.begin(form.id, 50)
    seen_arms = set()
    for number in range(20):
        answer = await client.get(f"/forms/{form.slug}", headers={"User-Agent": f"B{number}"})
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        seen_arms.add("Join us" in await answer.get_data(as_text=True))
    assert seen_arms == {True, False}
    await contests.end(form.id, "b")
    answers = [await _page(client, form.slug, f"B{number}") for number in range(10)]
    assert {arm for arm, _cache in answers} == {"b"}
    assert "no-store" not in answers[-1][1]


@pytest.mark.parametrize(
    ("headers", "counted"),
    [(BROWSER, 1), ({"Sec-Fetch-Dest": "iframe"}, 1), ({"Sec-Fetch-Dest": "empty"}, 0), ({}, 0),
     ({"Accept-Language": "de"}, 1), ({**BROWSER, "Sec-Purpose": "prefetch;prerender"}, 0)],
)  # fmt: skip
async def test_only_what_a_browser_opens_counts_as_shown(
    client: TestClientProtocol, headers: dict[str, str], counted: int
) -> None:
    form = await two_versions()
    trial = await contests.begin(form.id, 50)
    await client.get(f"/forms/{form.slug}", headers=headers)
    assert sum(each.seen for each in await contests.arms_of(trial)) == counted


async def test_an_entry_counts_for_the_version_that_its_page_showed_with_its_own_settings(
    client: TestClientProtocol,
) -> None:
    form = await two_versions(thanks="Thanks from B")
    trial = await contests.begin(form.id, 50)
    for number, agent in [(1, "x"), (2, "y"), (2, "z")]:
        stamp = stamp_of(clock.now().timestamp() - 60)
        answer = await client.post(
            f"/forms/{form.slug}",
            form={"version": str(number), "stamp": stamp, "website": "", "q1": agent},
        )
        assert answer.status_code == 303, await answer.get_data(as_text=True)
    thanks = await (await client.get(answer.headers["Location"])).get_data(as_text=True)
    assert "Thanks from B" in thanks
    await db.run("UPDATE form_trial_views SET seen = 10")
    a, b = await contests.arms_of(trial)
    assert (a.sent, b.sent) == (1, 2)
    await db.run("UPDATE form_entries SET state = 'spam' WHERE answers ->> 'q1' = 'z'")
    assert (await contests.arms_of(trial))[1].sent == 1


@pytest.mark.usefixtures("app")
async def test_a_trial_needs_two_versions_that_can_be_answered_and_is_the_only_one() -> None:
    form, _definition = await a_form()
    with pytest.raises(Invalid):
        await contests.begin(form.id, 500)  # the builder shows what is live
    other = await two_versions()
    for planned in (0, 49, 10_000_000):
        with pytest.raises(Invalid):
            await contests.begin(other.id, planned)
    await contests.begin(other.id, 50)
    with pytest.raises(Conflict):
        await contests.begin(other.id, 50)
    with pytest.raises(Invalid):
        await versions.publish(other.id)
    with pytest.raises(Invalid):
        await contests.end(other.id, "c")


@pytest.mark.usefixtures("app")
async def test_of_many_who_end_it_at_once_one_chooses() -> None:
    form = await two_versions()
    await contests.begin(form.id, 50)
    found = await asyncio.gather(*(contests.end(form.id, arm) for arm in "abab"), return_exceptions=True)
    assert sum(each is None for each in found) == 1
    assert sum(isinstance(each, Conflict) for each in found) == 3
    trial = (await queries.of_form(form.id))[0]
    live = await db.value("SELECT live_id FROM forms WHERE id = :id", id=form.id)
    assert live == (trial.b_version_id if trial.winner == "b" else trial.a_version_id)


@pytest.mark.usefixtures("app")
async def test_of_many_who_begin_one_at_once_one_does() -> None:
    form = await two_versions()
    found = await asyncio.gather(*(contests.begin(form.id, 50) for _time in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in found) == 3


async def test_the_page_says_that_it_is_too_early_and_then_who_is_better(cast: Cast) -> None:
    olga = await cast.olga()
    form = await two_versions()
    path = f"/admin/forms/{form.public_id}/trial"
    assert "Begin the trial" in await seen(olga, path)
    assert (await olga.browser.post(path, form={"planned": "100"})).status_code == 303
    assert "Too early to say" in await seen(olga, path)
    await db.run("UPDATE form_trial_views SET seen = 100")
    for arm, sent in (("a", 20), ("b", 50)):
        await db.run(
            f"""INSERT INTO form_entries (public_id, form_id, version_id, state, answers, created_at)
                SELECT '{arm}' || n, form_id, {arm}_version_id, 'received', '{{}}', now() FROM form_trials, generate_series(1, {sent}) n"""
        )
    page = await seen(olga, path)
    assert "B is sent more often" in page and "20 %" in page and "50 %" in page
    assert (await olga.browser.post(f"{path}/end", form={"winner": "b"})).status_code == 303
    assert "Winner: B" in await seen(olga, path)
    assert (await versions.find(form.public_id)).live_id == form.head_id


def _arm(arm: str, seen_times: int, sent: int) -> Arm:
    return Arm(arm, 1, seen_times, sent)


def test_the_figures_of_a_textbook_come_out() -> None:
    # Newcombe 1998, table II, method 10: 56/70 less 48/80 is 0.2 with the bounds 0.0524 and 0.3339.
    found = contests.verdict(_arm("a", 80, 48), _arm("b", 70, 56), 50)
    assert (round(found.difference, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)
    assert round(found.chance, 4) == 0.0080


@pytest.mark.parametrize(
    ("a", "b", "better", "is_due"),
    [((500, 150), (500, 150), "", True), ((500, 150), (500, 200), "b", True), ((500, 200), (500, 150), "a", True),
     ((499, 150), (500, 250), "", False), ((0, 0), (0, 0), "", False), ((500, 0), (500, 0), "", False),
     ((500, 500), (500, 500), "", False), ((500, 0), (500, 4), "", False)],
)  # fmt: skip
def test_a_winner_is_named_only_when_it_is_due_and_clear(
    a: tuple[int, int], b: tuple[int, int], better: str, is_due: bool
) -> None:
    found = contests.verdict(_arm("a", *a), _arm("b", *b), 500)
    assert (found.better, found.is_due) == (better, is_due)


def test_between_two_that_are_alike_a_winner_is_named_about_once_in_twenty() -> None:
    chance = random.Random(7)
    wrong = 0
    for _trial in range(600):
        a, b = (_arm(arm, 300, sum(chance.random() < 0.3 for _each in range(300))) for arm in "ab")
        wrong += bool(contests.verdict(a, b, 300).better)
    assert 10 <= wrong <= 50
