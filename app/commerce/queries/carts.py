"""SQL of carts and what stands in them."""

from datetime import datetime

from app.commerce.models import CartItem
from app.core import db


async def cart_of_user(user_id: int) -> int | None:
    found: int | None = await db.value("SELECT id FROM carts WHERE user_id = :user_id", user_id=user_id)
    return found


async def cart_of_token(token_hash: bytes) -> int | None:
    found: int | None = await db.value("SELECT id FROM carts WHERE token_hash = :hash", hash=token_hash)
    return found


async def lock_cart_of_token(token_hash: bytes) -> int | None:
    found: int | None = await db.value("SELECT id FROM carts WHERE token_hash = :hash FOR UPDATE", hash=token_hash)
    return found


async def ensure_cart_of_user(user_id: int, now: datetime) -> int:
    """The member's cart, made when missing; locked until the transaction ends."""
    found: int = await db.value(
        """
        INSERT INTO carts (user_id, created_at, updated_at) VALUES (:user_id, :now, :now)
        ON CONFLICT (user_id) DO UPDATE SET updated_at = excluded.updated_at RETURNING id
        """,
        user_id=user_id,
        now=now,
    )
    return found


async def insert_guest_cart(token_hash: bytes, now: datetime) -> int:
    found: int = await db.value(
        """
        INSERT INTO carts (token_hash, created_at, updated_at) VALUES (:hash, :now, :now)
        ON CONFLICT (token_hash) DO UPDATE SET updated_at = excluded.updated_at RETURNING id
        """,
        hash=token_hash,
        now=now,
    )
    return found


async def items(cart_id: int) -> list[CartItem]:
    return await db.many(
        CartItem,
        """
        SELECT product_id, agreed_minor, agreed_currency, added_at FROM cart_items
        WHERE cart_id = :cart_id ORDER BY added_at, product_id
        """,
        cart_id=cart_id,
    )


async def count_items(user_id: int | None, token_hash: bytes | None) -> int:
    found: int = await db.value(
        """
        SELECT count(*) FROM cart_items i JOIN carts c ON c.id = i.cart_id
        WHERE c.user_id = CAST(:user_id AS bigint) OR c.token_hash = CAST(:hash AS bytea)
        """,
        user_id=user_id,
        hash=token_hash,
    )
    return found


async def holds(user_id: int | None, token_hash: bytes | None, product_id: int) -> bool:
    found: bool = await db.value(
        """
        SELECT EXISTS (
            SELECT 1 FROM cart_items i JOIN carts c ON c.id = i.cart_id
            WHERE (c.user_id = CAST(:user_id AS bigint) OR c.token_hash = CAST(:hash AS bytea))
              AND i.product_id = :product_id)
        """,
        user_id=user_id,
        hash=token_hash,
        product_id=product_id,
    )
    return found


async def holds_all(cart_id: int, product_ids: list[int]) -> bool:
    """Whether all of these stand in the cart now."""
    found: bool = await db.value(
        """
        SELECT count(*) = cardinality(CAST(:ids AS bigint[])) FROM cart_items
        WHERE cart_id = :cart_id AND product_id = ANY(:ids)
        """,
        cart_id=cart_id,
        ids=product_ids,
    )
    return found


async def insert_item(cart_id: int, product_id: int, *, amount_minor: int, currency: str, now: datetime) -> bool:
    """Put a product in; False when it stands there already."""
    return bool(
        await db.run(
            """
            INSERT INTO cart_items (cart_id, product_id, agreed_minor, agreed_currency, added_at)
            VALUES (:cart_id, :product_id, :amount, :currency, :now) ON CONFLICT DO NOTHING
            """,
            cart_id=cart_id,
            product_id=product_id,
            amount=amount_minor,
            currency=currency,
            now=now,
        )
    )


async def agree(cart_id: int, product_id: int, *, amount_minor: int, currency: str) -> bool:
    """Write down a yes to this price."""
    return bool(
        await db.run(
            """
            UPDATE cart_items SET agreed_minor = :amount, agreed_currency = :currency
            WHERE cart_id = :cart_id AND product_id = :product_id
            """,
            cart_id=cart_id,
            product_id=product_id,
            amount=amount_minor,
            currency=currency,
        )
    )


async def delete_items(cart_id: int, product_ids: list[int]) -> int:
    return await db.run(
        "DELETE FROM cart_items WHERE cart_id = :cart_id AND product_id = ANY(:ids)", cart_id=cart_id, ids=product_ids
    )


async def delete_bought(cart_id: int | None, user_id: int, product_ids: list[int]) -> int:
    """Take what was bought out of the cart it was bought from, and out of the buyer's own."""
    return await db.run(
        """
        DELETE FROM cart_items i USING carts c
        WHERE c.id = i.cart_id AND i.product_id = ANY(:ids)
          AND (c.id = CAST(:cart_id AS bigint) OR c.user_id = :user_id)
        """,
        cart_id=cart_id,
        user_id=user_id,
        ids=product_ids,
    )


async def move_items(source_id: int, target_id: int) -> int:
    """Copy the items of one cart into another. Of two yeses to one thing the lower price holds."""
    return await db.run(
        """
        INSERT INTO cart_items (cart_id, product_id, agreed_minor, agreed_currency, added_at)
        SELECT :target_id, product_id, agreed_minor, agreed_currency, added_at FROM cart_items WHERE cart_id = :source_id
        ON CONFLICT (cart_id, product_id) DO UPDATE
            SET agreed_minor = least(cart_items.agreed_minor, excluded.agreed_minor)
            WHERE cart_items.agreed_currency = excluded.agreed_currency
        """,
        source_id=source_id,
        target_id=target_id,
    )


async def move_orders(source_id: int, target_id: int) -> int:
    """Let the orders of one cart belong to another."""
    return await db.run(
        "UPDATE orders SET cart_id = :target_id WHERE cart_id = :source_id", source_id=source_id, target_id=target_id
    )


async def delete_cart(cart_id: int) -> int:
    return await db.run("DELETE FROM carts WHERE id = :id", id=cart_id)


async def delete_stale(before: datetime) -> int:
    """Forget guests' carts that nobody has touched for long and that no open order came from."""
    # The condition stands outside too: a cart that is touched meanwhile is looked at again, and stays.
    return await db.run_in_batches(
        """
        DELETE FROM carts WHERE user_id IS NULL AND updated_at < :before AND id IN (
            SELECT c.id FROM carts c WHERE c.user_id IS NULL AND c.updated_at < :before
              AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.cart_id = c.id AND o.state IN ('pending', 'processing'))
            LIMIT :batch)
        """,
        before=before,
    )
