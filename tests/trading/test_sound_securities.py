"""Bidding Regulation 57, 74: what is stored of bid securities agrees with what was signed."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.deposits import (
    PAID_AT,
    a_lot_that_takes_money,
    given_back,
    guarantee_filed,
    line,
    reference_of,
    statement_taken,
)
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW, cancelled
from trading.sound_securities import security_faults


async def test_every_row_that_is_changed_behind_the_acts_is_found(
    store: Store, tender: Tender, database: Database
) -> None:
    cast = tender.cast
    lot = await a_lot_that_takes_money(store, cast)
    bidder = await a_bidder(store)
    reference = await reference_of(store, bidder, lot.lot_id)
    await guarantee_filed(store, await a_bidder(store), lot.lot_id)
    await statement_taken(store, cast.staff, line("S1", reference))
    await cancelled(store, cast, lot, now=NOW + timedelta(days=3))
    await given_back(store, cast.staff, reference, now=PAID_AT + timedelta(days=3))
    behind = {
        "UPDATE trading.security_return SET principal = principal + 0.01": "more went back",
        "DELETE FROM trading.bank_line": "more went back",
        "UPDATE trading.bank_statement SET line_count = 0": "more lines than it was answered",
        "UPDATE trading.guarantee SET amount = amount + 1": "not what was signed",
        "UPDATE trading.guarantee SET document = digest": "not what was signed",
        "INSERT INTO trading.security_forfeiture SELECT account_id, 'revoked', '', '', 1,"
        " (SELECT digest FROM trading.guarantee), (SELECT statement FROM trading.guarantee),"
        " recorded_by, recorded_at - interval '1 hour' FROM trading.security_return": (
            "was kept and went back"
        ),
    }
    engine = connect(database.url(OWNER), pool_size=1)
    try:
        async with engine.connect() as connection:
            assert await security_faults(connection) == []
        for change, expected in behind.items():
            async with engine.connect() as connection:
                # Only a superuser's replica role gets round the triggers; the owner disables them.
                for table in ("security_return", "bank_line", "bank_statement", "guarantee"):
                    await connection.execute(
                        text(f"ALTER TABLE trading.{table} DISABLE TRIGGER USER")
                    )
                await connection.execute(text(change))
                assert expected in " ".join(await security_faults(connection)), change
                await connection.rollback()
    finally:
        await engine.dispose()
