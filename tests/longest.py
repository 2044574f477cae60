"""The order of a run in several processes: the files that take longest first, so that all processes end together."""

from __future__ import annotations

import pytest

# Longest first; a file that takes more than a fiftieth of its folder's time belongs here.
LONGEST = (
    "tests/test_hostile_input.py",
    "tests/accounts/test_enumeration.py",
    "tests/test_stored_markup.py",
    "tests/formbuilder/test_properties.py",
    "tests/test_double_clicks.py",
    "tests/outside/test_canaries.py",
    "tests/formbuilder/test_exports.py",
    "e2e/test_every_page.py",
    "e2e/test_form_builder.py",
    "e2e/test_form_of_every_kind.py",
    "e2e/test_form_inbox.py",
    "e2e/test_every_look.py",
    "e2e/test_form_integrations.py",
    "e2e/test_form_outcomes.py",
    "e2e/test_office_lists.py",
    "e2e/test_buy_signed_in.py",
    "e2e/test_privacy.py",
    "e2e/test_form_steps.py",
    "e2e/test_declined_card.py",
    "e2e/test_second_factor.py",
    "e2e/test_other_hands.py",
)
_PLACE = {name: place for place, name in enumerate(LONGEST)}


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests of long files first, in place; within a file, and among the others, the order stays."""
    items.sort(key=lambda item: _PLACE.get(item.nodeid.partition("::")[0], len(LONGEST)))
