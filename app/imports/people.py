"""Importing people: accounts by their addresses, names, and access to one product for all. Never a role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.access import entitlements
from app.accounts import bulk, names, tags
from app.accounts.bulk import NewPerson
from app.accounts.models import User
from app.accounts.roles import covers
from app.core import audit
from app.core.i18n import lazy
from app.imports.models import CHANGED, NEW, REFUSED, UNCHANGED, Column, Row, Verdict
from app.imports.reading import UNREADABLE, plain
from app.web.forms import is_email, on_one_line, unreadable

KEY = "people"
CAPABILITY = "people.import"

# What is done with addresses that have an account.
SKIP, KEEP, UPDATE = "skip", "keep", "update"


def _words(*headers: str) -> tuple[str, ...]:
    return tuple(plain(header) for header in headers)


COLUMNS = (
    Column(
        "email",
        lazy("Email address"),
        _words(
            "email", "e-mail", "mail", "email address", "e-mail address", "mail address", "e-mail-adresse", "mailadresse",
            "adresse mail", "adresse e-mail", "courriel", "adresse électronique", "correo", "correo electrónico",
            "dirección de correo", "dirección de correo electrónico", "posta elettronica", "indirizzo email",
            "e-mailadres", "e-post", "e-postadress", "e-postadresse", "e-posta", "sähköposti", "adres e-mail",
            "endereço de email", "endereço de e-mail", "электронная почта", "почта", "メールアドレス", "邮箱", "电子邮件",
        ),
    ),
    Column(
        "name",
        lazy("Whole name"),
        _words(
            "name", "full name", "whole name", "display name", "customer", "customer name", "vollständiger name",
            "nom complet", "nombre completo", "nombre y apellidos", "nome completo", "nome e cognome", "volledige naam",
            "naam", "namn", "navn", "nimi", "imię i nazwisko", "имя и фамилия", "фио", "氏名", "名前", "姓名",
        ),
    ),
    Column(
        "first_name",
        lazy("First name"),
        _words(
            "first name", "firstname", "first", "given name", "forename", "vorname", "prénom", "nombre", "nome", "voornaam",
            "förnamn", "fornavn", "etunimi", "imię", "имя", "ime", "keresztnév", "名",
        ),
    ),
    Column(
        "last_name",
        lazy("Last name"),
        _words(
            "last name", "lastname", "last", "surname", "family name", "nachname", "familienname", "nom", "nom de famille",
            "apellido", "apellidos", "cognome", "sobrenome", "apelido", "achternaam", "efternamn", "etternavn",
            "efternavn", "sukunimi", "nazwisko", "фамилия", "prezime", "vezetéknév", "姓",
        ),
    ),
    Column(
        "tags",
        lazy("Tags, with commas between them"),
        _words("tag", "tags", "label", "labels", "schlagwort", "schlagworte", "étiquettes", "etiquetas", "etichette", "метки"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a row wants of an account that is there."""

    verdict: Verdict
    name: str = ""
    grants: bool = False
    tags: tuple[str, ...] = ()


class People:
    """The kind `people`. Options: `existing` (skip, keep, update), `invite`, `product_id` (0: none), `tag`, `note`."""

    key = KEY
    capability = CAPABILITY
    columns: Sequence[Column] = COLUMNS
    required = "email"

    def needs(self, mapping: Sequence[str], options: Mapping[str, Any]) -> set[str]:
        """See `Kind`."""
        access = {"people.access"} if options.get("product_id") else set()
        notes = {"people.notes"} if options.get("tag") or "tags" in mapping else set()
        return {CAPABILITY} | access | notes

    def understand(self, values: Mapping[str, str]) -> tuple[str, Mapping[str, str], str]:
        """See `Kind`."""
        cleaned = {key: _clean(value) for key, value in values.items()}
        email = cleaned.get("email", "").removeprefix("mailto:")
        name = cleaned.get("name", "") or " ".join(
            part for part in (cleaned.get("first_name", ""), cleaned.get("last_name", "")) if part
        )
        wanted = _tags(cleaned.get("tags", ""))
        reason = _refusal(email, name, values) or ("bad_tag" if any(len(tag) > tags.LONGEST for tag in wanted) else "")
        return email.lower(), {"email": email, "name": name, "tags": ",".join(wanted)}, reason

    async def judge(self, rows: Sequence[Row], options: Mapping[str, Any], actor: User) -> list[Verdict]:
        """See `Kind`."""
        there = await bulk.find([row.values["email"] for row in rows if not row.reason])
        wishes = await self._wishes(rows, options, actor, there)
        return [wish.verdict for wish in wishes]

    async def carry_out(
        self, rows: Sequence[Row], options: Mapping[str, Any], actor: User, *, import_id: str
    ) -> list[Verdict]:
        """See `Kind`."""
        fine = [row for row in rows if not row.reason]
        emails = [row.values["email"] for row in fine]
        await bulk.hold_tags(tag for row in fine for tag in _tags_for(row, options))
        known = await bulk.find(emails)
        strangers = [NewPerson(row.values["email"], row.values["name"]) for row in fine if row.key not in known]
        invite = bool(options.get("invite"))
        made = await bulk.add(strangers, invite=invite, note=import_id) if strangers else {}
        # Somebody may have registered between the two; whoever is there is locked before anything is done to them.
        there = await bulk.find([email for email in emails if email.lower() not in made], lock=True)
        wishes = await self._wishes(rows, options, actor, there)
        people = {user.id: user for user in there.values()}
        named = {there[row.key].id: wish.name for row, wish in zip(rows, wishes, strict=True) if wish.name}
        if named:
            await bulk.rename(named, people)
        receivers = [there[row.key].id for row, wish in zip(rows, wishes, strict=True) if wish.grants]
        if receivers:
            await bulk.claim(receivers, invite=invite)
        tagged: dict[int, Sequence[str]] = {
            made[row.key]: _tags_for(row, options) for row in fine if row.key in made and _tags_for(row, options)
        }
        tagged |= {there[row.key].id: wish.tags for row, wish in zip(rows, wishes, strict=True) if wish.tags}
        if tagged:
            await bulk.tag(tagged)
        if options.get("product_id"):
            await _grant([*made.values(), *receivers], options, actor, import_id)
        return [wish.verdict for wish in wishes]

    async def _wishes(
        self, rows: Sequence[Row], options: Mapping[str, Any], actor: User, there: Mapping[str, User]
    ) -> list[_Wish]:
        product_id = int(options.get("product_id") or 0)
        ids = [user.id for user in there.values()]
        holders = await entitlements.holders(product_id, ids) if product_id else set()
        tagged = await bulk.tags_of(ids) if any(_tags_for(row, options) for row in rows) else {}
        return [_wish(row, there.get(row.key), options, actor, holders, tagged) for row in rows]


def _wish(
    row: Row,
    user: User | None,
    options: Mapping[str, Any],
    actor: User,
    holders: set[int],
    tagged: Mapping[int, set[str]],
) -> _Wish:
    if row.reason:
        return _Wish(Verdict(row.number, REFUSED, row.reason))
    if user is None:
        return _Wish(Verdict(row.number, NEW))
    if user.state == "merged":
        return _Wish(Verdict(row.number, REFUSED, "merged"))
    existing = options.get("existing", SKIP)
    if existing == SKIP:
        return _Wish(Verdict(row.number, UNCHANGED))
    name = row.values["name"] if existing == UPDATE and row.values["name"] != user.name else ""
    grants = bool(options.get("product_id")) and user.id not in holders
    new_tags = tuple(tag for tag in _tags_for(row, options) if tag.lower() not in tagged.get(user.id, ()))
    if not name and not grants and not new_tags:
        return _Wish(Verdict(row.number, UNCHANGED))
    if not covers(actor, user):
        return _Wish(Verdict(row.number, REFUSED, "above"))
    return _Wish(Verdict(row.number, CHANGED), name, grants, new_tags)


async def _grant(user_ids: Sequence[int], options: Mapping[str, Any], actor: User, import_id: str) -> None:
    """Let these people use the product, each once for this import."""
    product_id, note = int(options["product_id"]), str(options.get("note", ""))
    given = []
    for user_id in sorted(user_ids):
        if await entitlements.grant(
            user_id,
            product_id,
            source="import",
            source_ref=f"import:{import_id}:{user_id}:{product_id}",
            note=note,
            granted_by=actor.id,
            quietly=not options.get("invite"),
        ):
            given.append(user_id)
    await audit.record_many(
        "access.grant",
        "user",
        [(public_id, None, {"import": import_id, "reason": note}) for public_id in await bulk.public_ids(given)],
    )


def _tags(text: str) -> list[str]:
    """The tags in a cell, each once."""
    parts = (" ".join(part.split()) for part in text.replace(";", ",").replace("|", ",").split(","))
    return list({part.lower(): part for part in parts if part}.values())


def _tags_for(row: Row, options: Mapping[str, Any]) -> list[str]:
    """The tags of the row and the one for everybody."""
    return _tags(",".join((row.values["tags"], str(options.get("tag", "")))))


def _clean(value: str) -> str:
    """A cell on one line without space around it, and without the apostrophe that our own files put before formulas."""
    text = " ".join(on_one_line(value).split())
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text


def _refusal(email: str, name: str, values: Mapping[str, str]) -> str:
    if any(UNREADABLE in value or unreadable(value) for value in values.values()):
        return "unreadable"
    if not email:
        return "no_email"
    if not is_email(email):
        return "bad_email"
    if len(name) > names.LONGEST:
        return "long_name"
    return "" if names.is_name(name) else "bad_name"
