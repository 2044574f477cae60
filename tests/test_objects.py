"""Whose things are whose: every address with an id in it, asked with an id of somebody else's, by every role.

The table says for each such address and role how a thing that is not theirs answers:
  own  it belongs to a member: not found for anybody else, whatever their role
  off  a thing of the office: + those who may see all of it, 403 for roles that the address is closed to
  open shown to everyone by its nature: a published course, a picture
  key  the id is itself the key (a random token); a wrong one is not found
An address with an id that is not in the table fails, so a new one is thought about.
"""

import re

import pytest

from app import Lectern
from app.access import entitlements
from app.core import db
from tests import authenticator, everywhere
from tests.cast import Cast, Person
from tests.everywhere import address, routes
from tests.office import an_order
from tests.school import a_course

ROLES = ("member", "instructor", "support", "admin", "owner")

TABLE = """
                                                                              member
                                                                              |   instructor
                                                                              |   |   support
                                                                              |   |   |   admin
                                                                              |   |   |   |   owner
own  GET  /account/orders/<public_id>                                         404 404 404 404 404
own  GET  /account/privacy/exports/<public_id>/data.zip                       404 404 404 404 404
own  GET  /account/security/passkeys/<public_id>                              404 404 404 404 404
own  POST /account/security/passkeys/<public_id>                              404 404 404 404 404
own  POST /account/security/passkeys/<public_id>/removal                      404 404 404 404 404
own  POST /account/sessions/<public_id>/removal                               404 404 404 404 404
own  POST /account/tokens/<public_id>/removal                                 404 404 404 404 404
own  GET  /api/v1/orders/<public_id>                                          401 401 401 401 401
own  GET  /learn/<course_slug>                                                403 403 403 200 200
own  GET  /learn/<course_slug>/<lesson_slug>                                  403 403 403 200 200
own  POST /learn/<course_slug>/<lesson_slug>/completion                       404 404 404 404 404
own  POST /learn/<course_slug>/<lesson_slug>/completion/removal               404 404 404 404 404
own  POST /learn/<course_slug>/<lesson_slug>/position                         404 404 404 404 404
own  GET  /media/<public_id>/<file_name>                                      404 404 404 404 404

open GET  /learn/<course_slug>/access                                         yes yes yes yes yes
open GET  /courses/<slug>                                                     yes yes yes yes yes
open GET  /courses/<slug>/offer                                               yes yes yes yes yes
open GET  /courses/<slug>/preview/<lesson_slug>                               yes yes yes yes yes
open GET  /forms/<slug>                                                        yes yes yes yes yes
open POST /forms/<slug>                                                        yes yes yes yes yes
open GET  /forms/<slug>/embed                                                  yes yes yes yes yes
open POST /forms/<slug>/pin                                                    404 404 404 404 404
open POST /forms/<slug>/left                                                   yes yes yes yes yes
open GET  /forms/<slug>/stamp                                                  yes yes yes yes yes
open GET  /teachers/<slug>                                                    404 404 404 404 404
open GET  /plates/<slug>.svg                                                  yes yes yes yes yes
open POST /cart/items/<slug>/agreement                                        yes yes yes yes yes
open POST /cart/items/<slug>/removal                                          yes yes yes yes yes

key  GET  /checkout/confirmations/<token>                                     404 404 404 404 404
key  POST /checkout/confirmations/<token>                                     404 404 404 404 404
key  GET  /forms/<slug>/drafts/<token>                                         404 404 404 404 404
key  POST /forms/<slug>/drafts/<token>                                         404 404 404 404 404
key  POST /forms/<slug>/drafts/<token>/mail                                    404 404 404 404 404
key  GET  /forms/<slug>/confirmations/<token>                                  404 404 404 404 404
key  POST /forms/<slug>/confirmations/<token>                                  404 404 404 404 404
key  POST /forms/<slug>/confirmations/<token>/links                            404 404 404 404 404
key  GET  /forms/<slug>/thanks/<token>                                         404 404 404 404 404
key  GET  /forms/<slug>/payments/<token>                                       404 404 404 404 404
key  POST /forms/<slug>/payments/<token>                                       404 404 404 404 404
key  GET  /login/link/<token>                                                 404 404 404 404 404
key  POST /login/link/<token>                                                 404 404 404 404 404
key  GET  /email-changes/<token>                                              404 404 404 404 404
key  POST /email-changes/<token>                                              303 303 303 303 303
key  POST /email-changes/<token>/lock                                         303 303 303 303 303
key  POST /email-changes/<token>/removal                                      303 303 303 303 303
key  GET  /not-me/<token>                                                     404 404 404 404 404
key  POST /not-me/<token>                                                     303 303 303 303 303
key  GET  /password/reset/<token>                                             404 404 404 404 404
key  POST /password/reset/<token>                                             404 404 404 404 404
key  GET  /privacy/keep/<token>                                               404 404 404 404 404
key  POST /privacy/keep/<token>                                               303 303 303 303 303
key  GET  /verify/<token>                                                     404 404 404 404 404
key  POST /verify/<token>                                                     303 303 303 303 303
key  POST /verify/<token>/renewal                                             303 303 303 303 303
"""
# Below /admin the roles are in tests/test_permissions.py, row by row; here: nobody outside the office learns even
# whether a thing is there.


def rows() -> dict[tuple[str, str], tuple[str, ...]]:
    found = {}
    for line in TABLE.splitlines():
        words = line.split()
        if len(words) == 8 and words[0] in ("own", "open", "key"):
            found[words[1], words[2]] = tuple(words[3:])
    return found


def with_ids(app: Lectern) -> set[tuple[str, str]]:
    return {(method, rule.rule) for method in ("GET", "POST") for rule in routes(app, method) if rule.arguments}


def test_every_address_with_an_id_is_in_the_table(app: Lectern) -> None:
    assert {one for one in with_ids(app) if not one[1].startswith("/admin")} == set(rows())


pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
async def places(app: Lectern, cast: Cast) -> dict[str, str]:
    """Everything here is Ann's: an order, a session, a place in a course with progress, its film."""
    ann = await cast.ann()
    found = await everywhere.one_of_everything(app)
    product = await db.value("SELECT id FROM products LIMIT 1")
    async with db.transaction():
        await entitlements.grant(ann.id, product, source="manual", source_ref="manual:1")
    assert (await ann.browser.get("/learn/reading-price/lesson-2")).status_code == 200
    await db.run(
        """
        INSERT INTO uploads (public_id, kind, storage_key, file_name, content_type, size_bytes, checksum, is_public,
                             created_at)
        VALUES ('upload-of-ann', 'video', 'video/x', 'a.png', 'video/webm', 1, 'x', false, now())
        """
    )
    assert (await authenticator.add_passkey(ann.browser, authenticator.Device())).status_code == 200
    return found | {
        "/passkeys": await db.value("SELECT public_id FROM passkeys"),
        "/orders": await an_order(user_id=ann.id),
        "/tokens": await a_token_of(ann.id),
        "/sessions": await db.value("SELECT public_id FROM sessions WHERE user_id = :id", id=ann.id),
        "/media": "upload-of-ann",
        "lesson_slug": "lesson-1",
    }


async def a_token_of(user_id: int) -> str:
    await db.run(
        """
        INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at, expires_at)
        VALUES ('token-of-ann', :id, 'Books', 'x', 'abcd', '{me}', false, now(), now() + interval '1 day')
        """,
        id=user_id,
    )
    return "token-of-ann"


def of_ann(rule: str, places: dict[str, str]) -> str:
    for kind in ("/sessions", "/media", "/passkeys", "/tokens"):
        if f"{kind}/<public_id>" in rule:
            return address(rule, places, public_id=places[kind])
    return address(rule, places)


async def facts() -> str:
    """Everything of Ann's that somebody could have changed."""
    found = []
    for table in (
        "passkeys",
        "orders",
        "entitlements",
        "enrolments",
        "lesson_progress",
        "refunds",
        "one_time_tokens",
        "access_tokens",
    ):
        found.append(await db.value(f"SELECT coalesce(json_agg(t ORDER BY t)::text, '') FROM {table} t"))
    found.append(
        await db.value(
            "SELECT json_agg(s.public_id)::text FROM sessions s JOIN users u ON u.id = user_id WHERE u.email = 'ann@example.org'"
        )
    )
    return str(found)


@pytest.mark.parametrize("role", ROLES)
async def test_what_is_somebody_elses_answers_as_the_table_says(
    app: Lectern, cast: Cast, places: dict[str, str], role: str
) -> None:
    kim = await cast.person("Kim Kern", "kim@example.org", role=role)
    before = await facts()
    for (method, rule), codes in rows().items():
        path = of_ann(rule, places)
        for headers in ({}, {"HX-Request": "true", "HX-Target": "main#page"}):
            answer = await kim.browser.open(path, method=method, headers=headers, form={} if method == "POST" else None)
            expected, found = codes[ROLES.index(role)], answer.status_code
            assert (found < 400) if expected == "yes" else (str(found) == expected), (role, method, rule, found)
            words = await answer.get_data(as_text=True)
            assert "Ann Archer" not in words, (role, rule)
            assert "ann@example.org" not in words, (role, rule)
    assert await facts() == before


async def test_for_their_owner_these_things_are_there(app: Lectern, cast: Cast, places: dict[str, str]) -> None:
    """The negative control: the ids are right, only the person was wrong."""
    ann = await db.one(db.Row, "SELECT id FROM users WHERE email = 'ann@example.org'")
    assert ann is not None
    browser = app.test_client()
    person = Person(ann.id, "", "ann@example.org", "Ann Archer", browser)
    await cast.sign_in(person)
    for method, rule in rows():
        if rule.startswith(("/account/orders", "/learn", "/account/sessions", "/account/security")):
            form = {"position": "7"} if rule.endswith("position") else {"name": "Old phone"}
        if rule.startswith(("/account/orders", "/learn", "/account/sessions", "/account/tokens")):
            form = {"position": "7"} if rule.endswith("position") else {}
            answer = await browser.open(of_ann(rule, places), method=method, form=form if method == "POST" else None)
            assert answer.status_code in (200, 204, 303), (method, rule, answer.status_code)


@pytest.mark.parametrize("role", ["visitor", "member"])
async def test_outside_the_office_a_thing_that_is_there_answers_like_one_that_is_not(
    app: Lectern, cast: Cast, places: dict[str, str], role: str
) -> None:
    kim = await cast.person("Kim Kern", "kim@example.org")
    browser = kim.browser if role == "member" else app.test_client()
    for method, rule in sorted(with_ids(app)):
        if not rule.startswith("/admin"):
            continue
        there = of_ann(rule, places)
        absent = re.sub(r"<int:\w+>", "999999999", rule)
        absent = re.sub(r"<[^>]+>", "nothing-of-the-kind", absent)
        told = []
        for path in (there, absent):
            answer = await browser.open(path, method=method)
            words = (await answer.get_data(as_text=True)).replace(path, "PATH")
            told.append((answer.status_code, re.sub(r"[0-9a-f]{16}", "ID", words)))
            assert answer.status_code in (303, 403), (method, path)
        assert told[0][0] == told[1][0], (method, rule)
        if told[0][0] == 403:
            assert told[0] == told[1], (method, rule)


# --- taken away while signed in ---


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET role = 'member' WHERE email = 'kim@example.org'",
        "UPDATE users SET state = 'suspended' WHERE email = 'kim@example.org'",
        "DELETE FROM sessions",
        "UPDATE sessions SET expires_at = now()",
        "UPDATE sessions SET last_seen_at = now() - interval '12 hours 1 second'",
    ],
)
async def test_what_is_taken_away_is_gone_at_the_next_request(
    app: Lectern, cast: Cast, places: dict[str, str], change: str
) -> None:
    kim = await cast.person("Kim Kern", "kim@example.org", role="owner")
    paths = [
        of_ann(rule, places) for rule in ("/admin/orders/<public_id>", "/admin/people/<public_id>", "/admin/settings")
    ]
    for path in paths:
        assert (await kim.browser.get(path)).status_code == 200
    await db.run(change)
    for path in paths:
        for headers in ({}, {"HX-Request": "true", "HX-Target": "main#page"}):
            answer = await kim.browser.get(path, headers=headers)
            assert answer.status_code in (303, 403) or "HX-Redirect" in answer.headers, path
            assert "ann@example.org" not in await answer.get_data(as_text=True)
    order = places["/orders"]
    answer = await kim.browser.post(f"/admin/orders/{order}/refunds", form={"amount": "1"})
    assert answer.status_code in (303, 403)
    assert await db.value("SELECT count(*) FROM refunds") == 0


async def test_a_cart_and_a_checkout_belong_to_their_browser(app: Lectern, cast: Cast) -> None:
    ann, bob = await cast.ann(), await cast.bob()
    await a_course()
    await ann.browser.post("/cart/items", form={"product": "reading-price"})
    assert "Reading Price" in await (await ann.browser.get("/cart")).get_data(as_text=True)
    for browser in (bob.browser, app.test_client()):
        assert "Reading Price" not in await (await browser.get("/cart")).get_data(as_text=True)
    cart = await db.value("SELECT row_to_json(c)::text FROM carts c LIMIT 1")
    for guess in re.findall(r'"(?:public_id|id)":\s*"?([\w-]+)', cart):
        thief = app.test_client()
        thief.set_cookie("localhost", "cart", guess)
        assert "Reading Price" not in await (await thief.get("/cart")).get_data(as_text=True)
