"""Wakes each listing whose next moment has come, as `due_lots` wakes lots.

When a listing is due stands in its row. Its step is one short transaction under the listing's own
lock, so whoever wakes it second finds nothing left to do.
"""

from __future__ import annotations

import structlog
from sqlalchemy import select
from sqlmodel import col

from kernel.access import PLATFORM
from kernel.errors import PlatformError
from kernel.identifiers import ListingId
from kernel.store.transaction import Store, transaction
from trading import listing
from trading.tables import ListingRow

log = structlog.get_logger()


async def wake(store: Store) -> int:
    """Take every step that is due now; how many listings moved.

    A listing whose step fails stays due and does not keep the others from theirs.
    """
    async with store.sessions() as session:
        now = await store.clock(session)
        due = await session.scalars(
            select(col(ListingRow.id))
            .where(col(ListingRow.due_at) <= now)
            .order_by(col(ListingRow.due_at), col(ListingRow.id))
        )
        ids = [ListingId(id) for id in due]
    moved = 0
    for listing_id in ids:
        try:
            async with transaction(store, actor=PLATFORM) as tx:
                moved += await listing.move_on(tx, listing_id)
        except PlatformError as error:
            log.warning(
                "a due step of a listing could not be taken",
                listing=str(listing_id),
                error=type(error).__name__,
            )
        except Exception as error:
            # A defect of ours in one listing. What it says may hold who bids.
            log.error(
                "a due step of a listing broke",
                listing=str(listing_id),
                error=type(error).__name__,
            )
    return moved
