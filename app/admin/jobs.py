"""What the frame of the back office does by the clock."""

from app.admin import figures
from app.core import queue


@queue.every("7 * * * *")
@queue.job(attempts=2)
async def write_down_figures() -> None:
    """Write down the figures of days that are over, so that the dashboard reads few rows."""
    await figures.write_down()
