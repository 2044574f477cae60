"""Who asks: sessions, carts and lessons of members of the seeded school, and deliveries as Stripe signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlencode

import asyncpg

from app.core import tokens
from app.demo.seed import PASSWORD
from app.formbuilder.answering.stamps import stamp_of
from tests.bench.load import Request
from tests.bench.stack import HOST, Stack

# So many writers at once stay below the limits that each member and each address has.
WRITERS = 2000
_SIGNERS = 200


@dataclass(frozen=True, slots=True)
class People:
    """Cookies and addresses of everybody who takes part."""

    member: str
    owner: str
    cart: str
    course: str
    lesson: str
    free_lesson: str
    # A cookie and the address of a lesson, for each of many members.
    learners: list[tuple[str, str]]
    # Addresses of members whose password is the demo's.
    signers: list[str]
    webhook_secret: str
    # An open form of twelve fields, and the key that its stamps are signed with.
    form: str
    secret_key: str


async def gather(stack: Stack) -> People:
    """Open sessions in the school's database and choose what they look at."""
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        return await _gather(connection, stack.env["STRIPE_WEBHOOK_SECRET"], stack.env["SECRET_KEY"])
    finally:
        await connection.close()


async def _gather(connection: asyncpg.Connection, webhook_secret: str, secret_key: str) -> People:
    learners = await connection.fetch(_LEARNERS, WRITERS)
    member = learners[0]
    owner = await connection.fetchval("SELECT id FROM users WHERE role = 'owner' ORDER BY id LIMIT 1")
    signers = await connection.fetch(
        """
        UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = $1)
        WHERE id IN (SELECT id FROM users WHERE role = 'member' AND state = 'active' ORDER BY id LIMIT $2)
        RETURNING email
        """,
        owner,
        _SIGNERS,
    )
    sessions = await open_sessions(connection, [owner, *(row["user_id"] for row in learners)])
    free = await connection.fetchrow(
        """
        SELECT c.slug AS course, l.slug AS lesson FROM lessons l JOIN courses c ON c.id = l.course_id
        WHERE l.is_preview AND l.state = 'published' AND c.state = 'published' ORDER BY c.id, l.id LIMIT 1
        """
    )
    course = await connection.fetchval(
        "SELECT slug FROM courses WHERE state = 'published' ORDER BY lesson_count DESC, id LIMIT 1"
    )
    lessons = [f"/learn/{row['course']}/{row['lesson']}" for row in learners]
    return People(
        member=_session(sessions[member["user_id"]]),
        owner=_session(sessions[owner]),
        cart=await _fill_cart(connection),
        course=f"/courses/{course}",
        lesson=lessons[0],
        free_lesson=f"/courses/{free['course']}/preview/{free['lesson']}",
        learners=[(_session(sessions[row["user_id"]]), lesson) for row, lesson in zip(learners, lessons, strict=True)],
        signers=[row["email"] for row in signers],
        webhook_secret=webhook_secret,
        form=await _open_form(connection),
        secret_key=secret_key,
    )


# One lesson with a film for each member who may open it; the member with the fullest shelf comes first.
_LEARNERS = """
    SELECT DISTINCT ON (owned.courses, owned.user_id) owned.user_id, c.slug AS course, l.slug AS lesson
    FROM (
        SELECT e.user_id, count(*) AS courses, max(p.course_id) AS course_id
        FROM entitlements e JOIN products p ON p.id = e.product_id JOIN users u ON u.id = e.user_id
        WHERE e.closed_at IS NULL AND e.starts_at <= now() AND (e.ends_at IS NULL OR e.ends_at > now())
          AND u.state = 'active' AND u.role = 'member' AND p.course_id IS NOT NULL
        GROUP BY e.user_id ORDER BY count(*) DESC, e.user_id LIMIT $1
    ) owned
    JOIN courses c ON c.id = owned.course_id JOIN lessons l ON l.course_id = c.id AND l.state = 'published'
    WHERE c.state = 'published'
    ORDER BY owned.courses DESC, owned.user_id, (l.kind = 'video') DESC, l.id
"""


async def open_sessions(connection: asyncpg.Connection, user_ids: list[int]) -> dict[int, str]:
    made = {user_id: tokens.random_token() for user_id in user_ids}
    await connection.executemany(
        """
        INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at)
        VALUES ($1, $2, $3, now(), now(), now(), now() + interval '1 day')
        """,
        [(secrets.token_hex(8), tokens.hashed(token), user_id) for user_id, token in made.items()],
    )
    return made


async def _fill_cart(connection: asyncpg.Connection) -> str:
    """A guest's cart with two courses in it."""
    token = tokens.random_token()
    cart_id = await connection.fetchval(
        "INSERT INTO carts (token_hash, created_at, updated_at) VALUES ($1, now(), now()) RETURNING id",
        tokens.hashed(token),
    )
    await connection.execute(
        """
        INSERT INTO cart_items (cart_id, product_id, agreed_minor, agreed_currency, added_at)
        SELECT $1, p.id, r.amount_minor, r.currency, now()
        FROM products p JOIN prices r ON r.product_id = p.id JOIN courses c ON c.id = p.course_id
        WHERE c.state = 'published' AND r.amount_minor > 0 AND r.replaced_at IS NULL ORDER BY p.id LIMIT 2
        ON CONFLICT DO NOTHING
        """,
        cart_id,
    )
    return f"__Host-cart={token}"


async def _open_form(connection: asyncpg.Connection) -> str:
    """A form as schools have them: twelve common fields, one of which shows when another is answered so."""
    options = [{"value": f"o{number}", "label": f"Option number {number}"} for number in range(6)]
    kinds = {"q6": "email", "q7": "radio", "q8": "checkbox", "q9": "dropdown", "q10": "date", "q11": "long_text"}
    fields = [
        {
            "id": name, "kind": kinds.get(name, "short_text"), "label": f"Question {name}", "required": name == "q1",
            "settings": {"options": options} if name in ("q7", "q8", "q9") else {},
        }
        for name in (f"q{number}" for number in range(1, 13))
    ]  # fmt: skip
    rule = {
        "id": "r1",
        "do": "show",
        "targets": ["q12"],
        "when": {"all": [{"field": "q7", "is": "equals", "value": "o1"}]},
    }
    definition = {"title": "Ask us", "fields": fields, "rules": [rule], "last": 12}
    form = await connection.fetchval(
        """
        INSERT INTO forms (public_id, slug, title, created_at, updated_at)
        VALUES ('bench-form', 'bench-form', 'Ask us', now(), now()) RETURNING id
        """
    )
    await connection.execute(
        """
        WITH made AS (INSERT INTO form_versions (form_id, number, definition, made_at, published_at)
                      VALUES ($1, 1, $2::jsonb, now(), now()) RETURNING id)
        UPDATE forms SET head_id = made.id, live_id = made.id, state = 'open' FROM made WHERE forms.id = $1
        """,
        form,
        json.dumps(definition),
    )
    return "/forms/bench-form"


def _session(token: str) -> str:
    return f"__Host-session={token}"


_addresses = count(1)


def headers(**more: str) -> dict[str, str]:
    """What a browser sends through the proxy, each time from another address."""
    number = next(_addresses)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    fixed = {"Host": HOST, "X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
    fixed |= {"Accept-Encoding": "br, gzip", "Accept": "text/html"}
    return fixed | {name.replace("_", "-"): text for name, text in more.items()}


def get(path: str, cookie: str = "") -> Request:
    """A page, for whoever has the cookie."""
    return Request(path, headers(Cookie=cookie) if cookie else headers())


def form(path: str, cookie: str = "", **fields: str) -> Request:
    """A form that the page of the school itself sends."""
    more = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin"}
    sent = headers(**more, Cookie=cookie) if cookie else headers(**more)
    return Request(path, sent, "POST", urlencode(fields).encode())


def sign_ins(people: People, number: int) -> list[Request]:
    """Right passwords of one member after the other."""
    emails = people.signers
    return [form("/login", email=emails[n % len(emails)], password=PASSWORD) for n in range(number)]


def positions(people: People, number: int) -> list[Request]:
    """The place in the film, as the player sends it, of one member after the other."""
    learners = people.learners
    return [
        form(f"{lesson}/position", cookie, position=str(n % 600))
        for n, (cookie, lesson) in ((n, learners[n % len(learners)]) for n in range(number))
    ]


def answers(people: People, number: int) -> list[Request]:
    """The form as somebody sends it after a minute, each from a page of its own (a stamp lasts a day)."""
    tokens.configure(people.secret_key)
    moment = time.time() - 60
    common = {"version": "1", "website": "", "go": "next", "q7": "o1", "q8": "o2", "q9": "o3", "q10": "2026-02-28"}
    return [
        form(people.form, **common, stamp=stamp_of(moment), q1=f"Ann {n}", q6=f"ann{n}@example.org", q11="Words " * 20)
        for n in range(number)
    ]


def deliveries(people: People, number: int) -> list[Request]:
    """Webhooks of new events about payments that are not the school's, signed now (a signature lasts 300 s)."""
    return [_delivery(people.webhook_secret, secrets.token_hex(12)) for _ in range(number)]


def _delivery(secret: str, mark: str) -> Request:
    stamp = int(time.time())
    intent = {
        "id": f"pi_{mark}",
        "object": "payment_intent",
        "amount": 24900,
        "amount_received": 24900,
        "currency": "eur",
        "status": "succeeded",
        "metadata": {"order": mark, "note": "x" * 1500},
    }
    event = {
        "id": f"evt_{mark}",
        "object": "event",
        "api_version": "2025-01-27.acacia",
        "created": stamp,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": f"req_{mark}", "idempotency_key": mark},
        "type": "payment_intent.succeeded",
        "data": {"object": intent},
    }
    body = json.dumps(event, indent=2).encode()
    signature = hmac.new(secret.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest()
    more = {"Content_Type": "application/json", "Stripe_Signature": f"t={stamp},v1={signature}"}
    return Request("/webhooks/stripe", headers(**more), "POST", body)
