"""What the web server loads for a negative control: the application without one of its protections."""

from tests.faults import unguarded

unguarded.take_away()

from app.asgi import app  # noqa: E402 - what it does without is settled first

__all__ = ["app"]
