"""The ledger of awards: each with what became of it, its contract and its settlement.

It lists what was published and nothing before: an award has its notice, a contract both signatures,
a settlement its audit. Who bid and did not win is not in it, so it tells of nobody's presence. The
figures of the market are sums over the same rows, so each equals the list it stands for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, literal_column, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from kernel.access import Role, by
from kernel.errors import NotFound
from kernel.identifiers import PartyId
from kernel.store.parties import Organisation, organisations_by_id
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Transaction
from trading.notice_board import NoticeLine, line_of, lot_rows
from trading.rules.complaint_course import Consequence
from trading.rules.contract_terms import Settlement
from trading.tables import (
    AwardAnnulmentRow,
    AwardRow,
    ComplaintDecisionRow,
    ComplaintRow,
    ContractRow,
    LotRow,
    PerformanceReportRow,
    ProjectRow,
    SettlementRow,
)

ANYONE: Final = tuple(Role)
AWARDS_EACH: Final = 500
_BEIJING: Final[ColumnElement[str]] = literal_column("'Asia/Shanghai'")
_MONTH: Final[ColumnElement[str]] = literal_column("'YYYY-MM'")
_PROVINCE: Final[ColumnElement[int]] = literal_column("2")


@dataclass(frozen=True, slots=True)
class Entry:
    """One award. `fell_at` is when it fell away; `void` that a decision declared it so.

    `late_reports` are those of the `reports` on its contract that came after their day.
    """

    line: NoticeLine
    tenderee_id: PartyId
    number: int
    winner_id: PartyId
    winner: str
    winner_uscc: str
    price: Decimal
    awarded_at: datetime
    fell_at: datetime | None
    fell_by: str
    void: bool
    contract: str | None
    contract_price: Decimal | None
    signed_at: datetime | None
    settled: Decimal | None
    settled_at: datetime | None
    reports: int
    late_reports: int

    @property
    def in_force(self) -> bool:
        """Whether the award still stands."""
        return self.fell_at is None and not self.void

    @property
    def settlement(self) -> Settlement | None:
        """The settlement beside the award, once there is one."""
        return None if self.settled is None else Settlement(self.price, self.settled)


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """What is public of an organisation: what it won, and what it awarded itself or for others."""

    organisation: Organisation
    won: tuple[Entry, ...]
    awarded: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """What the lots of one kind come to.

    `ceiling` and `awarded` are of those lots alone that have a ceiling and an award in force, which
    are `measured`.
    """

    key: str
    published: int
    failed: int
    awards: int
    measured: int
    ceiling: Decimal
    awarded: Decimal

    @property
    def saved(self) -> Decimal:
        """By how much the awards lie below their ceilings."""
        return self.ceiling - self.awarded

    @property
    def share(self) -> Decimal | None:
        """What was saved as a share of the ceilings; None where none is measured."""
        return self.saved / self.ceiling if self.ceiling else None


@dataclass(frozen=True, slots=True)
class Figures:
    """All published lots together, and by month, by procedure and by province."""

    total: Figure
    by_month: tuple[Figure, ...]
    by_procedure: tuple[Figure, ...]
    by_region: tuple[Figure, ...]


@by(*ANYONE)
async def awards(tx: Transaction, *, page: int = 1) -> tuple[tuple[Entry, ...], bool]:
    """The awards, the newest first, many at a time; and whether there are more."""
    found = await _entries(
        tx, col(LotRow.published_at).is_not(None), start=(page - 1) * AWARDS_EACH
    )
    return found[:AWARDS_EACH], len(found) > AWARDS_EACH


@by(*ANYONE)
async def awards_of_lots(tx: Transaction, lot_ids: Collection[UUID]) -> dict[UUID, list[Entry]]:
    """The awards of these lots, by lot, the newest first."""
    found: dict[UUID, list[Entry]] = {}
    for one in await _entries(tx, col(LotRow.id).in_(lot_ids), limit=None):
        found.setdefault(one.line.lot_id, []).append(one)
    return found


@by(*ANYONE)
async def track_record(tx: Transaction, uscc: str) -> TrackRecord:
    """What is public of an organisation, by its credit code; `NotFound` for an unverified one."""
    party_id = await tx.session.scalar(
        select(col(OrganisationRow.id)).where(
            col(OrganisationRow.uscc) == uscc, col(OrganisationRow.verified_at).is_not(None)
        )
    )
    if party_id is None:
        raise NotFound("no such organisation")
    mine = or_(col(ProjectRow.tenderee_id) == party_id, col(ProjectRow.agency_id) == party_id)
    known = await organisations_by_id(tx, [party_id])
    return TrackRecord(
        known[PartyId(party_id)],
        (await _entries(tx, col(AwardRow.winner_id) == party_id))[:AWARDS_EACH],
        (await _entries(tx, mine))[:AWARDS_EACH],
    )


@by(*ANYONE)
async def figures(tx: Transaction) -> Figures:
    """How much was tendered, what came of it, and how far awards lie below their ceilings."""
    month = func.to_char(func.timezone(_BEIJING, col(LotRow.published_at)), _MONTH)
    (total,) = await _sums(tx, None)
    return Figures(
        total,
        await _sums(tx, month),
        await _sums(tx, col(ProjectRow.procedure)),
        await _sums(tx, func.left(col(LotRow.region_code), _PROVINCE)),
    )


async def _entries(
    tx: Transaction,
    condition: ColumnElement[bool],
    *,
    start: int = 0,
    limit: int | None = AWARDS_EACH + 1,
) -> tuple[Entry, ...]:
    winner = aliased(OrganisationRow)
    of_contract = col(PerformanceReportRow.lot_id) == col(ContractRow.lot_id)
    reports = select(func.count()).select_from(PerformanceReportRow).where(of_contract)
    rows = await tx.session.execute(
        lot_rows(and_(col(LotRow.published_at).is_not(None), condition))
        .join(AwardRow, col(AwardRow.lot_id) == col(LotRow.id))
        .join(winner, col(winner.id) == col(AwardRow.winner_id))
        .outerjoin(AwardAnnulmentRow, _annulled())
        .outerjoin(
            ContractRow,
            and_(
                col(ContractRow.lot_id) == col(AwardRow.lot_id),
                col(ContractRow.award_number) == col(AwardRow.number),
            ),
        )
        .outerjoin(SettlementRow, col(SettlementRow.lot_id) == col(ContractRow.lot_id))
        .add_columns(
            AwardRow,
            col(winner.name),
            col(winner.uscc),
            AwardAnnulmentRow,
            ContractRow,
            SettlementRow,
            _declared_void(),
            reports.correlate(ContractRow).scalar_subquery(),
            reports.where(col(PerformanceReportRow.late)).correlate(ContractRow).scalar_subquery(),
        )
        .order_by(col(AwardRow.awarded_at).desc(), col(LotRow.id), col(AwardRow.number).desc())
        .offset(start)
        .limit(limit)
    )
    return tuple(_entry(*row) for row in rows)


def _entry(*row: Any) -> Entry:
    lot, project, tenderee, award, name, uscc, fell, contract, settled, void, reports, late = row
    return Entry(
        line_of(lot, project, tenderee),
        PartyId(project.tenderee_id),
        award.number,
        PartyId(award.winner_id),
        name,
        uscc,
        award.price,
        award.awarded_at,
        fell and fell.annulled_at,
        fell.article if fell else "",
        void,
        contract and contract.number,
        contract and contract.price,
        contract and contract.signed_at,
        settled and settled.settled,
        settled and settled.settled_at,
        reports,
        late,
    )


async def _sums(tx: Transaction, key: Any) -> tuple[Figure, ...]:
    stands = and_(
        col(AwardRow.lot_id) == col(LotRow.id), ~exists().where(_annulled()), ~_declared_void()
    )
    measured = and_(col(AwardRow.number).is_not(None), col(LotRow.ceiling_price).is_not(None))
    sums = (
        func.count(),
        func.count(case((col(LotRow.state).in_(("failed", "cancelled")), 1))),
        func.count(col(AwardRow.number)),
        func.count(case((measured, 1))),
        func.coalesce(func.sum(case((measured, col(LotRow.ceiling_price)))), 0),
        func.coalesce(func.sum(case((measured, col(AwardRow.price)))), 0),
    )
    query = (select(*sums) if key is None else select(key, *sums)).select_from(LotRow)
    query = (
        query.join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .outerjoin(AwardRow, stands)
        .where(col(LotRow.published_at).is_not(None))
    )
    if key is not None:
        query = query.group_by(key).order_by(key)
    rows: Sequence[Any] = (await tx.session.execute(query)).all()
    return tuple(_figure("" if key is None else row[0], *row[-6:]) for row in rows)


def _figure(key: str, *sums: Any) -> Figure:
    published, failed, awards_made, measured, ceiling, awarded = sums
    return Figure(key, published, failed, awards_made, measured, Decimal(ceiling), Decimal(awarded))


def _annulled() -> ColumnElement[bool]:
    return and_(
        col(AwardAnnulmentRow.lot_id) == col(AwardRow.lot_id),
        col(AwardAnnulmentRow.award_number) == col(AwardRow.number),
    )


def _declared_void() -> ColumnElement[bool]:
    """That a decision declared the award void, and not one before it."""
    return exists().where(
        col(ComplaintDecisionRow.complaint_id) == col(ComplaintRow.id),
        col(ComplaintRow.lot_id) == col(AwardRow.lot_id),
        col(ComplaintDecisionRow.consequence) == Consequence.AWARD_VOID,
        col(ComplaintDecisionRow.decided_at) >= col(AwardRow.awarded_at),
    )
