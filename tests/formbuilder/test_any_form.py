"""Whatever form its owner makes and whatever a visitor sends: its pages are drawn, and none of it fails."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from quart.typing import TestClientProtocol

from app.core import clock, db
from app.formbuilder.answering.stamps import stamp_of
from app.formbuilder.definition import definitions, versions
from app.formbuilder.fields.kinds import all_kinds
from tests.formbuilder import plans
from tests.formbuilder.entering import a_form
from tests.formbuilder.test_kinds import CASES, definitions_of_all_kinds, extremes, file_token, texts
from tests.markup import alive

SLOW = list(HealthCheck)
# Without shrinking: an example is small enough as it is found.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
GO = ["next", "next", "next", "back", "later"]
SETTINGS = st.fixed_dictionaries(
    {
        "presentation": st.sampled_from(["classic", "one"]), "numbers": st.booleans(), "resume": st.booleans(),
        "captcha": st.booleans(), "prefill_member": st.booleans(), "spam_same": st.booleans(), "thanks": texts,
    }
)  # fmt: skip


@st.composite
def sound_fields(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Fields with settings that their kinds take, the hardest of them among them."""
    fields = []
    for number, name in enumerate(draw(st.lists(st.sampled_from(sorted(all_kinds())), min_size=1, max_size=9))):
        kind = all_kinds()[name]
        stored = dict(CASES[name][0]) if name in CASES and draw(st.booleans()) else {}
        for setting in kind.settings:
            if draw(st.integers(0, 3)) == 0:
                stored[setting.name] = draw(st.sampled_from(extremes(setting)))
        fields.append(
            {
                "id": f"q{number + 1}", "kind": name, "label": draw(texts), "help": draw(texts), "width": draw(st.sampled_from([6, 3, 1])),
                "required": draw(st.booleans()), "settings": stored,
            }
        )  # fmt: skip
    return fields


@st.composite
def whole_forms(draw: st.DrawFn) -> dict[str, Any]:
    """A definition with rules and calculations over its fields, some of which mean nothing."""
    stored = draw(st.one_of(definitions_of_all_kinds(), st.builds(dict, fields=sound_fields(), title=texts)))
    ids = [field["id"] for field in stored["fields"]]
    places = st.sampled_from([*ids, "start", "end"])
    rule = st.fixed_dictionaries(
        {
            "id": st.just("r1"), "do": st.sampled_from(["show", "hide", "require", "skip", "jump"]), "from": places,
            "when": plans.conditions(st.sampled_from([*ids, f"{ids[0]}.first", "missing"])),
            "targets": st.lists(places, min_size=1, max_size=3),
        }
    )  # fmt: skip
    return stored | {"rules": draw(st.lists(rule, max_size=4)), "settings": draw(SETTINGS), "payment": {"on": False}}


@st.composite
def sent_to(draw: st.DrawFn, stored: dict[str, Any]) -> dict[str, list[str]]:
    """What a browser might post, and what it would not."""
    definition = definitions.read(stored)
    found: dict[str, list[str]] = {}
    for field in definition.fields:
        kind = all_kinds()[field.kind]
        good = CASES.get(field.kind, ({}, [], []))[1]
        if good and draw(st.booleans()):
            chosen = draw(st.sampled_from(good))
            found |= {f"{field.id}.{part}" if part else field.id: list(sent) for part, sent in chosen.items()}
            continue
        names = [field.id, *(f"{field.id}.{part}" for part, _class in kind.parts(field)), f"{field.id}.kept"]
        for name in draw(st.lists(st.sampled_from(names), max_size=3)):
            found[name] = draw(st.lists(st.one_of(texts, st.just(file_token())), max_size=3))
    return found


@st.composite
def journeys(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, list[str]]]]:
    """A form, and what is sent to one screen of it after the other."""
    stored = draw(whole_forms())
    steps = [draw(sent_to(stored)) | {"go": [draw(st.sampled_from(GO))]} for _step in range(draw(st.integers(1, 5)))]
    return stored, steps


def readable(text: str) -> str:
    """As it can be encoded at all: no browser sends half a character."""
    return text.encode("utf-8", "replace").decode()


async def walk(client: TestClientProtocol, slug: str, steps: list[dict[str, list[str]]]) -> set[int]:
    """Open the form and send it screen by screen; the statuses met."""
    met = set()
    address = f"/forms/{slug}"
    for number, step in enumerate(steps):
        page = await client.get(address)
        shown = await page.get_data(as_text=True)
        met.add(page.status_code)
        assert page.status_code in (200, 404, 409), shown[-2000:]
        assert alive(shown) == []
        sent = step | {"version": ["1"], "website": [""], "stamp": [stamp_of(clock.now().timestamp() - 60 - number)]}
        sent["screen"] = [shown.partition('name="screen" value="')[2].partition('"')[0]]
        plain = {name: [readable(text) for text in values] for name, values in sent.items()}
        answer = await client.post(
            address.partition("?")[0], data=urlencode(plain, doseq=True),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        met.add(answer.status_code)
        said = await answer.get_data(as_text=True)
        assert answer.status_code in (303, 409, 422), (answer.status_code, said[-2000:])
        assert alive(said) == []
        if answer.status_code != 303:
            break
        address = answer.headers["Location"]
        if "/thanks/" in address:
            assert (await client.get(address)).status_code == 200
            break
    return met


def without_nul(value: Any) -> Any:
    if isinstance(value, dict):
        return {without_nul(name): without_nul(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_nul(each) for each in value]
    return value.replace("\x00", "") if isinstance(value, str) else value


async def test_any_form_is_drawn_and_answered_whatever_is_sent(client: TestClientProtocol, unlimited: None) -> None:
    """Through the real pages: what is published, drawn, sent, kept as a draft, and read by the office's own words."""
    form, _definition = await a_form()
    met: set[int] = set()
    loop = asyncio.get_running_loop()

    async def meet(stored: dict[str, Any], steps: list[dict[str, list[str]]]) -> None:
        definition = definitions.write_definition(definitions.read(stored))
        await db.run("DELETE FROM form_drafts")
        # Neither a page nor a file brings a NUL this far (models.Posted, exchange), and JSON in PostgreSQL has none.
        sound = without_nul(json.loads(json.dumps(definition)))
        await db.run("UPDATE form_versions SET definition = CAST(:it AS jsonb)", it=sound)
        met.update(await walk(client, form.slug, steps))

    @settings(max_examples=60, deadline=None, suppress_health_check=SLOW, phases=PHASES)
    @given(journeys())
    def look(journey: tuple[dict[str, Any], list[dict[str, list[str]]]]) -> None:
        asyncio.run_coroutine_threadsafe(meet(*journey), loop).result()

    # Hypothesis calls from a thread of its own; the application stays in its loop.
    await asyncio.to_thread(look)
    assert {200, 303, 422} <= met
    assert await db.value("SELECT count(*) FROM form_entries WHERE spam_reason = 'trap'") == 0
    assert await versions.find(form.public_id)
