"""A plain Jinja environment with invented globals: every component can be drawn without the application."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    FileField,
    Form,
    HiddenField,
    IntegerField,
    PasswordField,
    RadioField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    validators,
    widgets,
)

from app.web import plots

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"


def environment() -> jinja2.Environment:
    """Make the environment the product uses: synchronous, strict, escaping, every macro in ``ui``."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    env.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(
        asset=lambda path: f"/static/{path}",
        has_asset=lambda path: (ROOT / "static" / path).exists(),
        url_for=lambda endpoint, **values: f"/{endpoint}",
        money=lambda minor, currency="EUR": f"€{minor / 100:,.2f}",
        number=lambda n: f"{n:,}",
        date=lambda at: f"{at:%-d %B %Y}",
        datetime=lambda at: f"{at:%-d %b, %H:%M}",
        duration=lambda seconds: f"{seconds // 3600} h {seconds % 3600 // 60:02d} min",
        school=SimpleNamespace(name="Meridian", hue=155, logo_url=None, currency="EUR", language="en"),
    )
    ui = SimpleNamespace()
    env.globals["ui"] = ui
    for path in sorted((TEMPLATES / "components").glob("*.html")):
        if path.stem.startswith("specimen"):
            continue
        module = env.get_template(f"components/{path.name}").module
        for name in vars(module):
            if not name.startswith("_"):
                assert not hasattr(ui, name), f"two macros are called {name}"
                setattr(ui, name, getattr(module, name))
    return env


class SpecimenForm(Form):  # type: ignore[misc]
    email = EmailField("Email address", [validators.InputRequired()], description="The receipt goes there.")
    password = PasswordField("Password", [validators.InputRequired(), validators.Length(min=12)])
    username = StringField("TradingView username")
    about = TextAreaField("About you")
    level = SelectField("Level", choices=[SelectChoice("new", "New to this"), SelectChoice("some", "Some practice")])
    remember = BooleanField("Keep me signed in on this device")
    free = BooleanField("Free to watch")
    kind = RadioField(
        "Kind", choices=[SelectChoice("course", "Course"), SelectChoice("indicator", "Indicator")], default="course"
    )
    topics = SelectMultipleField(
        "Topics",
        choices=[SelectChoice("risk", "Risk"), SelectChoice("price", "Price <action>")],
        widget=widgets.ListWidget(prefix_label=False),
        option_widget=widgets.CheckboxInput(),
    )
    starts_on = DateField("Starts on", [validators.Optional()])
    video = FileField("Video")
    token = HiddenField()
    website = StringField("Website")
    hue = IntegerField("Hue", default=155)


@dataclass(slots=True)
class Column:
    key: str
    label: str
    cls: str = ""
    sort_url: str | None = None
    sort_state: str = "none"


@dataclass(slots=True)
class Table:
    columns: list[Column]
    rows: list[Any]
    filters: list[Any]
    chips: list[Any] = field(default_factory=list)
    id: str = "list"
    base_url: str = "/admin/orders"
    hidden: list[tuple[str, str]] = field(default_factory=lambda: [("sort", "-placed")])
    prev_url: str | None = None
    next_url: str | None = "/admin/orders?after=1145"
    sentence: str = "40 of 1,284, from 20 November back to 17 November"
    total: int | None = 1284
    export_url: str | None = "/admin/orders.csv"
    empty: Any = None
    is_filtered: bool = False
    clear_url: str = "/admin/orders"


def orders(**changes: Any) -> Table:
    """A list of orders in the shape that docs/tables.md asks for."""
    rows = [
        SimpleNamespace(
            url=f"/admin/orders/{n}",
            number=n,
            placed="Today, 18:40",
            customer=who,
            what=what,
            state=s,
            total=t,
        )
        for n, who, what, s, t in (
            (
                1184,
                "Ines Kovač",
                "Reading Price, Tidemark, The Reading Room, A Year of Trades",
                "paid",
                38465,
            ),
            (1183, "Aiko Brandt", "Tidemark", "pending", 14900),
            (1182, "Ruben <de> Wit", "Options, Plainly", "refunded", 38900),
            (1181, "Femi Adeyemi", "Tidemark", "failed", 14900),
        )
    ]
    options = [
        SimpleNamespace(value="", label="Any state", selected=False),
        SimpleNamespace(value="paid", label="Paid", selected=True),
    ]
    table = Table(
        columns=[
            Column("number", "Order", sort_url="?sort=number"),
            Column("placed", "Placed", cls="table__mid", sort_url="?sort=placed", sort_state="descending"),
            Column("customer", "Customer"),
            Column("what", "What", cls="table__wide"),
            Column("state", "State"),
            Column("total", "Total", cls="table__num", sort_url="?sort=total"),
        ],
        rows=rows,
        filters=[
            SimpleNamespace(kind="search", name="q", label="Name, email or number", value=""),
            SimpleNamespace(kind="select", name="state", label="State", options=options),
            SimpleNamespace(
                kind="dates",
                name="placed",
                label="Placed",
                from_name="from",
                from_value="2026-11-01",
                to_name="to",
                to_value="",
            ),
            SimpleNamespace(kind="toggle", name="gift", label="Gifts", value=False),
        ],
        chips=[
            SimpleNamespace(label="Paid", clear_url="/admin/orders?q="),
            SimpleNamespace(label="Since 1 November", clear_url="?state=paid"),
        ],
        empty=SimpleNamespace(
            title="No orders yet",
            text="The first sale stands here.",
            action_url="/courses",
            action_label="See the school",
        ),
    )
    for name, value in changes.items():
        setattr(table, name, value)
    return table


def office_nav() -> list[Any]:
    entries = (
        ("", "Today", "bell", 4),
        ("", "Orders", "receipt", 3),
        ("", "Members", "users", 0),
        ("Teach", "Courses", "book-open", 0),
        ("Keep", "Jobs", "workflow", 1),
        ("Keep", "Settings", "settings", 0),
    )
    return [
        SimpleNamespace(
            label=label,
            icon=icon,
            url=f"/admin/{label.lower()}",
            current=label == "Orders",
            count=count,
            group=group,
        )
        for group, label, icon, count in entries
    ]


REVENUE = [
    *(1488, 1367, 1889, 1411, 1391, 1650, 1077, 1113, 1475, 1336, 1685, 1289, 1146, 1423),
    *(1801, 1911, 1672, 1795, 1422, 1469, 1500, 2690, 2105, 1720, 1498, 1744, 1863, 1912),
]
BEFORE = [
    *(1097, 1084, 1155, 1381, 1359, 1135, 1302, 1214, 1553, 1101, 1438, 1075, 1473, 983),
    *(1102, 1606, 1100, 1368, 1499, 1312, 1258, 1264, 1361, 1412, 955, 1062, 1018, 853),
]
HOURS = [1.2, 2.5, 3.1, 0.5, 0, 2.8, 3.4, 2.9, 3.6, 4.1, 3.2, 2.4]


def context() -> dict[str, Any]:
    """Everything components/specimen.html needs."""
    good = SpecimenForm(
        data={"email": "ines@kovac.example", "username": "ines_kv", "topics": ["risk"], "remember": True}
    )
    bad = SpecimenForm(data={"email": "ines@", "kind": "nothing"}, prefix="bad-")
    bad.email.errors = ["This address is not complete: something is missing after the @."]
    bad.kind.errors = ["Choose one of the two."]
    bad.form_errors = ["That email and password do not go together. Try again, or let us send you a link."]
    days = [dt.date(2026, 10, 24) + dt.timedelta(days=n) for n in range(28)]
    return {
        "form": good,
        "bad": bad,
        "orders": orders(),
        "nothing": orders(rows=[], chips=[], filters=[], id="nothing"),
        "unmatched": orders(rows=[], is_filtered=True, id="unmatched"),
        "now": dt.datetime(2026, 11, 20, 18, 40, tzinfo=dt.UTC),
        "revenue": plots.line(
            REVENUE,
            labels=[f"{day:%-d %b}" for day in days],
            before=BEFORE,
            show=lambda value: f"€{value:,.0f}",
            name=(21, "€2,690, autumn letter"),
            heads=("Day", "Revenue", "28 days before"),
        ),
        "hours": plots.bars(
            HOURS,
            labels=[f"week {n}" for n in range(36, 48)],
            show=lambda value: f"{value:g} h",
            heads=("Week", "Hours"),
        ),
        "spark": plots.spark([3, 1, 5, 4.5, 3, 6, 5.5, 6.5, 5, 7.5, 8.5, 9.5]),
        "office_nav": office_nav(),
        "viewer": SimpleNamespace(
            public_id="marta", name="Marta Lindqvist", email="marta@meridian.example", role="owner"
        ),
    }
