"""HTML of the owner between the fields, cleaned."""

import nh3
from markupsafe import Markup

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind
from app.formbuilder.models import Field
from app.formbuilder.settings import Text

_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "div", "dl", "dt", "em", "figcaption", "figure", "h2", "h3", "h4", "hr",
    "i", "img", "li", "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "th",
    "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "th": {"scope"}, "ol": {"start"}}
_OURS = ("/media/", "/static/")


class Html(Kind):
    name = "html"
    label = lazy("HTML")
    group = "layout"
    icon = "workflow"
    value_class = "none"
    has_answer = False
    can_be_required = False
    settings = (Text(name="html", label=lazy("HTML"), longest=20_000, rows=10, is_code=True),)

    def drawn(self, field: Field) -> Markup:
        """It, cleaned: no scripts, forms, styles or pictures of other hosts."""
        return Markup(  # noqa: S704 (nh3 cleaned it)
            nh3.clean(
                field["html"],
                tags=_TAGS,
                clean_content_tags={"script", "style"},
                attributes=_ATTRIBUTES,
                attribute_filter=_ours_only,
                url_schemes={"http", "https", "mailto", "tel"},
                link_rel="noopener noreferrer",
            )
        )


def _ours_only(tag: str, attribute: str, value: str) -> str | None:
    return value if tag != "img" or attribute != "src" or value.startswith(_OURS) else None


KIND = Html()
