"""Bringing lists as a browser does."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from quart import Response
from werkzeug.datastructures import FileStorage

from app.core import db, queue
from tests.cast import Person

AT = "/admin/people/imports"


async def bring(by: Person, content: str | bytes, name: str = "list.csv") -> Response:
    data = content if isinstance(content, bytes) else content.encode()
    return await by.browser.post(AT, files={"file": FileStorage(BytesIO(data), name)})


async def brought(by: Person, content: str | bytes, name: str = "list.csv") -> str:
    """The address of the import."""
    answer = await bring(by, content, name)
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    return str(answer.headers["Location"])


async def tried(by: Person, where: str, *, drain: bool = True, **form: Any) -> str:
    """The page after the trial. Columns stay as they were guessed."""
    page = await (await by.browser.get(where)).get_data(as_text=True)
    columns: dict[str, str] = {}
    for part in re.split(r"<select", page)[1:]:
        found = re.search(r'name="(column-\d+)"', part)
        chosen = re.search(r'<option selected value="([^"]*)"', part.split("</select>")[0])
        if found:
            columns[found[1]] = chosen[1] if chosen else ""
    answer = await by.browser.post(f"{where}/trials", form={**columns, "existing": "skip", "product": "", **form})
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    if drain:
        await queue.drain()
    return str(await (await by.browser.get(where)).get_data(as_text=True))


async def run(by: Person, where: str, *, drain: bool = True) -> str:
    """The page after the run."""
    attempt = await db.value("SELECT attempt FROM imports WHERE public_id = :id", id=where.rpartition("/")[2])
    answer = await by.browser.post(f"{where}/run", form={"attempt": str(attempt)})
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    if drain:
        await queue.drain()
    return str(await (await by.browser.get(where)).get_data(as_text=True))


async def state(where: str) -> Any:
    return await db.one(
        db.Row,
        "SELECT id, state, counts, last_row, error FROM imports WHERE public_id = :id",
        id=where.rpartition("/")[2],
    )


async def names() -> dict[str, str]:
    """Everybody but the office, by address."""
    rows = await db.many(db.Row, "SELECT email, name FROM users WHERE role = 'member' ORDER BY id")
    return {row.email: row.name for row in rows}
