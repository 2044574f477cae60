from app import Lectern
from app.core import db, migrations
from app.web.tables import begin_words


def test_a_bare_file_is_run_statement_by_statement() -> None:
    sql = "-- no transaction\n-- why; it is so\nCREATE INDEX a\n    ON x (y);\n\nDROP INDEX b;\n"
    assert migrations.statements(sql) == ["CREATE INDEX a\n    ON x (y)", "DROP INDEX b"]


async def test_words_are_found_by_how_they_begin_whatever_is_typed(app: Lectern) -> None:

    written = "Tom O'Brien-Smith tom.ob@Example.org 1010"
    for typed, found in {
        "tom": True, "BRIEN": True, "o'brien": True, "smi": True, "tom.ob@exam": True, "example.org": True, "101": True,
        "tom smith": True, "mith": False, "tom jones": False, "':*": False, "\\": False, "a & !b": False, "'": False,
    }.items():  # fmt: skip
        is_found = await db.value(
            "SELECT search_words(:written) @@ CAST(:query AS tsquery)", written=written, query=begin_words(typed)
        )
        assert is_found is found, typed
