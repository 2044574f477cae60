"""What the answers of a form come to: its lines and their sum, in minor units. Prices are the shop's where a product is meant.

Whoever takes a payment for a form asks `bill` in the transaction that keeps the entry; a price is never taken from a browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.catalogue import products
from app.formbuilder.fields.amounts import Amount, shown
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.fields.pricing import Priced, Prices
from app.formbuilder.models import Answer, Definition, Field


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is paid for. `minor` is the whole of it, in minor units of `currency`."""

    field_id: str
    value: str
    label: str
    quantity: int
    minor: int
    currency: str
    # How often it is paid: empty for once, else week, month, quarter or year.
    every: str = ""

    @property
    def price(self) -> str:
        """The whole of it as people read it."""
        return shown(self.minor, self.currency)


@dataclass(frozen=True, slots=True)
class Bill:
    """What is paid now, in one currency. A line of another currency cannot be added: `is_mixed`, and nothing may be charged."""

    lines: tuple[Line, ...]
    minor: int
    currency: str
    is_mixed: bool


def slugs_of(definition: Definition) -> list[str]:
    """Values of options that may be products of the shop."""
    found = (
        option.value for field in definition.fields if _is_priced(field) for option in kind_of(field).options(field)
    )
    return list(dict.fromkeys(found))


async def prices_of(definition: Definition) -> Prices:
    """The shop's offers that the form speaks of, by slug; one query, none when nothing is sold."""
    slugs = slugs_of(definition)
    return {offer.slug: offer for offer in await products.offers_named(slugs)} if slugs else {}


def bill(definition: Definition, answers: Mapping[str, Answer], prices: Prices) -> Bill:
    """What these answers come to."""
    lines = [line for field in definition.fields if (line := _line(definition, field, answers, prices)) is not None]
    currency = lines[0].currency if lines else "EUR"
    mixed = any(line.currency != currency for line in lines)
    return Bill(tuple(lines), 0 if mixed else sum(line.minor for line in lines), currency, mixed)


def totals(definition: Definition, answers: Mapping[str, Answer], prices: Prices) -> dict[str, Answer]:
    """The answers of the fields that show the total."""
    wanted = [field.id for field in definition.fields if field.kind == "total" and field.id in answers]
    if not wanted:
        return {}
    made = bill(definition, answers, prices)
    return {name: {} if made.is_mixed else {"minor": made.minor, "currency": made.currency} for name in wanted}


def _line(definition: Definition, field: Field, answers: Mapping[str, Answer], prices: Prices) -> Line | None:
    kind, answer = kind_of(field), answers.get(field.id)
    if answer is None:
        return None
    if isinstance(kind, Priced) and (bought := kind.bought(field, answer, prices)) is not None:
        item, quantity = bought
        quantity *= _asked_elsewhere(definition, field, answers)
        every = str(field.settings.get("every", ""))
        return Line(field.id, item.value, item.label, quantity, item.minor * quantity, item.currency, every)
    if isinstance(kind, Amount) and kind.group == "money":
        return Line(field.id, "", field.label, 1, int(answer["minor"]), str(answer["currency"]))
    return None


def _asked_elsewhere(definition: Definition, field: Field, answers: Mapping[str, Answer]) -> int:
    """How many, when a field of its own asks for that; a field that is hidden or empty does not."""
    asked = [each for each in definition.fields if each.kind == "quantity" and each["of"] == field.id]
    given = [answers[each.id] for each in asked if answers.get(each.id) is not None]
    return int(given[0]) if given else 1


def _is_priced(field: Field) -> bool:
    return isinstance(kind_of(field), Priced)
