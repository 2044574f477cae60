import re

from app import Lectern
from app.accounts.roles import CAPABILITIES
from app.admin.navigation import ENTRIES
from tests.cast import Cast, Person
from tests.office import a_failed_job, seen


def entries(page: str) -> list[str]:
    nav = page.split('<nav class="office__nav"')[1].split("</nav>")[0]
    return re.findall(r'class="office__link" href="([^"]+)"', nav)


async def test_every_entry_leads_to_a_page(cast: Cast) -> None:
    people: list[Person] = [await cast.olga(), await cast.rob(), await cast.sam()]
    for person in people:
        links = entries(await seen(person, "/admin"))
        assert "/admin" in links
        for link in links:
            page = await seen(person, link)
            assert f'href="{link}" aria-current="page"' in page


def test_no_entry_names_a_page_that_its_domain_does_not_have(app: Lectern) -> None:
    for entry in ENTRIES:
        assert entry.capability in CAPABILITIES
        assert entry.endpoint in app.view_functions, entry.endpoint


async def test_nobody_is_shown_what_they_may_not_open(cast: Cast) -> None:
    links = entries(await seen(await cast.sam(), "/admin"))
    assert "/admin/jobs" in links
    assert not {"/admin/audit", "/admin/settings"} & set(links)


async def test_what_waits_is_counted_beside_its_page(cast: Cast) -> None:
    olga = await cast.olga()
    assert "office__count--due" not in await seen(olga, "/admin/settings")
    await a_failed_job()
    page = await seen(olga, "/admin/settings")
    assert re.search(r'href="/admin/jobs">.*?office__count--due">1<', page)


async def test_pages_of_the_school_carry_no_office(cast: Cast) -> None:
    assert "office__nav" not in await seen(await cast.olga(), "/account")
