import asyncio
import io
import re
import struct
import zlib
from contextvars import Context
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from quart.datastructures import FileStorage

from app.admin import routes
from app.core import db
from app.core.settings import School, school
from app.media import shelf
from tests.cast import Cast, Person
from tests.office import seen

FORM = {
    "name": "Tidewater",
    "strapline": "Read the water",
    "description": "Courses for people who sail.",
    "hue": "255",
    "home_title": "Sail by what you see",
    "home_lead": "Slow courses.",
    "currency": "GBP",
    "tax_percent": "7,7",
    "tax_label": "MwSt.",
    "time_zone": "Europe/Zurich",
    "mail_sender": "Tidewater <hello@tidewater.example>",
    "legal_line": "Tidewater Ltd",
    "disclaimer": "",
}


async def test_settings_hold_from_the_next_request_on(cast: Cast) -> None:
    olga = await cast.olga()
    answer = await olga.browser.post("/admin/settings", form=FORM)
    assert answer.status_code == 303
    page = await seen(olga, "/admin/settings")
    assert "The settings are saved." in page
    assert "Tidewater back office" in page
    assert "/theme.css?hue=255" in page
    kept = await school()
    assert (kept.tax_percent, kept.currency, kept.time_zone) == ("7.7", "GBP", "Europe/Zurich")


async def mark(person: Person) -> str:
    """What the page of the settings keeps of what it showed."""
    [found] = re.findall(r'name="seen"[^>]*value="([^"]+)"', await seen(person, "/admin/settings"))
    return str(found)


async def test_a_page_that_was_left_open_takes_nothing_back_that_changed_since(cast: Cast) -> None:
    olga = await cast.olga()
    left_open = await mark(olga)
    await olga.browser.post("/admin/settings", form={**FORM, "tax_percent": "19", "seen": await mark(olga)})
    answer = await olga.browser.post("/admin/settings", form={**FORM, "name": "Ebb", "seen": left_open})
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Somebody saved this after you opened it" in page
    kept_now = re.findall(r'<dd class="stored">([^<]*)</dd>', page)
    assert kept_now == ["Tidewater", "19"]
    assert 'value="Ebb"' in page
    kept = await school()
    assert (kept.name, kept.tax_percent) == ("Tidewater", "19")
    [fresh] = re.findall(r'name="seen"[^>]*value="([^"]+)"', page)
    answer = await olga.browser.post("/admin/settings", form={**FORM, "name": "Ebb", "seen": fresh})
    assert answer.status_code == 303


async def test_the_second_of_two_clicks_is_no_stale_page(cast: Cast) -> None:
    olga = await cast.olga()
    form = {**FORM, "seen": await mark(olga)}
    for _click in range(2):
        assert (await olga.browser.post("/admin/settings", form=form)).status_code == 303


async def test_a_new_logo_makes_no_page_stale(cast: Cast) -> None:
    olga = await cast.olga()
    left_open = await mark(olga)
    await upload(olga.browser, png(), "our logo.png")
    assert (await olga.browser.post("/admin/settings", form={**FORM, "seen": left_open})).status_code == 303


async def test_nobody_takes_a_second_step_away_that_was_asked_for_a_moment_ago(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rob may not decide about it. His form says nothing of it, as the school did when he was looked at."""
    rob, true = await cast.rob(), routes.save_school

    async def late(**kwargs: Any) -> School:
        monkeypatch.setattr(routes, "save_school", true)
        await asyncio.create_task(true(second_factor_roles=["support"]), context=Context())
        return await true(**kwargs)

    monkeypatch.setattr(routes, "save_school", late)
    answer = await rob.browser.post("/admin/settings", form=FORM)
    assert answer.status_code == 409
    page = await answer.get_data(as_text=True)
    assert "<dt>Who must use a second step at sign-in</dt>" in page, (
        "as they are by now, not as this request found them"
    )
    assert (await school()).second_factor_roles == ["support"]
    # The page has it as it is, so what else was typed can be saved.
    [asked] = re.findall(r'<input(?=[^>]*name="second_factor_roles")(?=[^>]* checked)[^>]*value="(\w+)"', page)
    [fresh] = re.findall(r'name="seen"[^>]*value="([^"]+)"', page)
    form = {**FORM, "second_factor_roles": asked, "seen": fresh}
    assert (await rob.browser.post("/admin/settings", form=form)).status_code == 303
    assert ((await school()).second_factor_roles, (await school()).name) == (["support"], FORM["name"])


async def test_the_audit_log_says_what_changed(cast: Cast) -> None:
    olga = await cast.olga()
    await olga.browser.post("/admin/settings", form=FORM)
    row = await db.one(
        db.Row,
        "SELECT actor_id, before, after FROM audit_log WHERE action = 'settings.change' ORDER BY id DESC LIMIT 1",
    )
    assert row is not None
    assert row.actor_id == olga.id
    assert row.before["name"] == "Meridian"
    assert row.after["name"] == "Tidewater"
    assert "home_art" not in row.after


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("hue", "361"),
        ("hue", "green"),
        ("currency", "XXX"),
        ("tax_percent", "a lot"),
        ("tax_percent", "-1"),
        ("tax_percent", "NaN"),
        ("time_zone", "Mars/Olympus"),
        ("mail_sender", "not an address"),
        ("mail_sender", "A <a@example.org>\r\nBcc: b@example.org"),
        ("legal_line", "x\x00y"),
    ],
)
async def test_a_wrong_value_changes_nothing_and_is_named(cast: Cast, field: str, value: str) -> None:
    olga = await cast.olga()
    answer = await olga.browser.post("/admin/settings", form={**FORM, field: value})
    page = await answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in page
    assert (await school()).name == "Meridian"


async def test_support_cannot_change_them(cast: Cast) -> None:
    sam = await cast.sam()
    for path in ("/admin/settings", "/admin/settings/logo", "/admin/settings/logo/removal"):
        assert (await sam.browser.post(path, form=FORM)).status_code == 403
    assert (await school()).name == "Meridian"


def png(size: int = 28) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + b"\x80" * size for _ in range(size)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def upload(browser: object, content: bytes, name: str) -> tuple[int, str]:
    answer = await browser.post(  # type: ignore[attr-defined]
        "/admin/settings/logo", files={"logo": FileStorage(io.BytesIO(content), filename=name)}
    )
    return answer.status_code, await answer.get_data(as_text=True)


async def test_while_the_storage_is_away_a_logo_is_refused_with_503_and_nothing_of_it_is_kept(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await cast.olga()

    async def away(*_: Any, **__: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://acc.r2.example")

    with monkeypatch.context() as patch:
        patch.setattr(shelf.storage(), "put", away)
        status, page = await upload(olga.browser, png(), "our logo.png")
    assert (status, await db.value("SELECT count(*) FROM uploads")) == (503, 0)
    assert "where files are kept does not answer" in page
    assert (await upload(olga.browser, png(), "our logo.png"))[0] == 303


async def test_a_logo_stands_on_every_page_and_can_be_removed(cast: Cast) -> None:
    olga = await cast.olga()
    status, _page = await upload(olga.browser, png(), "our logo.png")
    assert status == 303
    address = (await school()).logo_url
    assert address
    assert f'src="{address}"' in await seen(olga, "/admin/settings")
    assert (await olga.browser.get(address)).status_code == 200
    assert (await olga.browser.post("/admin/settings/logo/removal")).status_code == 303
    assert (await school()).logo_url == ""


async def test_what_is_not_a_picture_is_no_logo(cast: Cast) -> None:
    olga = await cast.olga()
    for content, name in ((b"<svg onload='alert(1)'/>", "logo.png"), (b"", "logo.png"), (b"", "")):
        status, page = await upload(olga.browser, content, name)
        assert status == 422
        assert 'id="logo-error"' in page
    assert (await school()).logo_url == ""
