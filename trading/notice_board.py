"""The notice board: what anybody may read of projects and lots, and what owners read of drafts.

Everything here is a question; nothing changes. A draft answers nobody but its owners, and no answer
before a lot's close says how many took the documents or came to bid, because none is kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import sha256
from kernel.crypto.signing import Envelope
from kernel.errors import NotFound
from kernel.identifiers import LotId, PartyId, ProjectId
from kernel.store.parties import Organisation, organisations_by_id
from kernel.store.tables import OrganisationRow
from kernel.store.transaction import Transaction
from trading import drafting, inviting, lots, numbering, sole_sourcing
from trading.composing import published_file
from trading.industries import Industry, industries
from trading.rules.key_custody import Custody
from trading.rules.lot_lifecycle import LotState
from trading.rules.notice_contents import WorkKind
from trading.rules.procedures import Procedure, SecurityForm
from trading.rules.tender_file import TenderDocument
from trading.tables import (
    LotRow,
    NoticeRow,
    OpeningPolicyRow,
    ProjectRow,
    TenderDocumentRow,
    TimetableRow,
)

PAGE_SIZE: Final = 20
EVERYONE: Final = tuple(Role)

EXPLAINS: Final = "clarification"
"""The kind of notice that is part of the tender documents."""

STAGES: Final[Mapping[str, frozenset[LotState]]] = {
    "open": frozenset({LotState.OPEN}),
    "opening": frozenset({LotState.CLOSING, LotState.CLOSED, LotState.OPENING, LotState.OPENED}),
    "evaluation": frozenset({LotState.IN_EVALUATION, LotState.EVALUATED}),
    "candidates": frozenset({LotState.CANDIDATES_PUBLISHED, LotState.CLEARED_FOR_AWARD}),
    "awarded": frozenset({LotState.AWARDED}),
    "ended": frozenset({LotState.FAILED, LotState.CANCELLED}),
}
"""The stages a reader looks for, each with the states of a lot that belong to it."""


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One lot as a list shows it."""

    lot_id: LotId
    project_id: ProjectId
    project_code: str
    project_name: str
    number: int
    name: str
    tenderee: str
    procedure: Procedure
    category: WorkKind
    region_code: str
    state: LotState
    suspended: bool
    ceiling_price: Decimal | None
    published_at: datetime | None
    bids_due_at: datetime | None
    release_until: datetime | None
    candidates_until: datetime | None


@dataclass(frozen=True, slots=True)
class Search:
    """What a reader looks for; empty means everything that was ever published."""

    words: str = ""
    stage: str = ""
    region: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """One page of lots, how many there are, and how many each stage and province would give."""

    lines: tuple[NoticeLine, ...]
    total: int
    page: int
    pages: int
    by_stage: Mapping[str, int]
    by_province: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SignedPaper:
    """A statement as it was published: who can check it needs exactly these bytes."""

    number: int
    kind: str
    title: str
    body: Mapping[str, Any]
    digest: bytes
    statement: bytes
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Times:
    """The timetable in force, with its version and the SHA-256 of its signed bytes."""

    version: int
    digest: bytes
    documents_from: datetime
    documents_until: datetime
    bids_due_at: datetime
    release_window_s: int
    publicity_days: int
    validity_days: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """The opening policy in force."""

    version: int
    digest: bytes
    document: Mapping[str, Any]
    statement: bytes


@dataclass(frozen=True, slots=True)
class TenderFile:
    """One file of the tender documents, without the file itself."""

    name: str
    digest: bytes
    size: int
    media_type: str
    clarification: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A published lot with everything that was published about it, newest version last.

    `by_invitation` says that only who was invited may bid, `kept_from` that this reader was not and
    so is shown neither the documents nor what explains them.
    """

    line: NoticeLine
    tenderee: Organisation
    agency: Organisation | None
    funding_source: str
    contact: Mapping[str, str]
    estimate: Decimal
    bid_security: Decimal
    security_forms: tuple[SecurityForm, ...]
    words: Mapping[str, str]
    sheet_fields: Sequence[Mapping[str, Any]]
    scheme: Mapping[str, Any]
    files: tuple[TenderFile, ...]
    papers: tuple[SignedPaper, ...]
    timetables: tuple[Times, ...]
    policy: Policy
    brakes: tuple[str, ...]
    lot_code: str | None
    deal_code: str | None
    document: TenderDocument | None
    by_invitation: bool
    kept_from: bool
    award_method: Mapping[str, Any] | None
    sole_supplier: Mapping[str, Any] | None

    @property
    def times(self) -> Times:
        """The timetable in force."""
        return self.timetables[-1]


@dataclass(frozen=True, slots=True)
class Draft:
    """A lot as its owners prepare it."""

    line: NoticeLine
    estimate: Decimal
    bid_security: Decimal
    security_forms: tuple[SecurityForm, ...]
    words: Mapping[str, str]
    sheet_fields: Sequence[Mapping[str, Any]]
    scheme: Mapping[str, Any]
    plan: Mapping[str, Any]
    files: tuple[TenderFile, ...]
    custody: Custody
    organisations: Mapping[PartyId, Organisation]


@dataclass(frozen=True, slots=True)
class Project:
    """A project with its lots, as whoever asks may see them.

    The judgement of the trading catalogue speaks of what else the tenderee prepares; it is shown to
    the project's owners alone.
    """

    id: ProjectId
    code: str
    name: str
    procedure: Procedure
    category: WorkKind
    region_code: str
    funding_source: str
    tenderee: Organisation
    agency: Organisation | None
    authorised: bool
    contact: Mapping[str, str]
    lots: tuple[NoticeLine, ...]
    owned: bool
    platform_code: str | None
    estimate: Decimal | None
    investment_code: str
    judgement: Mapping[str, Any]
    industry: Industry


# ── lists ─────────────────────────────────────────────────────────────────────────────────────


@by(*EVERYONE)
async def search(tx: Transaction, wanted: Search) -> Found:
    """The published lots that match, the newest first; counts respect the other filters."""
    published = col(LotRow.published_at).is_not(None)
    words, stage, region = _words(wanted.words), _stage(wanted.stage), _region(wanted.region)
    total = await tx.session.scalar(_counted(matching(wanted))) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(wanted.page, 1), pages)
    rows = await tx.session.execute(
        lot_rows(matching(wanted))
        .order_by(col(LotRow.published_at).desc(), col(LotRow.number))
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    by_state = await _grouped(tx, col(LotRow.state), and_(published, words, region))
    by_province = await _grouped(
        tx, func.left(col(LotRow.region_code), 2), and_(published, words, stage)
    )

    return Found(
        tuple(line_of(*row) for row in rows),
        total,
        page,
        pages,
        {name: sum(by_state[state] for state in states) for name, states in STAGES.items()},
        dict(sorted(by_province.items())),
    )


@by(*EVERYONE)
async def newest_by_stage(tx: Transaction, *, each: int = 6) -> dict[str, tuple[NoticeLine, ...]]:
    """For each stage its lots that matter now: the soonest due first where time runs."""
    found = {}
    for name, states in STAGES.items():
        order = col(LotRow.bids_due_at).asc() if name == "open" else col(LotRow.due_at).asc()
        rows = await tx.session.execute(
            lot_rows(and_(col(LotRow.state).in_(states), col(LotRow.published_at).is_not(None)))
            .order_by(order.nulls_last(), col(LotRow.published_at).desc())
            .limit(each)
        )
        found[name] = tuple(line_of(*row) for row in rows)
    return found


@by(*EVERYONE)
async def counts_by_stage(tx: Transaction) -> dict[str, int]:
    """How many published lots stand in each stage."""
    by_state = await _grouped(tx, col(LotRow.state), col(LotRow.published_at).is_not(None))
    return {name: sum(by_state[state] for state in states) for name, states in STAGES.items()}


def matching(wanted: Search) -> ColumnElement[bool]:
    """That a lot was published and is what the reader looks for, on whatever page."""
    published = col(LotRow.published_at).is_not(None)
    return and_(published, _words(wanted.words), _stage(wanted.stage), _region(wanted.region))


def lot_rows(condition: ColumnElement[bool]) -> Select[LotRow, ProjectRow, str]:
    """Lots, each with its project and the name of its tenderee."""
    return (
        select(LotRow, ProjectRow, col(OrganisationRow.name))
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(ProjectRow.tenderee_id))
        .where(condition)
    )


def _counted(condition: ColumnElement[bool]) -> Select[int]:
    return (
        select(func.count())
        .select_from(LotRow)
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(ProjectRow.tenderee_id))
        .where(condition)
    )


async def _grouped(
    tx: Transaction, key: Mapped[str] | ColumnElement[str], condition: ColumnElement[bool]
) -> Counter[str]:
    rows = await tx.session.execute(
        select(key, func.count())
        .select_from(LotRow)
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(ProjectRow.tenderee_id))
        .where(condition)
        .group_by(key)
    )
    return Counter({str(name): count for name, count in rows})


def _words(words: str) -> ColumnElement[bool]:
    """Every word must occur in a name or a code; any length of word will do."""
    searched = (
        col(LotRow.name),
        col(ProjectRow.name),
        col(ProjectRow.code),
        col(OrganisationRow.name),
    )
    return and_(
        True,
        *(
            or_(*(column.icontains(word, autoescape=True) for column in searched))
            for word in words.split()[:8]
        ),
    )


def _stage(stage: str) -> ColumnElement[bool]:
    if not stage:
        return and_(True)
    if stage not in STAGES:
        raise NotFound("no such stage")
    return col(LotRow.state).in_(STAGES[stage])


def _region(region: str) -> ColumnElement[bool]:
    return col(LotRow.region_code).startswith(region, autoescape=True) if region else and_(True)


def line_of(lot: LotRow, project: ProjectRow, tenderee: str) -> NoticeLine:
    """A lot as a list shows it."""
    return NoticeLine(
        LotId(lot.id),
        ProjectId(project.id),
        project.code,
        project.name,
        lot.number,
        lot.name,
        tenderee,
        Procedure(project.procedure),
        WorkKind(project.category),
        lot.region_code,
        LotState(lot.state),
        lot.suspended,
        lot.ceiling_price,
        lot.published_at,
        lot.bids_due_at,
        lot.release_until,
        lot.candidates_until,
    )


# ── one lot ───────────────────────────────────────────────────────────────────────────────────


@by(*EVERYONE)
async def notice(tx: Transaction, lot_id: UUID) -> Notice:
    """A published lot; `NotFound` for a draft, its owners included, who read `draft`."""
    lot, project, name = await _one(tx, lot_id)
    if lot.published_at is None:
        raise NotFound("no such lot")
    parties = await organisations_by_id(tx, filter(None, (project.tenderee_id, project.agency_id)))
    kept_from = await inviting.is_kept_from(tx, lot)
    _, sole_supplier = await sole_sourcing.proposed_supplier(tx, lot.id)

    return Notice(
        line_of(lot, project, name),
        parties[PartyId(project.tenderee_id)],
        None if project.agency_id is None else parties[PartyId(project.agency_id)],
        project.funding_source,
        project.contact,
        lot.estimate,
        lot.bid_security,
        tuple(SecurityForm(form) for form in lot.security_forms),
        lot.notice,
        lot.sheet_fields,
        {} if kept_from else await _scheme(tx, lot),
        () if kept_from else await tender_files(tx, lot.id),
        tuple(one for one in await _papers(tx, lot.id) if not (kept_from and one.kind == EXPLAINS)),
        await _timetables(tx, lot.id),
        await _policy(tx, lot),
        tuple(lot.brakes.values()),
        numbering.lot_code(project, lot),
        lot.deal_code,
        None if kept_from else await _document(tx, lot),
        await inviting.is_by_invitation(tx, lot.id),
        kept_from,
        lot.award_method,
        sole_supplier,
    )


@by(Role.TENDEREE, Role.AGENCY)
async def draft(tx: Transaction, lot_id: UUID) -> Draft:
    """A lot as its owners prepare it, or as they left it when they published it."""
    await lots.owned(tx, lot_id)
    lot, project, name = await _one(tx, lot_id)
    custody = await drafting.custody_of(tx, lot)

    return Draft(
        line_of(lot, project, name),
        lot.estimate,
        lot.bid_security,
        tuple(SecurityForm(form) for form in lot.security_forms),
        lot.notice,
        lot.sheet_fields,
        await _scheme(tx, lot),
        lot.plan,
        await tender_files(tx, lot.id),
        custody,
        await organisations_by_id(tx, [holder.party_id for holder in custody.holders]),
    )


async def _one(tx: Transaction, lot_id: UUID) -> tuple[LotRow, ProjectRow, str]:
    row = (await tx.session.execute(lot_rows(col(LotRow.id) == lot_id))).first()
    if row is None:
        raise NotFound("no such lot")
    lot, project, name = row
    return lot, project, name


async def tender_files(tx: Transaction, lot_id: UUID) -> tuple[TenderFile, ...]:
    """The tender documents, those of the notice first, then those that clarifications brought."""
    rows = await tx.session.scalars(
        select(TenderDocumentRow)
        .where(col(TenderDocumentRow.lot_id) == lot_id)
        .order_by(col(TenderDocumentRow.clarification), col(TenderDocumentRow.name))
    )
    return tuple(
        TenderFile(row.name, row.digest, row.size, row.media_type, row.clarification)
        for row in rows
    )


def package_digest(files: Sequence[TenderFile]) -> bytes:
    """One digest for the whole set: the SHA-256 of the lines `digest  name`, as sha256sum prints
    them, one for each file.
    """
    return sha256(b"".join(f"{one.digest.hex()}  {one.name}\n".encode() for one in files))


async def _scheme(tx: Transaction, lot: LotRow) -> Mapping[str, Any]:
    if lot.scheme_digest is None:
        return {}
    scheme: dict[str, Any] = json.loads(await tx.documents.read(lot.scheme_digest))
    return scheme


async def _papers(tx: Transaction, lot_id: UUID) -> tuple[SignedPaper, ...]:
    rows = await tx.session.scalars(
        select(NoticeRow).where(col(NoticeRow.lot_id) == lot_id).order_by(col(NoticeRow.number))
    )
    return tuple(
        SignedPaper(
            row.number,
            row.kind,
            row.title,
            row.body,
            row.digest,
            row.statement,
            row.published_at,
        )
        for row in rows
    )


async def _document(tx: Transaction, lot: LotRow) -> TenderDocument | None:
    """The newest tender file of blocks of a published lot, from when its documents are on offer.

    It is shown to everybody alike, so that nobody need ask for it to read it.
    """
    if lot.documents_from is None or tx.now < lot.documents_from:
        return None
    return await published_file(tx, lot.id)


async def _timetables(tx: Transaction, lot_id: UUID) -> tuple[Times, ...]:
    rows = await tx.session.scalars(
        select(TimetableRow)
        .where(col(TimetableRow.lot_id) == lot_id)
        .order_by(col(TimetableRow.version))
    )
    return tuple(
        Times(
            row.version,
            row.digest,
            row.documents_from,
            row.documents_until,
            row.bids_due_at,
            row.release_window_s,
            row.publicity_days,
            row.validity_days,
            row.recorded_at,
        )
        for row in rows
    )


async def _policy(tx: Transaction, lot: LotRow) -> Policy:
    row = await tx.session.get_one(OpeningPolicyRow, (lot.id, lot.policy_version))
    return Policy(row.version, row.digest, json.loads(row.document), row.statement)


@by(*EVERYONE)
async def timetable_statement(tx: Transaction, lot_id: UUID, version: int) -> bytes:
    """The signed envelope of one version of a published lot's timetable."""
    row = await tx.session.get(TimetableRow, (lot_id, version))
    if row is None:
        raise NotFound("no such timetable")
    return row.statement


@by(*EVERYONE)
async def policy_statement(tx: Transaction, lot_id: UUID, version: int) -> bytes:
    """The signed envelope of one version of a published lot's opening policy."""
    row = await tx.session.get(OpeningPolicyRow, (lot_id, version))
    if row is None:
        raise NotFound("no such opening policy")
    return row.statement


@by(*EVERYONE)
async def notice_statement(tx: Transaction, lot_id: UUID, number: int) -> bytes:
    """The signed envelope of a notice, by its number among what was published about the lot."""
    row = await tx.session.get(NoticeRow, (lot_id, number))
    if row is None:
        raise NotFound("no such notice")
    lot = await tx.session.get_one(LotRow, lot_id)
    if row.kind == EXPLAINS and await inviting.is_kept_from(tx, lot):
        raise NotFound("no such notice")
    return row.statement


def signed_by(statement: bytes) -> str:
    """The id of the key under a published statement."""
    return Envelope.from_bytes(statement).signatures[0].keyid


# ── projects ──────────────────────────────────────────────────────────────────────────────────


@by(*EVERYONE)
async def project(tx: Transaction, project_id: UUID) -> Project:
    """A project with the lots this reader may see; `NotFound` where there are none to see."""
    row = await tx.session.get(ProjectRow, project_id)
    if row is None:
        raise NotFound("no such project")
    return await _project(tx, row)


@by(Role.TENDEREE, Role.AGENCY)
async def own_project(tx: Transaction, project_id: UUID) -> Project:
    """One of the acting organisation's projects, drafts included; `NotFound` for another's."""
    return await _project(tx, await drafting.owned_project(tx, project_id))


@by(Role.TENDEREE, Role.AGENCY)
async def own_projects(tx: Transaction) -> tuple[Project, ...]:
    """The acting organisation's projects, the newest first, drafts included."""
    owner = ProjectRow.tenderee_id if tx.actor.role is Role.TENDEREE else ProjectRow.agency_id
    rows = await tx.session.scalars(
        select(ProjectRow)
        .where(col(owner) == tx.actor.party)
        .order_by(col(ProjectRow.created_at).desc())
        .limit(100)
    )
    return tuple([await _project(tx, row) for row in rows])


async def _project(tx: Transaction, row: ProjectRow) -> Project:
    owned = lots.owns(tx, row)
    visible = col(LotRow.project_id) == row.id
    if not owned:
        visible = and_(visible, col(LotRow.published_at).is_not(None))
    lines = await tx.session.execute(lot_rows(visible).order_by(col(LotRow.number)))
    found = tuple(line_of(*line) for line in lines)
    if not owned and not found:
        raise NotFound("no such project")
    parties = await organisations_by_id(tx, filter(None, (row.tenderee_id, row.agency_id)))
    return Project(
        ProjectId(row.id),
        row.code,
        row.name,
        Procedure(row.procedure),
        WorkKind(row.category),
        row.region_code,
        row.funding_source,
        parties[PartyId(row.tenderee_id)],
        None if row.agency_id is None else parties[PartyId(row.agency_id)],
        row.authorised_at is not None,
        row.contact,
        found,
        owned,
        row.platform_code,
        row.estimate if owned else None,
        row.investment_code,
        row.judgement if owned else {},
        industries()[row.industry],
    )
