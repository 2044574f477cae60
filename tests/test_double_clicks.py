"""Every form sent twice at the same moment: what it does is done once, or the second is refused in clear words.

Each address that takes a POST has a row in CASES; one without a row fails. A row is sent once in one world and twice at
once in another that is the same, and the two worlds must hold the same number of everything afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from werkzeug.datastructures import FileStorage

from app import Lectern
from app.access import entitlements
from app.accounts import hashing, totp
from app.core import clock, db, queue, settings, submissions, tokens
from app.core.ids import public_id
from app.web.traps import opened_stamp
from tests import authenticator, everywhere, stripe
from tests.cast import PASSWORD, Cast, Person
from tests.commerce.shop import Shop
from tests.commerce.test_webhooks import EVENT
from tests.courses.test_admin import details_of
from tests.emptying import Emptier
from tests.media import files as samples
from tests.school import a_course

Form = dict[str, Any]
REFUSALS = {404, 409, 410, 422, 429}


@dataclass
class World:
    """One of everything, and two people: Olga may do all, Pat is a member who owns the course."""

    app: Lectern
    shop: Shop
    olga: Person
    pat: Person
    places: dict[str, str]
    course_id: int
    path: str = ""


Prepare = Callable[[World], Awaitable[Form | None]]


@dataclass(frozen=True)
class Case:
    """What is sent: by whom, with which form, after which preparation. `free`: it may rightly be done twice."""

    form: Form = field(default_factory=dict)
    by: str = "olga"
    prepare: Prepare | None = None
    sql: str = ""
    acts: bool = True
    free: str = ""


def of_file(content: bytes, name: str, field_name: str = "file") -> Prepare:
    async def prepare(world: World) -> Form:
        return {"files": (field_name, content, name)}

    return prepare


async def a_duplicate(world: World) -> Form:
    nia = await Cast(world.app).person("Pat Pohl", "pat+two@example.org")
    return {"other": nia.public_id, "keep": "this", "confirmation": nia.email}


async def a_stamp(world: World) -> Form:
    from app.formbuilder.routes import stamp_of

    stamp = stamp_of(clock.now().timestamp() - 60)
    return {"version": "1", "website": "", "stamp": stamp, "q1": "Pat"}


async def an_unpaid_entry(world: World) -> None:
    from app.formbuilder.payment.payments import _mac

    await db.run("UPDATE form_entries SET state = 'unpaid'")
    world.places["token"] = f"an-entry-{_mac('an-entry')}"


WITH_A_PIN = """
    UPDATE form_versions SET definition = definition || '{"settings": {"pin": "1234", "resume": true}}'
"""


async def a_draft(world: World) -> None:
    from app.formbuilder.answering import drafts
    from app.formbuilder.definition import versions

    await db.run(WITH_A_PIN.replace('"pin": "1234", ', ""))
    form = await versions.find(world.places["/forms"])
    world.places["token"] = await drafts.begin(form, {"q1": ["Pat"]}, "start", stamp="a", user_id=None)
    await db.run("UPDATE form_drafts SET version_id = (SELECT live_id FROM forms)")


async def a_confirmation(world: World) -> Form:
    """An entry waits for a click in its mail."""
    world.places["token"] = tokens.random_token()
    await db.run(
        """
        UPDATE form_entries SET state = 'unconfirmed', email = 'pat@example.org', confirm_hash = :hash,
               confirm_expires_at = now() + interval '1 day'
        """,
        hash=tokens.hashed(world.places["token"]),
    )
    return {}


async def a_late_confirmation(world: World) -> Form:
    await a_confirmation(world)
    await db.run("UPDATE form_entries SET confirm_expires_at = now() - interval '1 day'")
    return {}


async def a_guest_with_a_cart(world: World) -> Form:
    await world.shop.add("risk", world.pat.browser)
    return {"quote": await world.shop.quote(world.pat.browser)}


async def a_dearer_price(world: World) -> Form:
    await world.shop.add("risk", world.pat.browser)
    await db.run("UPDATE cart_items SET agreed_minor = 1")
    return {"amount": "18900"}


async def a_free_order(world: World) -> None:
    await a_course("free", "Free", price=0)
    browser = world.app.test_client()
    await world.shop.add("free", browser)
    form = {"quote": await world.shop.quote(browser, "/checkout"), "email": "gus@example.org", "name": "Gus"}
    await browser.post("/checkout", form=form)
    world.places["token"] = tokens.sign((await world.shop.order()).public_id, "free-order")


def a_link(purpose: str) -> Prepare:
    async def prepare(world: World) -> None:
        from app.accounts import links

        await db.run("UPDATE users SET email_verified_at = NULL WHERE id = :id", id=world.pat.id)
        async with db.transaction():
            _id, world.places["token"] = await links.issue(world.pat.id, world.pat.email, purpose)

    return prepare


async def a_sign_in_link(world: World) -> None:
    world.places["token"] = tokens.random_token()
    await db.run(
        """
        INSERT INTO sign_in_links (token_hash, user_id, email, browser_hash, user_agent, address, onward, created_at,
                                   expires_at)
        VALUES (:hash, :id, :email, '', '', '', '', now(), now() + interval '15 minutes')
        """,
        hash=tokens.hashed(world.places["token"]),
        id=world.pat.id,
        email=world.pat.email,
    )


async def a_google_account(world: World) -> None:
    await a_password(world)
    await db.run(
        "INSERT INTO identities (user_id, provider, subject, email, created_at) VALUES (:id, 'google', '1', 'x', now())",
        id=world.pat.id,
    )


async def a_password(world: World) -> None:
    await db.run("UPDATE users SET password_hash = :h", h=await hashing.hashed(PASSWORD))


async def an_email_change(world: World) -> None:
    from app.accounts import links

    await db.run(
        """
        INSERT INTO email_changes (user_id, old_email, new_email, created_at, expires_at, new_confirmed_at)
        SELECT id, email, 'pat.new@example.org', now(), now() + interval '1 day', now() FROM users WHERE id = :id
        """,
        id=world.pat.id,
    )
    async with db.transaction():
        _id, world.places["token"] = await links.issue(world.pat.id, world.pat.email, "keep_email")


async def a_password_to_change(world: World) -> Form:
    await a_password(world)
    await db.run("UPDATE users SET password_change_required_at = now() WHERE id = :id", id=world.pat.id)
    return {"new_password": "a long walk by the river"}


async def an_offered_key(world: World) -> Form:
    offered = await totp.offer(world.pat.id, world.pat.email)
    secret = totp.opened_offer(world.pat.id, offered.sealed)
    assert secret is not None
    return {"offer": offered.sealed, "code": totp.code_at(secret, int(clock.now().timestamp()) // totp.SECONDS)}


async def an_app(world: World) -> None:
    assert (await world.pat.browser.post("/account/security/totp", form=await an_offered_key(world))).status_code == 200


async def half_a_sign_in(world: World) -> Form:
    await a_password(world)
    secret = b"12345678901234567890"
    await db.run(
        "INSERT INTO mfa_secrets (user_id, sealed_secret, created_at, last_step) VALUES (:id, :kept, now(), 0)",
        id=world.pat.id,
        kept=totp.kept(secret),
    )
    await world.pat.browser.post("/login", form={"email": world.pat.email, "password": PASSWORD})
    return {"code": totp.code_at(secret, int(clock.now().timestamp()) // totp.SECONDS)}


PASSKEYS = "/account/security/passkeys"


async def a_passkey(world: World) -> authenticator.Device:
    """Pat owns one; its device."""
    device = authenticator.Device()
    assert (await authenticator.add_passkey(world.pat.browser, device)).status_code == 200
    world.places["public_id"] = await db.value("SELECT public_id FROM passkeys")
    return device


async def an_owned_passkey(world: World) -> None:
    await a_passkey(world)


async def a_passkey_and_a_password(world: World) -> None:
    await a_passkey(world)
    await a_password(world)


async def a_made_passkey(world: World) -> Form:
    options = await authenticator.options_of(world.pat.browser, f"{PASSKEYS}/challenges")
    return {"credential": authenticator.Device().make(options)}


def a_signature(path: str) -> Prepare:
    """Pat's device answers the challenge of this address."""

    async def prepare(world: World) -> Form:
        device = await a_passkey(world)
        if path == "/login/second-step/passkey":
            await a_password(world)
            await world.pat.browser.post("/login", form={"email": world.pat.email, "password": PASSWORD})
        return {"credential": device.sign(await authenticator.options_of(world.pat.browser, f"{path}/challenges"))}

    return prepare


async def another_session(world: World) -> None:
    await Cast(world.app).sign_in(world.pat)
    world.places["public_id"] = await db.value(
        "SELECT public_id FROM sessions WHERE user_id = :id ORDER BY id LIMIT 1", id=world.pat.id
    )


async def a_new_token(world: World) -> Form:
    return {"ref": public_id(), "name": "Books", "scopes": "me", "lifetime": "7"}


async def an_access_token(world: World) -> None:
    await db.run(
        """
        INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at,
                                   expires_at)
        VALUES ('token', :id, 'Books', 'x', 'abcd', '{me}', false, now(), now() + interval '1 day')
        """,
        id=world.pat.id,
    )
    world.places["token_id"] = "token"


async def the_details(world: World) -> Form:
    course = world.places["public_id"]
    return {**await details_of(world.olga.browser, f"/admin/courses/{course}/details"), "title": "Another Name"}


async def an_empty_section(world: World) -> None:
    world.places["section_id"] = public_id()
    await db.run(
        "INSERT INTO sections (public_id, course_id, title, position) VALUES (:p, :c, 'Empty', 2)",
        p=world.places["section_id"],
        c=world.course_id,
    )


async def a_removed_section(world: World) -> None:
    world.path = f"?kept={tokens.sign([world.course_id, public_id(), 'Gone', 1], 'removed-section')}"


async def lessons_backwards(world: World) -> Form:
    rows = await db.many(
        db.Row, "SELECT public_id FROM lessons WHERE course_id = :c ORDER BY position DESC", c=world.course_id
    )
    return {"row": [row.public_id for row in rows]}


async def sections_backwards(world: World) -> Form:
    await an_empty_section(world)
    rows = await db.many(
        db.Row, "SELECT public_id FROM sections WHERE course_id = :c ORDER BY position DESC", c=world.course_id
    )
    return {"row": [row.public_id for row in rows]}


async def a_film(world: World) -> None:
    # One that does not say how long it is: that is asked of somebody then.
    files = {"file": FileStorage(BytesIO(samples.webm(None)), filename="a.webm")}
    await db.run("UPDATE lessons SET kind = 'video', state = 'draft' WHERE slug = 'lesson-1'")
    path = f"/admin/courses/{world.places['public_id']}/lessons/{world.places['lesson_id']}/video"
    assert (await world.olga.browser.post(path, files=files)).status_code == 303


async def a_film_that_was_taken_away(world: World) -> None:
    await a_film(world)
    lesson = await db.one(db.Row, "SELECT id, video_id FROM lessons WHERE video_id IS NOT NULL")
    assert lesson is not None
    await db.run("UPDATE lessons SET video_id = NULL")
    world.path = f"?earlier={tokens.sign([lesson.id, 'video', lesson.video_id, None], 'earlier-file')}"


async def a_picture(world: World) -> str:
    files = {"file": FileStorage(BytesIO(samples.picture()), filename="a.png")}
    assert (
        await world.olga.browser.post(f"/admin/courses/{world.places['public_id']}/picture", files=files)
    ).status_code == 303
    return str(await db.value("SELECT plate FROM courses WHERE id = :id", id=world.course_id))


async def a_kept_picture(world: World) -> None:
    await a_picture(world)


async def a_picture_that_was_taken_away(world: World) -> None:
    plate = await a_picture(world)
    await db.run("UPDATE courses SET plate = ''")
    world.path = f"?earlier={tokens.sign([world.course_id, 'picture', plate], 'earlier-file')}"


async def a_logo(world: World) -> None:
    await settings.save_school(logo_url="/files/logo.png")


async def a_discarded_job(world: World) -> None:
    world.places["token"] = tokens.sign([4711, "core.deliver_mail", "{}"], "discarded job")


async def a_paid_order(world: World) -> Form:
    number = await db.value("SELECT number FROM orders WHERE public_id = :id", id=world.places["/orders"])
    return {"ref": public_id(), "amount": "100", "reason": "", "confirmation": str(number)}


async def an_erasure(world: World) -> None:
    await world.pat.browser.post("/account/privacy/erasure", form={"confirmation": world.pat.email})
    world.places["token"] = tokens.sign(await db.value("SELECT public_id FROM erasures"), "keep-account")


async def a_look(world: World) -> None:
    path = f"/admin/people/{world.pat.public_id}/impersonation"
    assert (await world.olga.browser.post(path, form={"reason": "She asked for help"})).status_code == 303


async def a_grant(world: World) -> Form:
    return {
        "ref": public_id(),
        "product": await db.value("SELECT public_id FROM products WHERE slug = 'risk'"),
        "reason": "gift",
    }


async def an_open_cause(world: World) -> Form:
    cause = await db.value("SELECT public_id FROM entitlements")
    world.places["entitlement_id"] = cause
    return {f"{cause}-reason": "over"}


async def a_run_that_is_through(world: World) -> None:
    """Pat was suspended by an act on many."""
    await world.olga.browser.post(f"/admin/bulk/{world.places['/bulk']}/beginning", form={"reason": "spam"})
    await queue.drain()


async def a_run_that_failed(world: World) -> None:
    """It is begun, and nobody is at it any more."""
    await world.olga.browser.post(f"/admin/bulk/{world.places['/bulk']}/beginning", form={"reason": "spam"})
    await db.run("DELETE FROM pgqueuer WHERE entrypoint = 'web.work_through'")


async def another_tag(world: World) -> Form:
    await db.run("INSERT INTO tags (public_id, name, created_at) VALUES ('another', 'Newspapers', now())")
    return {"into": "another"}


async def an_offered_view(world: World) -> Form:
    return {"offer": tokens.sign(["people", "/admin/people", "q=ann", world.olga.id], "list-view"), "name": "Anns"}


async def a_removed_view(world: World) -> None:
    kept = ["people", "/admin/people", "q=ann", "Anns", False, False, world.olga.id]
    world.places["token"] = tokens.sign(kept, "removed-view")


FLAGGED = "UPDATE orders SET state = 'pending', paid_at = NULL, flag = '1 EUR came', stripe_payment_intent_id = 'pi_1'"
STRANDED = """
    INSERT INTO refunds (public_id, order_id, amount_minor, state, payment_id, currency, created_at)
    SELECT 'stranded', max(id), 100, 'failed', 'pi_odd', 'EUR', now() FROM orders
"""
LOGO = of_file(samples.picture(), "a.png", "logo")
MOVES = "each press moves it one place; two presses are two places"
REPLACES = "the second film replaces the first like any later one, which is dropped after a day"
SIGNS_IN = "two sign-ins are two sessions, of which the browser keeps the last"
PICTURE = of_file(samples.picture(), "a.png")
UPLOADS = "two uploads are two files; the button rests while one is under way"


async def a_service(world: World) -> Form:
    """A webhook that takes everything."""
    from app.formbuilder.delivery import connections
    from app.gateways.outgoing import Outgoing

    takes = httpx.MockTransport(lambda request: httpx.Response(200, stream=httpx.ByteStream(b"{}")))
    connections.configure(Outgoing(base="http://outside", transport=takes))
    return {"provider": "webhook", "name": "Theirs", "s.url": "https://hooks.example/in", "s.secret": "whs_1234567890"}


CASES: dict[str, Case] = {
    # --- everybody ---
    "/cart/items": Case({"product": "risk"}, by="pat"),
    "/cart/items/<slug>/agreement": Case(by="pat", prepare=a_dearer_price, acts=False),
    "/cart/items/<slug>/removal": Case(by="pat", prepare=a_guest_with_a_cart),
    "/checkout": Case(by="pat", prepare=a_guest_with_a_cart),
    "/checkout/confirmations/<token>": Case(by="guest", prepare=a_free_order),
    "/login": Case({"email": "pat@example.org", "password": PASSWORD}, by="guest", prepare=a_password, free=SIGNS_IN),
    "/login/passkey": Case(by="pat", prepare=a_signature("/login/passkey")),
    "/login/passkey/challenges": Case(by="guest", acts=False),
    "/login/second-step/passkey": Case(by="pat", prepare=a_signature("/login/second-step/passkey")),
    "/login/second-step/passkey/challenges": Case(by="pat", prepare=half_a_sign_in, acts=False),
    "/login/google": Case(by="guest", acts=False),
    "/login/link": Case({"email": "pat@example.org"}, by="guest"),
    "/login/link/<token>": Case({"elsewhere": "1"}, by="guest", prepare=a_sign_in_link),
    "/login/second-step": Case(by="pat", prepare=half_a_sign_in),
    "/login/second-step/removal": Case(by="pat", prepare=half_a_sign_in),
    "/logout": Case(by="pat"),
    "/email-changes/<token>": Case(by="guest", prepare=an_email_change),
    "/email-changes/<token>/lock": Case(by="guest", prepare=an_email_change),
    "/email-changes/<token>/removal": Case(by="guest", prepare=an_email_change),
    "/not-me/<token>": Case(by="guest", prepare=a_link("not_me")),
    "/password/forgot": Case({"email": "pat@example.org"}, by="guest"),
    "/password/reset/<token>": Case(
        {"new_password": "a long walk by the river"}, by="guest", prepare=a_link("reset_password")
    ),
    "/password/required": Case(by="pat", prepare=a_password_to_change),
    "/password/strength": Case({"password": PASSWORD}, by="guest", acts=False),
    "/privacy/keep/<token>": Case(by="guest", prepare=an_erasure),
    "/register": Case({"name": "Nia", "email": "nia@example.org", "password": PASSWORD}, by="guest"),
    "/verify/<token>": Case(by="guest", prepare=a_link("verify_email")),
    "/verify/<token>/renewal": Case(by="guest", prepare=a_link("verify_email")),
    "/webhooks/stripe": Case(by="stripe"),
    # --- members ---
    "/account/email": Case({"email": "pat.new@example.org"}, by="pat"),
    "/account/email/removal": Case(by="pat", prepare=an_email_change),
    "/account/password": Case(
        {"current_password": PASSWORD, "new_password": "a long walk by the river"}, by="pat", prepare=a_password
    ),
    "/account/password/link": Case(by="pat"),
    "/account/privacy/consents": Case({"marketing": "y"}, by="pat"),
    "/account/privacy/erasure": Case({"confirmation": "pat@example.org"}, by="pat"),
    "/account/privacy/erasure/removal": Case(by="pat", prepare=an_erasure),
    "/account/privacy/exports": Case(by="pat"),
    "/account/profile": Case({"name": "Patricia", "time_zone": ""}, by="pat", acts=False),
    "/account/security/passkeys": Case(by="pat", prepare=a_made_passkey),
    "/account/security/passkeys/<public_id>": Case({"name": "Old phone"}, by="pat", prepare=an_owned_passkey),
    "/account/security/passkeys/<public_id>/removal": Case(by="pat", prepare=a_passkey_and_a_password),
    "/account/security/passkeys/challenges": Case(by="pat", acts=False),
    "/account/security/google": Case(by="pat", acts=False),
    "/account/security/google/removal": Case(by="pat", prepare=a_google_account),
    "/account/security/recovery-codes": Case(
        by="pat", prepare=an_app, free="each makes ten codes anew; the last ten are good"
    ),
    "/account/security/totp": Case(by="pat", prepare=an_offered_key),
    "/account/security/totp/removal": Case(by="pat", prepare=an_app),
    "/account/sessions/<public_id>/removal": Case(by="pat", prepare=another_session),
    "/account/sessions/removal": Case(by="pat", prepare=another_session),
    "/account/tokens": Case(by="pat", prepare=a_new_token),
    "/account/tokens/<public_id>/removal": Case(by="pat", prepare=an_access_token),
    "/account/verification": Case(by="pat", sql="UPDATE users SET email_verified_at = NULL WHERE role = 'member'"),
    "/learn/<course_slug>/<lesson_slug>/completion": Case(by="pat"),
    "/learn/<course_slug>/<lesson_slug>/completion/removal": Case(by="pat", acts=False),
    "/learn/<course_slug>/<lesson_slug>/position": Case({"position": "7"}, by="pat"),
    "/login/confirmation/passkey": Case(by="pat", prepare=a_signature("/login/confirmation/passkey")),
    "/login/confirmation/passkey/challenges": Case(by="pat", acts=False),
    "/login/confirmation": Case({"password": PASSWORD}, by="pat", prepare=a_password, acts=False, free=SIGNS_IN),
    "/impersonation/end": Case(prepare=a_look, free="each address that is asked for meanwhile is noted, this one too"),
    "/login/confirmation/link": Case(by="pat"),
    # --- courses ---
    "/admin/courses": Case({"title": "A New One", "promise": ""}),
    "/admin/courses/<public_id>/archival": Case(),
    "/admin/courses/<public_id>/details": Case(prepare=the_details),
    "/admin/courses/<public_id>/lessons/<lesson_id>": Case(
        {"title": "Another", "slug": "another", "body_markdown": "Words", "revision": "1", "published": "y"}
    ),
    "/admin/courses/<public_id>/lessons/<lesson_id>/captions": Case(
        prepare=of_file(samples.CAPTIONS.encode(), "en.vtt"), free=REPLACES
    ),
    "/admin/courses/<public_id>/lessons/<lesson_id>/draft": Case(
        {"title": "x", "body_markdown": "y", "revision": "1"}, acts=False
    ),
    "/admin/courses/<public_id>/lessons/<lesson_id>/files/<role>/removal": Case(prepare=a_film),
    "/admin/courses/<public_id>/lessons/<lesson_id>/files/<role>/restoration": Case(prepare=a_film_that_was_taken_away),
    "/admin/courses/<public_id>/lessons/<lesson_id>/length": Case({"length": "10:00"}, prepare=a_film),
    "/admin/courses/<public_id>/lessons/<lesson_id>/pictures": Case(prepare=PICTURE, free=UPLOADS),
    "/admin/courses/<public_id>/lessons/<lesson_id>/place": Case({"direction": "down"}, free=MOVES),
    "/admin/courses/<public_id>/lessons/<lesson_id>/poster": Case(prepare=PICTURE, free=REPLACES),
    "/admin/courses/<public_id>/lessons/<lesson_id>/publication": Case(
        sql="UPDATE lessons SET state = 'draft' WHERE slug = 'lesson-1'"
    ),
    "/admin/courses/<public_id>/lessons/<lesson_id>/removal": Case({"confirmation": "Lesson number 1"}),
    "/admin/courses/<public_id>/lessons/<lesson_id>/video": Case(
        prepare=of_file(samples.webm(), "a.webm"), free=REPLACES
    ),
    "/admin/courses/<public_id>/lessons/<lesson_id>/withdrawal": Case(),
    "/admin/courses/<public_id>/picture": Case(prepare=PICTURE, free=REPLACES),
    "/admin/courses/<public_id>/picture/removal": Case(prepare=a_kept_picture),
    "/admin/courses/<public_id>/picture/restoration": Case(prepare=a_picture_that_was_taken_away),
    "/admin/courses/<public_id>/price": Case({"price": "99", "currency": "EUR"}),
    "/admin/courses/<public_id>/publication": Case(
        sql="UPDATE courses SET state = 'draft' WHERE slug = 'reading-price'"
    ),
    "/admin/courses/<public_id>/restoration": Case(
        sql="UPDATE courses SET state = 'archived', archived_from = 'draft' WHERE slug = 'reading-price'"
    ),
    "/admin/courses/<public_id>/sale": Case(sql="UPDATE products SET is_active = false"),
    "/admin/courses/<public_id>/sale/end": Case(),
    "/admin/courses/<public_id>/section-order": Case(prepare=sections_backwards),
    "/admin/courses/<public_id>/section-restorations": Case(prepare=a_removed_section),
    "/admin/courses/<public_id>/sections": Case({"title": "A new part"}),
    "/admin/courses/<public_id>/sections/<section_id>": Case({"title": "Renamed"}),
    "/admin/courses/<public_id>/sections/<section_id>/lesson-order": Case(prepare=lessons_backwards),
    "/admin/courses/<public_id>/sections/<section_id>/lessons": Case({"title": "A new lesson", "kind": "text"}),
    "/admin/courses/<public_id>/sections/<section_id>/place": Case(
        {"direction": "up"}, prepare=an_empty_section, free=MOVES
    ),
    "/admin/courses/<public_id>/sections/<section_id>/removal": Case(prepare=an_empty_section),
    "/admin/courses/<public_id>/withdrawal": Case(),
    # --- the rest of the office ---
    "/admin/bulk/<public_id>/beginning": Case({"reason": "spam"}),
    "/admin/bulk/<public_id>/cancellation": Case(prepare=a_run_that_failed),
    "/admin/bulk/<public_id>/continuation": Case(prepare=a_run_that_failed),
    "/admin/bulk/<public_id>/undoing": Case(prepare=a_run_that_is_through),
    "/admin/bulk/lists/<list_name>": Case({"act": "suspend", "scope": "all", "path": "/admin/people"}),
    "/admin/jobs/<int:job_id>/removal": Case(),
    "/admin/jobs/<int:job_id>/retries": Case(),
    "/admin/jobs/restorations/<token>": Case(prepare=a_discarded_job),
    "/admin/mails/<public_id>/retries": Case(),
    "/admin/orders/<public_id>/acceptance": Case(sql=FLAGGED),
    "/admin/connections": Case(prepare=a_service),
    "/admin/connections/<public_id>/checks": Case(acts=False),
    "/admin/connections/<public_id>/credentials": Case(prepare=a_service),
    "/admin/connections/<public_id>/name": Case({"name": "Their hook"}),
    "/admin/connections/<public_id>/removal": Case({"confirmation": "Our hook"}),
    "/admin/connections/<public_id>/replays": Case(),
    "/admin/connections/<public_id>/secrets": Case(free="the second is the one that holds, and the first is not kept"),
    "/admin/forms/<public_id>/deliveries/<int:delivery_id>/replays": Case(),
    "/admin/forms/<public_id>/deliveries/replays": Case(),
    "/admin/forms/<public_id>/integrations": Case({"connection": "a-connection"}),
    "/admin/forms/<public_id>/integrations/<integration_id>": Case({"connection": "a-connection", "tags": "course"}),
    "/admin/forms/<public_id>/integrations/<integration_id>/removal": Case(),
    "/admin/forms/<public_id>/integrations/<integration_id>/tests": Case(acts=False),
    "/admin/forms": Case({"title": "Write to us"}),
    "/admin/forms/<public_id>/after": Case({"kind": "notification"}),
    "/admin/forms/<public_id>/after/<row_id>": Case({"name": "To us", "to": "owner"}),
    "/admin/forms/<public_id>/after/<row_id>/place": Case({"direction": "up"}, acts=False),
    "/admin/forms/<public_id>/after/<row_id>/removal": Case(),
    "/admin/forms/<public_id>/after/<row_id>/test": Case(),
    "/admin/forms/<public_id>/payment": Case({"on": "yes"}),
    "/admin/forms/<public_id>/address": Case({"slug": "ask-us-more"}),
    "/admin/forms/<public_id>/duplicates": Case(),
    "/admin/forms/<public_id>/head": Case({"title": "Ask away"}),
    "/admin/forms/<public_id>/preview/page": Case({"screen": "start", "q1": "Pat"}, acts=False),
    "/admin/forms/<public_id>/rules": Case(),
    "/admin/forms/<public_id>/rules/<rule_id>": Case({"do": "hide", "field": "q1"}),
    "/admin/forms/<public_id>/rules/<rule_id>/place": Case({"direction": "up"}, acts=False),
    "/admin/forms/<public_id>/rules/<rule_id>/removal": Case(),
    "/admin/forms/<public_id>/settings": Case({"s.thanks_title": "Bye"}),
    "/admin/forms/<public_id>/versions/<int:number>/restoration": Case(),
    "/admin/forms/imports": Case({"definition": '{"title": "Ask", "fields": []}'}),
    "/admin/forms/<public_id>/field-order": Case({"row": "q1"}, acts=False),
    "/admin/forms/<public_id>/fields": Case({"kind": "email", "after": ""}),
    "/admin/forms/<public_id>/fields/<field_id>": Case({"label": "Name"}),
    "/admin/forms/<public_id>/fields/<field_id>/copies": Case(),
    "/admin/forms/<public_id>/fields/<field_id>/place": Case({"direction": "up"}, acts=False),
    "/admin/forms/<public_id>/fields/<field_id>/pictures": Case(prepare=PICTURE, acts=False),
    "/admin/forms/<public_id>/fields/<field_id>/removal": Case(),
    "/admin/forms/<public_id>/links": Case({"count": "2", "values": ""}),
    "/admin/forms/<public_id>/links/<link_id>/removal": Case(),
    "/admin/forms/<public_id>/entries/<entry_id>/answers": Case({"q1": "Pia"}),
    "/admin/forms/<public_id>/entries/<entry_id>/marks": Case({"star": "1"}, acts=False),
    "/admin/forms/<public_id>/entries/<entry_id>/notes": Case({"body": "Called back"}),
    "/admin/forms/<public_id>/entries/<entry_id>/restoration": Case(
        sql="UPDATE form_entries SET state = 'binned', binned_from = 'received', binned_at = now()"
    ),
    "/admin/forms/<public_id>/entries/<entry_id>/sending": Case({"way": "services"}),
    "/admin/forms/<public_id>/entries/<entry_id>/state": Case({"act": "spam"}),
    "/admin/forms/<public_id>/entries/columns": Case({"field": "q1"}),
    "/admin/forms/<public_id>/entries/import": Case(
        {"go": "keep"}, prepare=of_file(b"Your name\nPia\n", "entries.csv")
    ),
    "/admin/forms/<public_id>/trial": Case({"planned": "50"}),
    "/admin/forms/<public_id>/trial/end": Case(
        {"winner": "b"},
        sql="""INSERT INTO form_trials (form_id, a_version_id, b_version_id, planned, started_at)
               SELECT id, live_id, head_id, 50, now() FROM forms""",
    ),
    "/admin/forms/erasure": Case(
        {"email": "pat@example.org", "confirmation": "pat@example.org"},
        sql="UPDATE form_entries SET email = 'pat@example.org'",
    ),
    "/admin/forms/<public_id>/publication": Case(),
    "/admin/forms/<public_id>/redoing": Case(sql="UPDATE forms SET head_id = live_id", acts=False),
    "/admin/forms/<public_id>/state": Case({"state": "closed"}),
    "/admin/forms/<public_id>/undoing": Case(acts=False),
    "/forms/<slug>/payments/<token>": Case(prepare=an_unpaid_entry, acts=False, by="pat"),
    "/forms/<slug>": Case(prepare=a_stamp, by="pat"),
    "/forms/<slug>/drafts/<token>": Case({"screen": "start", "q1": "Pat", "go": "next"}, prepare=a_draft, by="pat"),
    "/forms/<slug>/drafts/<token>/mail": Case({"email": "pat@example.org"}, prepare=a_draft, by="pat"),
    "/forms/<slug>/left": Case({"field": "q1"}, acts=False, by="pat"),
    "/forms/<slug>/pin": Case({"version": "1", "pin": "1234"}, sql=WITH_A_PIN, by="pat", acts=False),
    "/forms/<slug>/confirmations/<token>": Case(prepare=a_confirmation, by="pat"),
    "/forms/<slug>/confirmations/<token>/links": Case(prepare=a_late_confirmation, by="pat"),
    "/admin/orders/<public_id>/receipts": Case(),
    "/admin/orders/<public_id>/refunds": Case(prepare=a_paid_order),
    "/admin/orders/<public_id>/rejection": Case(sql=FLAGGED),
    "/admin/orders/<public_id>/returns": Case({"refund": "stranded", "how": "by-hand"}, sql=STRANDED),
    "/admin/people": Case({"name": "Nia", "email": "nia@example.org"}),
    "/admin/people/<public_id>/access": Case(prepare=a_grant),
    "/admin/people/<public_id>/access/<entitlement_id>/closure": Case(prepare=an_open_cause),
    "/admin/people/<public_id>/erasure": Case({"confirmation": "pat@example.org"}),
    "/admin/people/<public_id>/erasure/removal": Case(prepare=an_erasure),
    "/admin/people/<public_id>/impersonation": Case(
        {"reason": "She asked for help with lesson two"}, free="the second press is refused and written down as a visit"
    ),
    "/admin/people/<public_id>/merge": Case(prepare=a_duplicate),
    "/admin/people/<public_id>/details": Case(
        {"name": "Patricia", "email": "patricia@example.org", "country": "NL", "time_zone": ""}
    ),
    "/admin/people/<public_id>/notes": Case({"body": "Asked for an invoice"}),
    "/admin/people/<public_id>/notes/<note_id>/removal": Case(),
    "/admin/people/<public_id>/password-change": Case(prepare=a_password),
    "/admin/people/<public_id>/reset": Case(),
    "/admin/people/<public_id>/second-factor/removal": Case({"second-reason": "lost the phone"}, prepare=an_app),
    "/admin/people/<public_id>/tags": Case({"tag": "Early bird"}),
    "/admin/people/<public_id>/tags/<tag_id>/removal": Case(),
    "/admin/people/tags": Case({"tag": "Early bird"}),
    "/admin/people/tags/<tag_id>": Case({"tag": "Newspapers"}),
    "/admin/people/tags/<tag_id>/merger": Case(prepare=another_tag),
    "/admin/people/tags/<tag_id>/removal": Case({"confirmation": "Press"}),
    "/admin/people/<public_id>/role": Case({"role": "support"}),
    "/admin/people/<public_id>/sessions/removal": Case(),
    "/admin/people/<public_id>/suspension": Case({"reason": "spam"}),
    "/admin/people/<public_id>/suspension/removal": Case(
        sql="UPDATE users SET state = 'suspended' WHERE role = 'member'"
    ),
    "/admin/people/<public_id>/tokens/<token_id>/removal": Case(prepare=an_access_token),
    "/admin/people/<public_id>/verification": Case(
        sql="UPDATE users SET email_verified_at = NULL WHERE role = 'member'"
    ),
    "/admin/people/imports": Case(
        prepare=of_file(b"Email\na@example.org\n", "list.csv"),
        free="two uploads are two lists, and neither does anything yet",
    ),
    "/admin/people/imports/<import_id>/cancellation": Case(),
    "/admin/people/imports/<import_id>/continuation": Case(
        sql="UPDATE imports SET state = 'running', moved_at = now() - interval '1 hour'"
    ),
    "/admin/people/imports/<import_id>/run": Case({"attempt": "1"}),
    "/admin/people/imports/<import_id>/trials": Case(
        {"column-000": "email", "column-001": "name", "existing": "skip", "product": ""},
        free="each trial takes the place of the one before, whose job then does nothing",
    ),
    "/admin/roles": Case({"name": "Bookkeeper", "capabilities": "orders.view"}),
    "/admin/roles/<key>": Case({"name": "Assistant", "capabilities": "people.view", "revision": "1"}),
    "/admin/roles/<key>/removal": Case({"confirmation": "Assistant"}),
    "/admin/settings": Case(
        {"name": "M", "currency": "EUR", "tax_percent": "19", "tax_label": "VAT", "time_zone": "UTC", "hue": "20"},
    ),
    "/admin/settings/logo": Case(prepare=LOGO, free=REPLACES),
    "/admin/settings/logo/removal": Case(prepare=a_logo),
    "/admin/views": Case(prepare=an_offered_view),
    "/admin/views/<public_id>": Case({"name": "Students", "is_shared": "y"}),
    "/admin/views/<public_id>/removal": Case(),
    "/admin/views/restorations/<token>": Case(prepare=a_removed_view),
    "/admin/webhooks/<provider>/<event_id>/replays": Case(),
}


def test_every_form_has_a_row(app: Lectern) -> None:
    assert {rule.rule for rule in everywhere.routes(app, "POST")} == set(CASES)


async def a_world(shop: Shop, emptier: Emptier) -> World:
    await emptier.empty()
    await settings.forget_copy()
    await settings.save_school(name="Meridian", currency="EUR", tax_percent="19")
    cast = Cast(shop.app)
    olga = await cast.olga()
    places = await everywhere.one_of_everything(shop.app, instructor_id=olga.id)
    course = await db.one(db.Row, "SELECT p.id, p.course_id FROM products p")
    assert course is not None
    pat = Person(
        await db.value("SELECT id FROM users WHERE role = 'member'"),
        places["/people"],
        "pat@example.org",
        "Pat",
        shop.app.test_client(),
    )
    await cast.sign_in(pat)
    async with db.transaction():
        await entitlements.grant(pat.id, course.id, source="manual", source_ref="manual:1")
    await a_course("risk", "The Arithmetic of Risk", price=18900)
    world = World(shop.app, shop, olga, pat, {**places, "role": "video"}, course.course_id)
    return world


async def sender(world: World, rule: str, case: Case) -> Callable[[], Awaitable[int]]:
    """Prepare the world; what sends the form once and says the status."""
    form = dict(case.form)
    if case.sql:
        await db.run(case.sql)
    if case.prepare is not None:
        form |= await case.prepare(world) or {}
    if rule.startswith("/cart/items/<slug>"):
        world.places["slug"] = "risk"
    if rule in ("/register", "/password/forgot", "/login/link"):
        form["opened"] = await _an_old_stamp()
    path = everywhere.address(rule, world.places) + world.path
    if rule.startswith(("/account/sessions/<", f"{PASSKEYS}/<")):
        path = rule.replace("<public_id>", world.places["public_id"])
    if rule.startswith("/account/sessions/<"):
        path = f"/account/sessions/{world.places['public_id']}/removal"
    if rule.startswith("/account/tokens/<"):
        path = "/account/tokens/token/removal"
    await submissions_forgotten()

    async def once() -> int:
        if case.by == "stripe":
            body, headers = stripe.signed({**EVENT, "id": "evt_2"})
            return int((await world.app.test_client().post(path, data=body, headers=headers)).status_code)
        browser = {"olga": world.olga.browser, "pat": world.pat.browser}.get(case.by) or world.app.test_client()
        if "files" in form:
            name, content, file_name = form["files"]
            files = {name: FileStorage(BytesIO(content), filename=file_name)}
            fields = {name: text for name, text in form.items() if name != "files"}
            return int((await browser.post(path, files=files, form=fields)).status_code)
        body = urlencode(form, doseq=True)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return int((await browser.post(path, data=body, headers=kind)).status_code)

    return once


async def send(world: World, rule: str, case: Case, times: int) -> list[int]:
    """Send the form so many times at once; the statuses."""
    once = await sender(world, rule, case)
    at_once = list(await asyncio.gather(*(once() for _ in range(times))))
    # And once more for good measure, after the first answer: the impatient.
    return at_once + ([await once()] if times > 1 else [])


async def _an_old_stamp() -> str:
    from datetime import timedelta

    from app.core import clock

    with clock.shifted(timedelta(seconds=-10)):
        return opened_stamp()


async def submissions_forgotten() -> None:
    await db.run("DELETE FROM submissions")


async def counts() -> dict[str, int]:
    """How many rows each table has; sign-in bookkeeping aside."""
    tables = await db.many(
        db.Row,
        """
        SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'
        AND tablename NOT IN ('schema_migrations', 'pgqueuer_schedules', 'submissions', 'pgqueuer_log')
        """,
    )
    union = " UNION ALL ".join(f"SELECT '{table.name}' AS name, count(*) AS n FROM {table.name}" for table in tables)
    return {row.name: row.n for row in await db.many(db.Row, union)}


async def effect_of(shop: Shop, emptier: Emptier, rule: str, times: int) -> tuple[dict[str, int], list[int]]:
    """By how many rows each table grew or shrank when the form was sent so often at once, and the answers."""
    world = await a_world(shop, emptier)
    case = CASES[rule]
    bare = Case(case.form, case.by, case.prepare, case.sql)
    before: dict[str, int] = {}
    prepare = bare.prepare

    async def prepared(world: World) -> Form | None:
        found = await prepare(world) if prepare is not None else None
        before.update(await counts())
        return found

    statuses = await send(world, rule, Case(bare.form, bare.by, prepared, bare.sql), times)
    after = await counts()
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}, statuses


@pytest.mark.parametrize("rule", CASES)
async def test_a_double_click_does_it_once(shop: Shop, emptier: Emptier, unlimited: None, rule: str) -> None:
    case = CASES[rule]
    single, [status] = await effect_of(shop, emptier, rule, 1)
    assert status in (200, 204, 303), f"the row's form is not good: {status}"
    assert bool(single) == case.acts, f"what it does: {single}"
    double, statuses = await effect_of(shop, emptier, rule, 2)
    assert set(statuses) & {200, 204, 303}, statuses
    # Who looks as somebody already is refused the way into it.
    refusals = REFUSALS | {403} if rule.endswith("/impersonation") else REFUSALS
    assert set(statuses) <= {200, 204, 303} | refusals, statuses
    if not case.free:
        assert double == single, statuses


async def test_without_the_guard_a_double_click_would_do_it_twice(
    shop: Shop,
    emptier: Emptier,
    unlimited: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The negative control."""

    async def always(key: bytes) -> submissions.Claim:
        return submissions.Claim(key, clock.now())

    monkeypatch.setattr(submissions, "claim", always)
    for rule in ("/admin/courses", "/admin/courses/<public_id>/sections", "/admin/orders/<public_id>/receipts"):
        single, _ = await effect_of(shop, emptier, rule, 1)
        double, _ = await effect_of(shop, emptier, rule, 2)
        assert double != single, rule
