"""Where people are sent: never to another site, by any form that carries an aim, and never to a host that a client named."""

import re
from urllib.parse import urljoin, urlsplit

import pytest

from app import Lectern
from app.core import db, limits
from tests import everywhere
from tests.accounts.conftest import Browser, body
from tests.accounts.test_second_factors import enrol
from tests.cast import PASSWORD, Cast, Person
from tests.everywhere import address, routes

HOST = "evil.example"
PAYLOADS = [
    f"https://{HOST}", f"http://{HOST}", f"HTTPS://{HOST}", f"//{HOST}", f"///{HOST}", f"////{HOST}", f"/\\{HOST}",
    f"\\/{HOST}", f"\\\\{HOST}", f"/\\/{HOST}", f"\\{HOST}", f"/\t/{HOST}", f"/\n/{HOST}", f"/\r\n/{HOST}", f"\t//{HOST}",
    f" //{HOST}", f"\x00//{HOST}", f"/\x0b/{HOST}", f"https:/{HOST}", f"https:{HOST}", f"https:\\\\{HOST}",
    f"http://localhost@{HOST}", f"http://localhost.{HOST}", f"//localhost@{HOST}", f"//{HOST}#localhost",
    f"//{HOST}\\@localhost", f"//{HOST}%00.localhost", f"/.//{HOST}", f"/..//{HOST}", f"/%2f{HOST}", f"/%2f%2f{HOST}",
    f"/%5c{HOST}", f"/%09/{HOST}", f"/;//{HOST}", "javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x",
    f"?next=//{HOST}", f"{HOST}", f"@{HOST}", f"／／{HOST}", f"/／{HOST}", f"//[::ffff:7f00:1]@{HOST}", f"//①②.{HOST}",
    f"/login?next=//{HOST}", f"\ufeff//{HOST}", f"/\u2028/{HOST}", "/" + "a" * 1900 + f"//{HOST}",
]  # fmt: skip


def leads_away(location: str) -> bool:
    """As a browser reads it: tabs and line ends are nothing, a backslash is a slash, space around is nothing."""
    read = re.sub(r"[\t\r\n]", "", location).strip("".join(map(chr, range(33)))).replace("\\", "/")
    read = re.sub(r"^(https?):/*", r"\1://", re.sub(r"^//+", "//", read), flags=re.IGNORECASE)
    parts = urlsplit(urljoin("http://localhost/login", read))
    return (parts.scheme, parts.netloc) != ("http", "localhost")


def test_the_judge_knows_what_leads_away() -> None:
    """The negative control."""
    assert all(leads_away(aim) for aim in PAYLOADS[:9])
    assert not leads_away("/account/orders?x=//y")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_args: object) -> None:
        return None

    monkeypatch.setattr(limits, "check", nothing)


async def test_no_aim_leads_away_from_any_form_that_takes_one(app: Lectern, ann: Person) -> None:
    assert len(PAYLOADS) >= 40
    inside = Browser(ann.browser)
    for aim in PAYLOADS:
        visitor = Browser(app.test_client())
        answers = [
            await visitor.sign_in(ann.email, next=aim),
            await visitor.client.get("/login", query_string={"next": aim}),
            await visitor.client.get("/register", query_string={"next": aim}),
            await Browser(app.test_client()).register(email="new@example.org", next=aim),
            await Browser(app.test_client()).post("/login/link", email=ann.email, next=aim),
            await inside.post("/login/confirmation", password=PASSWORD, next=aim),
            await Browser(app.test_client()).get("/account", Referer=re.sub(r"[^ -~]", "", aim)),
        ]
        for answer in answers:
            assert answer.status_code in (200, 303, 422), (aim, answer.status_code)
            assert not leads_away(answer.headers.get("Location", "/")), (aim, answer.headers["Location"])
        sent = await body(await visitor.client.get("/register/sent", query_string={"next": aim}))
        for link in re.findall(r'href="([^"]*)"', sent):
            assert HOST not in link or not leads_away(link), (aim, link)


async def test_no_aim_leads_away_after_the_second_step(app: Lectern, ann: Person) -> None:
    _secret, codes = await enrol(ann)
    for number, aim in enumerate(PAYLOADS):
        visitor = Browser(app.test_client())
        if (await visitor.sign_in(ann.email, next=aim)).status_code == 422:
            continue  # refused before
        await db.run("UPDATE recovery_codes SET used_at = NULL")
        answer = await visitor.post("/login/second-step", code=codes[number % 10])
        assert answer.status_code == 303
        assert not leads_away(answer.headers["Location"])
        onward = await visitor.get(answer.headers["Location"])
        assert not leads_away(onward.headers.get("Location", "/")), aim


# --- the host that a client names ---

NAMES = [
    {"Host": HOST},
    {"X-Forwarded-Host": HOST},
    {"X-Host": HOST, "X-Forwarded-Server": HOST, "X-HTTP-Host-Override": HOST},
    {"Forwarded": f"host={HOST};proto=https"},
    {"Host": f"localhost@{HOST}"},
    {"Host": f"{HOST}:8000"},
    {"Host": f"localhost:{HOST}"},
    {"Host": "localhost:99999"},
    {"Host": f"localhost, {HOST}"},
    {"Host": ""},
    {"X-Forwarded-Proto": "javascript", "X-Forwarded-Port": "1", "X-Forwarded-Prefix": f"//{HOST}"},
    {"X-Original-URL": f"//{HOST}/", "X-Rewrite-URL": f"//{HOST}/"},
]


async def test_no_page_and_no_redirect_takes_over_a_host_that_a_client_names(app: Lectern, cast: Cast) -> None:
    places = await everywhere.one_of_everything(app)
    for number, rule in enumerate(routes(app, "GET")):
        for names in (NAMES[number % len(NAMES)], NAMES[(number + 1) % len(NAMES)], NAMES[0]):
            answer = await app.test_client().get(address(rule.rule, places), headers=names)
            assert answer.status_code < 500, (rule.rule, names)
            location = answer.headers.get("Location", "/")
            assert HOST not in location, (rule.rule, names, location)
            assert HOST not in await body(answer), (rule.rule, names)
            assert not any(HOST in text for _name, text in answer.headers), (rule.rule, names)
        again = await app.test_client().get(address(rule.rule, places))
        assert HOST not in await body(again), rule.rule


@pytest.mark.parametrize(
    "path", [f"http://{HOST}/login", f"//{HOST}/account", f"/{HOST}/..//account", f"@{HOST}/account"]
)
async def test_an_address_with_a_host_of_its_own_leads_nowhere_else(app: Lectern, path: str) -> None:
    """As a proxy that passes the absolute form on would hand it over."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "extensions": {},
    }  # fmt: skip
    await app(scope, receive, send)  # type: ignore[arg-type]
    head = next(message for message in sent if message["type"] == "http.response.start")
    assert int(str(head["status"])) < 500
    for name, text in head["headers"]:  # type: ignore[attr-defined]
        if name.lower() == b"location":
            assert not leads_away(text.decode()), text
            assert urlsplit(text.decode()).netloc in ("", "localhost"), text
