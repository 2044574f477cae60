"""The SQL of giving one person's orders to another."""

from app.core import db


async def counts(user_id: int) -> int:
    """How many orders a person has."""
    found: int = await db.value("SELECT count(*) FROM orders WHERE user_id = :id", id=user_id)
    return found


async def move_orders(gone_id: int, kept_id: int) -> int:
    return await db.run("UPDATE orders SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)


async def move_merged_carts(gone_id: int, kept_id: int) -> None:
    await db.run("UPDATE merged_carts SET user_id = :kept WHERE user_id = :gone", gone=gone_id, kept=kept_id)
