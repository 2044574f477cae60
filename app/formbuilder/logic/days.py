"""The day that rules and calculations reckon with."""

from app.core import clock
from app.core.settings import school


async def today() -> str:
    """The school's day, as the logic of forms knows days: YYYY-MM-DD on the school's clocks."""
    return clock.now().astimezone((await school()).zone).date().isoformat()
