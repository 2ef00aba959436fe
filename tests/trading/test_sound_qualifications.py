"""Bidding Law 22; Bidding Regulation 19: what is stored of prequalifications agrees with itself."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col

from kernel.store.transaction import Store
from tests.prequalifications import APPLIED, Called, an_applicant, released, reviewed
from tests.sealed_bids import a_bidder
from trading.sound_qualifications import qualification_faults
from trading.tables import ApplicationReleaseRow, ApplicationRow, QualificationRow


async def faults(store: Store) -> list[str]:
    engine = store.sessions.kw["bind"]
    assert isinstance(engine, AsyncEngine)
    async with engine.connect() as connection:
        return await qualification_faults(connection)


async def test_what_was_opened_early_and_who_was_judged_unopened_is_found(
    store: Store, called_lot: Called
) -> None:
    opened = [await an_applicant(store, called_lot, await a_bidder(store)) for _ in range(2)]
    silent = await an_applicant(store, called_lot, await a_bidder(store))
    for one in opened:
        await released(store, called_lot, one)
    await reviewed(store, called_lot, [one.who.party for one in opened])
    assert await faults(store) == []

    async with store.sessions() as session, session.begin():
        found = await session.scalars(
            select(ApplicationRow).where(col(ApplicationRow.applicant_id) == silent.who.party)
        )
        own = found.one()
        session.add(
            QualificationRow(
                lot_id=own.lot_id,
                round=1,
                applicant_id=own.applicant_id,
                application_id=own.id,
                passed=True,
                reasons=[],
                members=[str(own.applicant_id)],
            )
        )
    assert await faults(store) == [
        f"application {own.id} was judged and did not lie open",
        f"the review of lot {own.lot_id} does not say how many passed",
    ]
    async with store.sessions() as session, session.begin():
        session.add(
            ApplicationReleaseRow(
                application_id=own.id, secret=silent.secret, statement=b"", released_at=APPLIED
            )
        )
    assert (await faults(store))[0] == f"application {own.id} was opened outside its window"
