"""Who heads, holds and manages organisations, as their libraries say it and the centre verified it.

Only what the centre compared with its papers counts, on the days for which it holds. Whoever never
entered anything has no ties here: the register says what it was told, and no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from kernel.identifiers import PartyId
from kernel.store.parties import organisations_by_id
from kernel.store.transaction import Transaction
from trading.library import entry_of, states_of
from trading.rules.bidder_independence import DIRECT, BidderTies
from trading.rules.library_entries import EntryKind, LibraryEntry, use_refusals
from trading.tables import LibraryEntryRow

TIES: Final = (
    *(EntryKind.HEAD, EntryKind.DIRECT_HOLDER, EntryKind.INDIRECT_HOLDER),
    EntryKind.MANAGER,
)


async def ties_of(tx: Transaction, parties: Iterable[UUID], *, on: date) -> list[BidderTies]:
    """The ties of these organisations on a day, in the order in which they were asked for."""
    asked = list(dict.fromkeys(parties))
    rows = list(
        await tx.session.scalars(
            select(LibraryEntryRow).where(
                col(LibraryEntryRow.party_id).in_(asked),
                col(LibraryEntryRow.kind).in_(TIES),
                col(LibraryEntryRow.erased_at).is_(None),
            )
        )
    )
    states = await states_of(tx, rows)
    told: dict[UUID, list[LibraryEntry]] = {}
    for row in rows:
        entry = entry_of(row)
        if not use_refusals(states[row.id], entry, on=on):
            told.setdefault(row.party_id, []).append(entry)
    names = await organisations_by_id(tx, asked)
    return [
        _ties(one, names[one].name, names[one].uscc, told.get(one, []))
        for one in map(PartyId, asked)
    ]


def _ties(id: PartyId, name: str, uscc: str, told: list[LibraryEntry]) -> BidderTies:
    holders = {one.number: "" for one in told if one.kind is EntryKind.INDIRECT_HOLDER}
    holders |= {one.number: DIRECT for one in told if one.kind is EntryKind.DIRECT_HOLDER}
    return BidderTies(
        party_id=id,
        name=name,
        uscc=uscc,
        head=next((one.title for one in told if one.kind is EntryKind.HEAD), ""),
        holders=holders,
        managers=frozenset(one.number for one in told if one.kind is EntryKind.MANAGER),
    )
