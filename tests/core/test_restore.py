"""A dump of the database, as an owner's provider or `pg_dump` makes it, becomes the same school again.

It is restored with an empty search path: a function that an index, a check or a column is worked out by, and that finds
something of ours by its bare name, would stop it at the worst of moments.
"""

import re
import subprocess

import asyncpg

from app.config import Config
from app.sandbox.postgres import binaries
from tests.cast import Cast
from tests.school import a_course


def dump(url: str) -> str:
    """All of it, as statements; without the key that newer ones guard their lines with, which is another each time."""
    command = [str(binaries() / "pg_dump"), "--no-owner", "--dbname", url]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    return re.sub(r"^\\(un)?restrict .*\n", "", told, flags=re.MULTILINE)


def restore(told: str, url: str) -> str:
    """What it stumbles over."""
    command = [str(binaries() / "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", url]
    return subprocess.run(command, input=told, capture_output=True, encoding="utf-8", check=False).stderr


async def test_what_is_dumped_and_restored_is_the_same_school(cast: Cast, config: Config, fresh: str) -> None:
    await a_course("candles", "Reading candles", price=4900)
    told = dump(config.database_url.reveal())
    assert "Reading candles" in told
    assert restore(told, fresh) == ""
    # How deep a condition stands in parentheses is told differently once it was read back.
    same, anew = (re.sub(r"[()]", "", each) for each in (told, dump(fresh)))
    assert anew == same


async def test_an_index_that_could_not_be_restored_would_be_seen(fresh: str) -> None:
    connection = await asyncpg.connect(fresh)
    await connection.execute("""
        CREATE FUNCTION inner_one(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
        CREATE FUNCTION outer_one(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN inner_one($1); END';
        CREATE TABLE names (name text);
        INSERT INTO names VALUES ('anna');
        CREATE INDEX names_by_name ON names (outer_one(name));
    """)
    told = dump(fresh)
    await connection.execute("DROP TABLE names; DROP FUNCTION outer_one; DROP FUNCTION inner_one")
    await connection.close()
    assert "inner_one(text) does not exist" in restore(told, fresh)
