"""Whether this process can do its work."""

from app.core import cache, db, migrations


async def readiness() -> dict[str, str]:
    """`ok`, `away` or a reason for each thing that the product stands on. Only the database is required."""
    report: dict[str, str] = {}
    try:
        waiting = await migrations.pending()
        report["database"] = "ok" if not waiting else f"{len(waiting)} migrations have not run"
    except Exception as error:
        report["database"] = f"away ({type(error).__name__})"
    report["redis"] = "ok" if await cache.is_up() else "away"
    await db.release()
    return report
