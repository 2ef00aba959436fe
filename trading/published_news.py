"""The news of the market: what was published about lots, paper by paper, and the dates they hold.

It is read by whoever follows a search, so it is the same for everybody: a draft is not in it, nor
what explains the documents of a tender by invitation. It says that candidates were published or an
award was made, and leaves who they are to the pages that say it. Before a lot's close nothing here
tells who takes part in it or how many do, because only what the tendering side published is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, exists, func, literal, select, union_all
from sqlmodel import col

from kernel.access import Role, by
from kernel.identifiers import LotId, PartyId
from kernel.store.transaction import Transaction
from trading.notice_board import EXPLAINS, NoticeLine, Search, line_of, lot_rows, matching
from trading.rules.lot_lifecycle import ENDS, LotState, was_closed
from trading.tables import (
    AwardAnnulmentRow,
    AwardRow,
    CandidatesRow,
    ContractRow,
    InvitationRow,
    LotRow,
    NoticeRow,
    ProjectRow,
    SettlementRow,
    TimetableRow,
)

ANYONE: Final = tuple(Role)
NEWS_EACH: Final = 50
LISTED_MAX: Final = 10_000
DATED_EACH: Final = 500
PLACES_EACH: Final = 20_000


@dataclass(frozen=True, slots=True)
class News:
    """One thing that was published about a lot; nothing of it changes later.

    `number` is its place among those of its kind, `bids_due_at` the deadline as it was then, `text`
    what the paper itself says, if it has words of its own.
    """

    line: NoticeLine
    kind: str
    number: int
    title: str
    text: str
    published_at: datetime
    bids_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewsPage:
    """Some of the news, the newest first, and how much there is."""

    items: tuple[News, ...]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class DatedLot:
    """The dates of a lot as calendars keep them.

    `version` and `changed_at` are those of the timetable in force, `round` and `candidates_at` of
    the candidates published last. `called_off` says that the lot ended before its close, `unopened`
    that it ended before its bids were opened.
    """

    line: NoticeLine
    tenderee_id: PartyId
    documents_from: datetime
    documents_until: datetime
    bids_due_at: datetime
    window: timedelta
    version: int
    changed_at: datetime
    called_off: bool
    unopened: bool
    candidates_until: datetime | None
    round: int
    candidates_at: datetime | None


@by(*ANYONE)
async def news(tx: Transaction, wanted: Search) -> NewsPage:
    """What was published about the lots that match, the newest first."""
    found = _published().subquery()
    about = lot_rows(matching(wanted)).join(found, found.c.lot_id == col(LotRow.id))
    counted = about.with_only_columns(func.count(), maintain_column_froms=True)
    total = await tx.session.scalar(counted) or 0
    pages = max(1, -(-total // NEWS_EACH))
    page = min(max(wanted.page, 1), pages)
    due_then = (
        select(col(TimetableRow.bids_due_at))
        .where(
            col(TimetableRow.lot_id) == found.c.lot_id,
            col(TimetableRow.recorded_at) <= found.c.at,
        )
        .order_by(col(TimetableRow.version).desc())
        .limit(1)
        .correlate(found)
        .scalar_subquery()
    )
    rows = await tx.session.execute(
        about.add_columns(*found.c, due_then)
        .order_by(found.c.at.desc(), found.c.kind, found.c.number.desc(), col(LotRow.id))
        .limit(NEWS_EACH)
        .offset((page - 1) * NEWS_EACH)
    )

    return NewsPage(tuple(_item(*row) for row in rows), page, pages)


@by(*ANYONE)
async def listed(tx: Transaction, wanted: Search) -> tuple[tuple[NoticeLine, ...], bool]:
    """The lots that match, many at a time, the newest first; and whether there are more."""
    rows = await tx.session.execute(
        lot_rows(matching(wanted))
        .order_by(col(LotRow.published_at).desc(), col(LotRow.number), col(LotRow.id))
        .limit(LISTED_MAX + 1)
        .offset((wanted.page - 1) * LISTED_MAX)
    )
    found = tuple(line_of(*row) for row in rows)
    return found[:LISTED_MAX], len(found) > LISTED_MAX


@by(*ANYONE)
async def dated(
    tx: Transaction, wanted: Search, *, lot_id: UUID | None = None
) -> tuple[DatedLot, ...]:
    """The lots that match with their dates, some at a time, the latest deadline first; or the one
    asked for.
    """
    condition = matching(wanted)
    if lot_id is not None:
        condition = and_(condition, col(LotRow.id) == lot_id)
    rows = (
        await tx.session.execute(
            lot_rows(condition)
            .join(
                TimetableRow,
                and_(
                    col(TimetableRow.lot_id) == col(LotRow.id),
                    col(TimetableRow.version) == col(LotRow.timetable_version),
                ),
            )
            .add_columns(col(TimetableRow.recorded_at))
            .order_by(col(LotRow.bids_due_at).desc(), col(LotRow.id))
            .limit(DATED_EACH)
            .offset((wanted.page - 1) * DATED_EACH)
        )
    ).all()
    rounds = await _newest_rounds(tx, [row[0].id for row in rows])

    return tuple(
        _dated(lot, project, tenderee, changed_at, rounds.get(lot.id))
        for lot, project, tenderee, changed_at in rows
    )


@by(*ANYONE)
async def sheets(tx: Transaction) -> int:
    """How many sheets it takes to name every published lot; one at least."""
    total = await tx.session.scalar(
        select(func.count()).select_from(LotRow).where(col(LotRow.published_at).is_not(None))
    )
    return max(1, -(-(total or 0) // PLACES_EACH))


@by(*ANYONE)
async def places(tx: Transaction, *, sheet: int) -> tuple[tuple[LotId, datetime], ...]:
    """The published lots of one sheet, each with when something was last published about it."""
    found = _published().subquery()
    rows = await tx.session.execute(
        select(col(LotRow.id), func.max(found.c.at))
        .join(found, found.c.lot_id == col(LotRow.id))
        .where(col(LotRow.published_at).is_not(None))
        .group_by(col(LotRow.id))
        .order_by(col(LotRow.published_at), col(LotRow.id))
        .limit(PLACES_EACH)
        .offset((sheet - 1) * PLACES_EACH)
    )
    return tuple((LotId(lot_id), at) for lot_id, at in rows)


async def _newest_rounds(
    tx: Transaction, lot_ids: Sequence[UUID]
) -> dict[UUID, tuple[int, datetime]]:
    rows = await tx.session.execute(
        select(
            col(CandidatesRow.lot_id),
            func.max(col(CandidatesRow.round)),
            func.max(col(CandidatesRow.published_at)),
        )
        .where(col(CandidatesRow.lot_id).in_(lot_ids))
        .group_by(col(CandidatesRow.lot_id))
    )
    return {lot_id: (number, at) for lot_id, number, at in rows}


def _published() -> Any:
    """Everything that is published about lots, from the tables each kind of it is kept in."""
    kept_back = and_(
        col(NoticeRow.kind) == EXPLAINS,
        exists().where(col(InvitationRow.lot_id) == col(NoticeRow.lot_id)),
    )
    papers: Select[Any] = select(
        col(NoticeRow.lot_id).label("lot_id"),
        col(NoticeRow.kind).label("kind"),
        col(NoticeRow.number).label("number"),
        col(NoticeRow.title).label("title"),
        func.coalesce(
            col(NoticeRow.body)["text"].astext, col(NoticeRow.body)["reason"].astext, ""
        ).label("text"),
        col(NoticeRow.published_at).label("at"),
    ).where(~kept_back)
    return union_all(
        papers,
        _acts("candidates", CandidatesRow.lot_id, CandidatesRow.round, CandidatesRow.published_at),
        _acts("award", AwardRow.lot_id, AwardRow.number, AwardRow.awarded_at),
        _acts(
            "annulment",
            AwardAnnulmentRow.lot_id,
            AwardAnnulmentRow.award_number,
            AwardAnnulmentRow.annulled_at,
        ),
        _acts("contract", ContractRow.lot_id, ContractRow.award_number, ContractRow.signed_at),
        _acts("settlement", SettlementRow.lot_id, literal(1), SettlementRow.settled_at),
    )


def _acts(kind: str, lot_id: Any, number: Any, at: Any) -> Select[Any]:
    return select(lot_id, literal(kind), number, literal(""), literal(""), at)


def _item(
    lot: LotRow,
    project: ProjectRow,
    tenderee: str,
    _lot_id: UUID,
    kind: str,
    number: int,
    title: str,
    text: str,
    at: datetime,
    due_then: datetime | None,
) -> News:
    return News(line_of(lot, project, tenderee), kind, number, title, text, at, due_then)


def _dated(
    lot: LotRow,
    project: ProjectRow,
    tenderee: str,
    changed_at: datetime,
    newest: tuple[int, datetime] | None,
) -> DatedLot:
    assert lot.documents_from is not None
    assert lot.documents_until is not None
    assert lot.bids_due_at is not None
    ended = LotState(lot.state) in ENDS and LotState(lot.state) is not LotState.AWARDED
    return DatedLot(
        line_of(lot, project, tenderee),
        PartyId(project.tenderee_id),
        lot.documents_from,
        lot.documents_until,
        lot.bids_due_at,
        timedelta(seconds=lot.release_window_s),
        lot.timetable_version,
        changed_at,
        called_off=ended and not was_closed(lot.path),
        unopened=ended and LotState.OPENED not in lot.path,
        candidates_until=None if newest is None else lot.candidates_until,
        round=0 if newest is None else newest[0],
        candidates_at=None if newest is None else newest[1],
    )
