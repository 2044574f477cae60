"""What accounts tells the domains to its right."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserRegistered:
    """Somebody made an account; the address is not confirmed yet."""

    user_id: int


@dataclass(frozen=True, slots=True)
class UserVerified:
    """Somebody proved that the address of the account is theirs."""

    user_id: int


@dataclass(frozen=True, slots=True)
class AccountMade:
    """An account was made for an address (by a purchase, say), or taken over from a password that proved nothing.

    It has no password; the welcome mail carries the link to set one.
    """

    user_id: int


@dataclass(frozen=True, slots=True)
class RegisteredAgain:
    """Somebody registered with the address of an account. `ask` names this one occasion."""

    user_id: int
    ask: str


@dataclass(frozen=True, slots=True)
class NewDevice:
    """Somebody signed in with a browser that the account did not know: from where, as far as is known."""

    user_id: int
    session_id: str
    user_agent: str
    address: str
    place: str
    at: str


@dataclass(frozen=True, slots=True)
class GuessingBegan:
    """Very many passwords were tried on an address, on this day. `user_id` is None when it has no account."""

    user_id: int | None
    day: str


@dataclass(frozen=True, slots=True)
class EmailChangeAsked:
    """Somebody wants another address for their account."""

    change_id: int


@dataclass(frozen=True, slots=True)
class PasswordResetAsked:
    """Somebody asked for a new password. `user_id` is None when the address has no account: the work is the same."""

    user_id: int | None
    ask: str


@dataclass(frozen=True, slots=True)
class SignInLinkAsked:
    """Somebody asked for a link that signs in. `user_id` is None when the address has no account: the work is the same.

    `browser_hash` (hex), `user_agent` and `address` say which browser asked, `onward` where it wanted to go.
    """

    user_id: int | None
    ask: str
    browser_hash: str
    user_agent: str
    address: str
    onward: str


@dataclass(frozen=True, slots=True)
class InvitedAgain:
    """The office sends the link to enter once more, to somebody who has no password yet. `ask` names this one occasion."""

    user_id: int
    ask: str
