"""What the answers of a form come to: its lines and their sum, in minor units. Prices are the shop's where a product is meant.

Whoever takes a payment for a form asks `bill` in the transaction that keeps the entry; a price is never taken from a browser.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel.numbers import get_currency_precision

from app.catalogue import products
from app.core import tokens
from app.core.i18n import _
from app.core.money import format_money
from app.formbuilder.fields.amounts import Amount, shown
from app.formbuilder.fields.choosing import chosen_of
from app.formbuilder.fields.kinds import kind_of
from app.formbuilder.fields.pricing import Priced, Prices
from app.formbuilder.logic import plans, trials
from app.formbuilder.models import Answer, Definition, Field

# Stripe takes eight digits: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
LARGEST_MINOR = 99_999_999
# What a sum comes to is not told any further: nobody can pay it.
_TOO_MUCH = 10**12
# A shown price holds as long as the page is good.
PRICES_SECONDS = 24 * 3600
_PRICES = "form-prices"


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
    # Of the shop; None for what is in no catalogue.
    product_id: int | None = None

    @property
    def title(self) -> str:
        """As it stands on a receipt."""
        return (f"{self.label} × {self.quantity}" if self.quantity > 1 else self.label)[:250]

    @property
    def price(self) -> str:
        """The whole of it as people read it."""
        return shown(self.minor, self.currency)


@dataclass(frozen=True, slots=True)
class Bill:
    """What is paid now, in one currency. A line of another currency cannot be added: `is_mixed`, and nothing may be charged.

    `wrong` has a sentence for each field whose answer cannot be sold.
    """

    lines: tuple[Line, ...]
    minor: int
    currency: str
    is_mixed: bool
    wrong: Mapping[str, str] = field(default_factory=dict)


def takes_payment(definition: Definition) -> bool:
    """Whether sending this form may cost something, paid at once."""
    told = definition.payment.get("on")
    if told is None:
        return any(_is_sold(each) for each in definition.fields)
    return told is True


@dataclass(frozen=True, slots=True)
class SoFar:
    """What was chosen so far, for a screen that shows the total.

    `bill` is all of it. The browser needs the rest, to go on adding while something is chosen on this screen:

    - `kept`: the lines of the other screens, with the quantity that was typed at the product itself.
    - `times`: where a separate field asks how many of a product, and stands on another screen, what it says: by product, the
      number from a screen before this one and the number from a later one (None where there is no such field). When several
      fields ask about one product the first counts, so one on this screen comes between the two.
    """

    bill: Bill
    kept: tuple[Line, ...]
    times: Mapping[str, tuple[int | None, int | None]]

    @property
    def told(self) -> dict[str, Any]:
        """As the page hands it to static/js/field-total.js."""
        kept = [[line.field_id, line.label, line.quantity, line.minor, line.currency] for line in self.kept]
        return {"kept": kept, "times": {name: list(both) for name, both in self.times.items()}}


def so_far(
    definition: Definition,
    answers: Mapping[str, Answer],
    prices: Prices,
    here: Collection[str],
    *,
    currency: str = "EUR",
) -> SoFar:
    """What these answers come to, seen from a screen with the fields `here`."""
    places = {each.id: place for place, each in enumerate(definition.fields)}
    first = min((places[name] for name in here), default=0)
    times: dict[str, tuple[int | None, int | None]] = {}
    for each in definition.fields:
        if each.kind == "quantity" and each.id not in here and answers.get(each.id) is not None:
            before, behind = times.get(each["of"], (None, None))
            if places[each.id] < first:
                before = int(answers[each.id]) if before is None else before
            else:
                behind = int(answers[each.id]) if behind is None else behind
            times[each["of"]] = (before, behind)
    quantities = {each.id for each in definition.fields if each.kind == "quantity"}
    others = {name: answer for name, answer in answers.items() if name not in here and name not in quantities}
    kept = bill(definition, others, prices, currency=currency).lines
    return SoFar(bill(definition, answers, prices, currency=currency), kept, times)


def may_sell_products(definition: Definition) -> bool:
    """Whether something of it may be a product of the shop, as far as is known without asking the shop."""
    return takes_payment(definition) and any(_is_priced(each) for each in definition.fields)


def opens_free(definition: Definition, made: Bill) -> bool:
    """Whether these answers chose products of the shop that cost nothing: they are ordered like any free thing there."""
    return (
        takes_payment(definition)
        and not made.minor
        and not made.is_mixed
        and any(line.product_id is not None for line in made.lines)
    )


def priced(definition: Definition) -> frozenset[str]:
    """The fields on whose answers it depends what sending this form costs; all of them where one has the whole amount."""
    if definition.payment.get("amount"):
        return frozenset(each.id for each in definition.fields)
    return frozenset(
        each.id
        for each in definition.fields
        if kind_of(each).group == "money" or any(option.price for option in kind_of(each).options(each))
    )


def adds_up_in_browser(definition: Definition) -> bool:
    """Whether a page can tell the total while it is filled in: not where a field has the amount, or other options a price."""
    if definition.payment.get("amount"):
        return False
    others = (each for each in definition.fields if kind_of(each).group != "money")
    has_prices = any(option.price for each in others for option in kind_of(each).options(each))
    return not (has_prices and definition.payment.get("on") is True)


def slugs_of(definition: Definition) -> list[str]:
    """Values of options that may be products of the shop."""
    found = (option.value for each in definition.fields if _is_priced(each) for option in kind_of(each).options(each))
    return list(dict.fromkeys(found))


async def prices_of(definition: Definition) -> Prices:
    """The shop's offers that the form speaks of, by slug; one query, none when nothing is sold."""
    slugs = slugs_of(definition)
    return {offer.slug: offer for offer in await products.offers_named(slugs)} if slugs else {}


def bill(
    definition: Definition, answers: Mapping[str, Answer], prices: Prices, *, currency: str = "EUR"
) -> Bill:  # fmt: skip
    """What these answers come to. `currency` is the school's, for prices that stand with no currency of their own.

    With `payment.amount` (the id of a field) its number is the whole amount.
    """
    whole = str(definition.payment.get("amount") or "")
    if whole:
        lines = _whole(definition, answers.get(whole), whole, currency)
    else:
        lines = [line for each in definition.fields for line in _lines(definition, each, answers, prices, currency)]
    currency = lines[0].currency if lines else currency
    mixed = any(line.currency != currency for line in lines)
    minor = 0 if mixed else sum(line.minor for line in lines)
    return Bill(tuple(lines), minor, currency, mixed, _wrong(lines, minor, definition, prices, is_mixed=mixed))


def unpriced(definition: Definition, texts: Mapping[str, Sequence[str]], today: str) -> dict[str, str]:
    """A sentence where the calculation that has the amount to pay is there and comes to no number, as it does when it divides by
    what was left empty: that is not taken for nothing to pay. 0 is."""
    each = definition.find(str(definition.payment.get("amount") or ""))
    if each is None or kind_of(each).value_class != "calculation" or not takes_payment(definition):
        return {}
    outcome = plans.evaluate(definition, texts, today)
    if each.id not in outcome.visible or isinstance(outcome.values.get(each.id), int | float):
        return {}
    return {each.id: _("What this costs cannot be worked out from these answers. Please look at them once more.")}


def lacks_price(definition: Definition, answers: Mapping[str, Answer], made: Bill, today: str) -> bool:
    """Whether answers that were kept without being judged do not tell what they cost: it is no number, or none in one currency,
    or what had to be answered for it is missing. That is not free."""
    whole = str(definition.payment.get("amount") or "")
    if not takes_payment(definition) or made.minor or isinstance(answers.get(whole), int | float | Mapping):
        return False
    texts = plans.posted(definition, answers)
    if any(line.minor for line in made.lines) or unpriced(definition, texts, today):
        return True
    asked = {whole} if whole else priced(definition)
    return any(answers.get(name) is None for name in asked & plans.evaluate(definition, texts, today).required)


def totals(
    definition: Definition, answers: Mapping[str, Answer], prices: Prices, *, currency: str = "EUR"
) -> dict[str, Answer]:
    """The answers of the fields that show the total."""
    wanted = [field.id for field in definition.fields if field.kind == "total" and field.id in answers]
    if not wanted:
        return {}
    made = bill(definition, answers, prices, currency=currency)
    return {name: {} if made.is_mixed else {"minor": made.minor, "currency": made.currency} for name in wanted}


def quantity_of(definition: Definition, each: Field, answers: Mapping[str, Answer]) -> int:
    """How many of what was chosen: as the field itself says, times what a field of its own for that says."""
    answer = answers.get(each.id)
    own = int(answer.get("quantity", 1)) if isinstance(answer, Mapping) else 1
    return own * _asked_elsewhere(definition, each, answers)


def _lines(
    definition: Definition, each: Field, answers: Mapping[str, Answer], prices: Prices, currency: str
) -> list[Line]:  # fmt: skip
    kind, answer = kind_of(each), answers.get(each.id)
    if answer is None:
        return []
    if isinstance(kind, Priced):
        return _priced(definition, each, answers, prices)
    if isinstance(kind, Amount) and kind.group == "money":
        return [Line(each.id, "", each.label or definition.title, 1, int(answer["minor"]), str(answer["currency"]))]
    if definition.payment.get("on") is not True or kind.group == "money":
        return []
    chosen = chosen_of(answer)
    return [
        Line(each.id, option.value, _said(each, option.label), 1, option.price, currency)
        for option in kind.options(each)
        if option.value in chosen and option.price
    ]


def _said(each: Field, chosen: str) -> str:
    """What was chosen as a receipt has it, behind its question."""
    if not each.label:
        return chosen
    return f"{each.label}{'' if each.label[-1] in '?!:.…' else ':'} {chosen}"


def _priced(
    definition: Definition, each: Field, answers: Mapping[str, Answer], prices: Prices
) -> list[Line]:  # fmt: skip
    kind = kind_of(each)
    assert isinstance(kind, Priced)
    bought = kind.bought(each, answers[each.id], prices)
    quantity = quantity_of(definition, each, answers)
    if bought is None or not quantity:
        return []
    item, offer = bought[0], prices.get(bought[0].value)
    label = offer.title if offer is not None else _said(each, item.label)
    every, product_id = str(each.settings.get("every", "")), offer.product_id if offer is not None else None
    return [Line(each.id, item.value, label, quantity, item.minor * quantity, item.currency, every, product_id)]


def _whole(definition: Definition, amount: Any, name: str, currency: str) -> list[Line]:
    """One line of the amount that a field has, rounded to the currency's smallest coin. None, or 0, costs nothing; one below 0
    stays one, to be refused, and so does one that is far too large: whoever answers could write it."""
    if isinstance(amount, Mapping) and "minor" in amount:
        minor, currency = int(amount["minor"]), str(amount["currency"])
    elif isinstance(amount, int | float) and not isinstance(amount, bool):
        amount = max(-_TOO_MUCH, min(amount, _TOO_MUCH))
        minor = int(Decimal(str(amount)).scaleb(get_currency_precision(currency)).to_integral_value(ROUND_HALF_UP))
    else:
        return []
    title = str(definition.payment.get("title") or "").strip() or definition.title
    return [Line(name, "", title, 1, minor, currency)] if minor else []


def _wrong(
    lines: Sequence[Line], minor: int, definition: Definition, prices: Prices, *, is_mixed: bool
) -> dict[str, str]:
    if not takes_payment(definition):
        return {}
    found = {}
    for line in lines:
        offer = prices.get(line.value) if line.product_id is not None else None
        if offer is not None and not offer.is_for_sale:
            found[line.field_id] = _("This is not for sale any more.")
        elif line.every:
            found[line.field_id] = _("This cannot be paid here yet.")
        elif line.minor < 0:
            found[line.field_id] = _("This amount cannot be paid.")
    is_too_little = bool(lines) and products.is_too_little(minor, lines[0].currency)
    if lines and (is_mixed or minor > LARGEST_MINOR or is_too_little):
        sentence = _("Cards cannot be charged this little.") if is_too_little else ""
        found.setdefault(lines[-1].field_id, sentence or _("This amount cannot be paid."))
    return found


def _asked_elsewhere(definition: Definition, each: Field, answers: Mapping[str, Answer]) -> int:
    """How many, when a field of its own asks for that; a field that is hidden or empty does not."""
    asked = [other for other in definition.fields if other.kind == "quantity" and other["of"] == each.id]
    given = [answers[other.id] for other in asked if answers.get(other.id) is not None]
    return int(given[0]) if given else 1


def _is_priced(each: Field) -> bool:
    return isinstance(kind_of(each), Priced)


def _is_sold(each: Field) -> bool:
    kind = kind_of(each)
    return isinstance(kind, Priced) or (isinstance(kind, Amount) and kind.group == "money")


# --- shown prices -----------------------------------------------------------------------------------------------------


def shown_prices(definition: Definition, prices: Prices) -> str:
    """What a page carries: the prices of the shop's products in it as they are now, signed. Empty without any."""
    if not prices or not takes_payment(definition):
        return ""
    return tokens.sign({slug: offer.amount_minor for slug, offer in prices.items()}, _PRICES)


def dearer(definition: Definition, prices: Prices, shown: str) -> str:
    """A sentence when a product of the form costs more than the page said; its sender has to agree to that first."""
    if not prices or not takes_payment(definition):
        return ""
    told = tokens.unsign(shown, _PRICES, PRICES_SECONDS)
    known = told if isinstance(told, dict) else {}
    rose = [offer for slug, offer in prices.items() if offer.amount_minor > known.get(slug, -1)]
    if not rose:
        return ""
    if not known:
        return _("Please look at the prices once more, then send it.")
    said = ", ".join(f"{offer.title}: {format_money(offer.amount_minor, offer.currency)}" for offer in rose)
    return _("A price has changed: %(prices)s. Send it again if you agree.", prices=said)


def wrong(definition: Definition) -> list[str]:
    """Why a form cannot take payment, a sentence each."""
    if not takes_payment(definition):
        return []
    found = []
    if not any(each.kind in ("email", "contact_info") for each in definition.fields):
        found.append(_("A form that takes payment asks for an email address: the receipt goes there."))
    amount = str(definition.payment.get("amount") or "")
    if amount and definition.find(amount) is None:
        found.append(_("The field with the amount to pay is gone."))
    if any(each.kind == "subscription" for each in definition.fields):
        found.append(_("Nothing can be paid again and again yet: take out the subscription, or switch payment off."))
    currencies = {each["currency"] for each in definition.fields if _is_sold(each)}
    if len(currencies) > 1:
        found.append(_("All prices of a form are in one currency."))
    return found


def doubts(definition: Definition) -> list[str]:
    """What the owner may not expect of a form that takes payment, a sentence each."""
    if not takes_payment(definition):
        return []
    found = []
    if any(each.kind == "coupon" for each in definition.fields):
        found.append(_("The shop has no coupons: a code that is typed is kept with the entry and changes no price."))
    looked_at = trials.looked_at(definition, str(definition.payment.get("amount") or ""))
    for each in definition.fields:
        if each.kind == "quantity" and each.id in looked_at and not each.required:
            found.append(
                _("“%(label)s” counts as 0 in the amount to pay where it is left empty. Let it be required.",
                  label=each.label or each.id)
            )  # fmt: skip
    return found
