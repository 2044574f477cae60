"""What is sent, and when: nothing before its time, nothing twice, at once when a person says so, to the account of now."""

from datetime import timedelta
from typing import Any

from app.core import db, queue
from app.formbuilder.definition import definitions
from app.formbuilder.delivery import connections, deliveries
from app.formbuilder.models import Connection, Form
from tests.formbuilder.test_deliveries import Post, _later, a_form, answered, connect, only, post, sending

__all__ = ["post"]


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


def test_waits_double_until_they_are_six_hours_and_come_to_the_day_and_a_half_that_is_promised() -> None:
    waits = [deliveries.wait_after(attempts) for attempts in range(1, deliveries.ATTEMPTS)]
    assert waits[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert waits[-2:] == [timedelta(hours=6)] * 2
    assert timedelta(hours=36) < sum(waits, timedelta()) < timedelta(hours=40)


async def paused(connection: Connection) -> Any:
    return (await connections.find(connection.public_id)).paused_until


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
