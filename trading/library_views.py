"""What may be seen of libraries: one's own, what waits for the centre, what opened bids refer to.

A library says what an organisation is able to do, and so who may bid; nobody else looks into it
before a bid of its own, opened, refers to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import b64u, instant_text
from kernel.errors import NotFound
from kernel.identifiers import LibraryEntryId, LotId, PartyId
from kernel.refusals import Caution, Refusal
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from kernel.working_days import beijing_day
from trading.library import HOLDERS, entry_of, own_drawer, states_of
from trading.made_awards import awarded_by_contract
from trading.rules.library_entries import (
    REQUIREMENT_CODES,
    EntryState,
    LibraryEntry,
    days_left,
    reference_cautions,
    use_refusals,
)
from trading.tables import (
    AwardRow,
    ContractRow,
    LibraryEntryRow,
    LibraryVerdictRow,
    LibraryWithdrawalRow,
    LotRow,
    ProjectRow,
    SettlementRow,
)

LIST_MAX: Final = 500
REFERENCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class EntrySeen:
    """An entry as its holder and the centre see it."""

    id: LibraryEntryId
    party_id: PartyId
    entry: LibraryEntry
    state: EntryState
    days_left: int | None
    unusable: tuple[Refusal, ...]
    file_name: str
    file_digest: bytes
    file_size: int
    media_type: str
    replaces: UUID | None
    digest: bytes
    entered_at: datetime
    said: str
    """The basis of the verdict, or the reason of the withdrawal; empty while neither was said."""

    @property
    def reference(self) -> str:
        """How a bid refers to it; it follows from the statement, so nothing else can be meant."""
        return reference_of(self.digest)

    def plain(self) -> dict[str, Any]:
        """The entry as JSON tells it."""
        one = self.entry
        last = None if one.ends_on is None else one.ends_on.isoformat()
        told: dict[str, Any] = {
            "id": str(self.id),
            "organisation": str(self.party_id),
            "kind": str(one.kind),
            "requirement": REQUIREMENT_CODES[one.kind],
            "title": one.title,
            "number": one.number,
        }
        if one.kind.is_licence:
            told |= {
                "issuer": one.issuer,
                "valid_from": one.begins_on.isoformat(),
                "valid_to": last,
                "days_left": self.days_left,
            }
        else:
            told |= {
                "client": one.issuer,
                "amount": f"{one.amount:.2f}",
                "contracted_on": one.begins_on.isoformat(),
                "completed_on": last,
            }
        return {
            **told,
            "state": str(self.state),
            "usable": not self.unusable,
            "reference": None if self.unusable else self.reference,
            "file": {
                "name": self.file_name,
                "sha256": b64u(self.file_digest),
                "size": self.file_size,
                "media_type": self.media_type,
            },
            "replaces": None if self.replaces is None else str(self.replaces),
            "digest": b64u(self.digest),
            "entered_at": instant_text(self.entered_at),
            "said": self.said,
        }

    def published(self) -> dict[str, Any]:
        """The entry as a notice of candidates tells it; `verified` says that the centre compared it
        with its papers, and that it counted when bids were due.
        """
        one = self.entry
        last = None if one.ends_on is None else one.ends_on.isoformat()
        told: dict[str, Any] = {"kind": str(one.kind), "title": one.title, "number": one.number}
        if one.kind.is_licence:
            told |= {"issuer": one.issuer, "valid_to": last}
        else:
            told |= {
                "client": one.issuer,
                "amount": f"{one.amount:.2f}",
                "contracted_on": one.begins_on.isoformat(),
                "completed_on": last,
            }
        return {**told, "verified": not self.unusable}


@dataclass(frozen=True, slots=True)
class EntryReferred:
    """What a bid or an application refers to; without an entry nothing is found there."""

    reference: str
    seen: EntrySeen | None
    cautions: tuple[Caution, ...]

    def plain(self) -> dict[str, Any]:
        """The reference and what it leads to, as JSON tells it."""
        return {
            "reference": self.reference,
            "entry": None if self.seen is None else self.seen.plain(),
            "cautions": [one.as_json() for one in self.cautions],
        }


@dataclass(frozen=True, slots=True)
class PerformanceHere:
    """A contract of the organisation's on this platform: a performance that nobody enters."""

    lot_id: LotId
    number: str
    title: str
    client: str
    price: Decimal
    signed_at: datetime
    completed_on: date | None
    settled: Decimal | None

    def plain(self) -> dict[str, Any]:
        """The performance as JSON tells it."""
        return {
            "lot": str(self.lot_id),
            "number": self.number,
            "title": self.title,
            "client": self.client,
            "amount": f"{self.price:.2f}",
            "contracted_on": beijing_day(self.signed_at).isoformat(),
            "completed_on": None if self.completed_on is None else self.completed_on.isoformat(),
            "settled": None if self.settled is None else f"{self.settled:.2f}",
        }


@dataclass(frozen=True, slots=True)
class Library:
    """An organisation's whole library."""

    entries: tuple[EntrySeen, ...]
    performances: tuple[PerformanceHere, ...]


@by(*HOLDERS)
async def own_library(tx: Transaction) -> Library:
    """The acting organisation's entries, the newest first, and its contracts on this platform."""
    rows = await tx.session.scalars(
        select(LibraryEntryRow)
        .where(
            col(LibraryEntryRow.party_id) == tx.actor.party,
            col(LibraryEntryRow.erased_at).is_(None),
        )
        .order_by(col(LibraryEntryRow.entered_at).desc(), col(LibraryEntryRow.id))
        .limit(LIST_MAX)
    )
    entries = await _seen(tx, list(rows), on=beijing_day(tx.now))
    return Library(tuple(entries), await performances_here(tx, tx.actor.party))


@by(Role.CENTRE_STAFF)
async def waiting_entries(tx: Transaction) -> tuple[tuple[str, EntrySeen], ...]:
    """What waits for the centre, the oldest first, each with its organisation's name."""
    rows = list(
        await tx.session.scalars(
            select(LibraryEntryRow)
            .outerjoin(
                LibraryVerdictRow, col(LibraryVerdictRow.entry_id) == col(LibraryEntryRow.id)
            )
            .outerjoin(
                LibraryWithdrawalRow, col(LibraryWithdrawalRow.entry_id) == col(LibraryEntryRow.id)
            )
            .where(
                col(LibraryVerdictRow.entry_id).is_(None),
                col(LibraryWithdrawalRow.entry_id).is_(None),
                col(LibraryEntryRow.erased_at).is_(None),
            )
            .order_by(col(LibraryEntryRow.entered_at), col(LibraryEntryRow.id))
            .limit(LIST_MAX)
        )
    )
    names = await organisation_names(tx.session, {row.party_id for row in rows})
    found = await _seen(tx, rows, on=beijing_day(tx.now))
    return tuple((names[one.party_id], one) for one in found)


@by(*HOLDERS, Role.CENTRE_STAFF)
async def read_entry_file(tx: Transaction, entry_id: LibraryEntryId) -> tuple[EntrySeen, bytes]:
    """The scanned paper of an entry, for its holder and for the centre that compares it."""
    row = await tx.session.get(LibraryEntryRow, entry_id)
    own = row is not None and row.party_id == tx.actor.party
    if row is None or row.erased_at is not None or not (own or tx.actor.role is Role.CENTRE_STAFF):
        raise NotFound("no such entry")
    (seen,) = await _seen(tx, [row], on=beijing_day(tx.now))
    return seen, await own_drawer(tx.documents, row.party_id).read(row.file_digest)


# ── for the neighbours in this house ──────────────────────────────────────────────────────────


def reference_of(digest: bytes) -> str:
    """How a bid refers to the entry whose statement has this digest."""
    return b64u(digest[:REFERENCE_BYTES])


async def entries_referred(
    tx: Transaction, references: Mapping[PartyId, Collection[str]], *, on: date
) -> dict[tuple[PartyId, str], EntrySeen]:
    """What these organisations' references lead to, each in its own library and no other."""
    rows = await tx.session.scalars(
        select(LibraryEntryRow).where(
            col(LibraryEntryRow.party_id).in_([id for id, told in references.items() if told]),
            col(LibraryEntryRow.erased_at).is_(None),
        )
    )
    asked = [row for row in rows if reference_of(row.digest) in references[PartyId(row.party_id)]]
    return {(one.party_id, one.reference): one for one in await _seen(tx, asked, on=on)}


async def performances_here(tx: Transaction, party_id: UUID) -> tuple[PerformanceHere, ...]:
    """The organisation's contracts on this platform, the newest first."""
    rows = (
        await tx.session.execute(
            select(ContractRow, LotRow, ProjectRow, SettlementRow)
            .join(AwardRow, awarded_by_contract())
            .join(LotRow, col(LotRow.id) == col(ContractRow.lot_id))
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .outerjoin(SettlementRow, col(SettlementRow.lot_id) == col(ContractRow.lot_id))
            .where(col(AwardRow.winner_id) == party_id)
            .order_by(col(ContractRow.signed_at).desc(), col(ContractRow.lot_id))
            .limit(LIST_MAX)
        )
    ).all()
    names = await organisation_names(tx.session, {project.tenderee_id for *_, project, _ in rows})
    return tuple(
        PerformanceHere(
            LotId(lot.id),
            contract.number,
            f"{project.name} {lot.name}",
            names[project.tenderee_id],
            contract.price,
            contract.signed_at,
            None if settled is None else settled.completed_on,
            None if settled is None else settled.settled,
        )
        for contract, lot, project, settled in rows
    )


async def waiting_count(tx: Transaction) -> int:
    """How many entries wait for the centre."""
    found = await tx.session.scalar(
        select(func.count())
        .select_from(LibraryEntryRow)
        .outerjoin(LibraryVerdictRow, col(LibraryVerdictRow.entry_id) == col(LibraryEntryRow.id))
        .outerjoin(
            LibraryWithdrawalRow, col(LibraryWithdrawalRow.entry_id) == col(LibraryEntryRow.id)
        )
        .where(
            col(LibraryVerdictRow.entry_id).is_(None),
            col(LibraryWithdrawalRow.entry_id).is_(None),
            col(LibraryEntryRow.erased_at).is_(None),
        )
    )
    return found or 0


async def _seen(tx: Transaction, rows: list[LibraryEntryRow], *, on: date) -> list[EntrySeen]:
    states = await states_of(tx, rows)
    ids = [row.id for row in rows]
    said: dict[UUID, str] = {}
    for table, words in (
        (LibraryVerdictRow, LibraryVerdictRow.basis),
        (LibraryWithdrawalRow, LibraryWithdrawalRow.reason),
    ):
        found = await tx.session.execute(
            select(col(table.entry_id), col(words)).where(col(table.entry_id).in_(ids))
        )
        said |= {id: text for id, text in found}
    seen = []
    for row in rows:
        entry = entry_of(row)
        seen.append(
            EntrySeen(
                LibraryEntryId(row.id),
                PartyId(row.party_id),
                entry,
                states[row.id],
                days_left(entry, today=on),
                tuple(use_refusals(states[row.id], entry, on=on)),
                row.file_name,
                row.file_digest,
                row.file_size,
                row.media_type,
                row.replaces,
                row.digest,
                row.entered_at,
                said.get(row.id, ""),
            )
        )
    return seen


def entry_referred(
    reference: str, seen: EntrySeen | None, *, on: date, applied: bool = False
) -> EntryReferred:
    """What a bid or an application for prequalification refers to, and what is doubtful in it."""
    found = None if seen is None else (seen.state, seen.entry)
    cautions = reference_cautions(found, on=on, applied=applied)
    return EntryReferred(reference, seen, tuple(cautions))
