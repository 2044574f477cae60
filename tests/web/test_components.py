"""Components render, escape, tie their labels, and carry no inline style or script."""

import hashlib
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from tests.web import specimen

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SVG_LEAVES = {"use", "path", "line", "rect", "circle"}


class Page(HTMLParser):
    """Collects elements with their attributes, the text of each and what was never closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.problems.append(f"{tag} has an attribute twice: {names}")
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID and tag not in SVG_LEAVES:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in SVG_LEAVES or tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def env() -> jinja2.Environment:
    return specimen.environment()


@pytest.fixture(scope="module")
def pages(env: jinja2.Environment) -> dict[str, str]:
    names = ("components/specimen.html", "components/specimen_office.html")
    drawn = {name: env.get_template(name).render(**specimen.context()) for name in names}
    for status in (400, 403, 404, 405, 409, 413, 422, 429, 500, 503):
        drawn[f"error {status}"] = env.get_template("errors/error.html").render(status=status, request_id="8f21-c07e")
    drawn["error in the office"] = env.get_template("errors/error.html").render(
        status=404, world="office", **specimen.context()
    )
    return drawn


def draw(env: jinja2.Environment, source: str, **context: Any) -> str:
    return env.from_string(source).render(**context).strip()


def test_every_page_is_well_formed_and_has_no_id_twice(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        page = Page(html)
        assert page.problems == [], name
        assert page.open == [], name
        ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
        assert len(ids) == len(set(ids)), f"{name}: {sorted(i or '' for i in ids if ids.count(i) > 1)}"


def test_nothing_needs_a_looser_content_security_policy(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        for tag, attrs in Page(html).elements:
            assert "style" not in attrs, (name, tag, attrs)
            assert not [each for each in attrs if each.startswith(("on", "hx-on"))], (name, tag, attrs)
            assert tag != "style", name
            assert not (attrs.get("hx-vals") or "").startswith("js:"), name
            assert not re.search(r"\w\[", attrs.get("hx-trigger") or ""), f"a filter needs eval: {attrs}"
            assert not (attrs.get("href") or "").startswith("javascript:"), name
        assert all(attrs.get("src") for attrs in Page(html).all("script")), name


def test_every_control_has_a_name_for_readers(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        page = Page(html)
        labelled = {attrs.get("for") for attrs in page.all("label")}
        for tag, attrs in page.elements:
            if tag in ("input", "select", "textarea") and attrs.get("type") != "hidden":
                inside = re.search(
                    rf'<label[^>]*>(?:(?!</label>).)*id="{re.escape(attrs.get("id") or "")}"', html, re.S
                )
                assert attrs.get("id") in labelled or "aria-label" in attrs or inside, (name, attrs)


def test_what_describes_a_field_exists(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        page = Page(html)
        ids = {attrs.get("id") for _, attrs in page.elements}
        for _, attrs in page.elements:
            for key in ("aria-describedby", "aria-labelledby", "commandfor"):
                for target in (attrs.get(key) or "").split():
                    assert target in ids, (name, key, target)


def test_every_icon_is_in_the_sprite(pages: dict[str, str]) -> None:
    sprite = set(re.findall(r'id="([^"]+)"', (specimen.ROOT / "static/img/icons.svg").read_text("utf-8")))
    for name, html in pages.items():
        assert set(re.findall(r"icons\.svg#([\w-]+)", html)) <= sprite, name


def test_every_class_of_the_components_is_in_the_sheets() -> None:
    sheets = "".join(path.read_text("utf-8") for path in (specimen.ROOT / "static/css").rglob("*.css"))
    known = set(re.findall(r"\.([a-z][\w-]*)", sheets))
    known |= {name.split("__")[0] for name in known} | {"list", "rail__list", "editor__list", "cf-turnstile"}
    mail = specimen.TEMPLATES / "layouts/mail.html"  # carries its own sheet
    known |= set(re.findall(r"\.([a-z][\w-]*)", mail.read_text("utf-8")))
    for path in specimen.TEMPLATES.glob("components/*.html"):
        source = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", " ", path.read_text("utf-8"), flags=re.S)
        for value in re.findall(r'class="([^"{]*)"', source):
            for each in value.split():
                assert each in known or each.endswith(("--", "__")), (path.name, each)


def test_macros_escape_what_people_wrote(env: jinja2.Environment) -> None:
    evil = '<img src=x onerror=alert(1)>"'
    for source in (
        "{{ ui.btn(evil, evil) }}",
        "{{ ui.badge(evil) }}",
        "{{ ui.state(evil) }}",
        "{{ ui.tag(evil, evil) }}",
        "{{ ui.notice(evil) }}",
        "{{ ui.toast(evil, evil) }}",
        "{{ ui.prose(evil) }}",
        "{{ ui.quote(evil, evil) }}",
        "{{ ui.avatar(evil, evil) }}",
        "{{ ui.facts([evil]) }}",
        "{{ ui.crumbs([(evil, evil)]) }}",
        "{{ ui.empty_state(evil, evil, evil, evil) }}",
        "{{ ui.course_card(evil, evil, evil, evil, [evil], evil, evil, evil) }}",
        "{{ ui.act(evil, evil, '#list', fields={'a': evil}) }}",
        "{{ ui.lesson_row(evil, evil, 'open', evil, why=evil) }}",
        "{{ ui.confirm_name(evil, evil) }}",
        "{{ ui.player(evil, evil, save_url=evil) }}",
        "{{ ui.plain_table(evil, [(evil, '')], [[evil]]) }}",
        "{{ ui.btn('x', attrs={'title': evil}) }}",
    ):
        html = draw(env, source, evil=evil)
        assert "<img" not in html, source
        assert Page(html).problems == [], source


def test_a_field_keeps_its_value_and_ties_hint_and_error(env: jinja2.Environment) -> None:
    form = specimen.SpecimenForm(data={"email": 'a"b@c'})
    form.email.errors = ["Something is missing after the @."]
    page = Page(draw(env, "{{ ui.field(form.email, autocomplete='email') }}", form=form))
    box = page.all("input")[0]
    assert box["value"] == 'a"b@c'
    assert box["type"] == "email"
    assert box["autocomplete"] == "email"
    assert box["aria-invalid"] == "true"
    assert "autofocus" in box  # a browser without scripts goes to it, however far below it stands
    assert box["aria-describedby"] == "email-hint email-error"
    assert "required" in box


def test_of_a_wrong_list_its_first_choice_is_gone_to(env: jinja2.Environment) -> None:
    form = specimen.SpecimenForm()
    form.topics.errors = ["Choose one."]
    boxes = Page(draw(env, "{{ ui.field(form.topics) }}", form=form)).all("input")
    assert ["autofocus" in box for box in boxes] == [True, False]
    box = Page(draw(env, "{{ ui.confirm_name('1184', 'Refund', error='Type 1184.') }}")).all("input")[0]
    assert "autofocus" in box


def test_what_is_wrong_with_a_name_stands_ready_for_who_presses_enter_without_it(env: jinja2.Environment) -> None:
    drawn = Page(draw(env, "{{ ui.confirm_name('1184', 'Refund') }}"))
    [sentence] = [each for each in drawn.all("p") if each.get("class") == "field__error"]
    assert "hidden" in sentence
    # What is hidden describes nothing: browsers would read it out.
    assert sentence["id"] not in (drawn.all("input")[0]["aria-describedby"] or "")
    told = Page(draw(env, "{{ ui.confirm_name('1184', 'Refund', error='Type 1184.') }}"))
    assert all("hidden" not in each for each in told.all("p"))


def test_a_field_without_hint_and_error_describes_nothing(env: jinja2.Environment) -> None:
    box = Page(draw(env, "{{ ui.field(form.username) }}", form=specimen.SpecimenForm())).all("input")[0]
    assert "aria-describedby" not in box
    assert "aria-invalid" not in box
    assert "autofocus" not in box


def test_only_a_field_that_may_stay_empty_says_so(env: jinja2.Environment) -> None:
    form = specimen.SpecimenForm()
    assert "(optional)" in draw(env, "{{ ui.field(form.username) }}", form=form)
    assert "(optional)" not in draw(env, "{{ ui.field(form.email) }}", form=form)
    assert "(optional)" not in draw(env, "{{ ui.field(form.level) }}", form=form)
    assert "(optional)" not in draw(env, "{{ ui.field(form.username, optional=False) }}", form=form)


@pytest.mark.parametrize(
    ("name", "tag", "kind"),
    [
        ("password", "input", "password"),
        ("about", "textarea", None),
        ("level", "select", None),
        ("remember", "input", "checkbox"),
        ("kind", "input", "radio"),
        ("topics", "input", "checkbox"),
        ("starts_on", "input", "date"),
        ("video", "input", "file"),
        ("token", "input", "hidden"),
    ],
)
def test_each_kind_of_field_is_drawn_as_its_control(
    env: jinja2.Environment, name: str, tag: str, kind: str | None
) -> None:
    page = Page(draw(env, "{{ ui.field(form[name]) }}", form=specimen.SpecimenForm(), name=name))
    assert page.problems == []
    assert page.all(tag)[0].get("type") == kind


def test_a_password_is_never_sent_back(env: jinja2.Environment) -> None:
    form = specimen.SpecimenForm(data={"password": "correct horse"})
    assert "correct horse" not in draw(env, "{{ ui.field(form.password) }}", form=form)


def test_a_form_works_without_scripts_and_swaps_its_block_with_them(env: jinja2.Environment) -> None:
    form = Page(draw(env, "{% call ui.form('/login', '#sign-in') %}{% endcall %}")).all("form")[0]
    assert (form["action"], form["method"]) == ("/login", "post")
    assert (form["hx-post"], form["hx-target"], form["hx-swap"]) == ("/login", "#sign-in", "outerHTML")
    plain = Page(draw(env, "{% call ui.form('/login') %}{% endcall %}")).all("form")[0]
    assert not [each for each in plain if each.startswith("hx-")]


def test_a_table_links_each_sort_and_page_with_its_address(env: jinja2.Environment) -> None:
    page = Page(draw(env, "{{ ui.table(t, 'Orders') }}", t=specimen.orders()))
    for link in page.all("a"):
        assert link.get("href") or link.get("aria-disabled") == "true"
        if "hx-get" in link:
            assert link["hx-get"] == link["href"]
            assert link["hx-target"] == "#list"
            assert link["hx-push-url"] == "true"
    sorts = [attrs.get("aria-sort") for attrs in page.all("th") if attrs.get("aria-sort")]
    assert sorts == ["none", "descending", "none"]


def test_a_cell_may_be_drawn_by_the_page(env: jinja2.Environment) -> None:
    html = draw(
        env,
        "{% call(row, column) ui.table(t, 'Orders') %}[{{ column.key }}]{% endcall %}",
        t=specimen.orders(),
    )
    assert html.count("[total]") == 4
    assert '<td class="table__num">[total]' in html


def test_an_empty_list_teaches_the_next_step_and_a_filtered_one_offers_to_clear(
    env: jinja2.Environment,
) -> None:
    empty = draw(env, "{{ ui.table(t, 'Orders') }}", t=specimen.orders(rows=[], chips=[]))
    assert "No orders yet" in empty
    assert "See the school" in empty
    assert "<table" not in empty
    filtered = draw(env, "{{ ui.table(t, 'Orders') }}", t=specimen.orders(rows=[], is_filtered=True))
    assert "Clear the filters" in filtered
    assert "No orders yet" not in filtered


def test_the_state_of_a_list_that_is_not_a_filter_travels_with_the_form(env: jinja2.Environment) -> None:
    html = draw(env, "{{ ui.filters(t) }}{{ ui.table(t, 'Orders') }}", t=specimen.orders())
    assert '<input type="hidden" name="sort" value="-placed" form="list-filters">' in html
    assert 'id="list-filters"' in html


def test_the_holes_of_a_cached_page_do_not_ask_for_ever(env: jinja2.Environment) -> None:
    page = Page(draw(env, "{{ ui.masthead('courses') }}"))
    holes = [attrs for _, attrs in page.elements if "load" in (attrs.get("hx-trigger") or "")]
    assert {hole["id"] for hole in holes} == {"cart-count", "account-corner"}
    assert all(hole["hx-swap"] == "innerHTML" for hole in holes)
    for answer in ("{{ ui.cart_count(2) }}", "{{ ui.account_corner('Ines Kovač', '/admin') }}"):
        assert "hx-trigger" not in draw(env, answer)


def test_a_member_page_draws_the_corner_at_once_and_offers_the_office_to_staff_only(env: jinja2.Environment) -> None:
    page = "{% extends 'layouts/member.html' %}"
    owner = draw(
        env,
        page,
        viewer=SimpleNamespace(public_id="olga", name="Olga Berg", email="o@x", role="owner", office_url="/admin"),
    )
    member = draw(env, page, viewer=SimpleNamespace(public_id="ines", name="", email="ines@x", role="member"))
    guest = draw(env, page, viewer=None)
    assert "account-corner" not in owner
    assert 'href="/admin"' in owner
    assert 'href="/admin"' not in member
    assert "Your account, ines@x" in member
    assert 'href="/login"' in guest


def test_an_empty_cart_shows_no_number(env: jinja2.Environment) -> None:
    assert draw(env, "{{ ui.cart_count(0) }}") == ""
    assert draw(env, "{{ ui.cart_count(1) }}").startswith("1<span")


def test_a_plot_says_its_finding_and_keeps_the_numbers(env: jinja2.Environment) -> None:
    context = specimen.context()
    html = draw(env, "{{ ui.plot_line(revenue, 'Highest on 14 November.') }}", revenue=context["revenue"])
    page = Page(html)
    assert page.all("svg")[0]["aria-label"] == "Highest on 14 November."
    assert html.count('<th scope="row">') == 28
    assert "€2,690" in html


def test_mail_layouts_carry_the_preheader_and_the_text_alone(env: jinja2.Environment) -> None:
    source = (
        "{% extends 'layouts/mail.html' %}{% block title %}Welcome{% endblock %}"
        "{% block preheader %}Begin here{% endblock %}{% block body %}<p>Hello</p>{% endblock %}"
    )
    html = draw(env, source)
    assert "Begin here" in html
    assert "<p>Hello</p>" in html
    assert "<script" not in html
    assert "<link" not in html
    text = draw(env, "{% extends 'layouts/mail.txt' %}{% block body %}Hello{% endblock %}")
    assert text.startswith("Hello")
    assert "<" not in text


def test_vendored_files_are_the_ones_in_the_manifest() -> None:
    folder = specimen.ROOT / "static/vendor"
    entries = json.loads((folder / "manifest.json").read_text("utf-8"))
    for entry in entries:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert (folder / entry["licence_file"]).exists()
    assert {path.name for path in folder.glob("*.js")} == {e["file"] for e in entries if e["file"].endswith(".js")}


def test_each_behaviour_is_short_and_needs_no_eval() -> None:
    for path in (specimen.ROOT / "static/js").glob("*.js"):
        source = path.read_text("utf-8")
        assert source.count("\n") < 140, path.name
        assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|document\.write", source), path.name


def test_a_page_that_says_that_nothing_answers_asks_for_nothing_more(env: jinja2.Environment) -> None:
    """Its holes would fail as well, and each would say so again above it."""
    asked = {
        status: "hx-get" in env.get_template("errors/error.html").render(status=status)
        for status in (404, 500, 503, 507)
    }
    assert asked == {404: True, 500: False, 503: False, 507: False}
