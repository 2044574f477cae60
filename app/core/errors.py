"""Refusals: errors that are an answer, not a fault. Each carries its HTTP status and a sentence for a person."""


class Refused(Exception):
    """The request was understood and is refused. `message` is shown to the person who asked."""

    status = 400

    def __init__(self, message: str = "", *, field: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after = retry_after


class Invalid(Refused):
    """What was typed cannot be accepted; `field` names the input it concerns."""

    status = 422


class SignInNeeded(Refused):
    """Nobody is signed in, or the sign-in is not fresh enough for this act."""

    status = 401


class Forbidden(Refused):
    """The person is known and may not do this."""

    status = 403


class NotFound(Refused):
    """There is no such thing, or not for this person."""

    status = 404


class Conflict(Refused):
    """The thing has moved on since the person looked at it."""

    status = 409


class Stale(Conflict):
    """Somebody saved this since the page was drawn on which it was typed."""


class TooLarge(Refused):
    """The body or file is larger than allowed."""

    status = 413


class TooMany(Refused):
    """A limit was reached; `retry_after` says in how many seconds to try again."""

    status = 429


class Unavailable(Refused):
    """Something that this needs is away for the moment."""

    status = 503


class NoRoom(Refused):
    """The storage is full; nothing was kept."""

    status = 507
