"""A form of 300 fields stays usable: an edit draws what changed, and asks the database no more than for a small one."""

import gzip
import re
import time

from app.core import db
from app.formbuilder.definition import versions
from tests.cast import Cast, Person
from tests.formbuilder.building import a_definition, as_body, field
from tests.formbuilder.panels import Panel
from tests.office import seen

KINDS = ("short_text", "radio", "email", "number", "long_text", "checkbox", "likert")
HTMX = {"HX-Request": "true", "HX-Target": "form-builder#builder"}


async def big(person: Person, count: int) -> str:
    fields = [field(number, KINDS[number % len(KINDS)]) for number in range(1, count + 1)]
    rules = [
        {
            "id": f"r{n}",
            "do": "show",
            "targets": [f"q{n + 1}"],
            "when": {"all": [{"field": f"q{n}", "is": "not_empty"}]},
        }
        for n in range(7, count, 7)
    ]
    form = await versions.create(a_definition(*fields, rules=rules), by=person)
    return f"/admin/forms/{form.public_id}"


def marks(page: str) -> str:
    """What an open page says that it shows."""
    found = re.findall(r'data-mark="([0-9a-f]+)"[^>]* id="b-(q\d+)"', page)
    return " ".join(f"{name}:{mark}" for mark, name in found)


async def edited(person: Person, path: str, page: str, known: str) -> tuple[str, int, float]:
    """Change the label of q5 as an open page does: what came back, after how many statements and seconds."""
    headers = {**HTMX, **({"Builder-Blocks": known} if known else {})}
    sent = as_body({**Panel(page).texts, "label": "Changed"})
    began = time.perf_counter()
    with db.count_queries() as count:
        answer = await person.browser.post(f"{path}/fields/q5", data=sent["data"], headers=headers | sent["headers"])
        assert answer.status_code == 303
        after = await seen(person, answer.headers["Location"], headers=headers)
    return after, count.total, time.perf_counter() - began


async def test_an_edit_of_a_large_form_sends_what_changed_and_no_more(cast: Cast) -> None:
    olga = await cast.olga()
    path = await big(olga, 300)
    page = await seen(olga, f"{path}?field=q5")
    known = marks(page)
    assert known.count(":") == 300 and len(known) < 6000
    after, statements, seconds = await edited(olga, path, page, known)
    drawn = re.findall(r'data-mark="[0-9a-f]+"[^>]* id="b-(q\d+)"', after)
    assert drawn == ["q5"] and after.count("data-kept") == 299
    small = await big(olga, 5)
    first = await seen(olga, f"{small}?field=q5")
    _page, few, _seconds = await edited(olga, small, first, marks(first))
    assert statements == few <= 24
    assert len(after) < 45_000 and len(gzip.compress(after.encode())) < 6_000, (len(after), len(page), seconds)
    # Without telling what it shows a page is drawn as a whole: that is what is saved.
    whole, _statements, _seconds = await edited(olga, path, page, "")
    assert len(whole) > 10 * len(after)


async def test_a_block_is_drawn_again_when_anything_of_it_is_different(cast: Cast) -> None:
    olga = await cast.olga()
    path = await big(olga, 14)
    page = await seen(olga, f"{path}?field=q5")
    known = marks(page)

    async def drawn(address: str) -> list[str]:
        answer = await seen(olga, address, headers={**HTMX, "Builder-Blocks": known})
        return re.findall(r'data-mark="[0-9a-f]+"[^>]* id="b-(q\d+)"', answer)

    assert await drawn(f"{path}?field=q5") == []
    assert await drawn(f"{path}?field=q6") == ["q5", "q6"]  # which is chosen
    await olga.browser.post(f"{path}/fields/q7", form={"label": "Other words"})
    assert await drawn(f"{path}?field=q5") == ["q7", "q8"]  # a rule of q8 speaks of q7
    await olga.browser.post(f"{path}/fields/q1/removal")
    assert await drawn(f"{path}?field=q5") == ["q2", "q7", "q8"]  # q2 is the first now
    # Rubbish in the header draws everything.
    answer = await seen(olga, f"{path}?field=q5", headers={**HTMX, "Builder-Blocks": "q2 : ::: q3:zz \xe9"})
    assert answer.count("data-kept") == 0
