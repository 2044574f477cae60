"""One school and one Chromium for the whole run; every test has browsers and people of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from e2e import school as schools
from e2e.audit import Auditor
from e2e.people import Addresses, Mailbox, People, Person
from e2e.school import SmallSchool
from e2e.visitor import PATIENCE, Visitor
from tests.longest import longest_first
from tests.settled import settle

BROWSERS = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
LINES = 25
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


def pytest_collection_finish() -> None:
    settle()


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallSchool]:
    with schools.running(tmp_path_factory.mktemp("school")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    given = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=given,  # None: Playwright's own
            args=["--no-sandbox", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def auditor(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    folder = tmp_path_factory.getbasetemp()
    # The processes of one run have folders side by side, and look at each kind of page once together.
    together = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return Auditor(browser, together / "looked-at")


@pytest.fixture(scope="session")
def addresses() -> Addresses:
    return Addresses()


@pytest.fixture(scope="session")
def people(school: SmallSchool, addresses: Addresses) -> Iterator[People]:
    people = People(school.url, addresses)
    yield people
    people.close()


@pytest.fixture(scope="session")
def mailbox(school: SmallSchool) -> Iterator[Mailbox]:
    mailbox = Mailbox(school.sandbox_url)
    yield mailbox
    mailbox.close()


@pytest.fixture(scope="session")
def owner(school: SmallSchool) -> Person:
    email, password = school.password_of("owner")
    return Person("Marta Lindqvist", email, password)


@pytest.fixture(params=[True, False], ids=["scripts on", "scripts off"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript."""
    return bool(request.param)


@pytest.fixture
def visit(
    school: SmallSchool, browser: Browser, auditor: Auditor, addresses: Addresses
) -> Iterator[Callable[..., Visitor]]:
    """Opens browsers: `visit(scripts=True, width=1280)`. None of them may have met an error at the end."""
    visitors: list[Visitor] = []

    def open_browser(*, scripts: bool = True, width: int = 1280) -> Visitor:
        urls = (school.url, school.sandbox_url)
        visitors.append(Visitor(browser, auditor, urls, addresses.network(), scripts=scripts, width=width))
        return visitors[-1]

    open_browser.visitors = visitors  # type: ignore[attr-defined] - for the pictures of a failure
    yield open_browser
    for visitor in visitors:
        visitor.close()
    for visitor in visitors:
        visitor.check()


@pytest.fixture
def visitor(visit: Callable[..., Visitor], scripts: bool) -> Visitor:
    """A browser with scripts, then one without: the journey is made twice."""
    return visit(scripts=scripts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show with a failure what the browsers showed and what the school's processes said last."""
    report = yield
    if report.failed:
        values = getattr(item, "funcargs", {})
        report.sections += [*_pictures(item, values.get("visit")), *_logs(values.get("school"))]
    return report


def _pictures(item: pytest.Item, visit: Any) -> Iterator[tuple[str, str]]:
    folder = Path(tempfile.gettempdir()) / "lectern-e2e"
    folder.mkdir(exist_ok=True)
    name = "".join(letter if letter.isalnum() else "-" for letter in item.name)
    for number, visitor in enumerate(getattr(visit, "visitors", ())):
        try:
            kept = visitor.picture(folder, f"{name}-{number}")
        except Exception as error:  # the browser may be what failed
            yield "Browser", str(error)
        else:
            words = [page.url for page in visitor.context.pages] + visitor.problems
            yield "Browser", "\n".join([*map(str, kept), *words])


def _logs(school: SmallSchool | None) -> Iterator[tuple[str, str]]:
    for log in sorted(school.logs.glob("*.log")) if school else ():
        lines = log.read_text("utf-8", "replace").splitlines()[-LINES:]
        if lines:
            yield f"The end of {log.name}", "\n".join(lines)
