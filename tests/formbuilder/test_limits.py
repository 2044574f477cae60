"""Who may answer a form, when, and how often; counted under the form's lock, however many come at once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import clock, db
from app.core.errors import Conflict
from app.formbuilder.answering import files, limits, links
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.answering.submissions import Sender
from app.formbuilder.definition import definitions, versions
from app.formbuilder.models import Definition, Form, Link
from app.formbuilder.queries import forms as form_queries
from tests.cast import Cast
from tests.formbuilder.entering import a_form, sent
from tests.meeting import Meeting
from tests.school import a_course


def body(**texts: str) -> dict[str, str]:
    """What a browser sends after a minute."""
    return {"version": "1", "website": "", "stamp": stamp_of(clock.now().timestamp() - 60), "q1": "Ann", **texts}


async def outcomes(form: Form, definition: Definition, senders: list[Sender]) -> list[str]:
    """What became of all of them, sent at once."""

    async def one(number: int, sender: Sender) -> str:
        try:
            return (await sent(form, definition, sender, q1=f"Ann {number}", q2=f"ann{number}@example.org")).state
        except Conflict:
            return "closed"

    return await asyncio.gather(*(one(number, sender) for number, sender in enumerate(senders)))


@pytest.fixture
def unlock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the form's lock what it would be if it did not lock; four have counted before one of them is kept."""

    check, several = limits.check, Meeting(4)

    async def look(form_id: int) -> Form | None:
        found = await db.value("SELECT head_id FROM forms WHERE id = :id", id=form_id)
        return await form_queries.version_by_id(found)

    async def count(*asked: Any, **named: Any) -> None:
        await check(*asked, **named)
        await several.wait()

    def begin() -> None:
        monkeypatch.setattr(form_queries, "lock_form", look)
        monkeypatch.setattr(limits, "check", count)

    return begin  # not earlier than the form is made, which asks for the lock too


async def test_of_many_at_once_only_as_many_count_as_the_form_takes(app: Lectern) -> None:
    form, definition = await a_form(most_entries=3)
    found = await outcomes(form, definition, [Sender(stamp=f"s{n}") for n in range(8)])
    assert sorted(found) == ["closed"] * 5 + ["received"] * 3


async def test_without_the_lock_too_many_would_count(app: Lectern, unlock: Callable[[], None]) -> None:
    """The negative control."""
    form, definition = await a_form(most_entries=3)
    unlock()
    found = await outcomes(form, definition, [Sender(stamp=f"s{n}") for n in range(8)])
    assert found.count("received") > 3


async def test_of_one_address_at_once_only_as_many_count_as_may(app: Lectern) -> None:
    form, definition = await a_form(most_per_address=2, period="day")
    senders = [Sender(stamp=f"s{n}", address="192.0.2.7") for n in range(6)]
    assert (await outcomes(form, definition, senders)).count("received") == 2
    assert (await sent(form, definition, Sender(stamp="x", address="192.0.2.8"))).state == "received"


async def test_without_the_lock_one_address_would_get_further(app: Lectern, unlock: Callable[[], None]) -> None:
    """The negative control."""
    form, definition = await a_form(most_per_address=2, period="day")
    unlock()
    senders = [Sender(stamp=f"s{n}", address="192.0.2.7") for n in range(6)]
    assert (await outcomes(form, definition, senders)).count("received") > 2


async def test_of_one_person_at_once_only_one_counts(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    form, definition = await a_form(most_per_person=1)
    found = await outcomes(form, definition, [Sender(stamp=f"s{n}", user_id=ann.id) for n in range(5)])
    assert found.count("received") == 1
    # The same person by another address of hers, and another account with the address that she gave.
    with pytest.raises(Conflict):
        await sent(form, definition, Sender(stamp="x", user_id=ann.id), q2="other@example.org")
    given = await db.value("SELECT email FROM form_entries LIMIT 1")
    with pytest.raises(Conflict):
        await sent(form, definition, Sender(stamp="y"), q2=given.upper())


async def test_an_older_entry_than_the_period_does_not_count(app: Lectern) -> None:
    form, definition = await a_form(most_in_period=1, period="hour")
    await sent(form, definition, Sender(stamp="a"))
    with pytest.raises(Conflict):
        await sent(form, definition, Sender(stamp="b"))
    await db.run("UPDATE form_entries SET created_at = created_at - interval '61 minutes'")
    assert (await sent(form, definition, Sender(stamp="c"))).state == "received"


async def test_a_link_for_one_answer_is_used_once_however_many_try(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    form, definition = await a_form(by_link=True)
    await links.make(form, definition, 1, {}, by=olga)  # type: ignore[arg-type]
    link = await db.one(db.Row, "SELECT id FROM form_links")
    assert link is not None
    found = await outcomes(form, definition, [Sender(stamp=f"s{n}", link_id=link.id) for n in range(6)])
    assert sorted(found) == ["closed"] * 5 + ["received"]
    # The others have left nothing behind: the entry and its link stand and fall together.
    assert await db.value("SELECT count(*) FROM form_entries") == 1
    assert await db.value("SELECT entry_id IS NOT NULL FROM form_links")


async def test_a_link_that_nobody_marked_used_would_be_used_by_all(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    async def nothing(*_arguments: Any) -> None:
        return None

    monkeypatch.setattr(links, "use", nothing)
    olga = await cast.olga()
    form, definition = await a_form(by_link=True)
    await links.make(form, definition, 1, {}, by=olga)  # type: ignore[arg-type]
    link_id = await db.value("SELECT id FROM form_links")
    found = await outcomes(form, definition, [Sender(stamp=f"s{n}", link_id=link_id) for n in range(6)])
    assert found.count("received") == 6


@pytest.mark.parametrize("is_used_up", [True, False], ids=["", "the control: a link that nobody marks used"])
async def test_a_link_for_one_answer_opened_in_two_places_is_sent_from_one(
    app: Lectern, cast: Cast, monkeypatch: pytest.MonkeyPatch, is_used_up: bool
) -> None:
    """Both have the page before them and press the button at once."""
    olga = await cast.olga()
    form, definition = await a_form(by_link=True)
    await links.make(form, definition, 1, {}, by=olga)  # type: ignore[arg-type]
    [link] = await db.many(
        Link, "SELECT id, public_id, form_id, posted, is_single, made_at, used_at FROM form_links"
    )  # fmt: skip
    token = links.path(form, link).partition("link=")[2]
    if not is_used_up:

        async def nothing(*_arguments: Any) -> None:
            return None

        monkeypatch.setattr(links, "use", nothing)
    answers = await asyncio.gather(
        *(
            app.test_client().post(f"/forms/{form.slug}", form=body(link=token, q2=f"a{n}@example.org"))
            for n in range(2)
        )
    )
    assert sorted(answer.status_code for answer in answers) == ([303, 409] if is_used_up else [303, 303])
    assert await db.value("SELECT count(*) FROM form_entries") == (1 if is_used_up else 2)


@pytest.mark.parametrize(
    ("settings", "moment", "is_open"),
    [
        ({"opens_at": "2026-09-01 08:00"}, "2026-09-01T05:59:59", False),
        ({"opens_at": "2026-09-01 08:00"}, "2026-09-01T06:00:00", True),
        ({"closes_at": "2026-09-01"}, "2026-09-01T21:59:59", True),
        ({"closes_at": "2026-09-01"}, "2026-09-01T22:00:00", False),
        ({"closes_at": "2026-10-25"}, "2026-10-25T22:59:00", True),  # the day that has 25 hours
        ({"closes_at": "2026-10-25"}, "2026-10-25T23:00:00", False),
        ({"closes_at": "9999-12-31"}, "2026-09-01T10:30:00", True),  # no day follows it
        ({"closes_at": "2026-09-01 12:30"}, "2026-09-01T10:30:00", False),
        ({"weekdays": ["mon"]}, "2026-09-06T22:30:00", True),  # Sunday in UTC, Monday in the school
        ({"weekdays": ["mon"]}, "2026-09-07T22:30:00", False),
    ],
)
async def test_days_and_times_are_those_of_the_school(settings: dict[str, Any], moment: str, is_open: bool) -> None:
    from zoneinfo import ZoneInfo

    definition = definitions.read({"title": "x", "fields": [], "settings": settings})
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert (limits.closed_at(definition, now, ZoneInfo("Europe/Vienna")) == "") is is_open


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "2026-09-01 25:00", "1.9.2026"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Write a day"):
        limits.Moment(name="opens_at", label="").read(text)


async def test_the_closed_page_says_the_owners_words(client: TestClientProtocol) -> None:
    form, _definition = await a_form(most_entries=1, closed_words="All places are taken.")
    path = f"/forms/{form.slug}"
    assert (await client.post(path, form=body())).status_code == 303
    answer = await client.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "All places are taken." in await answer.get_data(as_text=True)
    answer = await client.post(path, form=body())
    assert answer.status_code == 409 and "All places are taken." in await answer.get_data(as_text=True)


async def test_a_form_for_members_sends_others_to_the_sign_in(client: TestClientProtocol, cast: Cast) -> None:
    ann = await cast.ann()
    form, _definition = await a_form(sign_in=True)
    path = f"/forms/{form.slug}"
    assert f"/login?next={path}" in await (await client.get(path)).get_data(as_text=True)
    assert (await client.post(path, form=body())).status_code == 403
    assert (await ann.browser.post(path, form=body())).status_code == 303


async def test_a_form_for_a_course_is_for_those_who_may_open_it(cast: Cast) -> None:
    from app.access import entitlements

    ann, bob = await cast.ann(), await cast.bob()
    await a_course("risk", "Risk")
    form, _definition = await a_form(course="risk")
    product = await db.value("SELECT id FROM products LIMIT 1")
    async with db.transaction():
        await entitlements.grant(ann.id, product, source="manual", source_ref="test")
    path = f"/forms/{form.slug}"
    assert (await bob.browser.post(path, form=body())).status_code == 403
    assert "take part in the course" in await (await bob.browser.get(path)).get_data(as_text=True)
    assert (await ann.browser.post(path, form=body())).status_code == 303


async def test_a_pin_lets_in_who_knows_it_until_it_is_another_one(client: TestClientProtocol) -> None:
    form, _definition = await a_form(pin="open sesame")
    path = f"/forms/{form.slug}"
    assert 'name="q1"' not in await (await client.get(path)).get_data(as_text=True)
    assert (await client.post(path, form=body())).status_code == 403
    answer = await client.post(f"{path}/pin", form={"version": "1", "pin": "guess"})
    assert answer.status_code == 422
    answer = await client.post(f"{path}/pin", form={"version": "1", "pin": "open sesame"})
    assert answer.status_code == 303
    inside = await (await client.get(answer.headers["Location"])).get_data(as_text=True)
    entry_pass = inside.partition('name="pass" value="')[2].partition('"')[0]
    assert 'name="q1"' in inside and entry_pass
    await db.run("""UPDATE form_versions SET definition = jsonb_set(definition, '{settings,pin}', '"another"')""")
    assert (await client.post(path, form=body(**{"pass": entry_pass}))).status_code == 403
    await db.run("""UPDATE form_versions SET definition = jsonb_set(definition, '{settings,pin}', '"open sesame"')""")
    assert (await client.post(path, form=body(**{"pass": entry_pass}))).status_code == 303


async def test_an_older_page_is_bound_by_the_limits_of_now(client: TestClientProtocol, cast: Cast) -> None:
    from dataclasses import replace

    from app.formbuilder.definition import versions

    olga = await cast.olga()
    form, _definition = await a_form()
    await versions.edit(
        form.id,
        lambda now: replace(now, settings={**now.settings, "pin": "1234"}),
        words="",
        by=olga,  # type: ignore[arg-type]
    )
    await versions.publish(form.id)
    assert (await client.post(f"/forms/{form.slug}", form=body(version="1"))).status_code == 403


@pytest.mark.parametrize(
    ("settings", "status", "states"),
    [({"most_entries": 1}, 409, ["received"]), ({"approval": True, "no_address": True}, 303, ["received", "waiting"])],
)
async def test_what_was_on_its_way_is_bound_by_what_is_published_meanwhile(
    client: TestClientProtocol, cast: Cast, monkeypatch: pytest.MonkeyPatch, settings: Any, status: int, states: Any
) -> None:
    olga = await cast.olga()
    form, definition = await a_form()
    await sent(form, definition)
    keep = files.keep

    async def slowly(*args: Any, **more: Any) -> Any:
        """Its files take a while to come in."""
        now = definitions.write_definition(definition) | {"settings": settings}
        await versions.edit(form.id, lambda _now: definitions.read(now), words="Settings", by=olga)
        await versions.publish(form.id)
        return await keep(*args, **more)

    monkeypatch.setattr(files, "keep", slowly)
    assert (await client.post(f"/forms/{form.slug}", form=body())).status_code == status
    found = await db.many(db.Row, "SELECT state, address FROM form_entries ORDER BY id")
    assert [row.state for row in found] == states
    assert not any(row.address for row in found)


async def test_a_link_carries_values_that_nobody_can_change(client: TestClientProtocol, cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form(by_link=True)
    path = f"/forms/{form.slug}"
    assert (await client.post(path, form=body())).status_code == 403
    answer = await olga.browser.post(
        f"/admin/forms/{form.public_id}/links", form={"count": "1", "values": "q1 = Ann\nq3 = friend"}
    )
    assert answer.status_code == 303
    share = await (await olga.browser.get(f"/admin/forms/{form.public_id}/share")).get_data(as_text=True)
    address = share.partition(f"{path}?link=")[2].partition("<")[0]
    page = await (await client.get(f"{path}?link={address}")).get_data(as_text=True)
    assert 'class="q__fixed">Ann<' in page and 'class="q__fixed">A friend<' in page
    assert (await client.get(f"{path}?link={address[:-3]}abc")).status_code == 404
    answer = await client.post(path, form=body(link=address, q1="Mallory", q3="search"))
    assert answer.status_code == 303
    answers = await db.value("SELECT answers FROM form_entries")
    assert answers["q1"] == "Ann" and answers["q3"] == {"value": "friend"}
    answer = await client.post(path, form=body(link=address))
    assert answer.status_code == 409 and "used already" in await answer.get_data(as_text=True)
    assert (await client.get(f"{path}?link={address}")).status_code == 409
    link = await db.value("SELECT public_id FROM form_links")
    assert (await olga.browser.post(f"/admin/forms/{form.public_id}/links/{link}/removal")).status_code == 303
    assert (await client.get(f"{path}?link={address}")).status_code == 404


async def test_a_link_with_a_field_that_is_not_there_is_refused(cast: Cast) -> None:
    olga = await cast.olga()
    form, _definition = await a_form()
    answer = await olga.browser.post(f"/admin/forms/{form.public_id}/links", form={"count": "1", "values": "q99 = Ann"})
    assert answer.status_code == 422 and "q99" in await answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("name", "kept", "shown"),
    [
        ("opens_at", "2026-09-01 08:00", "2026-09-01T08:00"),
        ("opens_at", "2026-09-01", "2026-09-01T00:00"),
        ("closes_at", "2026-09-01", "2026-09-01T23:59"),
        ("closes_at", "", ""),
    ],
)
def test_a_moment_is_shown_as_its_control_takes_it_and_comes_back(name: str, kept: str, shown: str) -> None:
    setting = limits.Moment(name=name, label="")
    assert setting.as_typed(kept) == shown
    assert setting.read(shown) == shown.replace("T", " ")


@pytest.mark.parametrize(
    ("opens", "closes", "told"),
    [
        ("2026-09-02 08:00", "2026-09-01 08:00", 1),
        ("2026-09-01 08:00", "2026-09-01", 0),
        ("2026-09-01", "2026-09-01", 0),
        ("2026-09-02", "2026-09-01", 1),
        ("", "2026-09-01", 0),
    ],
)
def test_a_form_that_closes_before_it_opens_is_told(opens: str, closes: str, told: int) -> None:
    definition = definitions.read({"title": "x", "fields": [], "settings": {"opens_at": opens, "closes_at": closes}})
    assert sum("closes before it opens" in each.sentence for each in definitions.problems(definition)) == told


@pytest.mark.parametrize("no_address", [True, False])
def test_a_limit_for_addresses_that_are_not_kept_is_told(*, no_address: bool) -> None:
    settings = {"most_per_address": 1, "no_address": no_address}
    definition = definitions.read({"title": "x", "fields": [], "settings": settings})
    told = [each for each in definitions.problems(definition) if "counts nothing" in each.sentence]
    assert len(told) == int(no_address)


@pytest.mark.parametrize(
    ("settings", "unique", "told"),
    [({"no_store": True, "most_per_person": 1}, False, 1), ({"no_store": True}, True, 1), ({"no_store": True}, False, 0),
     ({"most_per_person": 1}, True, 0)],
)  # fmt: skip
def test_that_nobody_is_known_again_where_nothing_is_kept_is_told(
    settings: dict[str, object], told: int, *, unique: bool
) -> None:
    address = {"id": "q1", "kind": "email", "label": "Email", "settings": {"unique": unique}}
    definition = definitions.read({"title": "x", "fields": [address], "settings": settings})
    assert sum("not known any more" in each.sentence for each in definitions.problems(definition)) == told
