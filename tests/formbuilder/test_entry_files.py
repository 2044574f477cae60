"""Files that come with answers: what is taken, whom they are handed out to, when they go."""

import io
import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from itsdangerous import TimestampSigner
from quart.datastructures import FileStorage
from quart.typing import TestClientProtocol

from app.core import clock, db, mail
from app.formbuilder.answering import files
from app.formbuilder.definition import definitions
from app.formbuilder.fields.attached import TOKEN_SECONDS, read_token
from app.formbuilder.models import EntryFile, Form, Posted
from app.formbuilder.queries import files as queries
from app.media import shelf
from tests.cast import Cast
from tests.formbuilder.test_attacks import NAME, body, paper, published
from tests.media.files import picture
from tests.office import seen

FILE: dict[str, Any] = {"id": "q5", "kind": "file", "label": "Paper", "settings": {"most": 2, "megabytes": 1}}
OTHER: dict[str, Any] = {"id": "q6", "kind": "file", "label": "Picture", "settings": {"types": ["image"]}}
ROWS = "SELECT count(*) FROM form_entry_files"


async def kept(client: TestClientProtocol, form: Form, file: FileStorage) -> str:
    """The token of a file that was sent with a mistake, as the page holds it that is drawn again."""
    told = {"version": "1", "website": ""}
    answer = await client.post(f"/forms/{form.slug}", form=told, files={"q5": file})
    return (await answer.get_data(as_text=True)).partition('name="q5.kept" value="')[2].partition('"')[0]


async def sent(client: TestClientProtocol, form: Form, **texts: Any) -> int:
    """The status of the answer."""
    data = urlencode({**body(), **texts}, doseq=True)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return (await client.post(f"/forms/{form.slug}", data=data, headers=headers)).status_code


# --- handed out -------------------------------------------------------------------------------------------------------


async def test_a_file_opens_by_the_link_on_its_entry_for_whoever_it_was_made_for_and_for_an_hour(
    cast: Cast, client: TestClientProtocol
) -> None:
    olga, otto = await cast.olga(), await cast.person("Otto", "otto@meridian.example", role="owner")
    form, other = await published(NAME, FILE), await published(NAME, FILE)
    assert (await client.post(f"/forms/{form.slug}", form=body(), files={"q5": paper(10)})).status_code == 303
    entry = await db.value("SELECT public_id FROM form_entries")
    page = await seen(olga, f"/admin/forms/{form.public_id}/entries/{entry}")
    found = re.search(r'href="(/admin/forms/[^"]+/files/[^"]+)"', page)
    assert found is not None
    link = unescape(found[1])
    answer = await olga.browser.get(link)
    assert (answer.status_code, await answer.get_data()) == (200, b"%PDF-1.4\n" + bytes(10))
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    for wrong in (
        link.partition("?")[0],
        f"{link}x",
        link.replace(form.public_id, other.public_id),
    ):
        assert (await olga.browser.get(wrong)).status_code == 404, wrong
    assert (await otto.browser.get(link)).status_code == 404, "a link is for one person"
    name, token = link.partition("/files/")[2].split("?token=")
    assert files.opens(name, token, olga.id)
    with clock.shifted(timedelta(seconds=files.LINK_SECONDS + 1)):
        assert not files.opens(name, token, olga.id)
    assert not files.opens("another", token, olga.id)
    await db.run("UPDATE form_entry_files SET entry_id = NULL")
    assert (await olga.browser.get(link)).status_code == 404, "what nobody sent is nobody's to read"


# --- taken ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "a.pdf", "“a.pdf” is empty"),
        (b"%PDF-1.4\n" + bytes(1024 * 1024), "a.pdf", "“a.pdf” has more than 1 MB"),
        (b"MZ" + bytes(100), "a.pdf", "“a.pdf” is not of a type"),
        (picture(), "a.png", "“a.png” is not of a type"),
    ],
)
async def test_what_a_question_does_not_take_is_not_kept(
    client: TestClientProtocol, content: bytes, name: str, words: str
) -> None:
    form = await published(NAME, {**FILE, "settings": {"megabytes": 1, "types": ["pdf"]}})
    file = FileStorage(io.BytesIO(content), filename=name)
    answer = await client.post(f"/forms/{form.slug}", form=body(), files={"q5": file})
    assert answer.status_code == 422
    assert words in await answer.get_data(as_text=True)
    assert await db.value(ROWS) == 0


async def test_a_file_is_the_answer_to_the_question_it_was_sent_for(client: TestClientProtocol) -> None:
    form = await published(NAME, FILE, OTHER)
    token = await kept(client, form, paper(10))
    assert token
    assert await sent(client, form, **{"q6.kept": token}) == 303
    assert await db.value(f"{ROWS} WHERE entry_id IS NOT NULL") == 0
    assert "q6" not in await db.value("SELECT answers FROM form_entries")
    file, entry = (
        await db.value("SELECT public_id FROM form_entry_files"),
        await db.value("SELECT id FROM form_entries"),
    )
    assert await queries.bind(form.id, "q6", entry, [file]) == 0
    assert await queries.bind(form.id, "q5", entry, [file]) == 1


async def test_a_file_that_is_named_twice_is_there_once_and_more_than_may_be_are_refused(
    client: TestClientProtocol,
) -> None:
    form = await published(NAME, FILE)
    one, two, three = [await kept(client, form, paper(size)) for size in (10, 20, 30)]
    assert await sent(client, form, **{"q5.kept": [one, two, three]}) == 422
    posted = Posted({"q5.kept": [one, two]}, {"q5": [paper(40)]})
    refused = await files.keep(form, definitions.read(form.definition), posted, network="192.0.2.1")
    assert [type(each).__name__ for each in refused.files["q5"]] == ["Rejected"]
    assert await db.value(ROWS) == 3, "it is counted before anything is kept"
    assert await sent(client, form, **{"q5.kept": [one, one]}) == 303
    assert len((await db.value("SELECT answers FROM form_entries"))["q5"]) == 1


async def test_a_page_that_is_older_than_a_draft_can_be_sends_no_file(
    client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await published(NAME, FILE)
    token = await kept(client, form, paper(10))
    assert read_token("q5", token) is not None
    late = int(clock.now().timestamp()) + TOKEN_SECONDS + 60
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: late)
    assert read_token("q5", token) is None


# --- gone -------------------------------------------------------------------------------------------------------------


async def test_only_what_no_entry_and_no_draft_speaks_of_is_swept_after_two_days(client: TestClientProtocol) -> None:
    form = await published(NAME, FILE, {"id": "p1", "kind": "page_break", "label": "On"}, {**NAME, "id": "q7"})
    begun = await client.post(f"/forms/{form.slug}", form=body(screen="start"), files={"q5": paper(10)})
    assert begun.status_code == 303
    loose = await kept(client, form, paper(20))
    whole = await kept(client, form, paper(30))
    key = await db.value("SELECT storage_key FROM form_entry_files WHERE public_id = :id", id=loose.partition(".")[0])
    entry = await client.post(begun.headers["Location"], form={"version": "1", "screen": "p1", "go": "back"})
    assert entry.status_code == 303
    assert await files.sweep() == 0
    another = await published(NAME, FILE)
    assert (await client.post(f"/forms/{another.slug}", form=body(), files={"q5": paper(40)})).status_code == 303
    with clock.shifted(timedelta(days=1, hours=23)):
        assert await files.sweep() == 0
    with clock.shifted(timedelta(days=2, minutes=1)):
        assert await files.sweep() == 2
        assert await files.sweep() == 0
    assert whole
    assert await db.value(ROWS) == 2
    assert await shelf.storage().size(key) is None


async def test_a_file_that_is_sent_while_others_are_swept_stays(
    client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await published(NAME, FILE)
    token = await kept(client, form, paper(10))
    key = await db.value("SELECT storage_key FROM form_entry_files")
    loose = queries.loose

    async def then_sent(*arguments: Any) -> list[EntryFile]:
        found = await loose(*arguments)
        assert await sent(client, form, **{"q5.kept": token}) == 303
        return found

    monkeypatch.setattr(queries, "loose", then_sent)
    monkeypatch.setattr(files, "_LOOSE", timedelta(0))
    assert await files.sweep() == 0
    assert await db.value(ROWS) == 1
    assert await shelf.storage().size(key) is not None


async def test_a_file_whose_bytes_are_being_swept_goes_with_no_entry(
    client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = await published(NAME, FILE)
    token = await kept(client, form, paper(10))
    disk = shelf.storage()
    delete, answers = disk.delete, []

    async def meanwhile(key: str) -> None:
        await delete(key)
        answers.append(await sent(client, form, **{"q5.kept": token}))

    monkeypatch.setattr(disk, "delete", meanwhile)
    monkeypatch.setattr(files, "_LOOSE", timedelta(0))
    assert await files.sweep() == 1
    assert answers != [303]
    assert await db.value("SELECT count(*) FROM form_entries") == 0
    assert await db.value(ROWS) == 0


async def test_a_mail_leaves_without_a_file_that_is_lost(client: TestClientProtocol) -> None:
    form = await published(NAME, FILE)
    assert (await client.post(f"/forms/{form.slug}", form=body(), files={"q5": paper(10)})).status_code == 303
    row = await db.one(db.Row, "SELECT public_id, storage_key, size_bytes FROM form_entry_files")
    assert row is not None
    attached = await mail._sources["form-file"](row.public_id)
    assert attached is not None
    assert len(attached) == row.size_bytes
    await shelf.storage().delete(row.storage_key)
    assert await mail._sources["form-file"](row.public_id) is None


async def test_a_file_that_was_sent_after_all_keeps_its_row(client: TestClientProtocol) -> None:
    form = await published(NAME, FILE)
    token = await kept(client, form, paper(10))
    assert await sent(client, form, **{"q5.kept": token}) == 303
    await queries.delete(await db.value("SELECT id FROM form_entry_files"))
    assert await db.value(ROWS) == 1
