"""Everything about oneself in one file: whole, one's own alone, for oneself alone, and not for long."""

import io
import json
import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from app import Lectern
from app.access import entitlements
from app.accounts import consents, exports
from app.accounts.queries import exports as rows
from app.config import Config
from app.core import audit, clock, db, mail, personal, queue
from app.media import shelf, uploads
from tests.accounts.conftest import Mailbox, text_of
from tests.cast import Cast, Person
from tests.everywhere import a_form
from tests.media import files as samples
from tests.office import an_order, seen
from tests.school import a_course

pytestmark = pytest.mark.usefixtures("unlimited")


async def a_life(person: Person, course: Any) -> bytes:
    """Something in every domain; the file that was uploaded."""
    async with db.transaction():
        await entitlements.grant(
            person.id, course.product_id, source="manual", source_ref=f"m:{person.id}", note=f"note on {person.name}"
        )
        await consents.say(person.id, consents.MARKETING, yes=True, origin="account")
        await audit.record("people.edit", "person", person.public_id, after={"name": person.name})
    await seen(person, "/learn/reading-price/lesson-1")
    await an_order(person.email, user_id=person.id)
    await db.run(
        """
        INSERT INTO order_items (order_id, product_id, title, amount_minor, tax_minor)
        SELECT max(o.id), max(p.id), 'For ' || :name, 24900, 0 FROM orders o, products p
        """,
        name=person.name,
    )
    await db.run("UPDATE orders SET name = :name WHERE user_id = :id", name=person.name, id=person.id)
    await person.browser.post("/cart/items", form={"product": "risk"})
    await mail.send(person.email, "accounts/welcome", {"name": person.name}, fact=f"welcome:{person.id}")
    await db.run(
        "INSERT INTO person_notes (public_id, user_id, body, created_at) VALUES (:p, :id, 'Note on ' || :name, now())",
        id=person.id,
        p=person.public_id,
        name=person.name,
    )
    await db.run(
        """
        INSERT INTO passkeys (public_id, user_id, name, credential_id, public_key, sign_count, created_at, user_handle,
                              is_backup_eligible)
        VALUES (:p, :id, 'Phone of ' || :name, convert_to(:p, 'UTF8'), 'y', 1, now(), 'z', false)
        """,
        id=person.id,
        p=person.public_id,
        name=person.name,
    )
    picture = samples.picture()
    await uploads.store(BytesIO(picture), f"{person.name}.png", kind="image", owner_id=person.id)
    return picture


async def exported(person: Person) -> zipfile.ZipFile:
    answer = await person.browser.post("/account/privacy/exports")
    assert answer.status_code == 303
    await queue.drain()
    export = await exports.last_of(person.id)
    assert export is not None
    answer = await person.browser.get(f"/account/privacy/exports/{export.public_id}/data.zip")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return zipfile.ZipFile(io.BytesIO(await answer.get_data()))


async def test_it_holds_every_domain_and_nothing_of_anybody_else(app: Lectern, cast: Cast) -> None:
    ann, bob, rob = await cast.ann(), await cast.bob(), await cast.rob()
    course = await a_course()
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    picture = await a_life(ann, course)
    await a_life(bob, course)
    await a_form(ann.id, "ask-us")
    await rob.browser.post(
        f"/admin/people/{ann.public_id}/impersonation", form={"reason": "a reason that Rob Rask typed"}
    )
    with audit.acting(audit.Actor(ann.id, "203.0.113.9")):
        async with db.transaction():
            await audit.record("people.edit", "person", bob.public_id, after={"name": "Bob Breuer", "email": bob.email})
    archive = await exported(ann)
    assert archive.testzip() is None
    assert {entry.date_time[0] for entry in archive.infolist()} == {clock.now().year}
    names = set(archive.namelist())
    assert {f"{name}.json" for name in personal.EXPORTS} | {"README.txt"} <= names
    assert {"account", "devices", "sign_in", "consents", "looks", "uploads", "teaching", "access", "orders", "cart",
            "learning", "days", "mails", "activity", "addresses", "notes", "merged", "forms"} == set(personal.EXPORTS)  # fmt: skip
    parts = {name: json.loads(archive.read(f"{name}.json")) for name in personal.EXPORTS}
    assert {name for name, rows in parts.items() if not rows} == {"teaching", "addresses", "merged"}
    assert parts["account"][0]["email"] == ann.email
    assert parts["orders"][0]["total_minor"] == 24900
    assert parts["orders"][0]["lines"][0]["title"] == "For Ann Archer"
    assert parts["learning"][0]["lesson"] == "Lesson number 1"
    assert parts["access"][0]["note"] == "note on Ann Archer"
    assert parts["consents"][0]["given"] is True
    assert parts["forms"][0]["answers"] == [{"question": "Your name", "answer": "Pat"}]
    assert parts["cart"][0]["title"] == "The Arithmetic of Risk"
    (upload,) = parts["uploads"]
    assert archive.read(upload["file"]) == picture
    (receipt,) = [name for name in names if name.startswith("receipts/")]
    assert "Ann Archer, ann@example.org" in archive.read(receipt).decode()
    readme = archive.read("README.txt").decode()
    assert all(f"{name}.json" in readme for name in personal.EXPORTS)
    everything = "\n".join(archive.read(name).decode("utf-8", "replace") for name in names if not name.endswith(".png"))
    for other in ("Bob", "bob@example.org", "Rob Rask", "rob@"):
        assert other not in everything, other
    assert "203.0.113.9" in everything


async def test_a_file_that_the_storage_has_lost_is_told_of_and_all_else_is_there(app: Lectern, cast: Cast) -> None:
    ann = await cast.ann()
    lost, kept = [
        await uploads.store(BytesIO(samples.picture()), f"{name}.png", kind="image", owner_id=ann.id) for name in "ab"
    ]
    await shelf.storage().delete(lost.storage_key)
    archive = await exported(ann)
    first, second = (row["file"] for row in json.loads(archive.read("uploads.json")))
    assert first not in archive.namelist()
    assert archive.read(f"{first}.txt") == b"We have lost this file."
    assert archive.read(second) == samples.picture()
    assert kept.public_id in second


async def test_whoever_registers_an_address_that_is_not_theirs_gets_nothing_that_was_answered_under_it(
    app: Lectern, cast: Cast
) -> None:
    """Vera answered a form and has no account: Mallory makes one for her address, which nobody confirms."""
    olga = await cast.olga()
    await a_form(olga.id, "ask-us")
    await db.run("UPDATE form_entries SET user_id = NULL, email = 'Vera@example.org'")
    await mail.send("vera@example.org", "accounts/welcome", {"name": "Vera"}, fact="welcome:vera")
    mallory = await cast.person("Mallory", "vera@example.org", verified=False)
    assert "Confirm your email address first" in await seen(mallory, "/account/privacy")
    answer = await mallory.browser.post("/account/privacy/exports")
    assert answer.status_code == 303
    await queue.drain()
    assert await exports.last_of(mallory.id) is None
    assert "Confirm your email address first" in await seen(mallory, "/account/privacy")
    await db.run("UPDATE users SET email_verified_at = now() WHERE id = :id", id=mallory.id)
    (entry,) = json.loads((await exported(mallory)).read("forms.json"))
    assert entry["answers"] == [{"question": "Your name", "answer": "Pat"}]


async def test_a_file_that_was_asked_for_is_not_made_for_an_address_that_came_since(cast: Cast) -> None:
    """The office mistypes the new address: what somebody else answered under that one is not handed out."""
    ann = await cast.ann()
    assert (await ann.browser.post("/account/privacy/exports")).status_code == 303
    await db.run("UPDATE users SET email = 'other@example.org', email_verified_at = NULL WHERE id = :id", id=ann.id)
    await queue.drain()
    assert await db.value("SELECT state FROM personal_exports") == "asked"


async def test_what_the_team_wrote_about_a_person_is_theirs_to_read_but_not_who_wrote_it(cast: Cast) -> None:
    """Notes and tags are personal data of whom they are about (GDPR, article 15); who wrote them is somebody else's."""
    ann, bob, sam = await cast.ann(), await cast.bob(), await cast.sam()
    for about, words in ((ann, "Phoned about the invoice"), (bob, "Wants a place in spring")):
        await sam.browser.post(f"/admin/people/{about.public_id}/notes", form={"body": words})
        await sam.browser.post(f"/admin/people/{about.public_id}/tags", form={"tag": f"Tag of {about.name}"})
    archive = await exported(ann)
    notes = json.loads(archive.read("notes.json"))
    assert [(row["kind"], row["text"]) for row in notes] == [
        ("note", "Phoned about the invoice"),
        ("tag", "Tag of Ann Archer"),
    ]
    assert all(row.keys() == {"kind", "text", "at"} for row in notes)
    everything = "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    for other in ("Sam", "sam@", sam.public_id, "spring", "Bob"):
        assert other not in everything, other
    # The negative control: the note does know who wrote it, and whoever writes is told who will read it.
    assert await db.value("SELECT author_id FROM person_notes WHERE user_id = :id", id=ann.id) == sam.id
    assert "who downloads their data gets them too" in await seen(sam, f"/admin/people/{ann.public_id}/notes")


async def test_only_its_person_gets_it_with_a_fresh_sign_in(app: Lectern, cast: Cast) -> None:
    ann, bob, olga = await cast.ann(), await cast.bob(), await cast.olga()
    await exported(ann)
    export = await exports.last_of(ann.id)
    assert export is not None
    path = f"/account/privacy/exports/{export.public_id}/data.zip"
    for other in (bob, olga):
        await seen(other, path, 404)
    answer = await app.test_client().get(path)
    assert answer.headers["Location"].startswith("/login")
    await cast.sign_in(ann, fresh=False)
    answer = await ann.browser.get(path)
    assert answer.status_code == 303
    assert "fresh=1" in answer.headers["Location"]
    answer = await ann.browser.post("/account/privacy/exports")
    assert "fresh=1" in answer.headers["Location"]


async def test_a_mail_tells_and_holds_no_key_to_it(cast: Cast, mailbox: Mailbox) -> None:
    ann = await cast.ann()
    await exported(ann)
    text = text_of(await mailbox.last(ann.email))
    assert "/account/privacy" in text
    export = await exports.last_of(ann.id)
    assert export is not None
    assert export.public_id not in text


async def test_once_a_day_also_when_asked_four_times_at_once(cast: Cast) -> None:
    import asyncio

    ann = await cast.ann()
    await asyncio.gather(*(ann.browser.post("/account/privacy/exports") for _time in range(4)))
    assert await db.value("SELECT count(*) FROM personal_exports") == 1
    await queue.drain()
    assert "less than a day ago" in await _asked_again(ann)
    with clock.shifted(timedelta(hours=25)):
        await cast.sign_in(ann)
        await ann.browser.post("/account/privacy/exports")
        assert await db.value("SELECT count(*) FROM personal_exports") == 2


async def _asked_again(person: Person) -> str:
    await person.browser.post("/account/privacy/exports")
    return await seen(person, "/account/privacy")


async def test_it_is_gone_after_seven_days(cast: Cast) -> None:
    from app.accounts.jobs import clear_privacy

    ann = await cast.ann()
    await exported(ann)
    export = await exports.last_of(ann.id)
    assert export is not None
    assert export.storage_key is not None
    path = f"/account/privacy/exports/{export.public_id}/data.zip"
    with clock.shifted(timedelta(days=6)):
        await cast.sign_in(ann)
        await seen_bytes(ann, path)
        await clear_privacy()
        await seen_bytes(ann, path)
    with clock.shifted(timedelta(days=7, minutes=1)):
        await cast.sign_in(ann)
        await seen(ann, path, 404)
        await clear_privacy()
    assert await exports._shelf().size(export.storage_key) is None
    assert await exports.last_of(ann.id) is None


async def seen_bytes(person: Person, path: str) -> None:
    answer = await person.browser.get(path)
    assert answer.status_code == 200
    assert (await answer.get_data())[:2] == b"PK"


async def test_a_job_that_runs_twice_makes_one_file_and_one_mail(cast: Cast) -> None:
    ann = await cast.ann()
    await exported(ann)
    before = await exports.last_of(ann.id)
    assert before is not None
    await exports.build(before.id)
    assert await exports.last_of(ann.id) == before
    assert await db.value("SELECT count(*) FROM mails WHERE template = 'accounts/export_ready'") == 1


def kept_files(config: Config) -> list[str]:
    return sorted(path.name for path in (config.data_dir / "files").rglob("*.zip"))


@pytest.mark.parametrize("tried_again", [True, False])
async def test_a_worker_that_dies_over_it_leaves_no_file_that_nobody_knows_of(
    cast: Cast, config: Config, monkeypatch: pytest.MonkeyPatch, tried_again: bool
) -> None:
    """All that is known of a person must not lie in the storage without a row that says until when."""
    ann = await cast.ann()
    await ann.browser.post("/account/privacy/exports")
    export_id = await db.value("SELECT id FROM personal_exports")
    before = kept_files(config)

    async def killed(*_args: object, **_more: object) -> bool:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "mark_ready", killed)
        with pytest.raises(RuntimeError):
            await exports.build(export_id)
    assert len(kept_files(config)) == len(before) + 1
    if tried_again:
        await exports.build(export_id)
        assert len(kept_files(config)) == len(before) + 1
    with clock.shifted(timedelta(days=8)):
        await exports.forget_old()
    assert kept_files(config) == before


async def test_it_is_packed_in_little_memory(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty megabytes of rows and files, of which never more than a few are in memory."""
    import tracemalloc

    async def many(_subject: personal.Subject):  # type: ignore[no-untyped-def]
        for number in range(20_000):
            yield {"number": number, "text": "x" * 1000}

    async def large(_subject: personal.Subject):  # type: ignore[no-untyped-def]
        async def pieces():  # type: ignore[no-untyped-def]
            for _number in range(160):
                yield b"y" * 256 * 1024

        yield personal.File("files/../../large.bin", pieces())

    monkeypatch.setitem(personal.EXPORTS, "many", many)
    monkeypatch.setitem(personal.FILES, "large", large)
    ann = await cast.ann()
    await ann.browser.post("/account/privacy/exports")
    tracemalloc.start()
    await exports.build(await db.value("SELECT id FROM personal_exports"))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    export = await exports.last_of(ann.id)
    assert export is not None
    assert (export.size_bytes or 0) > 40_000_000
    assert peak < 8_000_000, peak


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("files/a/b.png", "files/a/b.png"),
        ("files/../../etc/passwd", "files/etc/passwd"),
        ("files\\..\\x", "files/x"),
        ("/etc/passwd", "etc/passwd"),
        ("..", "file"),
        ('files/a:b*"<>|.png', "files/a_b_____.png"),
        ("files/Überblick 2.png", "files/Überblick 2.png"),
    ],
)
def test_a_name_in_the_file_leads_nowhere_else(name: str, safe: str) -> None:
    assert exports.safe_name(name) == safe
