"""Accounts of outside services: made, checked, changed, removed. A form names one by its public id.

Their settings lie sealed; only a provider that is made for a moment sees them. A page gets `shown`, without what is secret.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
from asyncpg import UniqueViolationError

from app.core import audit, clock, db, tokens
from app.core.errors import Conflict, Invalid, NotFound
from app.core.i18n import _
from app.core.ids import public_id
from app.formbuilder import integrations
from app.formbuilder.integrations import Choice, IntegrationError, Passing, Provider, RefusedCredentials
from app.formbuilder.models import Connection
from app.formbuilder.queries import connections as queries
from app.gateways.outgoing import Outgoing

# For so long a webhook is signed with its old secret too; replaced again within that time, with so many of them.
OVERLAP = timedelta(hours=24)
MOST_OLD = 3
LONGEST_NAME = 80
LONGEST_SETTING = 10_000

# Seconds that a page waits for a service's lists and fields.
PATIENCE = 6.0

_http = Outgoing()
# By sealed settings and place: until when they hold (time.monotonic), lists, fields.
_offered: dict[tuple[bytes, str], tuple[float, list[Choice], list[Choice]]] = {}


def configure(http: Outgoing) -> None:
    """Set what calls outside; once at the start, and by tests."""
    global _http
    _http = http


async def all_connections() -> list[Connection]:
    """Every account, by name."""
    return await queries.connections()


async def find(public_id: str) -> Connection:
    """The account of this id. Raises NotFound."""
    found = await queries.connection(public_id)
    if found is None:
        raise NotFound
    return found


def http() -> Outgoing:
    """What calls outside."""
    return _http


def new_secret() -> str:
    """A signing secret for a webhook, to be shown once."""
    return f"whs_{secrets.token_urlsafe(32)}"


async def create(provider: str, name: str, given: Mapping[str, str], *, by: int | None) -> Connection:
    """Keep an account whose credentials are good. Raises Invalid with the service's own words."""
    name = _name(name)
    if await queries.is_called(name):  # before the service is asked: a refresh token may be good only once
        raise Invalid(_another(), field="name")
    settings, account = await _checked(provider, given, {})
    connection_id = public_id()
    async with db.transaction():
        made = await queries.insert_connection(
            {
                "public_id": connection_id,
                "provider": provider,
                "name": name,
                "account": account,
                "sealed": _seal(connection_id, settings),
                "by": by,
                "now": clock.now(),
            }
        )
        if made is None:
            raise Invalid(_another(), field="name")
        await audit.record(
            "form_connection.create",
            "form_connection",
            connection_id,
            after={"provider": provider, "name": name},
            summary=name,
        )
    return await find(connection_id)


async def change(connection: Connection, given: Mapping[str, str]) -> Connection:
    """Take new credentials, once they are found good; a secret that is left empty stays."""
    kept = _plain(connection) or {}
    hidden = {each.name for each in integrations.providers()[connection.provider].settings if each.is_secret}
    merged = {**kept, **{name: value for name, value in given.items() if value.strip() or name not in hidden}}
    left = [name for name in sorted(hidden) if not given.get(name, "").strip() and kept.get(name)]
    if left and _places(connection.provider, kept) != _places(connection.provider, merged):
        # Who may change an account may not read its secrets, nor have them sent to an address of their own.
        raise Invalid(_("It is at another address now: give its secrets once more."), field=left[0])
    renewed: dict[str, str] = {}
    try:
        settings, account = await _checked(connection.provider, merged, renewed)
    except Invalid:
        if kept:
            await keep_renewed(connection, renewed, used=merged)
        raise
    touched = {name for name, value in settings.items() if value != kept.get(name)}
    async with db.transaction():
        locked = await queries.lock_connection(connection.id)
        if locked is None:
            raise NotFound
        before = _plain(locked) or {}
        # What stays may have been renewed while the service was asked.
        settings |= {name: value for name, value in before.items() if name in settings and name not in touched}
        if settings.get("secret") == before.get("secret"):  # a webhook's secret of before holds as long as it held
            settings |= {name: before[name] for name in ("old_secret", "old_until") if name in before}
        await queries.set_credentials(connection.id, _seal(connection.public_id, settings), account, clock.now())
        if changed := sorted(name for name in settings if settings[name] != before.get(name)):
            await audit.record(
                "form_connection.change",
                "form_connection",
                connection.public_id,
                after={"settings": changed},
                summary=connection.name,
            )
    return await find(connection.public_id)


async def rename(connection: Connection, name: str) -> None:
    """Call it something else. Raises Invalid."""
    name = _name(name)
    try:
        async with db.transaction():
            before = await queries.lock_connection(connection.id)
            if before is None:
                raise NotFound
            if before.name == name:
                return
            await queries.set_name(connection.id, name, clock.now())
            await audit.record(
                "form_connection.rename",
                "form_connection",
                connection.public_id,
                before={"name": before.name},
                after={"name": name},
                summary=name,
            )
    except UniqueViolationError:
        raise Invalid(_another(), field="name") from None


async def renew_secret(connection: Connection) -> str:
    """A new signing secret for a webhook, returned this once; those that held until now sign beside it for a day, since
    whoever receives it may know any of them: a button is pressed twice. Raises Conflict."""
    if connection.provider != "webhook":
        raise Conflict(_("Only a webhook has a secret of ours."))
    fresh, now = new_secret(), clock.now()
    async with db.transaction():
        locked = await queries.lock_connection(connection.id)
        if locked is None:
            raise NotFound
        kept = opened(locked)
        until = str(int((now + OVERLAP).timestamp()))
        before = kept.get("old_secret", "").splitlines() if int(kept.get("old_until") or 0) > now.timestamp() else []
        old = "\n".join([kept.get("secret", ""), *before][:MOST_OLD])
        settings = {**kept, "secret": fresh, "old_secret": old, "old_until": until}
        await queries.set_sealed(connection.id, _seal(connection.public_id, settings), now)
        await audit.record("form_connection.secret", "form_connection", connection.public_id, summary=connection.name)
    return fresh


async def remove(connection: Connection) -> None:
    """Forget an account and its credentials. Deliveries that still wait for it are held by themselves."""
    async with db.transaction():
        if not await queries.delete(connection.id):
            raise Conflict(_("It is gone already."))
        await audit.record(
            "form_connection.delete",
            "form_connection",
            connection.public_id,
            before={"provider": connection.provider, "name": connection.name},
            summary=connection.name,
        )


async def verify(connection: Connection) -> str:
    """Ask the service whether the credentials are good still. Raises Invalid with its words."""
    provider = open_provider(connection)
    try:
        account = await provider.verify()
    except IntegrationError as error:
        if isinstance(error, RefusedCredentials):
            now = await as_used(connection, provider)
            if now is not None:
                await queries.set_state(connection.id, "refused", clock.now(), sealed=now.sealed)
        raise Invalid(error.reason) from error
    finally:
        await keep_renewed(connection, provider.renewed)
    await queries.set_checked(connection.id, clock.now())
    return account


async def places(connection: Connection) -> list[Choice]:
    """The lists of this account. Raises Invalid with the service's words."""
    provider = open_provider(connection)
    try:
        return await provider.lists()
    except IntegrationError as error:
        raise Invalid(error.reason) from error
    finally:
        await keep_renewed(connection, provider.renewed)


async def offered(connection: Connection, place: str) -> tuple[list[Choice], list[Choice], str]:
    """Lists and fields for a page: kept for a minute, and not waited for longer than a person does.

    The last is a sentence when the service did not give them.
    """
    key = (connection.sealed, place)
    known = _offered.get(key)
    if known is not None and known[0] > time.monotonic():
        return known[1], known[2], ""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await places(connection), await fields(connection, place)
    except TimeoutError:
        return [], [], _("The service takes too long to say what it has. Try again in a moment.")
    except (Invalid, IntegrationError) as error:
        return [], [], error.message if isinstance(error, Invalid) else error.reason
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return [], [], _("The answer of the service was not understood.")
    if len(_offered) > 200:
        _offered.clear()
    _offered[key] = (time.monotonic() + 60, *found)
    return *found, ""


async def fields(connection: Connection, place: str) -> list[Choice]:
    """The fields that can be filled there, besides address, names and telephone."""
    provider = open_provider(connection, place)
    try:
        return await provider.fields()
    except IntegrationError as error:
        raise Invalid(error.reason) from error
    finally:
        await keep_renewed(connection, provider.renewed)


def shown(connection: Connection) -> dict[str, str]:
    """Its settings for a form: secrets are left empty."""
    kept = opened(connection)
    settings = integrations.providers()[connection.provider].settings
    return {each.name: "" if each.is_secret else kept.get(each.name, "") for each in settings}


def opened(connection: Connection) -> dict[str, str]:
    """Its settings, secrets too. Raises RefusedCredentials when they were sealed under another SECRET_KEY."""
    found = _plain(connection)
    if found is None:
        raise RefusedCredentials(_("The credentials cannot be read any more; give them again."))
    return found


def _plain(connection: Connection) -> dict[str, str] | None:
    plain = tokens.unseal(connection.sealed, _purpose(connection.public_id))
    return None if plain is None else dict(orjson.loads(plain))


def open_provider(connection: Connection, place: str = "", http: Outgoing | None = None) -> Provider:
    """The account's provider; what the service replaces is kept as soon as it says so. Raises RefusedCredentials, also for a
    provider that is not known (any more)."""
    if connection.provider not in integrations.providers():
        raise RefusedCredentials(_("There is no such service."))
    used = opened(connection)
    provider = integrations.make(connection.provider, used, http or _http, place)

    async def keep() -> None:
        await keep_renewed(connection, provider.renewed, used=used)
        used.update(provider.renewed)

    provider.keep = keep
    return provider


async def as_used(connection: Connection, provider: Provider) -> Connection | None:
    """The account as it is kept now, if its settings are those that the provider worked with; None where somebody has given or
    renewed others since."""
    now = await queries.connection_by_id(connection.id)
    used = {**opened(connection), **provider.renewed}
    return now if now is not None and opened(now) == used else None


async def keep_renewed(
    connection: Connection, renewed: Mapping[str, str], *, used: Mapping[str, str] | None = None
) -> None:  # fmt: skip
    """Keep settings that the service replaced, such as a refresh token that is good once; `used` are those that it was asked with,
    if not those of the account as it was read. Where others are kept by now, what was replaced is of no use."""
    if not renewed:
        return
    used = opened(connection) if used is None else used
    async with db.transaction():
        locked = await queries.lock_connection(connection.id)
        if locked is None:
            return
        now = opened(locked)
        fresh = {name: value for name, value in renewed.items() if now.get(name) == used.get(name)}
        if fresh:
            await queries.set_sealed(locked.id, _seal(locked.public_id, {**now, **fresh}), clock.now())


def _places(name: str, given: Mapping[str, str]) -> set[tuple[str, str]] | None:
    """The sites that secrets go to with these settings; a webhook's signs, and goes nowhere. None where one is missing."""
    if name == "webhook":
        return set()
    try:
        provider: Any = integrations.make(name, given, _http)
        addresses = [str(getattr(provider, part, "")) for part in ("base", "token_url")]
        parts = [urlsplit(each) for each in addresses if each]
    except (IntegrationError, LookupError, ValueError):
        return None
    return {(each.scheme.lower(), each.netloc.lower()) for each in parts}


async def _checked(name: str, given: Mapping[str, str], renewed: dict[str, str]) -> tuple[dict[str, str], str]:
    """The settings, once the service takes them, and how it calls the account. What it replaced is in `renewed` though it fails
    afterwards."""
    kind = integrations.providers().get(name)
    if kind is None:
        raise Invalid(_("There is no such service."))
    settings = {each.name: str(given.get(each.name) or "").strip()[:LONGEST_SETTING] for each in kind.settings}
    try:
        provider: Any = integrations.make(name, settings, _http)
        provider.renewed = renewed
        account = await provider.verify()
    except Passing as error:
        raise Invalid(_("The service does not answer just now: %(why)s", why=error.reason)) from error
    except IntegrationError as error:
        raise Invalid(error.reason) from error
    return {**settings, **renewed}, str(account)[:200]


def _name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(_("Give it a name of at most %(n)s letters.", n=LONGEST_NAME), field="name")
    return name


def _another() -> str:
    return _("Another connection is called so.")


def _seal(connection_id: str, settings: Mapping[str, str]) -> bytes:
    return tokens.seal(orjson.dumps(dict(settings)), _purpose(connection_id))


def _purpose(connection_id: str) -> str:
    return f"form connection {connection_id}"
