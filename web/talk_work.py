"""What a supplier's own program does about its last price: seal it, and open it after the deadline.

Only a salted commitment is sent before the deadline. The file with price and salt is kept before
anything is signed, and it is the very file that the page saves.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    count_of,
    members,
    strict_json,
    text_of,
)
from kernel.money import yuan_text
from kernel.randomness import random_bytes
from trading.rules.price_talks import SALT_SIZE, price_commitment
from web.client import Client

SEAL_MAX: Final = 4096


async def seal_last_price(
    client: Client, lot: str, price: Decimal, *, keep: Callable[[bytes], None]
) -> dict[str, Any]:
    """Seal a last price, keep the seal, and hand in the commitment; what the platform answered."""
    told = await client.get(f"/api/v1/lots/{lot}/talks")
    seq, salt = count_of(told["seq"]) + 1, random_bytes(SALT_SIZE)
    bidder = text_of(told["bidder_id"])
    found = price_commitment(UUID(text_of(told["lot_id"])), UUID(bidder), salt, price)
    keep(
        canonical(
            {
                "lot": told["lot_id"],
                "bidder": bidder,
                "seq": seq,
                "price": yuan_text(price),
                "salt": b64u(salt),
            }
        )
    )
    done: dict[str, Any] = await client.post_statement(
        f"/api/v1/lots/{lot}/last-prices",
        "last-price",
        {"lot": lot, "seq": seq, "changes": len(told["changes"]), "commitment": b64u(found)},
    )
    return done


async def open_last_price(client: Client, lot: str, seal: bytes) -> str:
    """Open the last price that a seal holds; the price. `Malformed` for another lot's seal."""
    kept = members(strict_json(seal, SEAL_MAX), ("lot", "bidder", "seq", "price", "salt"))
    if kept["lot"] != lot:
        raise Malformed("the seal of a last price for another lot", code="lot")
    said = {"lot": lot, **{name: kept[name] for name in ("seq", "price", "salt")}}
    await client.post_statement(
        f"/api/v1/lots/{lot}/last-prices/opening", "last-price-opening", said
    )
    return text_of(kept["price"])
