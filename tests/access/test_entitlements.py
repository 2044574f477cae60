import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import Lectern
from app.access import entitlements
from app.access import queries as access_queries
from app.access.models import Entitlement, as_cause, explained, order_of, rule_against
from app.core import clock, db, queue
from app.learning import queries as learning_queries
from tests.cast import Cast, Person
from tests.school import MadeCourse, a_course

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
moments = st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days))


async def grant(person: Person, course: MadeCourse, ref: str, **more: object) -> bool:
    assert course.product_id is not None
    async with db.transaction():
        return await entitlements.grant(person.id, course.product_id, source="manual", source_ref=ref, **more)  # type: ignore[arg-type]


async def test_a_grant_opens_the_course_for_that_person_only(app: Lectern, cast: Cast) -> None:
    course, other = await a_course(), await a_course("risk", "Risk")
    ann, bob = await cast.ann(), await cast.bob()
    assert await grant(ann, course, "manual:1")
    assert await entitlements.allows(ann.id, course.id)
    assert not await entitlements.allows(ann.id, other.id)
    assert not await entitlements.allows(bob.id, course.id)
    assert await entitlements.open_courses(ann.id) == [course.id]


async def test_one_cause_is_granted_once(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    granted = await asyncio.gather(*(grant(ann, course, "order:abc:1") for _ in range(10)))
    assert granted.count(True) == 1
    await queue.drain()
    assert await db.value("SELECT count(*) FROM entitlements") == 1
    assert await db.value("SELECT count(*) FROM enrolments") == 1


async def test_a_grant_belongs_into_the_transaction_of_its_cause(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    assert course.product_id
    with pytest.raises(RuntimeError, match="outside the transaction"):
        await entitlements.grant(ann.id, course.product_id, source="manual", source_ref="manual:1")
    with pytest.raises(ZeroDivisionError):
        async with db.transaction():
            await entitlements.grant(ann.id, course.product_id, source="manual", source_ref="manual:1")
            raise ZeroDivisionError
    assert not await entitlements.allows(ann.id, course.id)
    assert await queue.drain() == 0


async def test_closing_a_cause_closes_what_is_below_it_and_nothing_beside_it(app: Lectern, cast: Cast) -> None:
    first, second, third, fourth = [await a_course(name, name) for name in ("one", "two", "three", "four")]
    ann = await cast.ann()
    await grant(ann, first, "order:abc:1")
    await grant(ann, second, "order:abc:2")
    await grant(ann, third, "order:abcd:3")
    await grant(ann, fourth, "order:abc4:4")
    assert await entitlements.close("order:abc", reason="refunded") == 2
    assert await entitlements.close("order:abc", reason="refunded") == 0
    assert await entitlements.open_courses(ann.id) == [third.id, fourth.id]
    assert await entitlements.close("order:ab", reason="x") == 0
    assert await entitlements.close("order:abc%", reason="x") == 0


async def test_another_cause_keeps_the_course_open(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await grant(ann, course, "order:abc:1")
    await grant(ann, course, "manual:1")
    await entitlements.close("order:abc", reason="refunded")
    assert await entitlements.allows(ann.id, course.id)
    explanation = await entitlements.explain(ann.id, course.id)
    assert explanation.allowed
    assert [cause.is_open for cause in explanation.causes] == [True, False]


async def test_what_was_closed_is_not_granted_again_by_the_same_cause(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await grant(ann, course, "order:abc:1")
    await entitlements.close("order:abc", reason="refunded")
    assert not await grant(ann, course, "order:abc:1")
    assert not await entitlements.allows(ann.id, course.id)


async def test_what_ends_ends_by_the_clock(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await grant(ann, course, "manual:1", ends_at=clock.now() + timedelta(days=7))
    assert await entitlements.allows(ann.id, course.id)
    assert course.product_id
    assert await entitlements.owned(ann.id, [course.product_id]) == set()  # it ends, so it can be bought
    with clock.shifted(timedelta(days=8)):
        assert not await entitlements.allows(ann.id, course.id)
        assert (await entitlements.explain(ann.id, course.id)).rule == "ended"
        assert await entitlements.open_courses(ann.id) == []


async def test_owned_is_what_is_open_for_good(app: Lectern, cast: Cast) -> None:
    course, other = await a_course(), await a_course("risk", "Risk")
    ann = await cast.ann()
    assert course.product_id and other.product_id
    await grant(ann, course, "manual:1")
    assert await entitlements.owned(ann.id, [course.product_id, other.product_id]) == {course.product_id}
    assert await entitlements.owned(ann.id, []) == set()
    await entitlements.close("manual:1", reason="x")
    assert await entitlements.owned(ann.id, [course.product_id]) == set()


async def test_the_explanation_names_the_order_the_reason_and_the_rule(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann, rob = await cast.ann(), await cast.rob()
    nothing = await entitlements.explain(ann.id, course.id)
    assert (nothing.allowed, nothing.rule, nothing.causes) == (False, "never", [])
    await grant(ann, course, "order:abc:1", note="1184")
    await grant(ann, course, "manual:1", note="won the contest", granted_by=rob.id)
    by_source = {cause.order_public_id: cause for cause in (await entitlements.explain(ann.id, course.id)).causes}
    assert by_source["abc"].note == "1184"
    assert by_source[None].granted_by_name == "Rob Rask"
    await entitlements.close("order:abc", reason="refunded")
    await entitlements.close("manual:1", reason="contest was rigged")
    blocked = await entitlements.explain(ann.id, course.id)
    assert (blocked.allowed, blocked.rule) == (False, "closed")
    assert {cause.closed_reason for cause in blocked.causes} == {"refunded", "contest was rigged"}


async def test_what_an_order_made_is_found_by_the_index(app: Lectern, cast: Cast) -> None:
    course = await a_course()
    ann = await cast.ann()
    await grant(ann, course, "order:abc:7")
    assert list(await entitlements.made_by("order:abc")) == ["order:abc:7"]
    async with db.transaction(), db.raw() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT 1 FROM entitlements e WHERE e.source_ref = 'order:abc'"
            " OR (e.source_ref ~>=~ 'order:abc:' AND e.source_ref ~<~ 'order:abc;')"
        )
    assert "entitlements_ref" in " ".join(row[0] for row in plan)


def a_row(starts: datetime, ends: datetime | None, closed: datetime | None, number: int = 1) -> Entitlement:
    return Entitlement(
        number, str(number), 1, 1, "Reading Price", 1, "reading-price", "manual", f"manual:{number}", "", None,
        starts, ends, closed, "x" if closed else None, starts,
    )  # fmt: skip


@given(starts=moments, ends=st.none() | moments, closed=st.none() | moments)
def test_a_row_counts_from_its_start_to_its_end_unless_it_is_closed(
    starts: datetime, ends: datetime | None, closed: datetime | None
) -> None:
    row = a_row(starts, ends, closed)
    holds = closed is None and starts <= NOW and (ends is None or ends > NOW)
    assert (rule_against(row, NOW) == "") == holds
    assert as_cause(row, NOW).is_open == holds


@given(rows=st.lists(st.tuples(moments, st.none() | moments, st.none() | moments), max_size=6))
def test_one_open_cause_is_enough(rows: list[tuple[datetime, datetime | None, datetime | None]]) -> None:
    made = [a_row(*row, number) for number, row in enumerate(rows)]
    explanation = explained(made, NOW)
    assert explanation.allowed == any(rule_against(row, NOW) == "" for row in made)
    assert bool(explanation.rule) != explanation.allowed
    flags = [cause.is_open for cause in explanation.causes]
    assert flags == sorted(flags, reverse=True)
    open_ends = [cause.ends_at for cause in explanation.causes if cause.is_open]
    assert explanation.ends_at == (None if None in open_ends or not open_ends else max(end for end in open_ends if end))


def test_the_order_of_a_cause() -> None:
    assert order_of("order:abc:7") == "abc"
    assert order_of("order:") is None
    assert order_of("manual:abc") is None
    assert order_of("free:1:2") is None


@pytest.mark.parametrize("rule", [access_queries._OPEN, learning_queries._OPEN], ids=["access", "learning"])
@given(times=st.data())
async def test_the_database_and_the_rule_say_the_same(app: Lectern, rule: str, times: st.DataObject) -> None:
    """`allows` and the player ask by SQL, `explain` is Python: for any dates they agree."""
    starts = times.draw(moments)
    ends, closed = times.draw(st.none() | moments), times.draw(st.none() | moments)
    found = await db.value(
        f"""
        SELECT {rule} FROM (SELECT CAST(:starts AS timestamptz) AS starts_at, CAST(:ends AS timestamptz) AS ends_at,
                                   CAST(:closed AS timestamptz) AS closed_at) e
        """,
        starts=starts,
        ends=ends,
        closed=closed,
        now=NOW,
    )
    assert found == (rule_against(a_row(starts, ends, closed), NOW) == "")
