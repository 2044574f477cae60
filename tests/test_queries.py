"""How many statements each address sends, exactly: for a visitor, a member and an owner. A page that sends one for each
of its rows sends more when there are 200 of everything than when there are 10, and fails.
"""

from quart.typing import TestClientProtocol

from app import Lectern
from app.core import db
from tests import everywhere
from tests.cast import Cast
from tests.school import a_course

# - says that the role is sent elsewhere. A page of somebody signed in spends one statement on the session.
TABLE = """
                                                           visitor
                                                           |  member
                                                           |  |  owner
/                                                          3  4  4
/.well-known/change-password                               -  -  -
/.well-known/security.txt                                  0  1  1
/account                                                   -  3  3
/account                                                   -  3  3
/account/corner                                            0  1  1
/account/email                                             -  1  1
/account/orders                                            -  3  2
/account/orders/<public_id>                                -  4  2
/account/privacy                                           -  3  3
/account/privacy/erasure                                   -  1  1
/account/privacy/exports/<public_id>/data.zip              -  2  2
/account/security                                          -  4  4
/account/security/passkeys/<public_id>                     -  2  2
/account/security/passkeys/new                             -  1  1
/account/security/totp                                     -  2  2
/account/sessions                                          -  3  3
/account/tokens                                            -  2  2
/account/tokens/new                                        -  1  1
/cart                                                      0  5  2
/cart/count                                                1  2  2
/checkout                                                  -  -  -
/checkout/confirmations/<token>                            0  1  1
/checkout/success                                          1  2  2
/courses                                                   2  3  3
/courses/<slug>                                            3  4  4
/courses/<slug>/offer                                      3  5  5
/courses/<slug>/preview/<lesson_slug>                      3  4  4
/email-changes/<token>                                     1  2  2
/forms/<slug>                                              2  3  3
/forms/<slug>/drafts/<token>                               1  2  2
/forms/<slug>/embed                                        2  3  3
/forms/embed.js                                            0  1  1
/forms/<slug>/confirmations/<token>                        1  2  2
/forms/<slug>/stamp                                        0  1  1
/forms/<slug>/thanks/<token>                               0  1  1
/forms/<slug>/payments/<token>                             1  2  2
/learn                                                     -  4  4
/learn/<course_slug>                                       -  3  3
/learn/<course_slug>/<lesson_slug>                         -  3  3
/learn/<course_slug>/access                                -  3  3
/login                                                     0  -  -
/login/google/callback                                     0  1  1
/login/link                                                0  1  1
/login/link/<token>                                        1  2  2
/login/link/sent                                           0  1  1
/login/second-step                                         -  -  -
/not-me/<token>                                            1  2  2
/password/forgot                                           0  1  1
/password/required                                         -  -  -
/password/reset/<token>                                    1  2  2
/password/sent                                             0  1  1
/privacy/keep/<token>                                      0  1  1
/register                                                  0  -  -
/register/sent                                             0  1  1
/robots.txt                                                0  1  1
/sitemap.xml                                               2  3  3
/teachers/<slug>                                           1  2  2
/verify/<token>                                            1  2  2

/admin                                                     -  -  5
/admin/audit                                               -  -  5
/admin/audit/<int:act_id>                                  -  -  3
/admin/audit/<kind>/<subject_id>                           -  -  3
/admin/bulk/<public_id>                                    -  -  5
/admin/bulk/<public_id>/result.csv                         -  -  3
/admin/courses                                             -  -  5
/admin/courses/<public_id>                                 -  -  4
/admin/courses/<public_id>/details                         -  -  5
/admin/courses/<public_id>/lessons/<lesson_id>             -  -  4
/admin/courses/<public_id>/lessons/<lesson_id>/preview     -  -  5
/admin/courses/<public_id>/lessons/<lesson_id>/removal     -  -  4
/admin/courses/<public_id>/picture                         -  -  3
/admin/courses/<public_id>/preview                         -  -  -
/admin/courses/<public_id>/price                           -  -  5
/admin/courses/<public_id>/sections/<section_id>           -  -  4
/admin/courses/new                                         -  -  2
/admin/connections                                         -  -  4
/admin/connections/<public_id>                             -  -  5
/admin/connections/<public_id>/deliveries                  -  -  5
/admin/connections/new                                     -  -  2
/admin/forms/<public_id>/deliveries                        -  -  5
/admin/forms/<public_id>/deliveries/<int:delivery_id>      -  -  4
/admin/forms/<public_id>/entries/<entry_id>/deliveries     -  -  3
/admin/forms/<public_id>/integrations                      -  -  5
/admin/forms                                               -  -  4
/admin/forms/<public_id>                                   -  -  4
/admin/forms/<public_id>/after                             -  -  4
/admin/forms/<public_id>/after/<row_id>                    -  -  4
/admin/forms/<public_id>/entries                           -  -  5
/admin/forms/<public_id>/entries/<entry_id>                -  -  5
/admin/forms/<public_id>/definition.json                   -  -  3
/admin/forms/<public_id>/editors                           -  -  3
/admin/forms/<public_id>/files/<file_id>                   -  -  4
/admin/forms/<public_id>/logic                             -  -  4
/admin/forms/<public_id>/preview                           -  -  4
/admin/forms/<public_id>/preview/page                      -  -  3
/admin/forms/<public_id>/settings                          -  -  5
/admin/forms/<public_id>/versions                          -  -  5
/admin/forms/import                                        -  -  2
/admin/forms/<public_id>/share                             -  -  5
/admin/forms/<public_id>/share/code.svg                    -  -  3
/admin/forms/<public_id>/entries/<entry_id>/answers        -  -  4
/admin/forms/<public_id>/entries/<entry_id>/pdf            -  -  4
/admin/forms/<public_id>/entries/file                      -  -  5
/admin/forms/<public_id>/report                            -  -  5
/admin/forms/<public_id>/entries/import                    -  -  3
/admin/forms/<public_id>/trial                             -  -  4
/admin/forms/<public_id>/unfinished                        -  -  5
/admin/forms/<public_id>/unfinished/file                   -  -  5
/admin/forms/erasure                                       -  -  2
/admin/forms/new                                           -  -  2
/admin/jobs                                                -  -  4
/admin/impersonations                                      -  -  4
/admin/impersonations/<public_id>                          -  -  4
/admin/jobs                                                -  -  4
/admin/jobs/<int:job_id>                                   -  -  4
/admin/jobs/log                                            -  -  4
/admin/jobs/schedules                                      -  -  3
/admin/learners                                            -  -  4
/admin/mails                                               -  -  4
/admin/mails/templates                                     -  -  2
/admin/mails/templates/<domain>/<name>                     -  -  2
/admin/mails/templates/<domain>/<name>/body.html           -  -  2
/admin/orders                                              -  -  5
/admin/orders/<public_id>                                  -  -  5
/admin/orders/<public_id>/receipt                          -  -  5
/admin/people                                              -  -  5
/admin/people/<public_id>                                  -  -  5
/admin/people/<public_id>/access                           -  -  5
/admin/people/<public_id>/details                          -  -  3
/admin/people/<public_id>/notes                            -  -  5
/admin/people/<public_id>/orders                           -  -  5
/admin/people/<public_id>/erasure                          -  -  5
/admin/people/<public_id>/impersonation                    -  -  3
/admin/people/new                                          -  -  2
/admin/privacy                                             -  -  4
/admin/people/<public_id>/tokens                           -  -  4
/admin/people/new                                          -  -  2
/admin/people/<public_id>/merge                            -  -  4
/admin/people/imports                                      -  -  3
/admin/people/imports/<import_id>                          -  -  4
/admin/people/imports/<import_id>/result.csv               -  -  3
/admin/people/tags                                         -  -  3
/admin/people/tags/<tag_id>                                -  -  4
/admin/roles                                               -  -  4
/admin/roles/<key>                                         -  -  4
/admin/roles/new                                           -  -  2
/admin/search                                              -  -  2
/admin/settings                                            -  -  3
/admin/webhooks                                            -  -  4
/admin/webhooks/<provider>/<event_id>                      -  -  3
"""
MOST = 5
FEW, MANY = 10, 200

# What is counted another way: files and streams, and addresses that answer without a page. Below /api nobody is signed
# in; tests/test_api.py counts there with tokens.
NOT_COUNTED = {
    "/health/live",
    "/health/ready",
    "/media/<public_id>/<file_name>",
    "/plates/<slug>.svg",
    "/theme.css",
    "/time",
}


def rows() -> dict[str, list[str]]:
    """The three entries of each address."""
    lines = (line.split() for line in TABLE.splitlines() if line.startswith("/"))
    return {rule: entries for rule, *entries in lines}


def is_counted(rule: str) -> bool:
    return rule not in NOT_COUNTED and not rule.startswith("/api/")


def test_the_table_has_every_page_and_nothing_else(app: Lectern) -> None:
    served = {rule.rule for rule in everywhere.routes(app, "GET")}
    assert rows().keys() == {rule for rule in served if is_counted(rule)}


def test_no_page_of_the_table_sends_more_than_five_statements() -> None:
    assert [rule for rule, entries in rows().items() if any(n != "-" and int(n) > MOST for n in entries)] == []


async def test_each_page_sends_its_number_of_statements_for_10_rows_and_for_200(app: Lectern, cast: Cast) -> None:
    ann, olga = await cast.ann(), await cast.olga()
    places = await everywhere.one_of_everything(app, instructor_id=olga.id)
    # Detail pages are about things of the member's own.
    await db.run("UPDATE orders SET user_id = :ann WHERE public_id = :id", ann=ann.id, id=places["/orders"])
    browsers = [app.test_client(), ann.browser, olga.browser]
    for first, last in ((0, FEW), (FEW, MANY)):
        await more_of_everything(first, last, ann_id=ann.id, places=places)
        found = {rule: [await counted(browser, rule, places) for browser in browsers] for rule in rows()}
        # A hot copy that grew old meanwhile was read anew by one of them: what differs is asked for once more.
        for rule in [rule for rule, entries in rows().items() if entries != found[rule]]:
            found[rule] = [await counted(browser, rule, places) for browser in browsers]
        wrong = {rule: (entries, found[rule]) for rule, entries in rows().items() if entries != found[rule]}
        assert not wrong, "\n".join(
            f"{last} rows: {rule} stands with {' '.join(stands)} and sent {' '.join(sent)}"
            for rule, (stands, sent) in wrong.items()
        )


async def counted(browser: TestClientProtocol, rule: str, places: dict[str, str]) -> str:
    """The statements of the second visit: the first may note that somebody was there."""
    path = everywhere.address(rule, places)
    # What is only ever a part of a page is asked for as one.
    headers = {"HX-Request": "true", "HX-Target": "aside#offer"} if rule.endswith("/offer") else {}
    await browser.get(path, headers=headers)
    with db.count_queries() as count:
        answer = await browser.get(path, headers=headers)
    return "-" if answer.status_code in (303, 401, 403) else str(count.total)


async def more_of_everything(first: int, last: int, *, ann_id: int, places: dict[str, str]) -> None:
    """Courses, lessons, people, orders and whatever else is listed: those with the numbers from `first` up to `last`."""
    for number in range(first, last):
        await a_course(f"course-{number}", f"Course {number}", lessons=1)
    for statement in _MORE:
        names = ("first", "last", "ann", "course", "order", "pat")
        binds = {
            "first": first,
            "last": last - 1,
            "ann": ann_id,
            "course": places["slug"],
            "order": places["/orders"],
            "pat": places["/people"],
        }
        used = {name: binds[name] for name in names if f":{name}" in statement}
        await db.run(statement, **used)


_N = "generate_series(CAST(:first AS int), CAST(:last AS int)) AS n"
_MORE = (
    f"""
    INSERT INTO imports (public_id, kind, state, file_name, storage_key, size_bytes, encoding, delimiter, header, samples,
                         row_count, created_by, created_at, moved_at)
    SELECT 'import-' || n, 'people', 'done', 'list.csv', 'import-' || n, 1, 'utf-8', ',', '{{Email}}', '[]', 1, :ann, now(),
           now()
    FROM {_N}
    """,
    f"""
    INSERT INTO lessons (public_id, course_id, section_id, slug, title, kind, state, position, duration_seconds, is_preview,
                         created_at, updated_at)
    SELECT 'more-' || n, c.id, s.id, 'more-' || n, 'More ' || n, 'text', 'published', 100 + n, 60, true, now(), now()
    FROM courses c JOIN sections s ON s.course_id = c.id, {_N} WHERE c.slug = :course
    """,
    f"""
    INSERT INTO users (public_id, email, name, role, created_at)
    SELECT 'person-' || n, 'person-' || n || '@example.org', 'Person ' || n, 'member', now() FROM {_N}
    """,
    f"""
    INSERT INTO orders (public_id, user_id, email, state, currency, subtotal_minor, tax_minor, total_minor, quote_key,
                        created_at, paid_at)
    SELECT 'order-' || u.id || '-' || n, u.id, u.email, 'paid', 'EUR', 100, 0, 100, 'order-' || u.id || '-' || n, now(), now()
    FROM users u, {_N} WHERE u.id = :ann OR u.public_id = :pat
    """,
    """
    INSERT INTO order_items (order_id, product_id, title, amount_minor, tax_minor)
    SELECT o.id, p.id, p.title, 100, 0
    FROM orders o, (SELECT id, title FROM products ORDER BY id DESC LIMIT 2) p
    WHERE NOT EXISTS (SELECT 1 FROM order_items i WHERE i.order_id = o.id)
    """,
    f"""
    INSERT INTO order_events (order_id, kind, created_at) SELECT o.id, 'checkout_opened', now()
    FROM orders o, {_N} WHERE o.public_id = :order
    """,
    f"""
    INSERT INTO refunds (public_id, order_id, amount_minor, state, created_at)
    SELECT 'refund-' || n, o.id, 1, 'succeeded', now() FROM orders o, {_N} WHERE o.public_id = :order
    """,
    """
    INSERT INTO entitlements (public_id, user_id, product_id, source, source_ref, starts_at, created_at)
    SELECT u.id || '-' || p.id, u.id, p.id, 'manual', u.id || ':' || p.id, now(), now()
    FROM users u, products p WHERE (u.id = :ann OR u.public_id = :pat) AND (p.slug = :course OR p.id % 2 = 0)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO enrolments (user_id, course_id, enrolled_at) SELECT u.id, c.id, now()
    FROM users u, courses c WHERE u.id = :ann OR u.public_id = :pat
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO carts (user_id, created_at, updated_at) SELECT :ann, now(), now() ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO cart_items (cart_id, product_id, agreed_minor, agreed_currency, added_at)
    SELECT c.id, p.id, 24900, 'EUR', now() FROM carts c, products p
    WHERE c.user_id = :ann AND p.id NOT IN (SELECT product_id FROM entitlements WHERE user_id = :ann)
    ORDER BY p.id LIMIT 50
    ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO sessions (public_id, token_hash, user_id, created_at, fresh_at, last_seen_at, expires_at, address, user_agent)
    SELECT 'session-' || n, sha256(CAST('session-' || n AS bytea)), :ann, now(), now(), now(), now() + interval '1 day',
           '127.0.0.1', 'tests'
    FROM {_N}
    """,
    f"""
    INSERT INTO mails (public_id, fact, recipient, template, context, state, attempts, error, created_at)
    SELECT 'mail-' || n, 'mail-' || n, 'ann@example.org', 'accounts/welcome', '{{}}', 'failed', 3, 'away', now() FROM {_N}
    """,
    f"""
    INSERT INTO webhook_events (provider, event_id, type, payload, state, received_at)
    SELECT 'stripe', 'more-' || n, 'charge.refunded', '{{}}', 'failed', now() FROM {_N}
    """,
    f"""
    INSERT INTO pgqueuer (priority, status, entrypoint, payload) SELECT 0, 'failed', 'core.deliver_mail', '{{}}' FROM {_N}
    """,
    f"""
    INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint) SELECT n, 'failed', 0, 'core.deliver_mail' FROM {_N}
    """,
    f"""
    INSERT INTO audit_log (action, subject_type, subject_id, summary, created_at)
    SELECT 'person.test', 'person', CAST(n AS text), '', now() FROM {_N}
    """,
    f"""
    INSERT INTO tags (public_id, name, created_at) SELECT 'tag-' || n, 'Tag ' || n, now() FROM {_N}
    """,
    """
    INSERT INTO user_tags (user_id, tag_id) SELECT u.id, t.id FROM users u, tags t
    WHERE u.public_id = :pat OR u.id % 20 = t.id % 20
    ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO person_notes (public_id, user_id, author_id, body, created_at)
    SELECT 'note-' || n, u.id, :ann, 'Note ' || n, now() FROM users u, {_N} WHERE u.public_id = :pat
    """,
    f"""
    INSERT INTO saved_views (public_id, list, path, query, name, owner_id, is_shared, created_at)
    SELECT 'view-' || n, 'people', '/admin/people', 'q=' || n, 'View ' || n, :ann, true, now() FROM {_N}
    """,
    """
    INSERT INTO bulk_items (run_id, subject_id) SELECT r.id, u.id FROM bulk_runs r, users u ON CONFLICT DO NOTHING
    """,
    f"""
    INSERT INTO learner_days (on_date, user_id) SELECT current_date - n, :ann FROM {_N}
    """,
)
