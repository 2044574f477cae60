"""Every page of the school, as a visitor, a member and the owner: axe-core finds nothing, by day and by night, wide and
narrow; with very long words in it none is wider than a phone; and with payloads in every column of the database no browser
runs any of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from e2e import school as schools
from e2e.audit import NARROW, WIDE, violations
from e2e.every_page import beside, pages
from e2e.people import Addresses
from e2e.school import SmallSchool
from tests.markup import MARK, PAYLOADS

LOOKS = (("light", 1280), ("dark", 375))


def signed_in(browser: Browser, school: SmallSchool, role: str, network: str) -> BrowserContext:
    context = browser.new_context(
        base_url=school.url, reduced_motion="reduce", extra_http_headers={"X-Forwarded-For": network}
    )
    if role != "visitor":
        page = context.new_page()
        page.goto("/login")
        email, password = school.password_of(role)
        page.get_by_label("Email address").fill(email)
        page.get_by_label("Password", exact=True).fill(password)
        page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(lambda url: "/login" not in url)
        page.close()
    return context


def of_role(role: str, paths: list[str]) -> list[str]:
    """The office belongs to the owner, what is behind a sign-in to the member, the rest to visitors."""
    personal = ("/account", "/learn", "/checkout")
    if role == "owner":
        return [path for path in paths if path.startswith("/admin")]
    if role == "member":
        return [path for path in paths if path.startswith(personal)] + ["/", "/courses"]
    return [path for path in paths if not path.startswith(("/admin", *personal))]


def wrong_with(page: Page, path: str) -> list[str]:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    answer = page.goto(path)
    assert answer is not None
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return []
    found = []
    for scheme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"{scheme} {width}: {one}" for one in violations(page)]
    return found


@pytest.mark.parametrize("role", ["visitor", "member", "owner"])
def test_every_page_can_be_used_by_everybody(
    school: SmallSchool, browser: Browser, addresses: Addresses, tmp_path: Path, role: str
) -> None:
    context = signed_in(browser, school, role, addresses.network())
    page = context.new_page()
    looked = of_role(role, pages(school, tmp_path))
    wrong = [one for path in looked for one in wrong_with(page, path)]
    context.close()
    assert len(looked) > 8
    assert not wrong, "\n".join(wrong)


# --- a school of its own, since it is not good for anything afterwards ---


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallSchool]:
    with schools.running(tmp_path_factory.mktemp("poisoned") / "school") as running:
        yield running


# Eighty letters, as a compound, an address or a slip of the space bar makes them.
WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
# With the id at its end, since some names may stand only once; a tag holds no more than forty letters.
WORDY = {
    "courses": ("title", "summary"),
    "lessons": ("title",),
    "order_items": ("title",),
    "orders": ("name",),
    "person_notes": ("body",),
    "products": ("title",),
    "sections": ("title",),
    "tags": ("name",),
    "topics": ("name",),
    "users": ("name", "headline"),
}


async def lengthen(url: str) -> None:
    """Make one long word of everything that people write on one line."""
    connection = await asyncpg.connect(url)
    try:
        for table, columns in WORDY.items():
            for column in columns:
                most = 38 if table == "tags" else 78
                await connection.execute(
                    f"UPDATE {table} SET {column} = left($1, {most}) || id WHERE {column} <> ''",
                    WORD,
                )
    finally:
        await connection.close()


def test_a_word_longer_than_the_screen_makes_no_page_wider(
    browser: Browser, poisoned: SmallSchool, addresses: Addresses, tmp_path: Path
) -> None:
    paths = pages(poisoned, tmp_path)
    beside(lengthen(poisoned.database_url))
    wide, shown = list[str](), 0
    for role in ("visitor", "member", "owner"):
        context = signed_in(browser, poisoned, role, addresses.network())
        page = context.new_page()
        page.set_viewport_size({"width": NARROW, "height": 900})
        for path in of_role(role, paths):
            page.goto(path)
            shown += WORD[:38] in page.content()
            if out := page.evaluate(WIDE):
                wide.append(f"{path}: {' … '.join(out)}")
        context.close()
    assert shown > 30
    assert not wide, "\n".join(wide)


def plant(school: SmallSchool) -> None:
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": school.database_url}
    subprocess.run([sys.executable, "-m", "tests.markup"], env=env, check=True, timeout=180)


def listen(page: Page, ran: list[str]) -> None:
    """Note every dialog, every error of a script, every breach of the policy."""
    page.add_init_script(
        "addEventListener('securitypolicyviolation', one => console.error('Content Security Policy', one.blockedURI))"
    )
    page.on("dialog", lambda dialog: (ran.append(f"{page.url}: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: ran.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda said: ran.append(f"{page.url}: {said.text}") if "Content Security Policy" in said.text else None,
    )


def test_no_browser_runs_what_somebody_typed(
    browser: Browser, poisoned: SmallSchool, addresses: Addresses, tmp_path: Path
) -> None:
    contexts = {
        role: signed_in(browser, poisoned, role, addresses.network()) for role in ("visitor", "member", "owner")
    }
    paths = pages(poisoned, tmp_path)
    plant(poisoned)
    ran: list[str] = []
    shown = 0
    for role, context in contexts.items():
        page = context.new_page()
        listen(page, ran)
        for path in of_role(role, paths):
            page.goto(path)
            shown += MARK in page.content()
        page.close()
    assert shown > 30
    assert not ran, "\n".join(ran[:10])


def test_a_browser_without_our_policy_and_escaping_would_run_them(browser: Browser) -> None:
    """The negative control: as a page of their own the payloads run, and are heard."""
    page, ran = browser.new_page(), list[str]()
    listen(page, ran)
    with page.expect_event("dialog", lambda dialog: MARK in dialog.message):
        page.set_content(f"<p>{''.join(PAYLOADS[:40])}</p><img src=x onerror=alert('{MARK}')>")
    page.close()
    assert any(MARK in one for one in ran)
