"""Pages and fragments from one template.

`await page("commerce/cart.html", cart=cart)` draws the whole page, or only the block that htmx aims at
(`HX-Target: section#cart-lines` → block `cart_lines`, whose markup includes the element with that id).
The environment is synchronous: data is fetched before, rendering never waits.
"""

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from quart import Response, request
from werkzeug.local import LocalProxy

from app.core import db, i18n
from app.core.mail import Rendered
from app.core.money import format_money
from app.core.settings import School, school
from app.web import acting, templating, traps
from app.web.assets import Assets
from app.web.flash import take_flashes
from app.web.request import fragment, path_for, user

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"

_environment: jinja2.Environment | None = None
# For the page being drawn: the school, and the zone that its signed-in reader chose, else the school's.
_school: ContextVar[School] = ContextVar("school", default=School())  # noqa: B039 (frozen)
_zone: ContextVar[ZoneInfo] = ContextVar("zone", default=School().zone)
_context_makers: list[Callable[[], Mapping[str, Any]]] = []


def configure(assets: Assets, *, app_url: str, debug: bool, compiled: Path | None = None) -> jinja2.Environment:
    """Build the environment; called once by create_app(). `compiled` keeps compiled templates between starts."""
    global _environment
    environment = templating.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(("html", "xml", "svg")),
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=debug,
        bytecode_cache=_bytecode_cache(compiled),
        cache_size=-1,
    )
    environment.install_gettext_callables(i18n.gettext, i18n.ngettext_unfilled, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        _=templating.gettext,
        gettext=templating.gettext,
        ngettext=templating.ngettext,
        asset=assets.address,
        has_asset=assets.has,
        url_for=path_for,
        app_url=app_url,
        captcha_gate=traps.captcha,
        # Macros see globals only; the object behind changes with each request.
        school=LocalProxy(_school),
        money=lambda minor, currency=None: format_money(minor, currency or _school.get().currency),
        number=i18n.format_number,
        percent=i18n.format_share,
        date=lambda moment, form="medium": i18n.format_day(_local(moment), form),
        datetime=lambda moment, form="": i18n.format_moment(moment.astimezone(_zone.get()), form),
        day=lambda moment: i18n.format_day(_local(moment), "d MMM"),
        clock=lambda moment: _local(moment).strftime("%H:%M"),
        duration=duration,
        timecode=timecode,
        query_with=query_with,
    )
    _environment = environment
    _components(environment)
    return environment


def _bytecode_cache(folder: Path | None) -> jinja2.BytecodeCache | None:
    """Compiling every component takes most of a process's start. Nobody else may write there: it is run as code."""
    try:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK):
                return jinja2.FileSystemBytecodeCache(str(folder), templating.KEPT_AS)
    except OSError:
        pass  # a machine without a writable folder compiles each time
    return None


# They draw what their arguments say in the school's name, and nothing of the request. A third of a page is these.
_KEPT = frozenset(
    (
        "account_corner",
        "account_tool",
        "avatar",
        "badge",
        "brand",
        "brand_mark",
        "btn",
        "cart_tool",
        "colophon",
        "course_card",
        "cover",
        "empty_state",
        "figure_plots",
        "figure_rows",
        "head_links",
        "icon",
        "initials",
        "kbd",
        "lesson_icon",
        "lesson_row",
        "link",
        "masthead",
        "office_links",
        "plate",
        "progress",
        "rail_lesson",
        "sr",
        "state",
        "tag",
        "unreachable",
    )
)


def _components(environment: jinja2.Environment) -> None:
    """Put every macro of templates/components into `ui`: a block that is drawn alone sees no imports."""
    ui = SimpleNamespace()
    # Before the first component is loaded: they call each other through this name, and copy the globals.
    environment.globals["ui"] = ui
    for path in sorted((TEMPLATES / "components").glob("*.html")):
        if path.stem.startswith("specimen"):  # the pages that show them all
            continue
        for name, macro in vars(environment.get_template(f"components/{path.name}").module).items():
            if not name.startswith("_") and callable(macro):
                if hasattr(ui, name):
                    raise RuntimeError(f"two components are called {name}")
                setattr(ui, name, templating.KeptMacro(macro, _school.get) if name in _KEPT else macro)


def add_context(make: Callable[[], Mapping[str, Any]]) -> None:
    """Let a domain add names to every page (the office's navigation, say)."""
    if make not in _context_makers:  # a process may make several applications
        _context_makers.append(make)


async def page(
    template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> Response:
    """Draw a page, or the block of it that htmx asked for. Gives the database connection back first."""
    await _begin()
    context.setdefault("status", status)
    whole = _get(template)
    wanted = fragment()
    if wanted is not None and wanted.block in whole.blocks:
        body = _draw_block(whole, wanted.block, _full_context(context)) + _late_notices()
    else:
        body = whole.render(_full_context(context, flashes=take_flashes()))
    response = Response(body, status=status, content_type="text/html; charset=utf-8")
    response.headers["Vary"] = "HX-Request, HX-Target, Cookie"
    if wanted is not None and wanted.block not in whole.blocks:
        response.headers["HX-Retarget"] = "body"
        response.headers["HX-Reswap"] = "outerSync"
    for name, text in (headers or {}).items():
        response.headers[name] = text
    return response


async def _begin() -> None:
    """What every page needs; then the database connection is given back."""
    settings, person = await school(), user()
    _school.set(settings)
    _zone.set(ZoneInfo(person.time_zone) if person is not None and person.time_zone else settings.zone)
    await db.release()


def surroundings() -> tuple[School, ZoneInfo]:
    """What every page is drawn in: the school as it is set, and the zone of who looks."""
    return _school.get(), _zone.get()


async def block(template: str, name: str, **context: Any) -> str:
    """One block of a template as text, for server-sent events and composed fragments."""
    await _begin()
    return _draw_block(_get(template), name, _full_context(context))


async def notice(status: int, **context: Any) -> Response:
    """What went wrong, put into `#notices` of the page that htmx already shows."""
    await _begin()
    body = _get("errors/notice.html").render(_full_context({"status": status, **context}))
    return Response(
        body,
        status=status,
        content_type="text/html; charset=utf-8",
        headers={"HX-Retarget": "#notices", "HX-Reswap": "outerHTML", "HX-Push-Url": "false"},
    )


async def mail(template: str, context: Mapping[str, Any]) -> Rendered:
    """Render `domain/name` from `templates/<domain>/mail/<name>.html` and `.txt`; the text's first line is the subject."""
    settings = await school()
    domain, _slash, name = template.partition("/")
    values = {**context, "school": settings, "site_url": _environment_or_fail().globals["app_url"]}
    text = _get(f"{domain}/mail/{name}.txt").render(values)
    subject, _newline, rest = text.partition("\n")
    html = _get(f"{domain}/mail/{name}.html").render({**values, "subject": subject.strip()})
    return Rendered(subject.strip(), html, rest.strip() + "\n")


def site_url() -> str:
    """Where the school is reached, without a slash at its end: for links that leave the house."""
    return str(_environment_or_fail().globals["app_url"]).rstrip("/")


def _full_context(context: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    full: dict[str, Any] = {
        "school": _school.get(),
        "viewer": user(),
        "acting": acting.current(),
        "request": request,
        "flashes": [],
        "office_nav": [],
    }
    for make in _context_makers:
        full.update(make())
    return {**full, **more, **context}


def _draw_block(template: jinja2.Template, name: str, context: dict[str, Any]) -> str:
    return "".join(template.blocks[name](template.new_context(context)))


def _late_notices() -> str:
    """Sentences of this request, as an extra part of a fragment."""
    found = take_flashes()
    if not found:
        return ""
    drawn = _environment_or_fail().globals["ui"].notices(found)  # type: ignore[attr-defined]
    return f'<hx-partial hx-target="#notices" hx-swap="outerHTML">{drawn}</hx-partial>'


def _get(template: str) -> jinja2.Template:
    return _environment_or_fail().get_template(template)


def _environment_or_fail() -> jinja2.Environment:
    if _environment is None:
        raise RuntimeError("rendering is not configured")
    return _environment


def _local(moment: datetime | date) -> datetime | date:
    return moment.astimezone(_zone.get()) if isinstance(moment, datetime) else moment


def duration(seconds: int) -> str:
    """`34800` as `9 h 40 min`, `720` as `12 min`, `40` as `40 s`."""
    if seconds < 60:
        return i18n.gettext("%(s)s s", s=seconds)
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return i18n.gettext("%(m)s min", m=minutes)
    if not minutes:
        return i18n.gettext("%(h)s h", h=hours)
    return i18n.gettext("%(h)s h %(m)s min", h=hours, m=minutes)


def timecode(seconds: int) -> str:
    """`75` as `1:15`, `3675` as `1:01:15`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def query_with(**changes: Any) -> str:
    """The current address with some query parameters changed; None removes one."""
    from urllib.parse import urlencode

    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in changes]
    pairs = kept + [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
    return f"{request.path}?{urlencode(pairs)}" if pairs else request.path
