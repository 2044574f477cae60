"""Forms as somebody of the office, or what somebody brings to the office, could do harm with them."""

import io
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from werkzeug.datastructures import FileStorage

from app import Lectern
from app.core import db
from app.core.errors import Invalid
from app.formbuilder import (
    connections,
    definitions,
    entry_import,
    exchange,
    inbox,
    integrations,
    mapping,
    notifications,
    versions,
)
from app.formbuilder.integrations import RefusedCredentials
from app.formbuilder.models import Form
from app.gateways.outgoing import Answer, Outgoing
from tests.cast import Cast, Person
from tests.formbuilder.entering import FIELDS, a_form, sent

TABS = (
    "",
    "/logic",
    "/after",
    "/settings",
    "/versions",
    "/preview",
    "/preview/page",
    "/integrations",
    "/share",
    "/trial",
)

# What no page of ours writes into a row, and a file may hold all the same.
ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**62, "", "x", "<b>", "{q1}", "{nothing|}", [], [[]], [None], {}, {"a": []},
    {"all": []}, {"any": [{"field": "q1", "is": "matches", "value": "("}]}, {"field": [], "is": {}, "value": {}},
    {"all": [{"all": [None, 1, "x"]}]}, {"field": "q1", "is": "equals", "value": {"deep": [1]}}, [{"when": [], "to": {}}],
    [{"when": {"field": "q1", "is": "equals", "value": "a"}, "to": ["a"]}],
]  # fmt: skip
PARTS = {
    "rules": ("id", "do", "targets", "from", "when"),
    "notifications": ("id", "name", "to", "subject", "body", "reply_to", "attach", "when"),
    "confirmations": ("id", "name", "kind", "path", "url", "title", "text", "show_score", "when"),
}
GOOD: dict[str, dict[str, Any]] = {
    "rules": {"id": "r1", "do": "show", "targets": ["q1"], "when": {"all": []}},
    "notifications": {"id": "n1", "name": "To me", "to": "owner", "subject": "{q1}", "body": "{all}"},
    "confirmations": {"id": "c1", "name": "Words", "kind": "message", "title": "Thanks", "text": "{q1}"},
}


async def imported(olga: Person, told: dict[str, Any]) -> Form:
    answer = await olga.browser.post("/admin/forms/imports", form={"definition": json.dumps(told)})
    assert answer.status_code == 303, (answer.status_code, told)
    return await versions.find(answer.headers["Location"].rpartition("/")[2])


async def looked_at(olga: Person, form: Form) -> None:
    """Every page of it, and of each of its rows."""
    definition = definitions.read(form.definition)
    rows = [*definition.notifications, *definition.confirmations]
    tabs = [*TABS, *(f"/after/{row['id']}" for row in rows), *(f"/logic?rule={row['id']}" for row in definition.rules)]
    for tab in tabs:
        answer = await olga.browser.get(f"/admin/forms/{form.public_id}{tab}")
        assert answer.status_code == 200, (tab, answer.status_code, form.definition)


@pytest.mark.parametrize("kind", sorted(PARTS))
async def test_whatever_rows_a_file_brings_every_page_is_drawn(cast: Cast, kind: str, unlimited: None) -> None:
    """Each part of a row takes everything that JSON can be, a form for each value."""
    olga = await cast.olga()
    for odd in ODD:
        rows = [{**GOOD[kind], "id": f"{kind[0]}{number}", part: odd} for number, part in enumerate(PARTS[kind])]
        form = await imported(olga, {"title": "Odd", "fields": FIELDS, kind: [*rows, {}]})
        await looked_at(olga, form)
        path = f"/admin/forms/{form.public_id}/preview/page"
        answer = await olga.browser.post(
            path, form={"screen": "start", "q1": "Ann", "q2": "a@b.example", "q3": "friend"}
        )
        assert answer.status_code in (200, 422)


@pytest.mark.parametrize("part", ["on", "amount", "title"])
async def test_whatever_a_file_says_of_payment_every_page_is_drawn(cast: Cast, part: str, unlimited: None) -> None:
    olga = await cast.olga()
    for odd in ODD:
        form = await imported(olga, {"title": "Odd", "fields": FIELDS, "payment": {"on": True, part: odd}})
        answer = await olga.browser.get(f"/admin/forms/{form.public_id}/after")
        assert answer.status_code == 200, odd


@pytest.mark.parametrize(
    "told",
    [
        {"rules": [{"id": "r1", "x": 2**64}]},
        {"last": 10**30},
        {"fields": [{"id": "q1", "kind": "number", "settings": {"low": 10**400}}]},
        {"fields": [{"id": "q1", "kind": "number", "width": 10**30}]},
    ],
)
async def test_numbers_without_end_are_refused(cast: Cast, told: dict[str, Any]) -> None:
    olga = await cast.olga()
    answer = await olga.browser.post("/admin/forms/imports", form={"definition": json.dumps({"title": "x", **told})})
    assert answer.status_code == 422
    assert "cannot be stored" in await answer.get_data(as_text=True)


def test_a_stored_number_without_end_has_its_default() -> None:
    stored = {"fields": [{"id": "q1", "kind": "number", "settings": {"low": 10**400}}]}
    assert definitions.read(stored).fields[0]["low"] is None


def test_rows_of_a_file_have_ids_of_their_own() -> None:
    for rows in (
        {"notifications": [{"id": "a"}, {"id": "a"}]},
        {"notifications": [{}, {"id": ["x"]}]},
        {"notifications": [{"id": "a"}], "confirmations": [{"id": "a"}]},
        {"confirmations": [{"id": "../x"}]},
    ):
        read = exchange.read(json.dumps({"title": "x", **rows}))
        ids = [row["id"] for row in (*read.notifications, *read.confirmations)]
        assert len(set(ids)) == len(ids) and all(each.isalnum() for each in ids)


@pytest.mark.parametrize("value", [":form_id", "a :b", "(:smile)", "it's :x", "a::b", "'; SELECT 1 --", "\\'"])
async def test_an_option_is_no_part_of_a_statement(cast: Cast, value: str) -> None:
    olga = await cast.olga()
    options = [{"value": value, "label": "Odd"}, {"value": "other", "label": "Other"}]
    form, definition = await a_form(
        [{"id": "q1", "kind": "short_text"}, {"id": "q3", "kind": "radio", "settings": {"options": options}}]
    )
    await sent(form, definition, q1="Ann", q3=value)
    await sent(form, definition, q1="Ben", q3="other")
    base = f"/admin/forms/{form.public_id}/entries"
    assert (await olga.browser.get(base)).status_code == 200
    answer = await olga.browser.get(base, query_string={"f_q3": value})
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "Ann" in page and "Ben" not in page


@pytest.mark.parametrize("entry", ["a\u0000b", "\u0000", "x" * 500])
async def test_a_brought_entry_has_no_name_that_cannot_be_looked_up(cast: Cast, entry: str) -> None:
    olga = await cast.olga()
    form, _definition = await a_form()
    told = json.dumps({"entries": [{"entry": entry, "status": entry, "answers": {"q1": f"Ann{entry}"}}]})
    file = FileStorage(io.BytesIO(told.encode()), filename="old.json")
    path = f"/admin/forms/{form.public_id}/entries/import"
    answer = await olga.browser.post(path, form={"go": "keep"}, files={"file": file})
    assert answer.status_code in (303, 422)


@pytest.mark.parametrize("back", ["undoing", "restoration"])
async def test_an_id_is_never_used_again_whatever_is_taken_back(cast: Cast, back: str) -> None:
    """What was answered to a field that was undone is not shown as the answer to another one."""
    olga = await cast.olga()
    form, _definition = await a_form(FIELDS[:3])
    base = f"/admin/forms/{form.public_id}"

    async def add(kind: str) -> str:
        await olga.browser.post(f"{base}/fields", form={"kind": kind})
        return definitions.read((await versions.find(form.public_id)).definition).fields[-1].id

    first = await add("short_text")
    await olga.browser.post(f"{base}/publication")
    shown = await versions.find(form.public_id)
    await sent(shown, definitions.read(shown.definition), **{first: "Only a text"})
    path = f"{base}/undoing" if back == "undoing" else f"{base}/versions/1/restoration"
    assert (await olga.browser.post(path)).status_code == 303
    second = await add("checkable_grid")
    assert second != first
    await olga.browser.post(f"{base}/publication")
    for page in ("entries", "report"):
        assert (await olga.browser.get(f"{base}/{page}")).status_code == 200
    # Nor after going there and back.
    for act in ("undoing", "undoing", "redoing"):
        await olga.browser.post(f"{base}/{act}")
    assert await add("email") not in (first, second)


@pytest.mark.parametrize(
    "came", ["2020-01-01T00:00+23:59", "2020-01-01T00:00:00+01:00:30", "0001-01-01T00:00-14:00", "2020-W01-1"]
)
async def test_a_brought_entry_came_at_a_moment_that_there_is(app: Lectern, came: str) -> None:
    form, _definition = await a_form()
    told = json.dumps({"entries": [{"came": came, "answers": {"q1": "Ann"}}]}).encode()
    brought = await entry_import.bring(await inbox.asked(form.public_id), io.BytesIO(told), is_trial=False)
    assert brought.is_done is (came == "2020-W01-1")  # a day all the same


# --- credentials ------------------------------------------------------------------------------------------------------


@pytest.fixture
def heard(app: Lectern, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """The world outside, which says yes to everything: what it was sent, address and headers."""
    found: list[tuple[str, dict[str, str]]] = []

    async def send(_self: Outgoing, _method: str, url: str, *, headers: Any = None, content: bytes = b"") -> Answer:
        found.append((url, dict(headers or {})))
        body = b'{"data": {"results": []}, "user": {"username": "x"}, "access_token": "t", "records": []}'
        return Answer(200, {}, body)

    monkeypatch.setattr(Outgoing, "send", send)
    return found


GIVEN = {
    "listmonk": ({"url": "https://lists.school.example", "user": "api", "token": "top-secret"}, "url"),
    "activecampaign": ({"url": "https://school.api-us1.com", "api_key": "top-secret"}, "url"),
    "salesforce": (
        {"domain": "https://school.my.salesforce.com", "client_id": "c", "client_secret": "top-secret", "refresh_token": "top-secret-2"},
        "domain",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(GIVEN))
async def test_a_kept_secret_is_not_sent_to_another_address(heard: list[tuple[str, dict[str, str]]], name: str) -> None:
    given, place = GIVEN[name]
    made = await connections.create(name, name, given, by=None)
    heard.clear()
    secret = [each.name for each in integrations.providers()[name].settings if each.is_secret]
    blank = {**given, **dict.fromkeys(secret, "")}
    for elsewhere in ("https://evil.example", "https://lists.school.example.evil.example", "http" + given[place][5:]):
        with pytest.raises(Invalid) as refused:
            await connections.change(made, {**blank, place: elsewhere})
        assert refused.value.field in secret
    assert heard == []
    # At the same site it may stay, and with its secrets it may go anywhere.
    await connections.change(made, {**blank, place: given[place] + "/"})
    await connections.change(made, {**given, place: "https://other.example"})
    assert any(url.startswith("https://other.example") for url, _headers in heard)


@pytest.mark.parametrize("key", ["•••", "kéy", "a\nX-Other: b", "a\tb"])
async def test_a_key_that_no_header_takes_is_refused_with_a_sentence(
    heard: list[tuple[str, dict[str, str]]], cast: Cast, key: str
) -> None:
    olga = await cast.olga()
    form = {"provider": "brevo", "name": "News", "s.api_key": key}
    answer = await olga.browser.post("/admin/connections", form=form)
    assert answer.status_code == 422
    with pytest.raises((RefusedCredentials, Invalid)):
        await connections.create("brevo", "News", {"api_key": key}, by=None)
    assert heard == []


def test_a_definition_that_leaves_has_no_connections() -> None:
    told = {"title": "x", "fields": FIELDS, "integrations": [{"id": "i1", "connection": "k3v", "map": {"email": "q2"}}]}
    definition = definitions.read(told)
    assert mapping.problems(definition) == []
    assert "k3v" not in exchange.written(definition)
    assert exchange.read(json.dumps(told)).integrations == ()


# --- what leaves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t=", "\r=", "\n="])
async def test_no_answer_is_a_formula_in_the_file_of_a_mail(app: Lectern, begins: str) -> None:
    from app.formbuilder import after

    form, definition = await a_form([{"id": "q8", "kind": "input_table", "label": "=Head", "settings": {}}])
    situation = await after.trial(form, definition, {"q8": {"monday": {"name": f"{begins}cmd()"}}})
    file = notifications.as_csv(situation).content.decode()
    assert f"'{begins}cmd()" in file
    assert "'=Head" in file
    assert await db.value("SELECT count(*) FROM form_entries") == 0


SAID = ["\x00", "9" * 30, ":x", "٣"]


async def test_no_address_of_the_office_is_a_fault_of_ours(cast: Cast, unlimited: None) -> None:
    """Parts of addresses and their parameters take what no page of ours links to."""
    olga = await cast.olga()
    form, definition = await a_form()
    entry = await sent(form, definition)
    base = f"/admin/forms/{form.public_id}"
    asked = [
        ("", ("field", "t.q1")), ("/entries", ("f_q3", "q", "state", "sort", "page", "after", "on", "format")),
        ("/report", ("days",)), ("/entries/file", ("format",)), ("/unfinished", ("q", "sort", "mail")), ("/logic", ("rule", "about")),
        ("/versions", ("a", "b", "before")), ("/preview", ("width", "seen")), ("/preview/page", ("q1", "q3", "q9", "screen")),
        ("/integrations", ("integration", "preview")), ("/deliveries", ("provider", "state", "sort")), ("/editors", ("seen",)),
    ]  # fmt: skip
    for odd in SAID:
        part = quote(odd, safe="")
        for path, names in asked:
            for name in names:
                answer = await olga.browser.get(f"{base}{path}", query_string={name: odd})
                assert answer.status_code < 500, (path, name, odd)
        for path in (
            part, f"{form.public_id}/entries/{part}", f"{form.public_id}/entries/{part}/pdf", f"{form.public_id}/files/{part}",
            f"{form.public_id}/after/{part}", f"{form.public_id}/deliveries/{part}", f"{form.public_id}/entries/{part}/deliveries",
        ):  # fmt: skip
            assert (await olga.browser.get(f"/admin/forms/{path}")).status_code < 500, path
        assert (await olga.browser.get("/admin/forms/erasure", query_string={"email": odd})).status_code < 500
        assert (
            await olga.browser.get("/admin/connections/new", query_string={"provider": odd, "q": odd})
        ).status_code < 500
        assert (await olga.browser.get(f"/admin/connections/{part}")).status_code < 500
        own = f"{base}/entries/{entry.public_id}"
        for path, told in (
            (f"{own}/state", {"act": odd}), (f"{own}/marks", {"status": odd, "star": odd}), (f"{own}/notes", {"body": odd}),
            (f"{own}/sending", {"way": odd}), (f"{own}/answers", {"q1": odd, f"q1.{odd}": odd, odd: odd, ".seen": odd}),
            (f"{base}/entries/columns", {"field": odd}), (f"{base}/links", {"count": odd, "values": f"q1.{odd} = {odd}"}),
            (f"{base}/links/{part}/removal", {}), (f"{base}/address", {"slug": odd}), (f"{base}/fields", {"kind": odd, "after": odd}),
            (f"{base}/fields/q1", {"label": odd, "only": odd, "s.max_length": odd, f"s.{odd}": odd}),
            (f"{base}/fields/{part}/removal", {}), (f"{base}/field-order", {"row": odd}), (f"{base}/head", {"title": odd, "intro": odd}),
            (f"{base}/settings", {f"s.{odd}": odd, "s.pin": odd, "was": odd}), (f"{base}/payment", {"on": odd, "amount": odd}),
            (f"{base}/after/n1", {"name": odd, "to": odd, "when.0.field": odd}), (f"{base}/rules/{part}", {"do": odd}),
            (f"{base}/undoing", {"at": odd, "tab": odd, "field": odd}), (f"{base}/trial", {"planned": odd}),
            (f"{base}/integrations", {"connection": odd}), (f"{base}/state", {"state": odd}), ("/admin/forms", {"title": odd, "starter": odd}),
            ("/admin/connections", {"provider": odd, "name": odd}), (f"{base}/preview/page", {"screen": odd, f"q1.{odd}": odd, "go": odd}),
        ):  # fmt: skip
            answer = await olga.browser.post(
                path, data=urlencode(told), headers={"Content-Type": "application/x-www-form-urlencoded"}
            )
            assert answer.status_code < 500, (path, told)
