"""Amounts, written and read."""

from app.core import i18n
from app.core.money import format_money


def test_an_amount_is_written_alike_in_pages_mails_and_messages() -> None:
    assert format_money(14900, "USD") == "US$149"
    with i18n.speaking("de"):
        assert format_money(14950, "EUR") == "149,50\u00a0€"
