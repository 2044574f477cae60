"""What search engines are told: true addresses of everything that is open to anyone, and of nothing else."""

import re
from urllib import robotparser

from quart.typing import TestClientProtocol

from tests.school import a_course


async def _text(client: TestClientProtocol, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200, path
    return (await answer.get_data(as_text=True)).strip()


async def test_every_address_of_the_sitemap_answers(client: TestClientProtocol) -> None:
    course = await a_course()
    listed = re.findall(r"<loc>http://localhost([^<]*)</loc>", await _text(client, "/sitemap.xml"))
    assert f"/courses/{course.slug}" in listed and "/" in listed and "/courses" in listed
    for path in listed:
        assert (await client.get(path)).status_code == 200, path


async def test_a_draft_is_not_in_the_sitemap(client: TestClientProtocol) -> None:
    course = await a_course(slug="kept-back", state="draft")
    assert course.slug not in await _text(client, "/sitemap.xml")


async def test_robots_are_kept_from_what_is_somebodys_own_and_led_to_the_sitemap(client: TestClientProtocol) -> None:
    rules = robotparser.RobotFileParser()
    rules.parse((await _text(client, "/robots.txt")).splitlines())
    assert rules.site_maps() == ["http://localhost/sitemap.xml"]
    assert rules.can_fetch("*", "/courses/anything") and rules.can_fetch("*", "/static/css/school.css")
    assert not rules.can_fetch("*", "/admin/orders") and not rules.can_fetch("*", "/account")
