"""The house rules, checked from the imports and the SQL: directions, private rooms, who writes which table."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "app"

# From left to right; packages of one group are siblings. Imports run leftward only.
ORDER = [
    {"config"},
    {"core"},
    {"gateways"},
    {"web"},
    {"accounts", "media"},
    {"courses"},
    {"catalogue"},
    {"access"},
    {"commerce"},
    {"learning"},
    {"imports"},
    {"formbuilder"},
    {"seo"},
    {"ops", "admin"},
    {"demo"},
]
RANK = {name: rank for rank, group in enumerate(ORDER) for name in group}
PRIVATE_ROOMS = {"queries", "routes", "admin", "api", "forms", "jobs", "personal"}
FLOOR = {"config", "core", "gateways", "web", "sandbox", "demo"}

TABLES = {
    "core": {
        "settings",
        "mails",
        "audit_log",
        "webhook_events",
        "schema_migrations",
        "pgqueuer",
        "pgqueuer_log",
        "lone_runs",
    },
    "web": {"saved_views", "default_views", "bulk_runs", "bulk_items"},
    "accounts": {
        "users",
        "tags",
        "user_tags",
        "person_notes",
        "sessions",
        "access_tokens",
        "one_time_tokens",
        "pending_sign_ins",
        "mfa_secrets",
        "recovery_codes",
        "passkeys",
        "used_challenges",
        "identities",
        "impersonations",
        "impersonation_visits",
        "personal_exports",
        "erasures",
        "consents",
        "email_changes",
        "sign_in_links",
        "roles",
    },
    "media": {"uploads"},
    "courses": {"topics", "courses", "sections", "lessons"},
    "catalogue": {"products", "prices"},
    "access": {"entitlements"},
    "commerce": {"carts", "cart_items", "orders", "order_items", "order_events", "refunds"},
    "learning": {"enrolments", "lesson_progress", "learner_days", "learners"},
    "imports": {"imports", "import_outcomes", "import_mappings"},
    "formbuilder": {
        "forms",
        "form_versions",
        "form_entries",
        "form_entry_files",
        "form_entry_acts",
        "form_answer_choices",
        "form_columns",
        "form_drafts",
        "form_links",
        "form_deliveries",
        "form_connections",
        "form_notifications",
        "form_stock",
        "form_left",
        "form_trials",
        "form_trial_views",
        "form_trial_people",
    },
    "admin": {"day_figures", "learner_counts"},
}
OWNER = {table: package for package, tables in TABLES.items() for table in tables}
WRITE = re.compile(r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?([a-z_]+)", re.IGNORECASE)
READ = re.compile(r"\b(?:FROM|JOIN)\s+([a-z_]+)", re.IGNORECASE)


def modules() -> Iterator[tuple[str, Path]]:
    """Each module of the product as (dotted name, file)."""
    for path in sorted(APP.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), path


def imports(name: str, path: Path) -> Iterator[str]:
    """The `app.…` modules that a module imports, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("app"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app"):
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                yield dotted if _is_module(dotted) else str(node.module)


def _is_module(dotted: str) -> bool:
    base = ROOT.joinpath(*dotted.split("."))
    return base.is_dir() or base.with_suffix(".py").exists()


def package_of(dotted: str) -> str:
    """`app.commerce.orders` belongs to `commerce`; the wiring (`app`, `app.asgi`, `app.__main__`) to nobody."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RANK | {"sandbox": 0} else ""


def room_of(dotted: str) -> str:
    parts = dotted.split(".")
    return parts[2] if len(parts) > 2 else ""


def texts(path: Path) -> Iterator[str]:
    """The string constants of a module that look like SQL; docstrings do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
            if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", node.value):
                yield node.value


ALL = list(modules())


@pytest.mark.parametrize(("name", "path"), ALL, ids=[name for name, _path in ALL])
def test_imports_run_leftward_and_stay_out_of_private_rooms(name: str, path: Path) -> None:
    own = package_of(name)
    if not own:
        return
    for other in imports(name, path):
        package = package_of(other)
        if own == "sandbox":
            assert package in ("", "sandbox", "config"), f"{name} imports {other}: the sandbox stands alone"
            continue
        assert package != "sandbox", f"{name} imports {other}: nothing imports the sandbox"
        if not package or package == own:
            continue
        assert RANK[package] < RANK[own], f"{name} imports {other}: to the right, or a sibling"
        if package not in FLOOR:
            assert room_of(other) not in PRIVATE_ROOMS, f"{name} imports {other}: a private room"


@pytest.mark.parametrize(("name", "path"), ALL, ids=[name for name, _path in ALL])
def test_only_its_owner_writes_a_table(name: str, path: Path) -> None:
    own = package_of(name)
    if own in ("", "demo", "sandbox"):
        return
    for sql in texts(path):
        for table in WRITE.findall(sql):
            owner = OWNER.get(table.lower())
            assert owner in (None, own), f"{name} writes {table}, which belongs to {owner}"
        for table in READ.findall(sql):
            owner = OWNER.get(table.lower())
            if owner and owner != own:
                assert RANK[owner] < RANK[own], f"{name} reads {table} of {owner}, to its right"


def test_every_table_has_an_owner() -> None:
    made = set()
    for path in (ROOT / "migrations").glob("*.sql"):
        made |= set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)", path.read_text("utf-8")))
    assert made - {table for table in made if table.startswith("pgqueuer")} <= set(OWNER), made - set(OWNER)


def test_only_core_db_imports_databases_and_only_config_reads_the_environment() -> None:
    for name, path in ALL:
        text = path.read_text("utf-8")
        if name != "app.core.db":
            assert not re.search(r"^(import|from) databases\b", text, re.MULTILINE), name
        if package_of(name) not in ("config", "sandbox"):
            assert "os.environ" not in text and "getenv" not in text, name


def test_handlers_hold_no_sql_and_no_transaction() -> None:
    for name, path in ALL:
        if room_of(name) in ("routes", "admin", "api") and package_of(name) not in ("", "web"):
            assert not list(texts(path)), f"{name} holds SQL"
            assert "db.transaction" not in path.read_text("utf-8"), f"{name} opens a transaction"


def test_no_room_is_called_a_grab_bag() -> None:
    forbidden = {"utils", "helpers", "manager", "service", "services", "common", "misc"}
    assert not [name for name, _path in ALL if set(name.split(".")) & forbidden]
