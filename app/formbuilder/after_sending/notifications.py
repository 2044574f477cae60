"""Mails that follow from an entry: to the owner, to named addresses, to whoever answered, or routed by an answer.

`{"id", "name", "to", "subject", "body", "reply_to", "when", "attach": "csv files"}`. `to` is `owner`, addresses with commas, `field:q2`,
or a list of `{"when": …, "to": addresses}`, of which each that holds counts. Texts are those of the form as it is now.
A mail is sent once for each entry, notification and recipient, however often the entry is heard of.
"""

import csv
import io
from collections.abc import Mapping
from typing import Any

import structlog

from app.core import audit, clock, db, mail
from app.core.errors import Invalid, NotFound
from app.core.i18n import _, lazy
from app.core.ids import public_id
from app.core.mail import Attachment
from app.formbuilder.after_sending import after, merge_tags, resending
from app.formbuilder.after_sending.after import Situation
from app.formbuilder.answering import files
from app.formbuilder.definition import definitions
from app.formbuilder.entries import BINNED_FOR
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.logic import whens
from app.formbuilder.models import Definition
from app.formbuilder.queries import files as file_queries
from app.formbuilder.queries import inbox as inbox_queries
from app.formbuilder.queries import notifications as queries
from app.formbuilder.typed_addresses import may_write
from app.web.forms import is_email
from app.web.tables.export import cell

log = structlog.get_logger()

TEMPLATE = "formbuilder/notification"
MOST_RECIPIENTS = 20
# Postmark takes 10 MB, encoded: https://postmarkapp.com/developer/user-guide/send-email-with-api
MOST_ATTACHED = 7_000_000
_owner = ""


def configure(owner: str) -> None:
    """Say where `owner` leads (ADMIN_EMAIL; empty: nowhere); called once by create_app()."""
    global _owner
    _owner = owner


def first() -> dict[str, Any]:
    """What a new form begins with: each entry to the owner."""
    return {
        "id": "n1",
        "name": _("To me"),
        "to": "owner",
        "subject": _("{form}: a new entry"),
        "body": "{all}\n\n" + _("[See it in the office]({entry.url})"),
        "reply_to": "{email}",
    }


async def send_for(entry_id: int) -> int:
    """Queue every mail that follows from an entry that counts; how many. Twice queues nothing twice. Of one that was thrown away,
    or called spam, since it was told of, it is noted that they wait until it is back.
    """
    count = 0
    async with db.transaction():
        standing = await inbox_queries.lock_state(entry_id)
        situation = await after.of_entry_id(entry_id) if standing is not None else None
        if standing is None or situation is None:
            return 0
        if standing.state != "received":
            if standing.counted_at is not None:
                await queries.note_away(entry_id, clock.now())
            return 0
        for notification in situation.live.notifications:
            name = str(notification.get("id") or "")[:60]
            if name and await queries.insert(entry_id, name, clock.now()):
                state, sent = await _send(situation, notification, fact=f"entry:{entry_id}:notification:{name}")
                await queries.set_state(entry_id, name, state, sent)
                count += sent
    return count


async def send_late(entry_id: int) -> int:
    """Queue the mails of an entry that was away when they were to be decided, and is back; how many. None of one that was told of
    before, that nobody was to be told of, or that was away for longer than the bin keeps it.
    """
    async with db.transaction():
        standing = await inbox_queries.lock_state(entry_id)
        if standing is None or standing.state != "received" or not await queries.forget_away(entry_id):
            return 0
        if standing.counted_at is None or standing.counted_at < clock.now() - BINNED_FOR:
            return 0
        return 0 if await queries.of_entry(entry_id) else await send_for(entry_id)


async def send_again(entry_id: int, notification_ids: list[str]) -> int:
    """Send chosen notifications of an entry once more, whatever their conditions say; how many mails.

    Raises Invalid when none of them reaches anybody.
    """
    situation = await after.of_entry_id(entry_id)
    count = 0
    if situation is not None:
        async with db.transaction():
            for notification in situation.live.notifications:
                name = str(notification.get("id") or "")[:60]
                if name not in notification_ids:
                    continue
                fact = f"entry:{entry_id}:notification:{name}:again:{public_id()}"
                _state, sent = await _send(situation, {**notification, "when": None}, fact=fact)
                if sent:
                    await queries.note_again(entry_id, name, sent, clock.now())
                count += sent
            if count:
                await audit.record(
                    "form_entry.resend", "form_entry", situation.entry.public_id, after={"mails": count},
                    summary=situation.form.title,
                )  # fmt: skip
    if not count:
        raise Invalid(_("Nothing was sent: there is no address to send to."))
    return count


async def send_test(situation: Situation, notification: Mapping[str, Any], to: str) -> None:
    """Send one notification to somebody of the office, with a sample of answers."""
    await _queue(situation, notification, to, fact=f"notification-test:{public_id()}", test=True)


def recipients(situation: Situation, notification: Mapping[str, Any]) -> tuple[list[str], bool]:
    """The addresses that a notification goes to, and whether a visitor typed them. Sound ones only, each once."""
    to, found, is_typed = notification.get("to"), list[str](), False
    if isinstance(to, list):
        for route in to[:100]:
            if isinstance(route, Mapping) and route.get("when") and situation.holds(route["when"]):
                found += _addresses(route.get("to"))
    elif to == "owner":
        found = [_owner]
    elif isinstance(to, str) and to.startswith("field:"):
        is_typed = True
        answer = situation.entry.answers.get(to.removeprefix("field:"))
        found = [answer.strip()] if isinstance(answer, str) else []
    else:
        found = _addresses(to)
    sound = dict.fromkeys(address for address in found if is_email(address))
    return list(sound)[:MOST_RECIPIENTS], is_typed


def _addresses(to: Any) -> list[str]:
    return [_owner if each.strip() == "owner" else each.strip() for each in str(to or "").split(",")]


async def _send(situation: Situation, notification: Mapping[str, Any], *, fact: str) -> tuple[str, int]:
    """The state of the notification, and how many mails were queued."""
    if not situation.holds(notification.get("when")):
        return "skipped", 0
    found, is_typed = recipients(situation, notification)
    if not found:
        return "nobody", 0
    if is_typed and not await may_write(situation.form.id, found[0]):
        log.warning("a notification to a typed address was held back", form=situation.form.public_id)
        return "limited", 0
    for number, address in enumerate(found):
        await _queue(situation, notification, address, fact=fact if number == 0 else f"{fact}:{number}")
    return "sent", len(found)


async def _queue(
    situation: Situation, notification: Mapping[str, Any], to: str, *, fact: str, test: bool = False
) -> None:
    facts, body = situation.facts, str(notification.get("body") or "{all}")
    subject = merge_tags.line(str(notification.get("subject") or "{form}"), facts) or situation.form.title
    reply_to = merge_tags.line(str(notification.get("reply_to") or ""), facts)
    along, left_out = await _attached(situation, notification)
    await mail.send(
        to,
        TEMPLATE,
        {
            "subject": _("Test: %(subject)s", subject=subject) if test else subject,
            "html": str(merge_tags.html(body, facts)),
            "left_out": left_out,
            "text": merge_tags.plain(body, facts),
            "form": situation.form.title,
        },
        fact=fact,
        reply_to=reply_to if is_email(reply_to) else "",
        attachments=along,
    )


async def _attached(situation: Situation, notification: Mapping[str, Any]) -> tuple[list[Attachment], list[str]]:
    """What goes along, and the names of files that are too large for a mail."""
    wanted = str(notification.get("attach") or "").split()
    found, left_out, room = [as_csv(situation)] if "csv" in wanted else [], list[str](), MOST_ATTACHED
    for file in await file_queries.of_entry(situation.entry.id) if "files" in wanted else ():
        if file.size_bytes > room:
            left_out.append(file.file_name)
            continue
        room -= file.size_bytes
        found.append(Attachment(file.file_name, file.content_type, source=f"form-file:{file.public_id}"))
    return found, left_out


async def _read_file(public_id: str) -> bytes | None:
    file = await file_queries.by_name(public_id)
    if file is None:
        return None
    try:
        return b"".join([piece async for piece in await files.begun(file)])
    except NotFound:
        return None  # without it, the mail still says what was answered


mail.attached_from("form-file", _read_file)


def as_csv(situation: Situation) -> Attachment:
    """The entry as a file of two lines; nothing in it is read as a formula."""
    heads, cells = list[str](), list[Any]()
    for field in situation.definition.fields:
        kind = kind_of(field)
        if kind.has_answer:
            heads += kind.columns(field)
            found = list(kind.cells(field, situation.entry.answers.get(field.id)))
            cells += found + [None] * (len(kind.columns(field)) - len(found))
    out = io.StringIO()
    csv.writer(out).writerows([[cell(each, situation.school.zone) for each in line] for line in (heads, cells)])
    name = f"{situation.form.slug}-{situation.entry.public_id}.csv"
    return Attachment(name, "text/csv", b"\xef\xbb\xbf" + out.getvalue().encode())


def wrong(definition: Definition) -> list[str]:
    """What is wrong with the notifications of a form, a sentence each."""
    found = []
    for row in definition.notifications:
        name = str(row.get("name") or row.get("id") or "")
        texts = " ".join(str(row.get(part) or "") for part in ("subject", "body", "reply_to"))
        told = [
            *(_("It has the tag {%(tag)s}, which this form does not have.", tag=each)
              for each in merge_tags.unknown(definition, texts)),
            whens.wrong(definition, row.get("when")),
            *_wrong_to(definition, row.get("to")),
        ]  # fmt: skip
        found += [_("Mail “%(name)s”: %(what)s", name=name, what=each) for each in told if each]
    return found


def _wrong_to(definition: Definition, to: Any) -> list[str]:
    if isinstance(to, list):
        told = [whens.wrong(definition, each.get("when")) for each in to if isinstance(each, Mapping)]
        bad = [each for each in to if not isinstance(each, Mapping) or not _sound(each.get("to"))]
        return [*told, *([_("A route has no sound address.")] if bad or not to else [])]
    if isinstance(to, str) and to.startswith("field:"):
        field = definition.find(to.removeprefix("field:"))
        return [] if field is not None and field.kind == "email" else [_("The field with the address is gone.")]
    return [] if to == "owner" or _sound(to) else [_("It has no sound address.")]


def _sound(to: Any) -> bool:
    each = [address.strip() for address in str(to or "").split(",")]
    return len(each) <= MOST_RECIPIENTS and all(address == "owner" or is_email(address) for address in each)


definitions.checked_by("warning", wrong)


async def _again(entry_id: int) -> None:
    """Everything that follows from the entry, once more, for who asks in the inbox."""
    situation = await after.of_entry_id(entry_id)
    rows = situation.live.notifications if situation is not None else ()
    fits = [str(row.get("id") or "")[:60] for row in rows if situation is not None and situation.holds(row.get("when"))]
    await send_again(entry_id, fits)


resending.register("notifications", lazy("The notifications"), _again)
