"""Writing the demo school into an empty database, once."""

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from app.accounts import hashing
from app.admin import figures
from app.config import Config
from app.core import clock, db
from app.demo import margins, words, year
from app.demo.history import stream
from app.demo.keys import Keys
from app.demo.school import DemoSchool, load_school

SEED = 2026
PASSWORD = "meridian"  # noqa: S105 (a demo on one's own machine; bin/run prints it)


# Memory is that of one part; larger ones are not faster.
_PART = 4_000
# Up to this many members the indexes stay while rows come in: that takes no time.
_SMALL = 5_000
# Seconds that one statement may take: some go over all rows of a large school.
_PATIENCE = 3600

_TABLES = (
    "users",
    "orders",
    "order_items",
    "order_events",
    "refunds",
    "entitlements",
    "enrolments",
    "lesson_progress",
    "learner_days",
    "learners",
    "mails",
    "audit_log",
    "user_tags",
    "person_notes",
)


async def run(config: Config, *, members: int, say: Callable[[str], None] | None = None) -> bool:
    """Fill an empty database; False (and nothing done) when it has people already.

    All members come in one transaction: killed at any moment, it leaves nothing but the school's words, which the
    next run takes away. `say` is told how far it is. Writes the sign-ins to `demo.json` in the data folder last, so that a run that was killed is seen as unfinished.
    """
    async with db.hold(is_watched=False, patience=_PATIENCE):
        if await db.value("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'member')"):
            return False
        school = load_school()
        now = clock.now().replace(microsecond=0)
        await _empty_half_done()
        await words.write_settings(school)
        films = await words.store_films(school)
        async with db.transaction():
            teachers = await words.write_staff(school, now)
            keys = Keys()
            await words.write_courses(school, teachers, films, keys, now)
        password_hash = await hashing.hashed(PASSWORD)
        async with db.transaction():
            await db.run("UPDATE users SET password_hash = :hash WHERE role <> 'member'", hash=password_hash)
            await year.rest_rollups(True)
            indexes = await year.drop_indexes(_TABLES) if members > _SMALL else []
            # Two a member, as a school of this age has; the last one is a checkout that is still open.
            for part in stream(SEED, school=school, until=now, members=members, chunk=_PART):
                await year.write(part, keys, school)
                if say is not None:
                    say(f"{len(keys.members):,} of {members:,} members")
            await year.write_desk()
            await year.rest_rollups(False)
            if say is not None:
                say("making indexes")
            await year.make_indexes(indexes)
            learner = await _choose_learner(password_hash, now)
            await margins.write(now)
        for table in _TABLES:
            # Also marks pages as visible to all, without which counting reads every row once more.
            await db.script(f"VACUUM (ANALYZE) {table}")
        await figures.write_down()
    _write_sign_ins(config.data_dir, school, learner)
    return True


async def _empty_half_done() -> None:
    """Take away what a killed seed left: the school's words without its members."""
    async with db.transaction():
        for table in (
            "prices",
            "products",
            "lessons",
            "sections",
            "courses",
            "topics",
            "uploads",
            "users",
            "roles",
            "tags",
        ):
            await db.run(f"DELETE FROM {table}")  # noqa: S608 (names of our own)


async def _choose_learner(password_hash: str, now: datetime) -> db.Row:
    """A member in the middle of something, whom the demo signs in as."""
    learner = await db.one(
        db.Row,
        """
        UPDATE users SET password_hash = :hash, last_seen_at = :now
        WHERE id = (
            SELECT n.user_id FROM enrolments n
            JOIN courses c ON c.id = n.course_id
            JOIN entitlements e ON e.user_id = n.user_id AND e.closed_at IS NULL
            WHERE n.completed_count BETWEEN 1 AND c.lesson_count - 1
            GROUP BY n.user_id
            ORDER BY count(DISTINCT n.course_id) >= 2 DESC, max(n.last_activity_at) DESC LIMIT 1
        )
        RETURNING email, name
        """,
        hash=password_hash,
        now=now,
    )
    assert learner is not None
    return learner


def _write_sign_ins(folder: Path, school: DemoSchool, learner: db.Row) -> None:
    owner = next(teacher for teacher in school.teachers if teacher.slug == words.OWNER)
    other = next(teacher for teacher in school.teachers if teacher.slug != words.OWNER)
    people = {
        "owner": {"name": owner.name, "email": owner.email, "password": PASSWORD},
        "instructor": {"name": other.name, "email": other.email, "password": PASSWORD},
        "support": {"name": "Leila Haddad", "email": "leila@meridian.example", "password": PASSWORD},
        "member": {"name": learner.name, "email": learner.email, "password": PASSWORD},
    }
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"demo.json.{secrets.token_hex(4)}"
    half.write_text(json.dumps(people, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    half.rename(folder / "demo.json")
