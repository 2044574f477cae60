"""What ends with what happens to an account, in one table: sessions and half-done sign-ins always, access tokens here and there.

A token is the key of a program, no sign-in. It ends wherever somebody else may have been in the account, or the office
keeps a person out; it stays where the person alone, freshly proved, changed something about how they sign in, and where
it can do no more afterwards than its person may.
"""

from dataclasses import dataclass
from typing import Literal

from app.accounts import queries
from app.accounts.queries import access_tokens as token_queries

Act = Literal[
    "password",
    "reset",
    "password_required",
    "not_me",
    "claim",
    "suspension",
    "unsuspension",
    "office_sign_out",
    "office_address",
    "office_second_step",
    "erasure",
    "role",
    "address",
    "second_step",
    "other_devices",
]

# Whether access tokens end, too. A merge ends all ways into the closed account with one statement (queries/merging.py).
TOKENS_END: dict[Act, bool] = {
    "password": True,  # whoever knew the old one may have made a token; the page says so
    "reset": True,
    "password_required": True,
    "not_me": True,
    "claim": True,  # what stood in the account before its address was proved
    "suspension": True,
    "unsuspension": True,
    "office_sign_out": True,
    "office_address": True,  # nobody has shown yet that the new mailbox is the person's
    "office_second_step": True,  # the device is lost, and what was on it
    "erasure": True,
    "role": False,  # a token may do what its person may do at that moment
    "address": False,  # both mailboxes agreed
    "second_step": False,  # with the last one gone, rights that need one sleep (second_factors.settle)
    "other_devices": False,  # the page says so
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How many there were."""

    sessions: int
    tokens: int


async def end(user_id: int, act: Act, *, but: int | None = None) -> Ended:
    """End the sessions of a person, but this one, and whatever else the act ends, as part of the current transaction."""
    ended = await queries.delete_sessions_of(user_id, but=but)
    return Ended(ended, await token_queries.delete_tokens_of(user_id) if TOKENS_END[act] else 0)
