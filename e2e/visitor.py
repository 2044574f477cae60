"""A browser of somebody, watched: it notes every error in the console, every failed request, every foreign host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

from e2e.audit import Auditor
from e2e.people import Person

# A browser gives up what it was loading when the person goes on: fragments, films, streams, beacons.
_GIVEN_UP = ("net::ERR_ABORTED",)
# Milliseconds. A good run never waits so long; a machine that is busy with other things may.
PATIENCE = 30_000
_REDIRECTS = (301, 302, 303, 307, 308)


class Visitor:
    """One person's browser with cookies of its own. `page` is its first tab."""

    def __init__(
        self, browser: Browser, auditor: Auditor, urls: tuple[str, str], address: str, *, scripts: bool, width: int
    ) -> None:
        self.scripts = scripts
        self.problems: list[str] = []
        self._auditor = auditor
        self._urls = urls
        self._expected: list[tuple[int, str]] = []
        self.context = browser.new_context(
            base_url=urls[0],
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            locale="en-GB",
            reduced_motion="reduce",
            extra_http_headers={"X-Forwarded-For": address},
        )
        self.context.set_default_timeout(PATIENCE)
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    def expect_status(self, status: int, path: str) -> None:
        """From now on this journey provokes answers with that status at addresses that contain `path`."""
        self._expected.append((status, path))

    def open(self, address: str) -> None:
        """Go to an address and look at the page."""
        self.page.goto(address)
        self.look()

    def open_until(self, address: str, shown: Locator) -> None:
        """Go to a public page until this is on it: a process that was not told of a change yet shows what it kept."""
        for _try in range(40):
            self.open(address)
            if shown.count():
                return
            self.page.wait_for_timeout(250)
        expect(shown).to_be_visible()

    def click(
        self, name: str | re.Pattern[str], *, role: str = "link", within: str = "body", exact: bool = False
    ) -> None:
        """Press a link or button by its words."""
        place = self.page.locator(within)
        place.get_by_role(role, name=name, exact=exact).first.click()  # type: ignore[arg-type]

    def press(self, name: str | re.Pattern[str], *, within: str = "body", exact: bool = False) -> None:
        """Press a button by its words."""
        self.click(name, role="button", within=within, exact=exact)

    def post(self, name: str | re.Pattern[str], *, within: str = "body", exact: bool = False) -> None:
        """Press a button, and wait until the server has answered what it posts: for who goes elsewhere at once after it."""
        with self.answered():
            self.press(name, within=within, exact=exact)

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Wait for the answer to what is posted meanwhile, where it leads elsewhere for that page; swaps may still come."""
        with self.page.expect_response(_ends_a_post) as answer:
            yield
        answer.value.finished()

    def think(self) -> None:
        """Leave a form open for as long as a person takes: faster ones are taken for programs."""
        self.page.wait_for_timeout(1100)

    def fill(self, label: str | re.Pattern[str], text: str, *, exact: bool = False) -> None:
        """Type into the field with that label."""
        self.page.get_by_label(label, exact=exact).first.fill(text)

    def sees(self, words: str | re.Pattern[str], *, level: int | None = None) -> None:
        """Wait for a heading with these words, then look at the page."""
        heading = self.page.get_by_role("heading", name=words) if level is None else None
        found = heading or self.page.get_by_role("heading", name=words, level=level)
        expect(found.first).to_be_visible()
        self.look()

    def is_at(self, path: str | re.Pattern[str]) -> None:
        """Wait until the address has that path (a pattern matches the whole of path and query)."""
        if isinstance(path, str):
            path = re.compile(re.escape(path))
        self.page.wait_for_url(lambda url: path.fullmatch(_local(url)) is not None, wait_until="load")

    def look(self) -> None:
        """Look at the page as it stands; fails on anything wrong seen so far."""
        self.page.wait_for_load_state()
        if self.scripts:
            self.page.wait_for_function(
                "() => !document.querySelector('.htmx-request, .htmx-settling, .htmx-swapping')"
            )
        self.problems += self._auditor.look(self.page, scripts=self.scripts)
        self.check()

    def check(self) -> None:
        """Fail when anything went wrong since the last time."""
        problems, self.problems = self.problems, []
        assert not problems, "\n".join(problems)

    def come_as(self, person: Person) -> None:
        """Be signed in from the start, without the form that other journeys fill in; then stand where that leads."""
        answer = self.context.request.post(
            "/login",
            form={"email": person.email, "password": person.password},
            headers={"Sec-Fetch-Site": "same-origin"},
            max_redirects=0,
        )
        assert answer.status == 303, answer.text()[:2000]
        self.page.goto(answer.headers["location"])

    def sign_in(self, person: Person) -> None:
        """Sign in through the form."""
        self.page.goto("/login")
        self.look()
        self.fill("Email address", person.email)
        self.fill("Password", person.password)
        self.press("Sign in", within="main")
        self.page.wait_for_url(lambda url: urlsplit(url).path != "/login")

    def picture(self, folder: Path, name: str) -> list[Path]:
        """Keep what every tab shows, for a person who looks into a failure."""
        kept = []
        for number, page in enumerate(self.context.pages):
            place = folder / f"{name}-{number}"
            page.screenshot(path=place.with_suffix(".png"), full_page=True)
            place.with_suffix(".html").write_text(f"<!-- {page.url} -->\n{page.content()}", "utf-8")
            kept.append(place.with_suffix(".png"))
        return kept

    def close(self) -> None:
        self.context.close()

    def _watch(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        address = message.location.get("url", "")
        # The browser repeats in the console what `_answered` judges.
        if "Failed to load resource: the server responded with a status" in message.text:
            return
        self.problems.append(f"console: {message.text} ({address})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and not request.url.startswith(self._urls):
            self.problems.append(f"a request to another host: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure not in _GIVEN_UP:
            self.problems.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status < 400:
            return
        if any(response.status == status and path in response.url for status, path in self._expected):
            return
        self.problems.append(f"{response.request.method} {response.url} answered {response.status}")


def _ends_a_post(answer: Response) -> bool:
    first = answer.request
    while first.redirected_from is not None:
        first = first.redirected_from
    return first.method == "POST" and answer.status not in _REDIRECTS


def _local(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
