import csv
import io

from app.core import audit, db
from app.core.audit import Actor, acting
from tests.cast import Cast, Person
from tests.office import seen


async def write(person: Person | None, action: str, subject: str, **changes: object) -> None:
    with acting(Actor(person.id if person else None, "203.0.113.7", "r1")):
        async with db.transaction():
            await audit.record(action, subject, "abc123", **changes)  # type: ignore[arg-type]


async def test_who_what_before_and_after_are_shown(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    await write(
        rob, "course.publish", "course", before={"title": "Old <b>"}, after={"title": "New"}, summary="A course"
    )
    page = await seen(olga, "/admin/audit")
    for words in ("Rob Rask", "course.publish", "<del>Old &lt;b&gt;</del>", "<ins>New</ins>", "abc123", "203.0.113.7"):
        assert words in page


async def test_it_is_filtered_by_who_what_on_what_and_when(cast: Cast) -> None:
    olga, rob, ann = await cast.olga(), await cast.rob(), await cast.ann()
    await write(rob, "course.publish", "course", summary="one")
    await write(ann, "profile.change", "user", summary="two")
    await write(None, "order.paid", "order", summary="three")
    for query, found in (
        (f"actor={rob.public_id}", ["one"]),
        ("actor=members", ["two"]),
        ("action=order.paid", ["three"]),
        ("subject=user", ["two"]),
        ("q=one", ["one"]),
        ("from=2020-01-01&q=abc123", ["one", "three", "two"]),
        ("to=2020-01-01", []),
    ):
        page = await seen(olga, f"/admin/audit?{query}")
        shown = [word for word in ("one", "three", "two") if f'cell-note">{word}</small>' in page]
        assert shown == found, query


async def test_the_export_holds_the_same_rows_and_is_noted_itself(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    await write(rob, "course.publish", "course", before={"title": "=1+1"}, after={"title": "New"}, summary="=cmd()")
    await write(None, "order.paid", "order")
    answer = await olga.browser.get("/admin/audit?format=csv&subject=course")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.reader(io.StringIO((await answer.get_data()).decode("utf-8-sig"))))
    assert len(lines) == 2
    row = dict(zip(lines[0], lines[1], strict=True))
    assert row["Who"] == "Rob Rask"
    assert row["Summary"] == "'=cmd()"
    assert row["Before"] == "title: =1+1"
    assert "audit.export" in await seen(olga, "/admin/audit")


async def test_nobody_else_exports_it(cast: Cast) -> None:
    for person in (await cast.sam(), await cast.ines(), await cast.ann()):
        assert (await person.browser.get("/admin/audit?format=csv")).status_code == 403
