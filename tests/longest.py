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
    "e2e/test_every_look.py",
    "e2e/test_buy_signed_in.py",
    "e2e/test_privacy.py",
    "e2e/test_second_factor.py",
    "e2e/test_office_lists.py",
    "e2e/test_google.py",
    "e2e/test_import_people.py",
    "e2e/test_free_enrolment.py",
    "e2e/test_other_hands.py",
    "e2e/test_learn.py",
    "e2e/test_declined_card.py",
    "e2e/test_buy_as_guest.py",
    "e2e/test_refund.py",
    "e2e/test_sessions.py",
    "e2e/test_magic_link.py",
    "e2e/test_catalogue.py",
    "e2e/test_settings.py",
    "e2e/test_people_in_bulk.py",
    "e2e/test_reset_password.py",
    "e2e/test_passkeys.py",
    "e2e/test_publish_course.py",
    "e2e/test_access_tokens.py",
    "e2e/test_register.py",
)
_PLACE = {name: place for place, name in enumerate(LONGEST)}


def longest_first(items: list[pytest.Item]) -> None:
    """Put the tests of long files first, in place; within a file, and among the others, the order stays."""
    items.sort(key=lambda item: _PLACE.get(item.nodeid.partition("::")[0], len(LONGEST)))
