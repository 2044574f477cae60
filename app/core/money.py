"""Money as integer minor units with an ISO 4217 currency. Never a float."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel.numbers import format_currency, get_currency_precision

from app.core.i18n import format_locale

# Stripe charges these without minor units; Babel (CLDR) agrees on all but a few, so we name ours once.
# https://docs.stripe.com/currencies#zero-decimal
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "CAD", "AUD")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents) of one currency."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")


def format_money(minor: int, currency: str) -> str:
    """`24900, "EUR"` as `€249`: whole amounts are written without their zeros."""
    return _written(minor, currency, format_locale())


# Babel takes 90 µs for an amount; a school has few prices.
@lru_cache(maxsize=4096)
def _written(minor: int, currency: str, locale: str) -> str:
    digits = get_currency_precision(currency)
    amount = Decimal(minor).scaleb(-digits)
    whole = digits > 0 and minor % 10**digits == 0
    return format_currency(
        amount,
        currency,
        locale=locale,
        format="¤#,##0" if whole else None,
        currency_digits=not whole,
    )


def plain_amount(minor: int, currency: str) -> str:
    """`24950, "EUR"` as `249.50`, the way it stands in a form or a CSV file."""
    digits = get_currency_precision(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"


def plain_digits(text: str) -> str:
    """`1,249.50`, `1.249,50`, `1 249` and `249,50` in digits and a point, as far as it is a number.

    A comma with one or two digits behind it begins the cents; other marks before it part thousands.
    """
    plain = text.replace("\u00a0", "").replace(" ", "")
    whole, comma, cents = plain.rpartition(",")
    if comma and 1 <= len(cents) <= 2 and "." not in cents:
        plain = whole.replace(".", "") + "." + cents
    return plain.replace(",", "").removesuffix(".")


def parse_money(text: str, currency: str) -> int:
    """Minor units of what a person typed (`249`, `249.00`, `1,249.50`, `1.249,50`, `249,50`).

    Raises ValueError for anything that is not a non-negative amount of at most the currency's digits: whoever types
    `1.500` may mean more than a thousand.
    """
    try:
        minor = Decimal(plain_digits(text.strip())).scaleb(get_currency_precision(currency))
    except ArithmeticError as error:  # also for what no number can hold, as 1e999999
        raise ValueError(f"not an amount: {text!r}") from error
    if not minor.is_finite() or minor < 0 or int(minor.as_tuple().exponent) < 0 or minor > 99_999_999:
        raise ValueError(f"not an amount: {text!r}")
    return int(minor)


@lru_cache(maxsize=1024)
def included_tax(gross_minor: int, rate_percent: Decimal) -> int:
    """The tax inside a gross amount, in minor units, rounded half up.

    gross = net + net·rate, hence tax = gross − gross / (1 + rate).
    """
    rate = rate_percent / 100
    net = (Decimal(gross_minor) / (1 + rate)).quantize(Decimal(1), ROUND_HALF_UP)
    return gross_minor - int(net)
