"""What somebody sees after sending: the first confirmation that fits, and never a place that an answer chose."""

from typing import Any

import pytest
from quart.typing import TestClientProtocol

from app import Lectern
from app.core import clock, db
from app.formbuilder.after_sending import confirmations
from app.formbuilder.definition import definitions, versions
from app.formbuilder.models import Form
from app.formbuilder.routes import stamp_of

FIELDS = [
    {"id": "q1", "kind": "short_text", "label": "Name"},
    {
        "id": "q2",
        "kind": "radio",
        "label": "The capital of France",
        "settings": {"options": [{"label": "Paris", "points": 2}, {"label": "Rome"}]},
    },
]
QUIZ = {"scoring": "points", "pass_mark": 50, "grades": ["0 | Weak", "80 | Very good"], "answer_key": True}


async def a_form(*rows: dict[str, Any], **settings: Any) -> Form:
    definition = definitions.read(
        {"title": "Ask us", "fields": FIELDS, "confirmations": list(rows), "settings": settings}
    )
    return await versions.publish((await versions.create(definition, by=None)).id)


async def send(form: Form, client: TestClientProtocol, **texts: str) -> Any:
    """Send the form; the answer of the page that it leads to."""
    stamp = stamp_of(clock.now().timestamp() - 10)
    answer = await client.post(f"/forms/{form.slug}", form={"version": "1", "stamp": stamp, "website": "", **texts})
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    return await client.get(answer.headers["Location"])


async def text(answer: Any) -> str:
    return str(await answer.get_data(as_text=True))


async def test_the_first_that_fits_is_shown_with_its_tags(app: Lectern, client: TestClientProtocol) -> None:
    form = await a_form(
        {
            "id": "c1",
            "when": {"field": "q2", "is": "equals", "value": "paris"},
            "title": "Right, {q1}",
            "text": "**Yes** {q1}",
        },
        {"id": "c2", "title": "Sent", "text": "Thanks"},
        {"id": "c3", "title": "Never"},
    )
    page = await text(await send(form, client, q1="<i>Ann</i>", q2="paris"))
    assert "Right, &lt;i&gt;Ann&lt;/i&gt;" in page
    assert "<strong>Yes</strong> &lt;i&gt;Ann" in page
    page = await text(await send(form, client, q1="Ann", q2="rome"))
    assert ">Sent</h1>" in page
    assert "“c2” before it always fits" in str(definitions.problems(definitions.read(form.definition)))


async def test_without_confirmations_the_settings_speak(app: Lectern, client: TestClientProtocol) -> None:
    page = await text(await send(await a_form(thanks="Well done {q1}"), client, q1="Ann"))
    assert "Well done Ann" in page
    assert "Your answers have arrived" in await text(await send(await a_form(), client, q1="Ann"))


async def test_a_page_of_the_school_is_gone_to(app: Lectern, client: TestClientProtocol) -> None:
    form = await a_form({"id": "c1", "kind": "page", "path": "/courses?q={q1}"})
    answer = await send(form, client, q1="a&b=//x")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/courses?q=a%26b%3D%2F%2Fx")


async def test_a_place_elsewhere_is_a_link_that_is_followed(app: Lectern, client: TestClientProtocol) -> None:
    form = await a_form({"id": "c1", "kind": "url", "url": "https://other.example/in?who={q1}"})
    answer = await send(form, client, q1='Ann"><script>')
    page = await text(answer)
    assert answer.headers["Refresh"] == "1;url=https://other.example/in?who=Ann%22%3E%3Cscript%3E"
    assert 'href="https://other.example/in?who=Ann%22%3E%3Cscript%3E"' in page
    assert "<script>" not in page.replace("</script>", "")[page.index("fill__head") :]


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("page", "//evil.example"),
        ("page", "/{q1}"),
        ("page", "/\\evil.example"),
        ("page", "https://evil.example"),
        ("url", "http://other.example/"),
        ("url", "https://{q1}/"),
        ("url", "https://{q1}.example/?a=1"),
        ("url", "javascript:alert(1)"),
        ("url", "https://a@evil.example/"),
        ("url", "//evil.example"),
    ],
)
async def test_no_answer_and_no_odd_address_leads_anywhere(
    app: Lectern, client: TestClientProtocol, kind: str, place: str
) -> None:
    form = await a_form({"id": "c1", "kind": kind, "path": place, "url": place})
    answer = await send(form, client, q1="evil.example")
    assert answer.status_code == 200
    page = await text(answer)
    assert "evil" not in page
    assert "Refresh" not in answer.headers
    assert confirmations.wrong(definitions.read(form.definition))


async def test_a_score_is_shown_kept_and_asked_for(app: Lectern, client: TestClientProtocol) -> None:
    passed = {"field": "passed", "is": "equals", "value": "yes"}
    form = await a_form(
        {"id": "c1", "when": passed, "title": "Passed", "text": "{grade}: {score}", "show_score": True},
        {"id": "c2", "title": "Once more", "text": "{percent}"},
        **QUIZ,
    )
    page = await text(await send(form, client, q1="Ann", q2="paris"))
    assert ">Passed</h1>" in page
    assert "Very good: 2 / 2" in page
    assert "Right: Paris" in page
    page = await text(await send(form, client, q1="Ann", q2="rome"))
    assert ">Once more</h1>" in page
    assert "0 %" in page
    assert "Right: Paris" not in page
    rows = await db.many(db.Row, "SELECT score, outcome FROM form_entries ORDER BY id")
    assert [(float(row.score), row.outcome) for row in rows] == [(2.0, "Very good"), (0.0, "Weak")]
