"""The local Google for the tests: the one that bin/run starts, asked without a network."""

from urllib.parse import urlsplit

import httpx
from quart import Quart

from app.accounts import google
from app.config import Config
from app.gateways import identity
from app.sandbox.server import create_sandbox

ISSUER = "http://sandbox.test/google"
SETTINGS = {
    "GOOGLE_CLIENT_ID": "tests.apps.googleusercontent.example",
    "GOOGLE_CLIENT_SECRET": "known to the tests / and + nobody = else",
    "GOOGLE_ISSUER": ISSUER,
}
_made: list[Quart] = []


def sandbox(config: Config) -> Quart:
    """The local services, made once."""
    if not _made:
        _made.append(create_sandbox(config))
    return _made[0]


def connect(config: Config) -> None:
    """Let the application ask the local Google."""
    transport = httpx.ASGITransport(app=sandbox(config))  # type: ignore[arg-type]
    secret = config.google_client_secret.reveal()
    google.configure(
        identity.Google(config.google_client_id, secret, config.google_issuer, transport=transport), config.app_url
    )


async def choose(config: Config, url: str, **form: str) -> str:
    """Be somebody on the page that the browser was sent to; the path that it comes back to."""
    assert url.startswith(f"{ISSUER}/authorize?"), url
    client = sandbox(config).test_client()
    parts = urlsplit(url)
    assert (await client.get(f"{parts.path}?{parts.query}")).status_code == 200
    answer = await client.post(f"{parts.path}?{parts.query}", form=form)
    assert answer.status_code == 303, await answer.get_data(as_text=True)
    return str(answer.headers["Location"]).removeprefix("http://localhost")
