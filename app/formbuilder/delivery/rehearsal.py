"""What a service would be sent for an entry, without sending it: lookups go out, the first act that would change something
does not. And the answers of nobody, for a form that has none yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.core import clock
from app.core.ids import public_id
from app.formbuilder.definition import mapping
from app.formbuilder.delivery import connections
from app.formbuilder.fields.kinds import Wrong, kind_of
from app.formbuilder.integrations import Contact, IntegrationError, Sent
from app.formbuilder.integrations.client import MASK
from app.formbuilder.models import Answer, Connection, Definition, Field, Posted
from app.gateways.outgoing import Answer as Reply
from app.gateways.outgoing import Outgoing
from app.web.render import site_url

# Posted, but only asking: searches, and what gets an access token.
_ASKS = ("/search", "/query", "/search-contacts/contacts", "/auth.test")


# What nobody wrote, by the names of parts.
_PARTS = {
    "first": "Ann", "last": "Larsen", "phone": "+49 30 123456", "company": "Meridian", "site": "https://example.org",
    "line1": "1 High Street", "postcode": "12345", "city": "Bath", "country": "GB", "from": "2027-01-30", "to": "2027-01-31",
}  # fmt: skip


class Stopped(Exception):
    """Here something would have been changed."""


@dataclass(frozen=True, slots=True)
class Rehearsing(Outgoing):
    """A client that asks and never acts; `would` holds what it did not send: method, address, body."""

    token_url: str = ""
    would: list[tuple[str, str, str]] = field(default_factory=list)

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Reply:
        if method == "GET" or url == self.token_url or url.partition("?")[0].endswith(_ASKS):
            return await connections.http().send(method, url, headers=headers, content=content)
        self.would.append((method, url, content.decode("utf-8", "replace")))
        raise Stopped


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be told. `error` is why it would not be sent; `outcome` how it would end without an act."""

    contact: Contact
    request: tuple[str, str, str] | None = None
    error: str = ""
    outcome: str = ""


async def preview(connection: Connection, integration: Mapping[str, Any], contact: Contact) -> Preview:
    """The request that would change something first, with secrets masked."""
    try:
        provider = connections.open_provider(connection, str(integration.get("list") or ""))
    except IntegrationError as error:
        return Preview(contact, error=error.reason)
    http = Rehearsing(token_url=str(getattr(provider, "token_url", "")))
    provider = connections.open_provider(connection, str(integration.get("list") or ""), http)
    try:
        sent = await provider.upsert(contact, MASK)
    except Stopped:
        method, url, body = http.would[0]
        masked = provider.masked  # type: ignore[attr-defined]  # each provider of the client has it
        return Preview(contact, request=(method, masked(url), masked(body)))
    except IntegrationError as error:
        return Preview(contact, error=error.reason)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return Preview(contact, error=str(error)[:200])
    finally:
        await connections.keep_renewed(connection, provider.renewed)
    return Preview(contact, outcome=sent.outcome)


async def test(connection: Connection, integration: Mapping[str, Any], contact: Contact) -> Sent:
    """Send it really, as something new. Raises IntegrationError."""
    provider = connections.open_provider(connection, str(integration.get("list") or ""))
    try:
        return await provider.upsert(replace(contact, consent=True), f"test-{public_id()}")
    finally:
        await connections.keep_renewed(connection, provider.renewed)


def sample(definition: Definition, email: str) -> dict[str, Answer]:
    """An answer to each question that takes one of a few plain texts, as nobody gave it; `email` is the address."""
    found = {}
    for each in definition.fields:
        if kind_of(each).has_answer:
            answer = _sample(each, email)
            if answer is not None:
                found[each.id] = answer
    return found


def _sample(each: Field, email: str) -> Answer:
    kind = kind_of(each)
    label = each.label or each.id
    texts = [option.value for option in kind.options(each)[:1]]
    texts += [label, email, "yes", "on", "1", "42", "2027-01-31", "10:30", "+49 30 123456", "https://example.org"]
    if kind.value_class == "number":
        texts.insert(0, "42")
    if each.kind in ("consent", "terms", "yes_no", "toggle"):
        texts.insert(0, "yes")
    for text in texts:
        known = _PARTS | {"email": email}
        parts = {f"{each.id}.{part}": [known.get(part, text)] for part, _class in kind.parts(each)}
        try:
            answer = kind.read(each, Posted({each.id: [text], **parts}))
            if answer is not None:
                kind.check(each, answer)
                return answer
        except (Wrong, ValueError, LookupError):
            continue
    return None


def contact(
    definition: Definition,
    integration: Mapping[str, Any],
    answers: Mapping[str, Answer],
    email: str,
    about: Mapping[str, str] | None = None,
) -> Contact:
    """What an entry with these answers has to say; `about` is what is known of it, if it is one."""
    known = about or {
        "@link": f"{site_url()}/admin/forms",
        "@id": "example",
        "@at": clock.now().isoformat(timespec="seconds"),
    }
    return mapping.contact_of(definition, definition.title, integration, answers, email, known)
