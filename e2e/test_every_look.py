"""What the long tour of `test_every_page` passes by: pages of each kind by night on a wide screen and by day on a narrow
one, the back office as an instructor sees it, and a school that began with nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from e2e import school as schools
from e2e.audit import RULES, WIDE, violations
from e2e.every_page import pages
from e2e.people import PASSWORD, Addresses, Mailbox
from e2e.school import SmallSchool
from e2e.test_every_page import LOOKS, signed_in

OTHER_LOOKS = (("dark", 1280), ("light", 375))
# What can differ between two looks of the same markup.
SIGHT = {
    "runOnly": {
        "type": "rule",
        "values": ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"],
    },
    "resultTypes": ["violations"],
    "preload": False,
}
# One page of each kind, by what its address looks like.
KINDS = {
    "visitor": (
        r"/",
        r"/courses",
        r"/courses/[^/]+",
        r"/courses/[^/]+/preview/[^/]+",
        r"/cart",
        r"/login",
        r"/teachers/.+",
    ),
    "member": (
        r"/learn",
        r"/learn/[^/]+",
        r"/account",
        r"/account/orders",
        r"/account/orders/[^/]+",
        r"/account/sessions",
    ),
    "owner": (
        r"/admin",
        r"/admin/orders",
        r"/admin/orders/[^/]+",
        r"/admin/people/(?!new)[^/]+",
        r"/admin/courses/(?!new)[^/]+",
        r"/admin/courses/[^/]+/lessons/[^/]+",
        r"/admin/courses/[^/]+/price",
        r"/admin/jobs/log",
        r"/admin/audit",
        r"/admin/settings",
    ),
    "instructor": (r"/admin", r"/admin/courses", r"/admin/courses/(?!new)[^/]+(/details|/price)?", r"/admin/orders"),
}
EMPTY = {
    "visitor": ("/", "/courses", "/cart"),
    "owner": ("/admin", "/admin/orders", "/admin/people", "/admin/courses", "/learn"),
}


def wrong_in(page: Page, path: str, looks: tuple[tuple[str, int], ...], *, markup: bool = False) -> list[str]:
    """What axe-core finds, and what sticks out on the right, in each look; `markup`: in the first one by every rule."""
    page.goto(path)
    return seen(page, looks, markup=markup)


def seen(page: Page, looks: tuple[tuple[str, int], ...], *, markup: bool = False) -> list[str]:
    found = []
    for number, (scheme, width) in enumerate(looks):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        rules = RULES if markup and number == 0 else SIGHT
        found += [f"{scheme} {width}: {one}" for one in violations(page, rules)]
        if wide := page.evaluate(WIDE):
            found.append(f"{scheme} {width}: {page.url} scrolls sideways: {' … '.join(wide)}")
    return found


def of_kinds(kinds: tuple[str, ...], paths: list[str]) -> list[str]:
    """The addresses of these kinds; one that none has is a kind that has gone."""
    found = []
    for kind in kinds:
        matching = [path for path in paths if re.fullmatch(kind, path)]
        assert matching, f"there is no page like {kind}"
        found += matching[:3]
    return found


@pytest.mark.parametrize("role", ["visitor", "member", "owner"])
def test_pages_of_each_kind_are_good_by_night_and_on_a_telephone(
    school: SmallSchool, browser: Browser, addresses: Addresses, tmp_path: Path, role: str
) -> None:
    context = signed_in(browser, school, role, addresses.network())
    page = context.new_page()
    looked = [path for kind in KINDS[role] for path in of_kinds((kind,), pages_of(school, tmp_path))[:1]]
    wrong = [one for path in looked for one in wrong_in(page, path, OTHER_LOOKS)]
    context.close()
    assert not wrong, "\n".join(wrong)


def test_the_back_office_is_good_as_an_instructor_sees_it(
    school: SmallSchool, browser: Browser, addresses: Addresses, tmp_path: Path
) -> None:
    context = signed_in(browser, school, "instructor", addresses.network())
    page = context.new_page()
    looked = of_kinds(KINDS["instructor"], pages_of(school, tmp_path))
    wrong = [one for path in looked for one in wrong_in(page, path, LOOKS, markup=True)]
    context.close()
    assert not wrong, "\n".join(wrong)


def test_what_can_be_read_only_by_day_is_found(browser: Browser) -> None:
    """The negative control: words that darken with the page, and a line wider than a telephone."""
    page = browser.new_page()
    page.set_content(
        "<html lang=en><meta name=color-scheme content='light dark'><title>x</title>"
        "<main><h1>Words</h1><p style='color: light-dark(#222, #333); background: light-dark(#fff, #000)'>Dim</p>"
        "<p style='white-space: nowrap; inline-size: 40rem'>Wide</p></main>"
    )
    (night,), (narrow,) = seen(page, OTHER_LOOKS[:1]), seen(page, OTHER_LOOKS[1:])
    page.close()
    assert "color-contrast" in night
    assert "sideways" in narrow


_known: list[str] = []


def pages_of(school: SmallSchool, folder: Path) -> list[str]:
    """All addresses, asked for once."""
    if not _known:
        _known.extend(pages(school, folder))
    return _known


# --- a school that begins with nothing ---


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SmallSchool]:
    with schools.running(tmp_path / "empty", empty=True) as running:
        yield running


def test_a_school_that_begins_with_nothing_lets_its_owner_in_and_looks_whole(
    browser: Browser, empty: SmallSchool
) -> None:
    context = browser.new_context(base_url=empty.url, reduced_motion="reduce")
    page = context.new_page()
    wrong = [one for path in EMPTY["visitor"] for one in wrong_in(page, path, LOOKS, markup=True)]

    mailbox = Mailbox(empty.sandbox_url)
    page.goto(mailbox.link(schools.OWNER_ALERTS, "Welcome", "/password/"))
    mailbox.close()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url("**/admin")
    wrong += [one for path in EMPTY["owner"] for one in wrong_in(page, path, LOOKS, markup=True)]
    context.close()
    assert not wrong, "\n".join(wrong)
