"""What search engines ask for first."""

from quart import Blueprint, Response, current_app, url_for

from app.catalogue import listing
from app.seo import sitemap
from app.web.guards import public

routes = Blueprint("seo", __name__)

# What is somebody's own is not worth a robot's visit; nothing is hidden by saying so.
OWN = ("/admin", "/account", "/cart", "/checkout", "/learn", "/login", "/password", "/verify")


@routes.get("/robots.txt")
@public()
async def show_robots() -> Response:
    """Where robots need not look, and where the list of pages is."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in OWN), "", f"Sitemap: {_absolute('/sitemap.xml')}", ""]
    return _public("\n".join(lines), "text/plain; charset=utf-8")


@routes.get("/sitemap.xml")
@public()
async def show_sitemap() -> Response:
    """Every page that anyone may read."""
    pages = [(_absolute("/"), None), (_absolute(url_for("catalogue.list_courses")), None)]
    pages += [(_absolute(_address(row.slug, row.lesson_slug)), row.changed_at) for row in await sitemap.published()]
    pages += [
        (_absolute(url_for("catalogue.show_teacher", slug=person.slug)), None) for person in await listing.teachers()
    ]
    return _public(sitemap.drawn(pages), "application/xml; charset=utf-8")


def _address(slug: str, lesson_slug: str | None) -> str:
    if lesson_slug is None:
        return url_for("catalogue.show_course", slug=slug)
    return url_for("catalogue.show_preview", slug=slug, lesson_slug=lesson_slug)


def _absolute(path: str) -> str:
    return f"{current_app.config['LECTERN'].app_url.rstrip('/')}{path}"


def _public(body: str, content_type: str) -> Response:
    return Response(body, content_type=content_type, headers={"Cache-Control": "public, max-age=3600"})
