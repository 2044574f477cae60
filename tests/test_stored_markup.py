"""What people typed is shown, never obeyed: payloads in every column of the database, on every page, to every role."""

import re

import pytest

from app import Lectern
from app.access import entitlements
from app.accounts import users
from app.config import Config
from app.core import db
from app.courses import prose
from app.ops import previews
from app.web import render
from tests import everywhere
from tests.cast import Cast
from tests.everywhere import address, routes
from tests.markup import MARK, PAYLOADS, alive, bundle, fields_of, poison
from tests.school import a_course


def test_there_are_more_than_five_hundred_payloads() -> None:
    assert len(PAYLOADS) > 500


def test_the_reader_sees_what_came_to_life() -> None:
    """The negative control: unescaped, nearly all of them are seen."""
    seen = [one for one in PAYLOADS if alive(f'<p title="x">{one}</p>')]
    assert len(seen) > len(PAYLOADS) * 0.6
    assert alive(f"<a href=' java\tscript:{MARK}'>x</a>")
    assert not alive(
        '<a href="/courses?q=javascript:x">x</a><img src="data:image/png;base64,x"><script src="/x"></script>'
    )


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 100))
def test_no_payload_survives_in_the_text_of_a_lesson(start: int) -> None:
    for payload in PAYLOADS[start : start + 100]:
        for text in (payload, f"Words.\n\n{payload}\n\n- {payload}\n\n| a |\n|---|\n| {payload} |\n"):
            assert alive(prose.render(text)) == [], payload


pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.mark.parametrize("turn", range(3))
async def test_every_page_shows_them_as_text(app: Lectern, config: Config, cast: Cast, turn: int) -> None:
    ines = await cast.ines()
    await users.update_profile(ines.id, name="Ines Ito", headline="x", biography="x", time_zone=None)
    places = await everywhere.one_of_everything(app, instructor_id=ines.id)
    await a_course("another", "Another", topic="shapes")
    olga, ann = await cast.olga(), await cast.ann()
    async with db.transaction():
        await entitlements.grant(
            ann.id, await db.value("SELECT min(id) FROM products"), source="manual", source_ref="m:1"
        )
    for browser in (ann.browser, olga.browser):
        await browser.post("/cart/items", form={"product": "another"})
        await browser.get("/learn/reading-price/lesson-2")
    await db.run(
        "UPDATE lessons SET transcript = CAST(:t AS jsonb) WHERE kind = 'video' OR id = (SELECT max(id) FROM lessons)",
        t=[{"start": 1.0, "text": "x"}],
    )
    taken = await poison(config.database_url.reveal(), turn)
    assert len(taken) > 25, taken
    assert {"courses.title", "courses.summary", "lessons.title", "users.name", "settings.value"} <= set(taken)
    from app.core import settings

    await settings.forget_copy()
    shown = 0
    query = f"?q={everywhere.quoted(bundle(turn, 10))}&next={everywhere.quoted(bundle(turn + 1, 3))}"
    for browser in (app.test_client(), ann.browser, olga.browser):
        for rule in routes(app, "GET"):
            for extra, headers in (("", {}), (query, {}), ("", {"HX-Request": "true", "HX-Target": "main#page"})):
                path = address(rule.rule, places) + extra
                answer = await browser.get(path, headers=headers)
                assert answer.status_code < 500, path
                if answer.mimetype != "text/html":
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    continue
                page = await answer.get_data(as_text=True)
                shown += MARK in page
                assert alive(page) == [], path
    assert shown > 100


async def test_what_is_sent_with_a_form_comes_back_as_text(app: Lectern, cast: Cast) -> None:
    olga = await cast.olga()
    places = await everywhere.one_of_everything(app)
    names = {
        "email",
        "name",
        "title",
        "q",
        "next",
        "password",
        "promise",
        "summary",
        "body_markdown",
        "reason",
        "slug",
        "amount",
    }
    shown = 0
    for number, rule in enumerate(routes(app, "POST")):
        await cast.sign_in(olga)
        form = {name: bundle(number + place, 12) for place, name in enumerate(sorted(names))}
        for headers in ({}, {"HX-Request": "true", "HX-Target": "main#page"}):
            answer = await olga.browser.post(address(rule.rule, places), form=form, headers=headers)
            assert answer.status_code < 500, rule.rule
            for _name, value in answer.headers:
                assert "\n" not in value
            page = await answer.get_data(as_text=True)
            shown += MARK in page
            assert alive(page) == [], rule.rule
    assert shown > 5


async def test_mails_show_them_as_text(app: Lectern) -> None:
    async with app.test_request_context("/"):
        for number, template in enumerate(previews.templates()):
            sample = previews.sample(template)
            mail = await render.mail(
                template.key, sample | {n: v for n, v in fields_of(sample, number).items() if n in NAMED}
            )
            assert alive(mail.html) == [], template.key
            assert not re.search(r"[\r\n]", mail.subject), template.key


NAMED = ("name", "title", "course", "buyer", "note", "reason")
