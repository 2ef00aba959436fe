"""What the room shows: to its members, to the supervisor, and to everyone once it may be known.

The room tells how far everybody is and never what anybody gave, before all have committed. After
the candidates are published the whole record is public, without a name: a member is a number, and
the commitment to its name proves later who it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select

from evaluation import committees, prolonging, reporting, reviewing
from evaluation.committees import CommitteeFile
from evaluation.rules.rejection_grounds import GROUNDS, MotionOutcome, RejectionGround, outcome
from evaluation.rules.report_contents import Position
from evaluation.rules.session_protocol import InterruptionOutcome, Phase
from evaluation.tables import (
    CommitteeRow,
    MemberRow,
    ReportRow,
    SetAsideReportRow,
    SheetRow,
    SignatureRow,
)
from kernel.access import Role, by
from kernel.crypto.digests import b64, b64u, instant_text, strict_json
from kernel.crypto.signing import WEBAUTHN
from kernel.errors import NotFound
from kernel.identifiers import BidId, CommitteeId, LotId
from kernel.store.clocks import unshifted_clock
from kernel.store.parties import relying_party
from kernel.store.tables import PlatformRow
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import LastPrices, ProvenPrice

REPORT_MAX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """One member as everybody in the room sees it: how far, and nothing of what."""

    number: int
    capacity: str
    site: str
    seat: int
    admitted: bool
    signed_in: bool
    present: bool
    committed: int
    """How many rounds of its sheet the member committed to."""

    revealed: bool
    position: str
    left: bool
    own: bool


@dataclass(frozen=True, slots=True)
class Motion:
    """A proposal to reject a bid; the count is told once it is decided."""

    id: UUID
    bid_id: BidId
    ground: RejectionGround
    article: str
    says: str
    page: str
    words: str
    outcome: MotionOutcome
    in_favour: int | None
    own_vote: bool | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A report that came to nothing: why, and how many had agreed and dissented; not what it said.

    A member who comes later must not learn from it how others marked.
    """

    version: int
    digest: bytes
    ground: str
    set_aside_at: datetime
    agreed: int
    dissented: int


@dataclass(frozen=True, slots=True)
class Room:
    """A committee at work, as one of its members or the supervisor sees it."""

    committee_id: CommitteeId
    lot_id: LotId
    review_round: int | None
    lot_name: str
    project_name: str
    procedure: str
    phase: Phase
    window_from: datetime
    window_until: datetime
    paused_at: datetime | None
    places: tuple[Place, ...]
    motions: tuple[Motion, ...]
    all_committed: bool
    all_revealed: bool
    report_digest: bytes | None
    handed_back_at: datetime | None
    set_aside: tuple[SetAside, ...]
    asking: int
    """How many of the members hold that the window does not suffice."""

    own_asked: bool
    interruption: InterruptionOutcome | None
    own_number: int | None

    @property
    def reading(self) -> bool:
        """Whether every place is taken by somebody who is there."""
        return self.phase is Phase.WORKING and all(one.present for one in self.places)

    def plain(self) -> dict[str, Any]:
        """The room as JSON."""
        return {
            "committee_id": str(self.committee_id),
            "lot_id": str(self.lot_id),
            "review_round": self.review_round,
            "lot_name": self.lot_name,
            "project_name": self.project_name,
            "phase": self.phase,
            "reading": self.reading,
            "own_number": self.own_number,
            "places": [
                {
                    "number": one.number,
                    "capacity": one.capacity,
                    "site": one.site,
                    "seat": one.seat,
                    "admitted": one.admitted,
                    "signed_in": one.signed_in,
                    "present": one.present,
                    "committed": one.committed,
                    "revealed": one.revealed,
                    "position": one.position,
                    "left": one.left,
                    "own": one.own,
                }
                for one in self.places
            ],
            "motions": [
                {
                    "id": str(one.id),
                    "bid_id": str(one.bid_id),
                    "ground": one.ground,
                    "article": one.article,
                    "says": one.says,
                    "page": one.page,
                    "words": one.words,
                    "outcome": one.outcome,
                    "in_favour": one.in_favour,
                    "own_vote": one.own_vote,
                }
                for one in self.motions
            ],
            "all_committed": self.all_committed,
            "all_revealed": self.all_revealed,
            "report": None if self.report_digest is None else b64u(self.report_digest),
            "handed_back": self.handed_back_at is not None,
            "set_aside": [
                {
                    "version": one.version,
                    "report": b64u(one.digest),
                    "ground": one.ground,
                    "agreed": one.agreed,
                    "dissented": one.dissented,
                }
                for one in self.set_aside
            ],
            "window": {
                "from": instant_text(self.window_from),
                "until": instant_text(self.window_until),
            },
            "asking_for_time": self.asking,
            "interruption": self.interruption,
        }


@dataclass(frozen=True, slots=True)
class SupervisedRoom:
    """A committee in the supervisor's list."""

    committee_id: CommitteeId
    lot_id: LotId
    review_round: int | None
    name: str
    phase: Phase
    members: int
    window_from: datetime
    window_until: datetime


@dataclass(frozen=True, slots=True)
class PublishedEvaluation:
    """Everything a stranger needs to check an evaluation; `entries` are those of the log that
    prove its order, by what they are."""

    bundle: dict[str, Any]
    entries: dict[str, UUID]


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.SUPERVISOR)
async def room(tx: Transaction, committee_id: CommitteeId) -> Room:
    """The room as the acting member sees it, or the supervisor: how far everyone is, no values.

    A member sees it once it has signed in; before that there is only its summons.
    """
    file = await committees.hold(tx, committee_id)
    own = None
    if tx.actor.role is not Role.SUPERVISOR:
        own = file.member_of(tx)
        if own.signed_in_at is None:
            raise NotFound("sign in at the assigned seat first")
    brief = await committees.brief_of(tx, file)
    now = await unshifted_clock(tx.session)
    session = file.session()
    present = session.present(at=now)
    sheets = await committees.sheets_of(tx, file.member_ids)
    signing = await reporting.signing_of(tx, file)
    report = await tx.session.get(ReportRow, file.id)
    seats = await committees.seats_and_sites(tx, file.places)
    asking = await prolonging.asking(tx, file)
    return Room(
        committee_id=file.id,
        lot_id=file.lot_id,
        review_round=file.row.review_round,
        lot_name=brief.name,
        project_name=brief.project_name,
        procedure=str(brief.procedure),
        phase=Phase(file.row.phase),
        window_from=file.row.window_from,
        window_until=file.row.window_until,
        # A session is kept in unshifted time; people read the platform's.
        paused_at=None if file.row.paused_at is None else file.row.paused_at + (tx.now - now),
        places=tuple(
            Place(
                number=one.number,
                capacity=one.capacity,
                site=seats[one.id][1].name,
                seat=seats[one.id][0].number,
                admitted=one.admitted_at is not None,
                signed_in=one.signed_in_at is not None,
                present=one.id in present,
                committed=len(sheets.get(one.id, ())),
                revealed=bool(sheets.get(one.id))
                and all(row.revealed_at is not None for row in sheets[one.id]),
                position=Position.PENDING
                if signing is None
                else signing[1].positions.get(one.id, Position.PENDING),
                left=one.left_at is not None,
                own=own is not None and one.id == own.id,
            )
            for one in file.places
        ),
        motions=tuple(await _motions(tx, file, own)),
        all_committed=committees.all_committed(sheets),
        all_revealed=committees.all_revealed(sheets),
        report_digest=None if report is None else report.digest,
        handed_back_at=None if report is None else report.handed_back_at,
        set_aside=tuple(
            [
                await _set_aside(tx, file, one)
                for one in await committees.set_aside_reports(tx, file)
            ]
        ),
        asking=len(asking),
        own_asked=own is not None and own.id in asking,
        interruption=await prolonging.interruption_of(tx, file),
        own_number=None if own is None else own.number,
    )


@by(Role.SUPERVISOR)
async def supervised_rooms(tx: Transaction) -> list[SupervisedRoom]:
    """Every committee there is, the latest first."""
    rows = (
        await tx.session.scalars(
            select(CommitteeRow).order_by(col(CommitteeRow.convened_at).desc())
        )
    ).all()
    found = [await committees.find(tx, row.id) for row in rows]
    briefs = {file.id: await committees.brief_of(tx, file) for file in found}
    return [
        SupervisedRoom(
            file.id,
            file.lot_id,
            file.row.review_round,
            f"{briefs[file.id].project_name} · {briefs[file.id].name}",
            Phase(file.row.phase),
            len(file.members),
            file.row.window_from,
            file.row.window_until,
        )
        for file in found
    ]


@by(*Role)
async def published_record(tx: Transaction, lot_id: LotId) -> PublishedEvaluation:
    """The evaluation with everything needed to reckon it again, once candidates are published.

    The supervisor, the tenderee and its agency may ask from the report on, and after talks only
    they, since the record holds what every supplier asked for. `NotFound` for anyone else, and
    before.
    """
    brief = await handover.lot_brief(tx, lot_id)
    entitled = tx.actor.role is Role.SUPERVISOR or (
        tx.actor.role in (Role.TENDEREE, Role.AGENCY)
        and tx.actor.party_id in (brief.tenderee_id, brief.agency_id)
    )
    file = await committees.find_of_lot(tx, lot_id)
    report = None if file is None else await tx.session.get(ReportRow, file.id)
    public = brief.published() and not brief.prices_confidential
    may_know = public or (entitled and brief.reported())
    if file is None or report is None or report.handed_back_at is None or not may_know:
        raise NotFound("no published evaluation")
    sheets = await committees.sheets_of(tx, file.member_ids)
    signatures = await _answers(tx, file, report.digest)
    numbers = {one.id: one.number for one in file.members}
    bundle: dict[str, Any] = {
        "v": "ebid-evaluation-record/1",
        "report": b64(report.document),
        "commitments": [
            {
                "member": str(member),
                "round": row.round,
                "keyid": row.keyid,
                "statement": b64(row.statement),
            }
            for member in sorted(sheets, key=lambda one: numbers[one])
            for row in sheets[member]
        ],
        "signatures": [
            {"member": str(row.member_id), "keyid": row.keyid, "statement": b64(row.statement)}
            for row in signatures
        ],
        "keys": await _keys(tx, signatures, sheets),
    }
    priced = await handover.last_prices(tx, lot_id) if brief.prices_confidential else None
    if priced is not None:
        bundle["last_prices"] = [_priced_told(one) for one in priced.prices]
        bundle["keys"]["signers"] |= _price_keys(priced)
    entries = {
        f"committed/{numbers[member]}/{row.round}": row.committed_entry
        for member, rows in sheets.items()
        for row in rows
    }
    entries |= {
        f"succeeded/{one.number}": one.succeeded_entry
        for one in file.members
        if one.succeeded_entry is not None
    }
    entries |= {
        f"revealed/{numbers[member]}/{row.round}": row.revealed_entry
        for member, rows in sheets.items()
        for row in rows
        if row.revealed_entry is not None
    }
    if priced is not None:
        entries["called"] = priced.call_entry
        for number, (suspended, resumed) in enumerate(priced.pauses, 1):
            entries |= {f"suspended/{number}": suspended, f"resumed/{number}": resumed}
        entries |= {f"priced/{one.bid_id}": one.entry_id for one in priced.prices}
        entries |= {f"opened/{one.bid_id}": one.opening_entry for one in priced.prices}
    assert report.handed_back_entry is not None
    entries["handed_back"] = report.handed_back_entry
    return PublishedEvaluation(bundle, entries)


@by(Role.SUPERVISOR)
async def set_aside_report(
    tx: Transaction, committee_id: CommitteeId, version: int
) -> dict[str, Any]:
    """A report that came to nothing, as it was, with every answer to it.

    `NotFound` while the committee is at work: until then its marks are the committee's alone.
    """
    file = await committees.hold(tx, committee_id)
    brief = await committees.brief_of(tx, file)
    row = await tx.session.get(SetAsideReportRow, (file.id, version))
    if row is None or brief.in_evaluation():
        raise NotFound("no such report")
    numbers = {one.id: one.number for one in file.everyone}
    return {
        "version": row.version,
        "ground": row.ground,
        "digest": b64u(row.digest),
        "report": strict_json(row.document, REPORT_MAX),
        "answers": [
            {
                "number": numbers[one.member_id],
                "dissent": one.dissent,
                "refused": one.refused,
                "keyid": one.keyid,
                "statement": b64(one.statement),
            }
            for one in await _answers(tx, file, row.digest)
        ],
    }


@by(Role.SUPERVISOR, Role.TENDEREE, Role.AGENCY)
async def member_names(tx: Transaction, lot_id: LotId) -> list[dict[str, Any]]:
    """Who sat in the committee, with the salt that opens the report's commitment to each name.

    For the supervisor and the lot's own side, once the award is made (招标投标法 37).
    """
    brief = await handover.lot_brief(tx, lot_id)
    file = await committees.find_of_lot(tx, lot_id)
    own = tx.actor.role is Role.SUPERVISOR or tx.actor.party_id in (
        brief.tenderee_id,
        brief.agency_id,
    )
    if file is None or not own or not brief.awarded():
        raise NotFound("no award yet")
    names = await reporting.names_of(tx, file.members)
    return [
        {
            "member": str(one.id),
            "number": one.number,
            "name": names[one.person_id],
            "salt": b64u(one.salt),
        }
        for one in file.members
    ]


async def _answers(tx: Transaction, file: CommitteeFile, digest: bytes) -> Sequence[SignatureRow]:
    """Every answer to the report with this digest, in the order in which they were given."""
    rows = await tx.session.scalars(
        select(SignatureRow)
        .where(SignatureRow.committee_id == file.id, SignatureRow.report_digest == digest)
        .order_by(col(SignatureRow.signed_at))
    )
    return rows.all()


async def _set_aside(tx: Transaction, file: CommitteeFile, row: SetAsideReportRow) -> SetAside:
    answers = await _answers(tx, file, row.digest)
    dissented = sum(bool(one.dissent) for one in answers)
    return SetAside(
        row.version,
        row.digest,
        row.ground,
        row.set_aside_at,
        agreed=len(answers) - dissented,
        dissented=dissented,
    )


async def _keys(
    tx: Transaction,
    signatures: Sequence[SignatureRow],
    sheets: Mapping[UUID, Sequence[SheetRow]],
) -> dict[str, Any]:
    """The keys by which everything was signed, so that a checker can compare them with his own."""
    platform = await tx.session.get_one(PlatformRow, True)
    passkeys = relying_party(tx.settings)
    signers = {row.keyid: b64u(row.public_key) for row in signatures}
    signers |= {row.keyid: b64u(row.public_key) for rows in sheets.values() for row in rows}
    found: dict[str, Any] = {
        "log": platform.log_vkey,
        "witnesses": [vkey for vkey, _ in tx.settings.witness_list],
        "quorum": tx.settings.witness_quorum,
        "signers": signers,
    }
    if any(keyid.startswith(WEBAUTHN) for keyid in signers):
        found["relying_party"] = {"id": passkeys.rp_id, "origins": sorted(passkeys.origins)}
    return found


def _priced_told(one: ProvenPrice) -> dict[str, str]:
    return {
        "bid": str(one.bid_id),
        "keyid": one.keyid,
        "statement": b64(one.statement),
        "opening_keyid": one.opening_keyid,
        "opening": b64(one.opening),
    }


def _price_keys(priced: LastPrices) -> dict[str, str]:
    found = {one.keyid: b64u(one.public_key) for one in priced.prices}
    return found | {one.opening_keyid: b64u(one.opening_public_key) for one in priced.prices}


async def _motions(tx: Transaction, file: CommitteeFile, own: MemberRow | None) -> list[Motion]:
    rows = await reviewing.rejections_of(tx, file)
    votes = await reviewing.votes_of(tx, rows)
    found = []
    for row in rows:
        motion = reviewing.motion_of(file, row, votes)
        decided = outcome(motion, file.member_ids)
        article, says = GROUNDS[motion.ground]
        mine = None
        if own is not None and own.id in motion.in_favour | motion.against:
            mine = own.id in motion.in_favour
        found.append(
            Motion(
                row.id,
                BidId(row.bid_id),
                motion.ground,
                str(article),
                says,
                row.page,
                row.words,
                decided,
                None if decided is MotionOutcome.OPEN else len(motion.in_favour),
                mine,
            )
        )
    return found
