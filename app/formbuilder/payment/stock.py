"""What options have left: an entry holds what it takes from the moment it comes in until it is given up, refused or refunded."""

from collections import Counter
from collections.abc import Mapping

from app.commerce import orders
from app.core.i18n import _
from app.formbuilder.fields.choosing import chosen_of
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.models import Answer, Definition, Entry, Form
from app.formbuilder.payment import bills
from app.formbuilder.queries import payments as queries


def taken(definition: Definition, answers: Mapping[str, Answer]) -> Counter[tuple[str, str]]:
    """How much of each option with a stock these answers take."""
    found: Counter[tuple[str, str]] = Counter()
    for each in definition.fields:
        limited = {option.value for option in kind_of(each).options(each) if option.stock is not None}
        if limited and (answer := answers.get(each.id)) is not None:
            quantity = bills.quantity_of(definition, each, answers)
            found.update({(each.id, value): quantity for value in chosen_of(answer) if value in limited and quantity})
    return found


async def sold_out(
    form: Form,
    definition: Definition,
    answers: Mapping[str, Answer],
    *,
    beyond: Mapping[tuple[str, str], int] | None = None,
) -> dict[str, str]:
    """A sentence for each field that wants more of an option than is left, `beyond` what it holds already. The form is
    locked, and stays so."""
    return await _too_little(form, definition, taken(definition, answers) - Counter(beyond or {}))


async def taken_since(form: Form, entry_id: int, definition: Definition) -> dict[str, str]:
    """The same for an entry that comes back, and wants what it held before it went. The form is locked, and stays so."""
    held = {(row.field_id, row.option): row.quantity for row in await queries.held_by(entry_id)}
    return await _too_little(form, definition, Counter(held))


async def _too_little(form: Form, definition: Definition, wanted: Counter[tuple[str, str]]) -> dict[str, str]:
    if not wanted:
        return {}
    left = await left_of(form.id, definition)
    found = {}
    for (field_id, value), quantity in wanted.items():
        if (field_id, value) in left and quantity > left[field_id, value]:
            label = _label(definition, field_id, value)
            few = left[field_id, value]
            found[field_id] = (
                _("Of “%(option)s” there are only %(n)s left.", option=label, n=few)
                if few > 0
                else _("“%(option)s” is sold out.", option=label)
            )
    return found


def is_counted(definition: Definition) -> bool:
    """Whether something of the form is there so many times only."""
    return any(option.stock is not None for each in definition.fields for option in kind_of(each).options(each))


async def gone(form_id: int, definition: Definition, *, but: int | None = None) -> frozenset[tuple[str, str]]:
    """Fields and options of which nothing is left, as a page tells them; `but` is an entry whose share is free for whoever
    sends the next. Nothing is reserved: the sending counts once more."""
    return frozenset(key for key, count in (await left_of(form_id, definition, but=but)).items() if not count)


async def left_of(form_id: int, definition: Definition, *, but: int | None = None) -> dict[tuple[str, str], int]:
    """What is left of each option with a stock, by field and option; never below 0."""
    stock = {
        (each.id, option.value): option.stock
        for each in definition.fields
        for option in kind_of(each).options(each)
        if option.stock is not None
    }
    if not stock:
        return {}
    rows = await queries.held(form_id, sorted({field_id for field_id, _value in stock}), but)
    held = {(row.field_id, row.option): row.quantity for row in rows}
    return {key: max(0, count - held.get(key, 0)) for key, count in stock.items()}


async def hold(form_id: int, entry_id: int, definition: Definition, answers: Mapping[str, Answer]) -> None:
    """Take what an entry wants of options with a stock."""
    for (field_id, value), quantity in taken(definition, answers).items():
        await queries.hold(form_id, entry_id, field_id, value, quantity)


async def change(form: Form, entry: Entry, definition: Definition, answers: Mapping[str, Answer]) -> dict[str, str]:
    """Have an entry take what other answers want instead of its own; sentences as of `sold_out` for what there is too little
    of, and nothing changes then. What was given up or paid back takes nothing. The form is locked, and stays so."""
    before, after = taken(definition, entry.answers), taken(definition, answers)
    if before == after or await _is_done_with(entry):
        return {}
    holds = {(row.field_id, row.option): row.quantity for row in await queries.held_by(entry.id)}
    if out := await sold_out(form, definition, answers, beyond=holds):
        return out
    await queries.give_back(entry.id)
    await hold(form.id, entry.id, definition, answers)
    return {}


async def _is_done_with(entry: Entry) -> bool:
    """Whether it was given up, or all its money went back."""
    order_id = await queries.order_id_of(entry.id)
    order = await orders.find(order_id) if order_id is not None else None
    return (order is not None and order.state == "refunded") or not await queries.is_held(entry.id)


def _label(definition: Definition, field_id: str, value: str) -> str:
    found = definition.find(field_id)
    options = kind_of(found).options(found) if found is not None else ()
    return next((option.label for option in options if option.value == value), value)
