"""Civil Code 509: what is stored of listings agrees with itself, the journal and the reserve."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.listings import ENDS_AT, STARTS_AT, listed_land
from trading.sound_listings import listing_faults


async def faults(store: Store) -> list[str]:
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    async with engine.connect() as connection:
        return await listing_faults(connection)


async def test_every_row_that_is_changed_behind_the_acts_is_found(
    store: Store, database: Database
) -> None:
    land = await listed_land(store, reserve="10150000.00", bidders=2)
    one, two = land.bidders
    await land.quote(one, "10000000.00", STARTS_AT)
    assert await faults(store) == []
    await land.quote(one, "10200000.00", STARTS_AT)
    await land.wake(ENDS_AT)
    assert (await land.seen(ENDS_AT)).winner == one.organisation
    assert await faults(store) == []

    behind = {
        "UPDATE trading.listing_quote SET price = price + 1 WHERE number = 2": "highest price",
        "UPDATE trading.listing_quote SET price = 9999999 WHERE number = 1": "a step above",
        "DELETE FROM trading.listing_admission": "nobody who was admitted",
        "DELETE FROM trading.bank_line": "was let in and had not paid",
        "DELETE FROM trading.listing_bidder WHERE bidder_id = :two": "is no bidder of it",
        "UPDATE trading.listing SET phase = 'terminated'": "early end of listing",
        "UPDATE trading.listing_quote SET received_at = received_at + interval '11 days'": (
            "after the end"
        ),
        "UPDATE trading.listing_quote SET bidder_id = :two": "prices of listing",
        "UPDATE trading.listing_reserve SET reserve = 10000001": "not the one committed to",
        "UPDATE trading.listing_reserve SET reserve = 99999999": "below its reserve",
        "UPDATE trading.listing SET phase = 'bidding'": "told otherwise than it came",
        "UPDATE trading.listing SET winner_id = :two": "tells the deal",
    }
    engine = connect(database.url(OWNER), pool_size=1)
    try:
        for change, expected in behind.items():
            async with engine.connect() as connection:
                # Only a superuser's replica role gets round the triggers; the owner disables them.
                for table in (
                    "listing",
                    "listing_quote",
                    "listing_admission",
                    "listing_reserve",
                    "listing_bidder",
                    "bank_line",
                ):
                    await connection.execute(
                        text(f"ALTER TABLE trading.{table} DISABLE TRIGGER USER")
                    )
                values = {"two": two.party} if ":two" in change else {}
                await connection.execute(text(change), values)
                assert expected in " ".join(await listing_faults(connection)), change
                await connection.rollback()
    finally:
        await engine.dispose()
    assert await faults(store) == []
