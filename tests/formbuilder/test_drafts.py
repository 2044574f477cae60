"""Forms of several screens, by plain posts: kept screen by screen, gone on with elsewhere, sent once."""

import asyncio
import io
import re
from contextvars import Context
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from quart.datastructures import FileStorage
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import clock, db
from app.core.errors import Conflict
from app.core.limits import Limit
from app.formbuilder.answering import drafts, embedding, files, screens
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.definition import definitions, readings, versions
from app.formbuilder.routes import drafts as routes
from tests.cast import Cast

FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "Your name", "required": True},
    {"id": "q2", "kind": "checkbox", "label": "What for?", "settings": {"options": ["Work", "Fun"]}},
    {"id": "p2", "kind": "page_break", "label": "Work"},
    {"id": "q3", "kind": "short_text", "label": "Your job", "required": True},
    {"id": "p3", "kind": "page_break", "label": "The end"},
    {"id": "q4", "kind": "long_text", "label": "Anything else?"},
]
SKIP = [
    {"id": "r1", "do": "show", "targets": ["p2"], "when": {"all": [{"field": "q2", "is": "contains", "value": "work"}]}}
]


async def a_form(rules: list[dict[str, Any]] | None = None, fields: Any = None, **settings: Any) -> str:
    definition = definitions.read(
        {"title": "Apply", "fields": fields or FIELDS, "rules": SKIP if rules is None else rules, "settings": settings}
    )
    return (await versions.publish((await versions.create(definition, by=None)).id)).slug


def stamped(**texts: Any) -> dict[str, Any]:
    return {"version": "1", "website": "", "stamp": stamp_of(clock.now().timestamp() - 60), "go": "next", **texts}


async def page(client: TestClientProtocol, address: str) -> str:
    answer = await client.get(address)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return await answer.get_data(as_text=True)


async def test_steps_are_walked_back_and_forth_and_sent_together(client: TestClientProtocol) -> None:
    slug = await a_form()
    first = await (await client.get(f"/forms/{slug}")).get_data(as_text=True)
    assert 'name="q1"' in first and 'name="q3"' not in first
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q2="work"))
    assert answer.status_code == 422  # a step is checked before the next one
    assert await db.value("SELECT count(*) FROM form_drafts") == 0
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann", q2="work"))
    assert answer.status_code == 303
    draft = answer.headers["Location"]
    second = await page(client, draft)
    assert "Step 2 of 3" in second and 'name="q3"' in second and ">Back<" in second
    answer = await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Painter", "go": "back"})
    assert answer.status_code == 303
    back = await page(client, draft)
    assert 'value="Ann"' in back and 'value="work" checked' in back
    answer = await client.post(draft, form={"version": "1", "screen": "start", "q1": "Ann", "q2": "work", "go": "next"})
    assert 'value="Painter"' in await page(client, draft)  # what was typed before Back is kept
    await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Painter", "go": "next"})
    assert "Step 3 of 3" in await page(client, draft)
    answer = await client.post(draft, form={"version": "1", "screen": "p3", "q4": "No", "go": "next"})
    assert "/thanks/" in answer.headers["Location"]
    assert await db.value("SELECT answers FROM form_entries") == {
        "q1": "Ann", "q2": {"values": ["work"]}, "q3": "Painter", "q4": "No"
    }  # fmt: skip
    # What was typed lies in the entry alone now; sent again, nothing happens.
    assert await db.value("SELECT posted FROM form_drafts") == {}
    await client.post(draft, form={"version": "1", "screen": "p3", "q4": "No", "go": "next"})
    assert await db.value("SELECT count(*) FROM form_entries") == 1


async def test_a_step_that_a_rule_hides_is_passed_over_and_its_answers_are_dropped(client: TestClientProtocol) -> None:
    slug = await a_form()
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann", q2="work"))
    draft = answer.headers["Location"]
    await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Painter", "go": "back"})
    await client.post(draft, form={"version": "1", "screen": "start", "q1": "Ann", "q2": "fun", "go": "next"})
    assert "Step 2 of 2" in await page(client, draft)
    await client.post(draft, form={"version": "1", "screen": "p3", "go": "next"})
    assert await db.value("SELECT answers FROM form_entries") == {"q1": "Ann", "q2": {"values": ["fun"]}}


async def test_a_box_that_is_unticked_stays_unticked(client: TestClientProtocol) -> None:
    slug = await a_form()
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann", q2="work"))
    draft = answer.headers["Location"]
    await client.post(draft, form={"version": "1", "screen": "p2", "q3": "", "go": "back"})
    await client.post(draft, form={"version": "1", "screen": "start", "q1": "Ann", "go": "next"})
    assert "q2" not in await db.value("SELECT posted FROM form_drafts")


async def test_the_first_page_sent_twice_begins_one_draft_and_changes_it(client: TestClientProtocol) -> None:
    slug = await a_form()
    form = stamped(screen="start", q1="Ann", q2="work")
    addresses = [(await client.post(f"/forms/{slug}", form=form)).headers["Location"] for _n in range(2)]
    assert addresses[0] == addresses[1]
    await client.post(f"/forms/{slug}", form={**form, "q1": "Bea"})
    assert await db.value("SELECT posted->'q1' FROM form_drafts") == ["Bea"]
    assert await db.value("SELECT count(*) FROM form_drafts") == 1


async def test_a_draft_sent_by_two_devices_at_once_is_one_entry(app: Lectern, client: TestClientProtocol) -> None:
    import asyncio

    slug = await a_form(rules=[])
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))
    draft = answer.headers["Location"]
    await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Painter", "go": "next"})
    last = {"version": "1", "screen": "p3", "q4": "No", "go": "next"}
    await asyncio.gather(*(app.test_client().post(draft, form=last) for _n in range(5)))
    assert await db.value("SELECT count(*) FROM form_entries") == 1


async def test_one_question_at_a_time_comes_from_the_same_form(client: TestClientProtocol) -> None:
    slug = await a_form(presentation="one")
    first = await (await client.get(f"/forms/{slug}")).get_data(as_text=True)
    assert 'name="q1"' in first and 'name="q2"' not in first and "Step 1 of 3" in first
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="q1", q1="Ann"))
    draft = answer.headers["Location"]
    for screen, texts in (("q2", {"q2": "work"}), ("q3", {"q3": "Painter"}), ("q4", {"q4": "No"})):
        assert f'name="screen" value="{screen}"' in await page(client, draft)
        answer = await client.post(draft, form={"version": "1", "screen": screen, "go": "next", **texts})
    assert "/thanks/" in answer.headers["Location"]
    assert (await db.value("SELECT answers FROM form_entries"))["q3"] == "Painter"


async def test_only_the_first_screen_waits_for_a_stamp(client: TestClientProtocol) -> None:
    """Whoever answers a question in less than a second is not held up at each of them."""
    slug = await a_form(presentation="one")
    first = await (await client.get(f"/forms/{slug}")).get_data(as_text=True)
    assert f'data-stamp="/forms/{slug}/stamp"' in first
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="q1", q1="Ann"))
    second = await page(client, answer.headers["Location"])
    assert 'name="q2"' in second and "data-stamp" not in second
    answer = await client.post(
        answer.headers["Location"], form={"version": "1", "screen": "q2", "q2": "work", "go": "next"}
    )
    assert 'name="q3"' in await page(client, answer.headers["Location"])


def test_words_stand_with_the_question_that_follows_and_after_the_last_with_it() -> None:
    definition = definitions.read(
        {
            "title": "x",
            "settings": {"presentation": "one"},
            "fields": [
                {"id": "s1", "kind": "statement"}, {"id": "q1", "kind": "short_text"}, {"id": "h1", "kind": "hidden"},
                {"id": "q2", "kind": "email"}, {"id": "s2", "kind": "statement"},
            ],
        }
    )  # fmt: skip
    assert [[field.id for field in each.fields] for each in screens.screens_of(definition)] == [
        ["s1", "q1"], ["h1", "q2", "s2"],
    ]  # fmt: skip


async def test_what_was_begun_is_gone_on_with_by_a_mailed_link(client: TestClientProtocol, app: Lectern) -> None:
    slug = await a_form(resume=True)
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann", q2="work"))
    draft = answer.headers["Location"]
    answer = await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Paint", "go": "later"})
    assert "later=1" in answer.headers["Location"]
    assert "Mail me the link" in await page(client, answer.headers["Location"])
    assert (await client.post(f"{draft}/mail", form={"email": "nobody"})).status_code == 422
    for _n in range(2):  # pressed twice, mailed once
        answer = await client.post(f"{draft}/mail", form={"email": "ann@example.org"})
        assert answer.status_code == 200
    mails = await db.many(db.Row, "SELECT recipient, context FROM mails")
    assert [mail.recipient for mail in mails] == ["ann@example.org"]
    other = app.test_client()
    resumed = await page(other, mails[0].context["path"])
    assert "Step 2 of 3" in resumed and 'value="Paint"' in resumed
    for n in range(5):
        answer = await client.post(f"{draft}/mail", form={"email": f"b{n}@example.org"})
    assert answer.status_code == 422
    assert await db.value("SELECT count(*) FROM mails") == drafts.MOST_MAILS


async def test_a_form_that_does_not_offer_it_mails_nothing(client: TestClientProtocol) -> None:
    slug = await a_form()
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))
    answer = await client.post(f"{answer.headers['Location']}/mail", form={"email": "ann@example.org"})
    assert answer.status_code == 404


async def test_after_a_month_a_draft_is_gone(client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch) -> None:
    slug = await a_form()
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))
    await drafts.sweep()
    assert (await client.get(answer.headers["Location"])).status_code == 200
    await db.run("UPDATE form_drafts SET expires_at = now() - interval '1 second'")
    assert (await client.get(answer.headers["Location"])).status_code == 404
    await drafts.sweep()
    assert await db.value("SELECT count(*) FROM form_drafts") == 0
    assert timedelta(days=30) == drafts.KEPT


async def test_a_mistake_on_an_earlier_step_leads_back_to_it(client: TestClientProtocol) -> None:
    fields = [{"id": "q1", "kind": "short_text", "label": "Name", "settings": {"unique": True}}, *FIELDS[1:]]
    slug = await a_form(fields=fields, rules=[])
    for n in range(2):
        answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))
        draft = answer.headers["Location"]
        await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Painter", "go": "next"})
        answer = await client.post(draft, form={"version": "1", "screen": "p3", "go": "next"})
        assert answer.status_code == (422 if n else 303)
    told = await answer.get_data(as_text=True)
    assert "given this answer already" in told and 'value="Ann"' in told and "Step 1 of 3" in told


async def test_the_address_and_the_account_fill_the_form_in(client: TestClientProtocol, cast: Cast) -> None:
    ann = await cast.ann()
    fields = [
        {"id": "q1", "kind": "short_text", "label": "Name", "settings": {"autocomplete": "name"}},
        {"id": "q2", "kind": "email", "label": "Email"}, {"id": "q3", "kind": "hidden", "label": "Source"},
    ]  # fmt: skip
    slug = await a_form(fields=fields, rules=[], prefill_member=True)
    shown = unquote(await (await client.get(f"/forms/{slug}?q1=%3CAnn%3E&q3=letter&q9=x")).get_data(as_text=True))
    assert 'value="&lt;Ann&gt;"' in shown and 'name="q3" value="letter"' in shown and "q9" not in shown
    shown = await (await ann.browser.get(f"/forms/{slug}?q1=Annie")).get_data(as_text=True)
    assert 'value="Annie"' in shown and 'value="ann@example.org"' in shown
    assert "ann@example.org" not in await (await client.get(f"/forms/{slug}")).get_data(as_text=True)


async def test_only_the_sites_of_a_form_may_frame_it(client: TestClientProtocol) -> None:
    slug = await a_form(sites=["https://blog.example", "shop.example:8443"], rules=[])

    async def ancestors(address: str) -> str:
        policy = (await client.get(address)).headers["Content-Security-Policy"]
        return str(re.findall("frame-ancestors ([^;]*)", policy)[0])

    assert await ancestors(f"/forms/{slug}") == "'none'"
    assert await ancestors(f"/forms/{slug}/embed") == "'self' https://blog.example https://shop.example:8443"
    framed = await (await client.get(f"/forms/{slug}/embed")).get_data(as_text=True)
    assert 'name="embed" value="1"' in framed and 'class="fill__brand"' not in framed
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann", embed="1"))
    assert answer.headers["Location"].endswith("?embed=1")
    assert (await ancestors(answer.headers["Location"])).startswith("'self' https://blog.example")


@pytest.mark.parametrize(
    "line",
    [
        "https://a.example/page",
        "javascript:alert(1)",
        "a b",
        "https://a.example; script-src *",
        "ftp://a.example",
        "https://[",
    ],
)
async def test_what_is_no_site_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="beginning of the site"):
        embedding.Sites(name="sites", label="").read([line])


async def test_a_script_is_told_where_it_is_led(client: TestClientProtocol) -> None:
    slug = await a_form(rules=[])
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"), headers={"Lectern-Fetch": "1"})
    assert answer.status_code == 200 and answer.headers["Lectern-To"].startswith(f"/forms/{slug}/drafts/")


async def test_other_sites_may_load_the_small_script_that_embeds(client: TestClientProtocol) -> None:
    answer = await client.get("/forms/embed.js")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert len(await answer.get_data()) < 2048


async def test_whoever_has_scripts_off_finds_a_link_where_the_form_would_be() -> None:
    address = "https://school.example/forms/ask-us"
    codes = {way: code for way, _words, code in embedding.snippets(address, "ask-us", 'Ask "us"')}
    for way in ("inline", "popup", "slide"):
        assert codes[way].endswith(f'<noscript><a href="{address}">Ask &#34;us&#34;</a></noscript>')
    assert "noscript" not in codes["frame"]


async def test_of_two_devices_on_different_screens_neither_undoes_the_others_answers(
    client: TestClientProtocol,
) -> None:
    """Both read the draft before either writes: what each screen sent is kept."""
    slug = await a_form(rules=[])
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann", q2="fun"))
    token = answer.headers["Location"].rpartition("/")[2]
    telephone, _form = await drafts.find(slug, token)
    laptop, form = await drafts.find(slug, token)
    found = {each.id: each for each in screens.screens_of(readings.of(form))}
    await drafts.keep(telephone, lambda kept: screens.merged(kept, {"q1": ["Ben"]}, found["start"]), "p2")
    stale = {**laptop.posted, "q3": ["Painter"]}
    await drafts.keep(laptop, lambda kept: screens.merged(kept, stale, found["p2"]), "p3")
    kept, _form = await drafts.find(slug, token)
    assert (kept.posted["q1"], kept.posted["q3"]) == (["Ben"], ["Painter"])


async def test_what_another_device_sends_while_the_last_screen_is_under_way_is_in_the_entry(
    app: Lectern, client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    slug = await a_form(rules=[])
    draft = (await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))).headers["Location"]
    await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Painter", "go": "next"})
    keep_files = files.keep

    async def slowly(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(files, "keep", keep_files)
        screen = {"version": "1", "screen": "start", "q1": "Ben", "q2": "fun", "go": "next"}
        other = app.test_client().post(draft, form=screen)
        # In a context of its own, as another device's request is.
        assert (await asyncio.create_task(other, context=Context())).status_code == 303
        return await keep_files(*args, **more)

    monkeypatch.setattr(files, "keep", slowly)
    answer = await client.post(draft, form={"version": "1", "screen": "p3", "q4": "No", "go": "next"})
    assert "/thanks/" in answer.headers["Location"]
    assert await db.value("SELECT answers FROM form_entries") == {
        "q1": "Ben", "q2": {"values": ["fun"]}, "q3": "Painter", "q4": "No"
    }  # fmt: skip


async def test_a_draft_opens_at_the_address_of_its_own_form_and_not_when_that_is_archived(
    client: TestClientProtocol,
) -> None:
    slug, other = await a_form(), await a_form()
    answer = await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))
    token = answer.headers["Location"].rpartition("/")[2]
    assert (await client.get(f"/forms/{slug}/drafts/{token}")).status_code == 200
    assert (await client.get(f"/forms/{other}/drafts/{token}")).status_code == 404
    await db.run("UPDATE forms SET slug = 'moved', former_slugs = ARRAY[slug] WHERE slug = :slug", slug=slug)
    assert (await client.get(f"/forms/{slug}/drafts/{token}")).status_code == 200
    await db.run("UPDATE forms SET state = 'archived' WHERE slug = 'moved'")
    assert (await client.get(f"/forms/{slug}/drafts/{token}")).status_code == 404


async def test_whoever_goes_on_has_a_month_again(client: TestClientProtocol) -> None:
    slug = await a_form(rules=[])
    draft = (await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))).headers["Location"]
    with clock.shifted(timedelta(days=20)):
        sent = await client.post(draft, form={"version": "1", "screen": "p2", "q3": "Painter", "go": "next"})
        assert sent.status_code == 303
    with clock.shifted(timedelta(days=49)):
        await drafts.sweep()
        assert (await client.get(draft)).status_code == 200
    with clock.shifted(timedelta(days=51)):
        await drafts.sweep()
    assert await db.value("SELECT count(*) FROM form_drafts") == 0


async def test_what_was_sent_lies_in_no_draft_and_its_link_is_not_mailed_any_more(client: TestClientProtocol) -> None:
    slug = await a_form(rules=[], resume=True)
    draft = (await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))).headers["Location"]
    token = draft.rpartition("/")[2]
    early, form = await drafts.find(slug, token)
    for screen, texts in (("p2", {"q3": "Painter"}), ("p3", {})):
        await client.post(draft, form={"version": "1", "screen": screen, "go": "next", **texts})
    row = await db.one(db.Row, "SELECT posted, entry_id FROM form_drafts")
    assert row is not None
    assert (row.posted, row.entry_id is None) == ({}, False)
    # From a page that was read before.
    assert not await drafts.mail_link(early, form, "ann@example.org", token)
    with pytest.raises(Conflict):
        await drafts.keep(early, lambda kept: {**kept, "q1": ["Ben"]}, "p2")
    assert await db.value("SELECT count(*) FROM mails") == 0
    assert await db.value("SELECT posted FROM form_drafts") == {}


async def test_only_so_many_links_an_hour_are_mailed_from_one_place(
    client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MAILS", Limit(2, 3600))
    slug = await a_form(rules=[], resume=True)
    found = []
    for number in range(3):
        draft = (await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))).headers["Location"]
        await db.run("DELETE FROM mails")
        found.append((await client.post(f"{draft}/mail", form={"email": f"p{number}@example.org"})).status_code)
    assert found == [200, 200, 429]


async def test_two_screens_that_are_sent_at_once_are_both_kept(client: TestClientProtocol) -> None:
    slug = await a_form(rules=[])
    token = (await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))).headers["Location"][-43:]
    draft, _form = await drafts.find(slug, token)

    async def keep(name: str) -> None:
        async with db.hold():
            await drafts.keep(draft, lambda kept: {**kept, name: ["here"]}, "p3")

    async with db.transaction():  # both have begun before either may write
        await db.run("UPDATE form_drafts SET step = step")
        both = [asyncio.ensure_future(keep(name)) for name in ("q3", "q4")]
        await asyncio.sleep(0.2)
    await asyncio.gather(*both)
    kept, _form = await drafts.find(slug, token)
    assert (kept.posted.get("q3"), kept.posted.get("q4")) == (["here"], ["here"])


async def test_what_was_sent_says_so_and_is_not_sent_again(client: TestClientProtocol) -> None:
    slug = await a_form(rules=[])
    draft = (await client.post(f"/forms/{slug}", form=stamped(screen="start", q1="Ann"))).headers["Location"]
    for screen, texts in (("p2", {"q3": "Painter"}), ("p3", {})):
        await client.post(draft, form={"version": "1", "screen": screen, "go": "next", **texts})
    assert "This was sent already" in await (await client.get(draft)).get_data(as_text=True)
    again = await client.post(draft, form={"version": "1", "screen": "p2", "go": "next", "q3": "Potter"})
    assert "This was sent already" in await again.get_data(as_text=True)
    assert await db.value("SELECT posted FROM form_drafts") == {}
    assert await db.value("SELECT count(*) FROM form_entries") == 1


async def test_no_screen_brings_more_than_its_form_takes(client: TestClientProtocol) -> None:
    slug = await a_form(rules=[])

    async def send(address: str, size: int, **told: str) -> Any:
        large = FileStorage(io.BytesIO(bytes(size)), filename="a.pdf")
        return await client.post(address, form=told, files={"q9": large})

    first = stamped(screen="start", q1="Ann")
    assert (await send(f"/forms/{slug}", files.MOST_TEXT + 1, **first)).status_code == 413
    draft = (await send(f"/forms/{slug}", 1000, **first)).headers["Location"]
    second = {"version": "1", "screen": "p2", "q3": "Painter", "go": "next"}
    assert (await send(draft, files.MOST_TEXT + 1, **second)).status_code == 413
    assert (await send(draft, 1000, **second)).status_code == 303
