"""What is sent, and when: nothing before its time, nothing twice, at once when a person says so, to the account of now."""

from datetime import timedelta
from typing import Any

import pytest

from app.core import clock, db, queue
from app.core.errors import Conflict, Invalid
from app.formbuilder.definition import definitions, versions
from app.formbuilder.delivery import connections, deliveries, integrating
from app.formbuilder.models import Connection, Delivery, Entry, Form
from app.formbuilder.queries import connections as connection_queries
from app.formbuilder.queries import deliveries as queries
from tests.cast import Cast
from tests.formbuilder.test_deliveries import Post, _later, a_form, answered, connect, only, post, sending

__all__ = ["post"]


async def planned(post: Post) -> tuple[Entry, Delivery]:
    """An entry on its way to a webhook, without a job that would send it."""
    form = await a_form(sending(post, await connect(post, "webhook")))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    await db.run("DELETE FROM pgqueuer")
    return entry, await only(entry)


async def put_off(post: Post) -> tuple[Entry, Delivery]:
    """The same after a first try, while the service was down."""
    entry, found = await planned(post)
    post.stand("webhook").is_down = True
    await deliveries.deliver(found.id)
    post.stand("webhook").is_down = False
    return entry, await only(entry)


async def change(form: Form, **integration: Any) -> None:
    """The form is put right, and published."""
    definition = definitions.write_definition(definitions.read(form.definition))
    definition["integrations"][0] |= integration
    async with db.transaction():
        await db.run(
            "UPDATE form_versions SET definition = CAST(:definition AS jsonb) WHERE id = :id",
            definition=definition,
            id=form.version_id,
        )


async def test_a_second_job_does_not_try_before_the_next_try_is_due(post: Post) -> None:
    entry, found = await put_off(post)
    asked = len(post.stand("webhook").calls)
    await deliveries.deliver(found.id)
    assert len(post.stand("webhook").calls) == asked
    assert ((await only(entry)).state, (await only(entry)).attempts) == ("waiting", 1)


@pytest.mark.parametrize("state", ["sent", "held", "skipped"])
async def test_a_job_that_comes_after_the_end_sends_nothing(post: Post, state: str) -> None:
    entry, found = await planned(post)
    await db.run("UPDATE form_deliveries SET state = :state", state=state)
    await deliveries.deliver(found.id)
    assert not post.stand("webhook").messages
    assert ((await only(entry)).state, (await only(entry)).attempts) == (state, 0)
    assert await db.value("SELECT count(*) FROM pgqueuer") == 0


async def test_while_somebody_sends_it_another_job_looks_again_when_the_claim_ends(post: Post) -> None:
    _entry, found = await planned(post)
    now = clock.now()
    assert await queries.claim(found.id, now, now + deliveries.CLAIM) is not None
    await deliveries.deliver(found.id)
    due = await db.value("SELECT execute_after FROM pgqueuer")
    assert due > now + deliveries.CLAIM - timedelta(seconds=5)


async def test_a_worker_that_answers_after_its_claim_writes_nothing(post: Post) -> None:
    entry, found = await planned(post)
    now, later = clock.now(), clock.now() + deliveries.CLAIM
    slow = await queries.claim(found.id, now, later)
    quick = await queries.claim(found.id, later, later + deliveries.CLAIM)
    assert slow is not None and quick is not None
    assert not await queries.put_off(slow, later + timedelta(hours=1), [], "down")
    assert not await queries.finish(slow, "held", "", "", later, [], "refused")
    waiting = await only(entry)
    assert (waiting.state, waiting.claimed_until, waiting.error) == ("waiting", later + deliveries.CLAIM, "")
    assert await queries.finish(quick, "sent", "posted", "7", later, [], "")
    assert not await queries.finish(quick, "held", "", "", later, [], "refused")
    assert not await queries.put_off(quick, later, [], "down")
    assert ((await only(entry)).state, (await only(entry)).error) == ("sent", "")
    # Sent again, its attempts are counted anew: the slow one's number comes once more.
    await deliveries.replay(found.id)
    third = await queries.claim(found.id, later + timedelta(hours=1), later + timedelta(hours=2))
    assert third is not None and third.attempts == slow.attempts
    assert not await queries.put_off(slow, later, [], "down")
    assert not await queries.finish(slow, "held", "", "", later, [], "refused")
    assert await queries.finish(third, "sent", "posted", "7", later, [], "")


def test_waits_double_until_they_are_six_hours_and_come_to_the_day_and_a_half_that_is_promised() -> None:
    waits = [deliveries.wait_after(attempts) for attempts in range(1, deliveries.ATTEMPTS)]
    assert waits[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert waits[-2:] == [timedelta(hours=6)] * 2
    assert timedelta(hours=36) < sum(waits, timedelta()) < timedelta(hours=40)


async def test_a_service_that_asks_for_less_than_our_own_wait_gets_our_own(post: Post) -> None:
    entry, found = await planned(post)
    await db.run("UPDATE form_deliveries SET attempts = 9")
    post.stand("webhook").faults = [(503, {"retry-after": "5"})]
    now = clock.now()
    await deliveries.deliver(found.id)
    assert (await only(entry)).next_at >= now + deliveries.wait_after(10)


# --- at once ----------------------------------------------------------------------------------------------------------


async def test_what_waits_for_its_next_try_is_tried_at_once_when_a_person_says_so(post: Post) -> None:
    entry, found = await put_off(post)
    await deliveries.hurry(found.id)
    await deliveries.hurry(found.id)
    await queue.drain()
    assert ((await only(entry)).state, len(post.stand("webhook").messages)) == ("sent", 1)
    with pytest.raises(Conflict):
        await deliveries.hurry(found.id)
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE execute_after <= now()") == 0


async def test_what_somebody_is_sending_is_not_hurried(post: Post) -> None:
    _entry, found = await put_off(post)
    later = found.next_at
    assert await queries.claim(found.id, later, later + deliveries.CLAIM) is not None
    with pytest.raises(Conflict):
        await deliveries.hurry(found.id)


async def test_nobody_hurries_a_service_that_asked_us_to_wait(post: Post) -> None:
    _entry, found = await put_off(post)
    assert found.connection_id is not None
    await connection_queries.pause(found.connection_id, clock.now() + timedelta(hours=1))
    with pytest.raises(Conflict):
        await deliveries.hurry(found.id)
    with clock.shifted(timedelta(hours=1, seconds=1)):
        await deliveries.hurry(found.id)


# --- again ------------------------------------------------------------------------------------------------------------


async def test_what_was_not_to_be_sent_is_not_sent_again(post: Post) -> None:
    adults = {"all": [{"field": "q3", "is": "at_least", "value": "18"}]}
    form = await a_form(sending(post, await connect(post, "webhook"), when=adults))
    entry = await answered(form, q3="17")
    await queue.drain()
    with pytest.raises(Conflict):
        await deliveries.replay((await only(entry)).id)
    assert (await only(entry)).state == "skipped"


async def test_what_is_sent_again_has_all_its_tries(post: Post) -> None:
    entry, found = await planned(post)
    await db.run("UPDATE form_deliveries SET state = 'held', attempts = :attempts", attempts=deliveries.ATTEMPTS)
    post.stand("webhook").is_down = True
    await deliveries.replay(found.id)
    await queue.drain()
    assert ((await only(entry)).state, (await only(entry)).attempts) == ("waiting", 1)


@pytest.mark.parametrize("how", ["of the account", "of the form"])
async def test_of_what_is_held_only_that_of_the_account_or_the_form_is_sent_again(post: Post, how: str) -> None:
    hook, kit = await connect(post, "webhook"), await connect(post, "kit")
    mine, other = await a_form(sending(post, hook)), await a_form(sending(post, kit))
    entry, stays = await answered(mine), await answered(other)
    await deliveries.plan(entry.id)
    await deliveries.plan(stays.id)
    await db.run("DELETE FROM pgqueuer")
    await db.run("UPDATE form_deliveries SET state = 'held'")
    done = deliveries.replay_held(hook) if how == "of the account" else deliveries.replay_held_of_form(mine)
    assert await done == 1
    await queue.drain()
    assert ((await only(entry)).state, (await only(stays)).state) == ("sent", "held")


# --- the job that is lost ---------------------------------------------------------------------------------------------


async def test_what_somebody_sends_or_a_service_put_off_is_not_forgotten(post: Post) -> None:
    _entry, found = await planned(post)
    assert found.connection_id is not None
    with clock.shifted(timedelta(minutes=16)):
        now = clock.now()
        assert await queries.claim(found.id, now, now + deliveries.CLAIM) is not None
        assert await deliveries.look_for_forgotten() == 0
        await db.run("UPDATE form_deliveries SET claimed_until = NULL")
        await connection_queries.pause(found.connection_id, now + timedelta(hours=1))
        assert await deliveries.look_for_forgotten() == 0
    with clock.shifted(timedelta(hours=2)):
        assert await deliveries.look_for_forgotten() == 1


# --- the account ------------------------------------------------------------------------------------------------------


async def paused(connection: Connection) -> Any:
    return (await connections.find(connection.public_id)).paused_until


async def test_of_two_pauses_the_longer_counts_and_new_credentials_end_it(post: Post) -> None:
    kit = await connect(post, "kit")
    far = clock.now() + timedelta(hours=2)
    await connection_queries.pause(kit.id, far)
    await connection_queries.pause(kit.id, far - timedelta(hours=1))
    assert await paused(kit) == far
    await connections.change(kit, {"api_key": ""})
    assert await paused(kit) is None


async def test_what_was_held_for_want_of_an_account_goes_to_the_one_that_was_chosen_instead(post: Post) -> None:
    kit = await connect(post, "kit")
    form = await a_form(sending(post, kit))
    entry = await answered(form)
    await deliveries.plan(entry.id)
    await connections.remove(kit)
    await queue.drain()
    assert (await only(entry)).state == "held"
    hook = await connect(post, "webhook")
    await change(form, connection=hook.public_id, list="")
    await deliveries.replay((await only(entry)).id)
    await queue.drain()
    found = await only(entry)
    assert (found.state, found.connection_id, len(post.stand("webhook").messages)) == ("sent", hook.id, 1)


async def test_what_waits_when_the_form_changes_its_account_goes_to_the_new_one_alone(post: Post) -> None:
    kit, hook = await connect(post, "kit"), await connect(post, "webhook")
    form = await a_form(sending(post, kit))
    post.stand("kit").is_down = True
    entry = await answered(form)
    await queue.drain()
    asked = len(post.stand("kit").calls)
    await change(form, connection=hook.public_id, list="")
    post.stand("webhook").faults = [(429, {"retry-after": "120"})]
    await _later(timedelta(minutes=1))
    assert (await paused(kit), (await paused(hook)) is None) == (None, False)
    await _later(timedelta(minutes=4))
    assert ((await only(entry)).state, len(post.stand("webhook").messages)) == ("sent", 1)
    assert len(post.stand("kit").calls) == asked


async def test_an_old_signing_secret_holds_while_the_address_changes_and_ends_when_another_is_typed(post: Post) -> None:
    hook = await connect(post, "webhook")
    before = connections.opened(hook)["secret"]
    fresh = await connections.renew_secret(hook)
    stand = post.stand("webhook")
    stand.given = {**stand.given, "secret": fresh}
    hook = await connections.change(await connections.find(hook.public_id), {"url": stand.given["url"], "secret": ""})
    kept = connections.opened(hook)
    assert (kept["secret"], kept["old_secret"]) == (fresh, before)
    assert int(kept["old_until"]) > clock.now().timestamp()
    stand.given = {**stand.given, "secret": "whs_typed_by_hand"}
    hook = await connections.change(hook, {"url": stand.given["url"], "secret": "whs_typed_by_hand"})
    assert "old_secret" not in connections.opened(hook)


async def test_a_check_that_is_refused_is_told_of_the_account(post: Post) -> None:
    kit = await connect(post, "kit")
    right = post.stand("kit").given
    post.stand("kit").is_down = True
    with pytest.raises(Invalid):
        await connections.verify(kit)
    assert (await connections.find(kit.public_id)).state == "good", "a service that is down refuses nobody"
    post.stand("kit").is_down = False
    post.stand("kit").given = {"api_key": "kit_new"}
    with pytest.raises(Invalid):
        await connections.verify(kit)
    assert (await connections.find(kit.public_id)).state == "refused"
    post.stand("kit").given = right
    await connections.verify(kit)
    assert (await connections.find(kit.public_id)).state == "good"


async def test_the_newest_thirty_requests_of_a_delivery_are_kept(post: Post) -> None:
    entry, found = await planned(post)
    old = [{"method": "GET", "url": f"/{number}", "status": 500, "attempt": 1, "at": ""} for number in range(40)]
    await db.run("UPDATE form_deliveries SET exchanges = CAST(:old AS jsonb)", old=old)
    await deliveries.deliver(found.id)
    kept = (await only(entry)).exchanges
    assert len(kept) == 30
    assert (kept[0]["url"], kept[-1]["method"]) == ("/11", "POST")


async def test_a_delivery_is_shown_and_sent_again_under_its_own_form_only(post: Post, cast: Cast) -> None:
    olga = await cast.olga()
    entry, found = await planned(post)
    own = await db.value("SELECT public_id FROM forms WHERE id = :id", id=entry.form_id)
    other = await a_form()
    await db.run("UPDATE form_deliveries SET state = 'held'")
    for form, status in ((other.public_id, 404), (own, 200)):
        path = f"/admin/forms/{form}/deliveries/{found.id}"
        assert (await olga.browser.get(path)).status_code == status
        again = await olga.browser.post(f"{path}/replays")
        assert again.status_code == (404 if status == 404 else 303)
        assert (await only(entry)).state == ("held" if status == 404 else "waiting")
    assert (await olga.browser.post(f"{path}/replays")).status_code == 303
    assert (await olga.browser.get(f"/admin/forms/{own}/deliveries/{2**63}")).status_code == 404


async def test_what_waits_for_an_integration_that_was_removed_goes_to_no_other_that_is_new(
    post: Post, cast: Cast
) -> None:
    olga = await cast.olga()
    hook, kit = await connect(post, "webhook"), await connect(post, "kit")
    form = await a_form()

    async def build(change: Any) -> str:
        made = await versions.edit(form.id, change, words="", by=olga)
        await versions.publish(form.id)
        return str((made.definition["integrations"] or [{"id": ""}])[-1]["id"])

    first = await build(lambda now: integrating.added(now, hook.public_id))
    entry = await answered(form)
    post.stand("webhook").is_down = True
    await queue.drain()
    assert (await only(entry)).state == "waiting"
    await build(lambda now: integrating.removed(now, first))
    await build(lambda now: integrating.added(now, kit.public_id))
    asked = len(post.stand("kit").calls)
    await _later(timedelta(minutes=2))
    found = await only(entry)
    assert (found.state, len(post.stand("kit").calls)) == ("held", asked)
    assert "does not send there any more" in found.error
