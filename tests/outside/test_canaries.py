"""Secrets and personal data are planted everywhere, every address is asked, things break: none of them is in the log."""

import asyncio
import secrets
from datetime import timedelta
from time import perf_counter

import httpx
import pytest

from app import Lectern
from app.accounts import hashing, queries
from app.core import clock, db, limits, mail
from app.core.log import scrubbed
from app.core.queue import enqueue
from tests import everywhere
from tests.cast import Cast
from tests.everywhere import address, routes
from tests.outside.conftest import SECRETS, Live

PASSWORD = "canary-password-Xylophone-77"
EMAIL = "carla.canary@leak.example"
NAME = "Carla Quibblezanzibar"
CARD = "4000 0025 0000 3155"
ENDING = (
    "/login",
    "/login/confirmation",
    "/logout",
    "/account/password",
    "/admin/people/<public_id>/impersonation",
)
TOKEN = "cAnArY" + secrets.token_urlsafe(30)
PHONE = "canary-phone-5550199"


async def canaries(cast: Cast) -> tuple[dict[str, str], dict[str, str]]:
    """What must not be read anywhere, by name; and the headers of Carla's browser."""
    carla = await cast.person(NAME, EMAIL, role="owner")
    await queries.set_password(carla.id, await hashing.hashed(PASSWORD))
    jar = carla.browser.cookie_jar  # type: ignore[union-attr]
    session = next(one.value for one in jar if one.name == "session")  # type: ignore[union-attr]
    found = {
        "email": EMAIL,
        "password": PASSWORD,
        "name": NAME,
        "card": CARD,
        "card without spaces": CARD.replace(" ", ""),
        "token": TOKEN,
        "phone": PHONE,
        "session": str(session),
        "database": "lectern:lectern",
        **{name.lower(): value for name, value in SECRETS.items()},
        "webhook secret": "whsec_canaryB2leak",
        "secret of a connection": "whs_0123456789abcdef",
        "password hash": "$argon2id$",
    }
    return found, {"Cookie": f"__Host-session={session}; __Host-cart={TOKEN}; __Host-flash={TOKEN}"}


def stuffed(words: dict[str, str]) -> dict[str, str]:
    """A form whose fields, whatever they are called, hold what people type there."""
    fields = {
        "email": EMAIL,
        "name": NAME,
        "password": PASSWORD,
        "current_password": PASSWORD,
        "new_password": TOKEN,
        "note": CARD,
        "reason": PHONE,
        "q": EMAIL,
        "title": NAME,
        "slug": NAME,
        "next": f"/x?token={TOKEN}&email={EMAIL}",
        "token": TOKEN,
        "amount": CARD,
        "position": CARD,
        "product": EMAIL,
        # An account of an outside service.
        "provider": "webhook",
        "s.url": f"https://hooks.internal/{TOKEN}",
        "s.secret": TOKEN,
        "s.api_key": TOKEN,
    }
    return {**fields, "session_id": words["session"]}


async def logged(live: Live) -> str:
    await asyncio.sleep(0.3)
    return live.log.read_text("utf-8", "replace")


def hits(log: str, words: dict[str, str]) -> list[str]:
    return [name for name, word in words.items() if word in log]


async def test_nothing_of_anybody_is_in_the_log(
    app: Lectern, live: Live, outside: httpx.AsyncClient, cast: Cast
) -> None:
    words, cookies = await canaries(cast)
    places = await everywhere.one_of_everything(app)
    places |= {"token": TOKEN, "file_name": EMAIL}
    form, asked = stuffed(words), 0
    headers = {"Referer": f"https://school.test/verify/{TOKEN}", "User-Agent": EMAIL, "Stripe-Signature": TOKEN}

    async def walk(methods: str) -> None:
        nonlocal asked
        for method in methods.split():
            for rule in routes(app, method):
                if "session" in rule.rule or rule.rule in ENDING:
                    continue  # they would end the session that is walked with
                path = address(rule.rule, places)
                await limits.forget_all()
                how = {"params": form} if method == "GET" else {"data": form}
                # Each from an address of its own: the live processes count by themselves, too.
                sent = {**headers, **cookies, "X-Forwarded-For": f"10.1.{asked // 250}.{asked % 250}"}
                await outside.request(method, path, headers=sent, **how)  # type: ignore[arg-type]
                asked += 1

    await walk("GET POST")
    # Each of those is counted by itself too: signing in and showing a wrong password.
    for path in ENDING[:2]:
        await outside.post(path, data={**form, "password": f"{PASSWORD} "}, headers=cookies)
    assert (await outside.get("/admin", headers=cookies)).status_code == 200
    # Now things break, with the words in the rows that break them.
    await db.run("CREATE UNIQUE INDEX canary_people ON users (name)")
    await db.run("ALTER TABLE courses RENAME TO courses_away")
    try:
        await walk("GET POST")
        await outside.post("/account/profile", data={"name": NAME, "headline": PHONE}, headers=cookies)
        with clock.shifted(timedelta(seconds=-20)):
            stamp = _stamp()
        await outside.post(
            "/register",
            data={"name": NAME, "email": f"x{EMAIL}", "password": TOKEN, "opened": stamp, "website": ""},
            headers={"X-Forwarded-For": "10.2.0.1"},
        )
    finally:
        await db.run("ALTER TABLE courses_away RENAME TO courses")
        await db.run("DROP INDEX canary_people")
    # Jobs that break: a mail that nobody takes, one whose facts are missing.
    async with db.transaction():
        for template in ("accounts/welcome", "accounts/nothing-of-the-kind"):
            mail_id = await db.value(
                """
                INSERT INTO mails (public_id, fact, recipient, template, context, state, created_at)
                VALUES (:id, :id, :to, :template, CAST(:context AS jsonb), 'queued', :now) RETURNING id
                """,
                id=f"{template[-8:]}",
                to=EMAIL,
                template=template,
                context={"name": NAME, "path": f"/verify/{TOKEN}"},
                now=clock.now(),
            )
            await enqueue(mail.deliver_mail, mail_id=mail_id)
    with live.worker():
        for _ in range(40):
            await asyncio.sleep(0.25)
            if (await logged(live)).count("job failed") >= 2:
                break
    log = await logged(live)
    assert asked > 250
    assert log.count('"request failed"') > 20, "things broke, and were logged"
    assert "UndefinedTableError" in log
    assert "UniqueViolationError" in log
    assert log.count("job failed") >= 2
    assert hits(log, words) == []


def _stamp() -> str:
    """As the page of the live school would have signed it."""
    from itsdangerous import URLSafeTimedSerializer

    return str(URLSafeTimedSerializer(SECRETS["SECRET_KEY"], salt="register-form").dumps(clock.now().timestamp()))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "UniqueViolationError: duplicate key\nDETAIL:  Key (email)=(ann@example.org) already exists.",
            "duplicate key",
        ),
        ("SMTPRecipientsRefused: {'ann@example.org': (550, b'no')}", "SMTPRecipientsRefused"),
        (f"ValueError: invalid literal for int() with base 10: '{CARD}'", "base 10"),
        (f"could not connect to postgresql://lectern:{TOKEN}@db.example/x", "postgresql://"),
        (f"RuntimeError: card {CARD} of ann@example.org", "RuntimeError"),
        (f"AuthError: bad key {'sk_live_' + 'abc123DEF456'}", "AuthError"),
        (f"BadSignature: {'VOghOsrnv-CRyYRhyuF5yDz551' + 'WSCQFOJG0qkIkpnbgaA1'}", "BadSignature"),
    ],
)
def test_the_words_of_an_exception_lose_their_values(text: str, left: str) -> None:
    found = scrubbed(text)
    assert left in found
    for secret in ("ann@example.org", CARD, TOKEN, "abc123DEF456"):
        assert secret not in found


@pytest.mark.parametrize("letters", ["a", "1", "A1", "a.", "a-", "@", "a@", "'", "sk_"])
def test_a_long_path_costs_no_longer_than_its_length(letters: str) -> None:
    """Where a pattern began at each letter and read on to the end, 60,000 of them held the process for minutes."""
    path, began = "/" + letters * (30_000 // len(letters)), perf_counter()
    scrubbed(path)
    assert perf_counter() - began < 1


def test_what_helps_to_find_the_fault_stays() -> None:
    trace = 'Traceback (most recent call last):\n  File "app/core/mail.py", line 12, in deliver_mail_of_somebody_who_asked\n    raise KeyError("amount")\nKeyError: \'amount\''
    assert scrubbed(trace) == trace
    assert scrubbed("AttributeError: 'NoneType' object has no attribute 'slug'").endswith("'slug'")
