"""Amounts of money that people write: read, bounded, shown. Kept as {"minor": cents, "currency": "EUR"}."""

import re
from typing import Any

from babel.numbers import get_currency_precision

from app.core.i18n import _, lazy
from app.core.money import CURRENCIES, format_money, parse_money, plain_amount
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted
from app.formbuilder.settings import Choice, Number

# No longer than a number may be for the logic, which reads it too.
_AMOUNT = re.compile(r"[0-9][0-9 .,\u00a0]{0,14}")
CURRENCY = Choice(
    name="currency", label=lazy("Currency"), default="EUR", choices=tuple((code, code) for code in CURRENCIES)
)
LOW = Number(name="low", label=lazy("From"), default=None, high=999_999, is_whole=False)
HIGH = Number(name="high", label=lazy("To"), default=None, high=999_999, is_whole=False)


class Amount(Kind):
    """An amount that is written."""

    value_class = "number"

    def read(self, field: Field, posted: Posted) -> Answer:
        return read_amount(posted.one(field.id), field["currency"])

    def check(self, field: Field, answer: Answer) -> None:
        check_amount(field, answer)

    def text(self, field: Field, answer: Answer) -> str:
        return shown(answer["minor"], answer["currency"]) if answer else ""

    def columns(self, field: Field) -> tuple[str, ...]:
        return (f"{field.label or field.id} ({field['currency']})",)

    def cells(self, field: Field, answer: Answer) -> list[str | int | float | None]:
        return [float(plain_amount(answer["minor"], answer["currency"])) if answer else None]

    def posted(self, field: Field, answer: Answer) -> dict[str, list[str]]:
        return {field.id: [plain_amount(answer["minor"], answer["currency"])]} if answer else {}


def read_amount(text: str, currency: str) -> dict[str, Any] | None:
    """An amount as it is written; None for none. Raises Wrong."""
    if not text:
        return None
    try:
        if not _AMOUNT.fullmatch(text):
            raise ValueError(text)
        return {"minor": parse_money(text, currency), "currency": currency}
    except ValueError:
        raise Wrong(_("Please write an amount, such as 12 or 12.50.")) from None


def check_amount(field: Field, answer: Answer) -> None:
    """Raise Wrong for less or more than the field allows."""
    low, high = (_minor(field[name], answer["currency"]) for name in ("low", "high"))
    if low is not None and answer["minor"] < low:
        raise Wrong(_("Please give %(amount)s or more.", amount=shown(low, answer["currency"])))
    if high is not None and answer["minor"] > high:
        raise Wrong(_("Please give %(amount)s or less.", amount=shown(high, answer["currency"])))


def _minor(bound: float | None, currency: str) -> int | None:
    return None if bound is None else round(bound * 10 ** get_currency_precision(currency))


def shown(minor: int, currency: str) -> str:
    """An amount as people read it."""
    return format_money(minor, currency)
