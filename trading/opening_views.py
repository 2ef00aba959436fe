"""What may be seen of an opening: the hall for everyone, the record afterwards.

Until the lot is closed the hall shows the timetable and nothing else, and if it ends without a
close, nothing else for ever; between the closing and the moment everything is open it shows who
released, and no price.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from kernel.access import Role, by
from kernel.crypto.digests import strict_json, unb64u
from kernel.crypto.signing import WEBAUTHN, Envelope, RelyingParty
from kernel.errors import NotFound
from kernel.events import Audience, plain
from kernel.identifiers import LotId
from kernel.statute import Regime
from kernel.store.journal import Entry, read_view
from kernel.store.parties import organisation_names, relying_party
from kernel.store.tables import CredentialRow, JournalRow
from kernel.store.transaction import Transaction
from kernel.store.views import room
from trading import lots
from trading.counted_bids import CountedBid, counted_bids
from trading.handover import switches_for
from trading.rules.lot_lifecycle import LotMove, LotState, article_of, was_closed
from trading.rules.opening_attendance import accepts_result
from trading.rules.price_talks import prices_are_read_out
from trading.rules.procedures import Procedure
from trading.tables import (
    LotRow,
    OpenedBidRow,
    OpeningObjectionRow,
    OpeningPolicyRow,
    OpeningRow,
    ProjectRow,
    ReleaseRow,
    TimetableRow,
)
from trading.uploading import sealed_drawer

ANYONE = tuple(Role)
LINES_MAX = 200
RECORD_MAX = 32 << 20

OPENING_ENTRIES = {
    "LotClosed": "close",
    "ReleaseWindowClosed": "window-closed",
    "FallbackAgreed": "fallback",
    "BidsOpened": "opened",
    "OpeningObjectionRaised": "objection",
    "OpeningObjectionAnswered": "answer",
    "OpeningRecorded": "recorded",
}
"""The kinds of entries that the record rests on, and how an export calls their proofs."""

ENDING_ENTRIES = ("LotFailed", "LotCancelled")
HIDDEN = frozenset({LotState.DRAFT})


@dataclass(frozen=True, slots=True)
class HallBid:
    """One bid as the hall shows it."""

    bidder_id: UUID
    name: str
    released_at: datetime | None
    outcome: str = ""
    reason: str = ""
    article: str = ""
    price: Decimal | None = None
    sheet: dict[str, Any] | None = None
    members: tuple[dict[str, Any], ...] = ()
    accepts: bool | None = None
    """In procurement, once the record is signed: whether it counts as having accepted it."""


@dataclass(frozen=True, slots=True)
class HallObjection:
    """An objection raised in the hall."""

    id: UUID
    bidder_id: UUID
    name: str
    words: str
    raised_at: datetime
    answer: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a lot came to its end without an award, by which article, and when."""

    reason: str
    article: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Hall:
    """The hall of one lot, as anyone may see it now.

    `closed` says whether the lot was ever closed; `brakes` are the reasons for which it stands
    still, `endings` those for which it failed or was cancelled.
    """

    lot_id: UUID
    lot_name: str
    project_name: str
    state: str
    step: int
    bids_due_at: datetime | None
    procedure: Procedure
    closed: bool = False
    brakes: tuple[str, ...] = ()
    endings: tuple[Ending, ...] = ()
    window_until: datetime | None = None
    window_closed_at: datetime | None = None
    opened_at: datetime | None = None
    prices_told: bool = True
    """Whether the opening reads prices out; not where they are talked about afterwards."""

    recorded_at: datetime | None = None
    sheet_fields: list[dict[str, Any]] = field(default_factory=list)
    bids: tuple[HallBid, ...] = ()
    custodians: tuple[str, ...] = ()
    objections: tuple[HallObjection, ...] = ()
    lines: tuple[Entry, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The hall as JSON, without the room's lines."""
        told = plain({name: getattr(self, name) for name in self.__slots__ if name != "lines"})
        assert isinstance(told, dict)
        return told


@dataclass(frozen=True, slots=True)
class OwnPart:
    """In which part somebody is in the hall: as a bidder, as its host, or to supervise it."""

    bids: bool = False
    released: bool = False
    hosts: bool = False
    supervises: bool = False


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """A published opening record and what belongs to it."""

    record: bytes
    policy: bytes
    timetable: bytes
    entries: dict[str, UUID]
    """The journal's entries that the record rests on, by what they are."""

    signers: dict[str, bytes]
    relying_party: RelyingParty | None
    """For whom passkeys signed, where one did."""

    sheets: tuple[bytes, ...]
    """The heads of the sheets whose secrets stand in the record."""


@by(*ANYONE)
async def hall(tx: Transaction, lot_id: LotId) -> Hall:
    """The hall of a published lot; `NotFound` for a draft, as for no lot at all."""
    lot, project = await _lot(tx, lot_id)
    lines = tuple(
        await read_view(tx.session, room(lot_id, Audience.PUBLIC), after=0, limit=LINES_MAX)
    )
    row = await tx.session.get(OpeningRow, lot_id)
    bare = Hall(
        lot_id,
        lot.name,
        project.name,
        lot.state,
        0,
        lot.bids_due_at,
        Procedure(project.procedure),
        closed=was_closed(lot.path),
        brakes=tuple(lot.brakes.values()),
        endings=await _endings(tx, lot),
        lines=lines,
    )
    if not bare.closed:
        return bare
    bids = await counted_bids(tx.session, lot_id)
    switches = await switches_for(tx, lot)
    read_out = prices_are_read_out(switches)
    objections = await _objections(tx, lot_id)
    shown = await _hall_bids(tx, lot_id, bids, read_out=read_out)
    if switches.regime is Regime.PROCUREMENT and row is not None and row.recorded_at is not None:
        shown = _accepting(shown, {one.bidder_id for one in objections})
    return replace(
        bare,
        step=_step(lot, row),
        window_until=lot.release_until,
        window_closed_at=row.window_closed_at if row else None,
        opened_at=row.opened_at if row else None,
        recorded_at=row.recorded_at if row else None,
        sheet_fields=lot.sheet_fields,
        prices_told=read_out,
        bids=shown,
        custodians=await _custodians_done(tx, lot_id),
        objections=objections,
    )


@by(*ANYONE)
async def own_part(tx: Transaction, lot_id: LotId) -> OwnPart:
    """The actor's own part in the hall; nobody has one in a lot that was never closed."""
    lot, project = await _lot(tx, lot_id)
    if not was_closed(lot.path) or tx.actor.party_id is None:
        return OwnPart()
    if tx.actor.role is not Role.BIDDER:
        return OwnPart(hosts=lots.owns(tx, project), supervises=tx.actor.role is Role.SUPERVISOR)
    bids = await counted_bids(tx.session, lot_id)
    released = await _releases(tx, lot_id)
    return OwnPart(
        bids=any(bid.bidder_id == tx.actor.party for bid in bids),
        released=tx.actor.party in released,
    )


@by(*ANYONE)
async def halls(tx: Transaction) -> list[Hall]:
    """Every hall, the next one first."""
    rows = await tx.session.execute(
        select(LotRow, ProjectRow)
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .where(col(LotRow.state).not_in(HIDDEN))
        .order_by(col(LotRow.bids_due_at).desc())
        .limit(100)
    )
    return [
        Hall(
            lot.id,
            lot.name,
            project.name,
            lot.state,
            0,
            lot.bids_due_at,
            Procedure(project.procedure),
            brakes=tuple(lot.brakes.values()),
        )
        for lot, project in rows
    ]


@by(Role.BIDDER)
async def own_headers(tx: Transaction, lot_id: LotId) -> list[tuple[str, bytes]]:
    """The headers of the actor's own counting bid, once the opening has begun."""
    bids = await counted_bids(tx.session, lot_id)
    mine = [bid for bid in bids if bid.bidder_id == tx.actor.party]
    if not mine:
        raise NotFound("no bid of yours is being opened")
    return [(envelope.kind, envelope.header) for envelope in mine[0].envelopes]


@by(*ANYONE)
async def published_record(tx: Transaction, lot_id: LotId) -> PublishedRecord:
    """The signed record and what is needed to check it; `NotFound` before it is published."""
    lot, _ = await _lot(tx, lot_id)
    row = await tx.session.get(OpeningRow, lot_id)
    if row is None or row.record is None or row.record_statement is None:
        raise NotFound("no opening record yet")
    policy = await tx.session.get(OpeningPolicyRow, (lot_id, lot.policy_version))
    timetable = await tx.session.get(TimetableRow, (lot_id, lot.timetable_version))
    assert policy is not None
    assert timetable is not None
    statements = [row.record_statement, policy.statement, timetable.statement]
    keyids = {
        signature.keyid
        for statement in statements
        for signature in Envelope.from_bytes(statement, max_bytes=RECORD_MAX).signatures
    }
    told: Any = strict_json(row.record, RECORD_MAX)
    return PublishedRecord(
        record=row.record_statement,
        policy=policy.statement,
        timetable=timetable.statement,
        entries=await _entries(tx, lot_id, [one["id"] for one in told["objections"]]),
        signers=await _keys(tx, keyids),
        relying_party=(
            relying_party(tx.settings)
            if any(keyid.startswith(WEBAUTHN) for keyid in keyids)
            else None
        ),
        sheets=tuple(
            unb64u(bid["sheet"]["head"], 32) for bid in told["bids"] if "secrets" in bid["sheet"]
        ),
    )


@by(*ANYONE)
async def sealed_sheet(tx: Transaction, lot_id: LotId, head: bytes) -> bytes:
    """The container of a sheet whose secrets are in the record; `NotFound` for all others."""
    record = await published_record(tx, lot_id)
    if head not in record.sheets:
        raise NotFound("no such sheet")
    for bid in await counted_bids(tx.session, lot_id):
        for envelope in bid.envelopes:
            if envelope.head == head:
                drawer = sealed_drawer(tx.documents)
                parts = [part async for part in drawer.stream(list(envelope.parts))]
                return envelope.header + b"".join(parts)
    raise NotFound("no such sheet")


async def _entries(tx: Transaction, lot_id: LotId, objections: list[str]) -> dict[str, UUID]:
    """The entries by which a stranger follows the opening, each under its name in an export.

    Objections are numbered as the record lists them.
    """
    found: dict[str, UUID] = {}
    rows = await tx.session.execute(
        select(JournalRow.id, JournalRow.kind, JournalRow.record)
        .where(JournalRow.subject_id == lot_id, col(JournalRow.kind).in_(OPENING_ENTRIES))
        .order_by(col(JournalRow.recorded_at))
    )
    for entry_id, kind, record in rows:
        facts: Any = json.loads(record)["facts"]
        name = OPENING_ENTRIES[kind]
        if kind == "FallbackAgreed":
            name = f"{name}-{facts['side']}"
        elif "objection_id" in facts:
            name = f"{name}-{objections.index(facts['objection_id']) + 1}"
        found[name] = entry_id
    return found


async def _keys(tx: Transaction, keyids: set[str]) -> dict[str, bytes]:
    rows = await tx.session.scalars(
        select(CredentialRow).where(col(CredentialRow.keyid).in_(keyids))
    )
    return {row.keyid: row.public_key for row in rows}


async def _lot(tx: Transaction, lot_id: LotId) -> tuple[LotRow, ProjectRow]:
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None or lot.state in HIDDEN:
        raise NotFound("no such lot")
    project = await tx.session.get(ProjectRow, lot.project_id)
    assert project is not None
    return lot, project


async def _releases(tx: Transaction, lot_id: UUID) -> dict[UUID, datetime]:
    """When each bidder released its bid."""
    rows = await tx.session.scalars(select(ReleaseRow).where(ReleaseRow.lot_id == lot_id))
    return {row.bidder_id: row.released_at for row in rows}


def _step(lot: LotRow, row: OpeningRow | None) -> int:
    """Which of the hall's steps is current: 0 waiting … 5 over."""
    if row is None or row.window_closed_at is None:
        return 2 if LotState.OPENING in lot.path else 1
    if row.opened_at is None:
        return 3
    return 5 if row.recorded_at is not None else 4


async def _endings(tx: Transaction, lot: LotRow) -> tuple[Ending, ...]:
    """What the journal says of a lot's end, every ground of it; nothing while it goes on."""
    rows = await tx.session.execute(
        select(JournalRow.kind, JournalRow.record, JournalRow.recorded_at)
        .where(JournalRow.subject_id == lot.id, col(JournalRow.kind).in_(ENDING_ENTRIES))
        .order_by(col(JournalRow.recorded_at), col(JournalRow.id))
    )
    found = []
    for kind, record, recorded_at in rows:
        facts: Any = json.loads(record)["facts"]
        article = facts.get("article", "")
        if kind == "LotCancelled":
            regime = (await switches_for(tx, lot)).regime
            article = str(article_of(LotState(lot.path[-2]), LotMove.CANCEL, regime=regime))
        found.append(Ending(facts["reason"], article, recorded_at))
    return tuple(found)


async def _hall_bids(
    tx: Transaction, lot_id: LotId, bids: tuple[CountedBid, ...], *, read_out: bool
) -> tuple[HallBid, ...]:
    names = await organisation_names(tx.session, [bid.bidder_id for bid in bids])
    rows = await tx.session.scalars(select(OpenedBidRow).where(OpenedBidRow.lot_id == lot_id))
    results = {row.bid_id: row for row in rows}
    released = await _releases(tx, lot_id)
    shown = []
    for bid in bids:
        result = results.get(bid.id)
        base = HallBid(bid.bidder_id, names[bid.bidder_id], released.get(bid.bidder_id))
        if result is not None:
            base = HallBid(
                base.bidder_id,
                base.name,
                base.released_at,
                result.outcome,
                result.reason,
                result.article,
                result.price if read_out else None,
                result.sheet if read_out else None,
                tuple(result.members),
            )
        shown.append(base)
    return tuple(shown)


def _accepting(bids: tuple[HallBid, ...], objectors: set[UUID]) -> tuple[HallBid, ...]:
    """The bids with whether each bidder counts as having accepted the opening (办法 41)."""
    return tuple(
        replace(
            one,
            accepts=accepts_result(
                present=one.released_at is not None, objected=one.bidder_id in objectors
            ),
        )
        for one in bids
    )


async def _custodians_done(tx: Transaction, lot_id: LotId) -> tuple[str, ...]:
    rows = await tx.session.execute(
        text(
            "SELECT DISTINCT k.person_id, c.party_id FROM trading.share s"
            " JOIN trading.custodian_key k ON k.lot_id = s.lot_id AND k.kid = s.kid"
            " JOIN trading.custodian c ON c.lot_id = s.lot_id AND c.person_id = k.person_id"
            " WHERE s.lot_id = :lot"
        ),
        {"lot": lot_id},
    )
    parties = [row.party_id for row in rows]
    names = await organisation_names(tx.session, parties)
    return tuple(sorted(names[party] for party in parties))


async def _objections(tx: Transaction, lot_id: LotId) -> tuple[HallObjection, ...]:
    rows = (
        await tx.session.scalars(
            select(OpeningObjectionRow)
            .where(OpeningObjectionRow.lot_id == lot_id)
            .order_by(col(OpeningObjectionRow.raised_at), col(OpeningObjectionRow.id))
        )
    ).all()
    names = await organisation_names(tx.session, [row.bidder_id for row in rows])
    return tuple(
        HallObjection(
            row.id,
            row.bidder_id,
            names[row.bidder_id],
            row.words,
            row.raised_at,
            row.answer,
            row.outcome,
        )
        for row in rows
    )
