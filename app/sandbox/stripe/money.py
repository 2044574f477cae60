"""Currencies and amounts: which are known, the least and most that can be charged.

Minimums: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from app.sandbox.stripe.errors import InvalidRequest

CODES = """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad
    cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd
    hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl
    mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg
    qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah
    ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
"""
CURRENCIES = frozenset(CODES.split())
WITHOUT_MINOR_UNIT = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split()  # noqa: SIM905
)
THREE_DECIMALS = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
LEAST = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
MOST = 99_999_999


def currency_of(value: str, param: str = "currency") -> str:
    """A known currency in lower case. Raises InvalidRequest for others."""
    currency = value.lower()
    if currency not in CURRENCIES:
        raise InvalidRequest(
            f"Invalid currency: {value}. Send a three-letter ISO code that Stripe supports, such as usd.",
            param=param,
        )
    return currency


def least(currency: str) -> int:
    """The least amount that can be charged, in the currency's smallest unit."""
    return LEAST.get(currency, 1)


def shown(amount: int, currency: str) -> str:
    """An amount for people: `USD 12.50`."""
    if currency in WITHOUT_MINOR_UNIT:
        return f"{currency.upper()} {amount:,}"
    digits = 3 if currency in THREE_DECIMALS else 2
    return f"{currency.upper()} {Decimal(amount).scaleb(-digits):,.{digits}f}"


def check_charge(amount: int, currency: str, param: str | None = "amount") -> None:
    """Refuse amounts that cannot be charged."""
    if amount < 1:
        raise InvalidRequest(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=param
        )
    if amount < least(currency):
        raise InvalidRequest(
            f"Amount must be at least {shown(least(currency), currency)}.",
            code="amount_too_small",
            param=param,
        )
    if amount > MOST:
        raise InvalidRequest(
            f"Amount must be no more than {shown(MOST, currency)}.", code="amount_too_large", param=param
        )


def unit_amounts(integer: int | None, decimal: str | None, path: str = "") -> tuple[int | None, str | None]:
    """A unit amount in both of its forms; the whole one is None when there are fractions."""
    name = f"{path}[unit_amount]" if path else "unit_amount"
    if integer is not None and decimal is not None:
        raise InvalidRequest(
            f"You may only specify one of these parameters: {name}, {name[:-1]}_decimal]."
            if path
            else "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
            code="parameters_exclusive",
            param=name,
        )
    if integer is None and decimal is None:
        return None, None
    amount = Decimal(integer if integer is not None else str(decimal))
    if amount < 0:
        raise InvalidRequest(
            "This value must be greater than or equal to 0.", code="parameter_invalid_integer", param=name
        )
    if amount > MOST:
        raise InvalidRequest(
            f"This value must be less than or equal to {MOST}.", code="parameter_invalid_integer", param=name
        )
    if -int(amount.normalize().as_tuple().exponent) > 12:
        raise InvalidRequest("A decimal amount has at most 12 decimal places.", param=name)
    plain = format(amount.normalize(), "f")
    return (int(amount) if amount == amount.to_integral_value() else None), plain


def rounded(value: Decimal) -> int:
    """To the smallest unit, halves away from zero."""
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))
