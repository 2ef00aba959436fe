"""What may be seen of contracts: everything once both have signed, drafts for the two sides alone.

Each contract is shown beside its award, so that price, changes and settlement can be compared by
everybody; the sums of all settlements are kept for the public too (公布审计结算价与中标价的差额).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, case, extract, func, literal_column, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.signing import Envelope, verify
from kernel.errors import BrokenSeal, NotFound
from kernel.events import plain
from kernel.identifiers import LotId
from kernel.statute import Regime
from kernel.store.parties import organisation_names, relying_party
from kernel.store.tables import CredentialRow, PersonRow
from kernel.store.transaction import Transaction
from trading import complaining, lots
from trading.contract_cases import Case, Side, case_of, said_by, terms_in
from trading.contracting import paper_of
from trading.made_awards import MadeAward, awarded_by_contract, awards_of, notice_number
from trading.performing import open_change, period_now
from trading.rules.contract_course import Step, step_refusals
from trading.rules.contract_terms import ContractTerms, Settlement, return_dates
from trading.rules.lot_lifecycle import LotState
from trading.rules.paper_numbers import PaperKind, PaperNumber, read_paper_number
from trading.rules.procedures import Procedure
from trading.tables import (
    AwardReportRow,
    AwardRow,
    ContractRow,
    LotRow,
    PerformanceReportRow,
    ProjectRow,
    SettlementRow,
)

ANYONE: Final = tuple(Role)
LIST_MAX: Final = 200
REPORTS_MAX: Final = 200
# Written out and not bound: what is grouped by must be the very expression that is selected.
_BEIJING: Final[ColumnElement[str]] = literal_column("'Asia/Shanghai'")
_PREFECTURE: Final[ColumnElement[int]] = literal_column("4")


@dataclass(frozen=True, slots=True)
class ChangeTold:
    """A change of a contract: what it adds, and what the contract comes to with it."""

    number: int
    side: Side
    reason: str
    words: str
    amount: Decimal
    period: str
    price_after: Decimal | None
    offered_at: datetime
    agreed_at: datetime | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class ReportTold:
    """A report on a contract's performance."""

    side: Side
    kind: str
    words: str
    amount: Decimal | None
    share: int | None
    on: date
    due_on: date | None
    late: bool
    reported_at: datetime
    cautions: tuple[dict[str, Any], ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class SettlementTold:
    """A settlement and its differences, in yuan and as shares of what they are measured by."""

    awarded: Decimal
    agreed: Decimal
    settled: Decimal
    difference: Decimal
    share: Decimal
    from_agreed: Decimal
    auditor: str
    document: str
    completed_on: date
    audited_on: date
    words: str
    settled_at: datetime
    number: str
    digest: bytes
    entry_id: UUID
    cautions: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ContractPaper:
    """A contract's words as its sides signed them, or are to sign them."""

    terms: ContractTerms
    scope: str
    manager: str
    clauses: tuple[dict[str, str], ...]
    documents: tuple[dict[str, str], ...]
    performance_security: str
    security_forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AwardPart:
    """The award a contract comes of: its notice's number, and what is due by when after it."""

    winner: str
    price: Decimal
    awarded_at: datetime
    digest: bytes
    notice_number: str
    contract_due_on: date
    report_due_on: date | None
    reported_at: datetime | None
    report_late: bool


@dataclass(frozen=True, slots=True)
class SignedPart:
    """A contract in force: its words, its days, and what it comes to with all changes so far.

    `losers_security_by` and `winner_security_by` are by when bid securities go back.
    """

    number: str
    digest: bytes
    signed_at: datetime
    entry_id: UUID
    public_due_at: datetime | None
    file_due_at: datetime | None
    losers_security_by: datetime
    winner_security_by: datetime
    cautions: tuple[dict[str, Any], ...]
    paper: ContractPaper
    price: Decimal
    price_now: Decimal
    changed_by: Decimal
    period_now: str


@dataclass(frozen=True, slots=True)
class FilingPart:
    """With whom, and under which number, a contract's copy was filed."""

    authority: str
    reference: str
    filed_at: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class ContractTold:
    """A lot's contract as this reader may see it; `side` is the reader's own, if it is at one.

    `draft` is what the tenderee may sign now, `offered` what waits for the winner's signature, and
    `waiting` the change that waits for a signature; only the two sides see them. `owned` says that
    the reader acts for the tenderee or its agency. `paid` is what reported payments come to.
    """

    lot_id: LotId
    lot_name: str
    project_id: UUID
    project_code: str
    project_name: str
    state: LotState
    tenderee: str
    procedure: Procedure
    procurement: bool
    side: Side | None
    owned: bool
    award: AwardPart | None
    signed: SignedPart | None
    filing: FilingPart | None
    changes: tuple[ChangeTold, ...]
    reports: tuple[ReportTold, ...]
    paid: Decimal
    settlement: SettlementTold | None
    draft: dict[str, Any] | None = None
    offered: dict[str, Any] | None = None
    waiting: ChangeTold | None = None
    waiting_words: dict[str, Any] | None = None

    @property
    def progress(self) -> int | None:
        """The share of the work that is done, as the newest report on progress tells it."""
        return next((one.share for one in self.reports if one.share is not None), None)

    def plain(self) -> dict[str, Any]:
        """The contract as JSON."""
        told = plain({name: getattr(self, name) for name in self.__slots__})
        assert isinstance(told, dict)
        return {**told, "progress": self.progress}


@dataclass(frozen=True, slots=True)
class ContractLine:
    """One contract as the list shows it."""

    lot_id: LotId
    number: str
    project_name: str
    project_code: str
    lot_name: str
    tenderee: str
    winner: str
    awarded: Decimal
    price: Decimal
    signed_at: datetime
    settled: Decimal | None
    difference: Decimal | None
    share: Decimal | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class SettledGroup:
    """What the settlements of one kind come to; `share` is the difference's, of what was awarded.

    `above` and `below` are how many cost more and less than awarded.
    """

    key: str
    count: int
    awarded: Decimal
    settled: Decimal
    above: int
    below: int

    @property
    def difference(self) -> Decimal:
        """The settlements less the awards."""
        return self.settled - self.awarded

    @property
    def share(self) -> Decimal | None:
        """The difference as a share of the awards; None where there are none."""
        return Settlement(self.awarded, self.settled).share if self.awarded else None


@dataclass(frozen=True, slots=True)
class Statistics:
    """All settlements together, and by category of work, by year and by region."""

    contracts: int
    total: SettledGroup
    by_category: tuple[SettledGroup, ...]
    by_year: tuple[SettledGroup, ...]
    by_region: tuple[SettledGroup, ...]

    def plain(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "contracts": self.contracts,
            "total": _group_told(self.total),
            "by_category": [_group_told(one) for one in self.by_category],
            "by_year": [_group_told(one) for one in self.by_year],
            "by_region": [_group_told(one) for one in self.by_region],
        }


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a paper, with which key, and whether the signature holds for its words."""

    keyid: str
    name: str
    holds: bool


@dataclass(frozen=True, slots=True)
class VerifiedPaper:
    """A paper that this platform issued: what it says, and whose signatures it bears."""

    number: str
    kind: PaperKind
    lot_id: LotId
    lot_name: str
    project_name: str
    tenderee: str
    winner: str
    price: Decimal
    issued_at: datetime
    digest: bytes
    entry_id: UUID
    signers: tuple[Signer, ...]
    fell_at: datetime | None = None
    """When the award of which it tells fell away."""

    fell_by: str = ""
    """By which article the award fell away."""

    void: bool = False
    """Whether a supervisor declared that award void."""

    @property
    def holds(self) -> bool:
        """Whether every signature holds."""
        return all(one.holds for one in self.signers)

    @property
    def in_force(self) -> bool:
        """Whether what it says still counts."""
        return self.fell_at is None and not self.void


# ── contracts ─────────────────────────────────────────────────────────────────────────────────


@by(*ANYONE)
async def contract(tx: Transaction, lot_id: LotId) -> ContractTold:
    """The contract of a published lot, as far as this reader may see it; `NotFound` for a draft."""
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None:
        raise NotFound("no such lot")
    known = await case_of(tx, lot)
    side = known.side_of(tx)
    names = await organisation_names(
        tx.session,
        [known.project.tenderee_id, *([known.award.winner_id] if known.award else [])],
    )
    return ContractTold(
        lot_id=lot_id,
        lot_name=lot.name,
        project_id=known.project.id,
        project_code=known.project.code,
        project_name=known.project.name,
        state=LotState(lot.state),
        tenderee=names[known.project.tenderee_id],
        procedure=Procedure(known.project.procedure),
        procurement=known.switches.regime is Regime.PROCUREMENT,
        side=side,
        owned=lots.owns(tx, known.project),
        award=await _award_part(tx, known, names),
        signed=_signed_part(tx, known),
        filing=_filing_part(known),
        changes=_changes(known),
        reports=await _reports(tx, lot_id),
        paid=await _paid(tx, lot_id),
        settlement=_settlement(known),
        **await _for_its_sides(tx, known, side),
    )


@by(*ANYONE)
async def contracts(tx: Transaction) -> list[ContractLine]:
    """The contracts in force, the newest first, each beside its award and settlement."""
    rows = (
        await tx.session.execute(
            select(ContractRow, AwardRow, LotRow, ProjectRow, SettlementRow)
            .join(AwardRow, awarded_by_contract())
            .join(LotRow, col(LotRow.id) == col(ContractRow.lot_id))
            .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
            .outerjoin(SettlementRow, col(SettlementRow.lot_id) == col(ContractRow.lot_id))
            .order_by(col(ContractRow.signed_at).desc(), col(ContractRow.lot_id))
            .limit(LIST_MAX)
        )
    ).all()
    names = await organisation_names(
        tx.session,
        {project.tenderee_id for *_, project, _ in rows}
        | {award.winner_id for _, award, *_ in rows},
    )
    lines = []
    for row, award, lot, project, settled in rows:
        both = None if settled is None else Settlement(settled.awarded, settled.settled)
        lines.append(
            ContractLine(
                LotId(lot.id),
                row.number,
                project.name,
                project.code,
                lot.name,
                names[project.tenderee_id],
                names[award.winner_id],
                award.price,
                row.price,
                row.signed_at,
                None if settled is None else settled.settled,
                None if both is None else both.difference,
                None if both is None else both.share,
                None if settled is None else settled.settled_at,
            )
        )
    return lines


@by(*ANYONE)
async def settlement_statistics(tx: Transaction) -> Statistics:
    """What finished contracts cost beside what they were awarded for, of the whole platform."""
    contracts = await tx.session.scalar(select(func.count()).select_from(ContractRow))
    year = extract("year", func.timezone(_BEIJING, col(SettlementRow.settled_at)))
    (total,) = await _groups(tx, None)
    return Statistics(
        contracts or 0,
        total,
        await _groups(tx, col(ProjectRow.category)),
        await _groups(tx, year),
        await _groups(tx, func.left(col(LotRow.region_code), _PREFECTURE)),
    )


@by(*ANYONE)
async def signed_contract(tx: Transaction, lot_id: LotId) -> dict[str, bytes]:
    """The papers of a contract in force, each with its signatures; empty before it is."""
    lot = await tx.session.get(LotRow, lot_id)
    if lot is None:
        raise NotFound("no such lot")
    known = await case_of(tx, lot)
    if known.contract is None:
        return {}
    papers = {"contract": known.contract.statement}
    papers |= {f"change-{one.row.number}": one.row.statement for one in known.changes}
    if known.filing is not None:
        papers["filing"] = known.filing.statement
    if known.settlement is not None:
        papers["settlement"] = known.settlement.statement
    return papers


@by(*ANYONE)
async def signing_keys(tx: Transaction, papers: Iterable[bytes]) -> dict[str, bytes]:
    """The public keys of those who signed these papers, by key id."""
    keyids = {one.keyid for raw in papers for one in Envelope.from_bytes(raw).signatures}
    rows = await tx.session.scalars(
        select(CredentialRow).where(col(CredentialRow.keyid).in_(keyids))
    )
    return {row.keyid: row.public_key for row in rows}


# ── checking a paper ──────────────────────────────────────────────────────────────────────────


@by(*ANYONE)
async def paper_numbered(tx: Transaction, number: str) -> VerifiedPaper | None:
    """The paper with this number, with its signatures checked now; None where there is none."""
    read = read_paper_number(number)
    if read is None:
        return None
    lot = await tx.session.scalar(
        select(LotRow)
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
        .where(
            col(ProjectRow.code) == read.project_code,
            col(LotRow.number) == read.lot_number,
            col(LotRow.published_at).is_not(None),
        )
    )
    if lot is None:
        return None
    known = await case_of(tx, lot)
    found = await _issued(tx, known, read)
    if found is None:
        return None
    award, annulment = found.made.row, found.made.annulment
    names = await organisation_names(tx.session, [known.project.tenderee_id, award.winner_id])
    return VerifiedPaper(
        str(read),
        read.kind,
        LotId(lot.id),
        lot.name,
        known.project.name,
        names[known.project.tenderee_id],
        names[award.winner_id],
        found.price,
        found.at,
        found.digest,
        found.entry_id,
        await _signers(tx, found.statement),
        None if annulment is None else annulment.annulled_at,
        "" if annulment is None else annulment.article,
        award is known.award and await complaining.award_is_void(tx, known.lot.id),
    )


@dataclass(frozen=True, slots=True)
class _Issued:
    """A paper as it was issued, and the award to which it belongs."""

    made: MadeAward
    at: datetime
    price: Decimal
    digest: bytes
    entry_id: UUID
    statement: bytes


async def _issued(tx: Transaction, known: Case, read: PaperNumber) -> _Issued | None:
    row, settled = known.contract, known.settlement
    place = read.place if row is None or read.kind is PaperKind.AWARD_NOTICE else row.award_number
    made = next((one for one in await awards_of(tx, known.lot.id) if one.row.number == place), None)
    if made is None:
        return None
    award = made.row
    match read.kind:
        case PaperKind.AWARD_NOTICE:
            entry = await lots.entry_of(tx, known.lot.id, "AwardPublished", at=award.awarded_at)
            at, price = award.awarded_at, award.price
            return _Issued(made, at, price, award.digest, entry, award.statement)
        case PaperKind.CONTRACT if row is not None:
            at, price = row.signed_at, row.price
            return _Issued(made, at, price, row.digest, row.entry_id, row.statement)
        case PaperKind.SETTLEMENT if settled is not None:
            at, price = settled.settled_at, settled.settled
            return _Issued(made, at, price, settled.digest, settled.entry_id, settled.statement)
    return None


async def _signers(tx: Transaction, statement: bytes) -> tuple[Signer, ...]:
    envelope = Envelope.from_bytes(statement)
    rows = await tx.session.execute(
        select(CredentialRow, PersonRow)
        .join(PersonRow, col(PersonRow.id) == col(CredentialRow.person_id))
        .where(col(CredentialRow.keyid).in_([one.keyid for one in envelope.signatures]))
    )
    known = {key.keyid: (key.public_key, person.name) for key, person in rows}
    found = []
    for one in envelope.signatures:
        key, name = known.get(one.keyid, (b"", ""))
        try:
            verify(envelope, keys={one.keyid: key}, relying_party=relying_party(tx.settings))
            holds = True
        except BrokenSeal:
            holds = False
        found.append(Signer(one.keyid, name, holds))
    return tuple(found)


# ── what the views above are made of ──────────────────────────────────────────────────────────


async def _award_part(tx: Transaction, known: Case, names: dict[UUID, str]) -> AwardPart | None:
    award = known.award
    if award is None:
        return None
    report = await tx.session.get(AwardReportRow, (known.lot.id, award.number))
    return AwardPart(
        names[award.winner_id],
        award.price,
        award.awarded_at,
        award.digest,
        notice_number(known.project.code, known.lot.number, award),
        award.contract_due_on,
        award.report_due_on,
        None if report is None else report.reported_at,
        report is not None and report.late,
    )


def _signed_part(tx: Transaction, known: Case) -> SignedPart | None:
    award, row = known.award, known.contract
    if award is None or row is None:
        return None
    back = return_dates(
        awarded_at=award.awarded_at,
        signed_at=row.signed_at,
        switches=known.switches,
        calendar=tx.settings.calendar,
    )
    return SignedPart(
        row.number,
        row.digest,
        row.signed_at,
        row.entry_id,
        row.public_due_at,
        row.file_due_at,
        back.losers,
        back.winner,
        tuple(row.cautions),
        _paper(said_by(row.statement)),
        row.price,
        row.price + known.changed_by,
        known.changed_by,
        period_now(known),
    )


def _filing_part(known: Case) -> FilingPart | None:
    row = known.filing
    if row is None:
        return None
    return FilingPart(row.authority, row.reference, row.filed_at, row.late)


async def _for_its_sides(tx: Transaction, known: Case, side: Side | None) -> dict[str, Any]:
    """What only the two sides see: what waits for a signature of theirs."""
    if side is None or known.award is None:
        return {}
    told: dict[str, Any] = {}
    if known.contract is None:
        if side is Side.TENDEREE and not step_refusals(Step.OFFER, known.course, known.switches):
            told["draft"] = await paper_of(tx, known)
        if known.offer is not None:
            told["offered"] = said_by(known.offer.statement)
        return told
    if known.settlement is None and (waiting := await open_change(tx, known)) is not None:
        told["waiting"] = ChangeTold(
            waiting.number,
            Side(waiting.side),
            waiting.reason,
            waiting.words,
            waiting.amount,
            waiting.period,
            known.contract.price + known.changed_by + waiting.amount,
            waiting.offered_at,
            None,
            waiting.digest,
        )
        told["waiting_words"] = said_by(waiting.statement)
    return told


def _paper(said: dict[str, Any]) -> ContractPaper:
    return ContractPaper(
        terms_in(said["terms"]),
        said["scope"],
        said["manager"],
        tuple(said["clauses"]),
        tuple(said["documents"]),
        said["performance_security"],
        tuple(said["security_forms"]),
    )


def _changes(known: Case) -> tuple[ChangeTold, ...]:
    if known.contract is None:
        return ()
    price, told = known.contract.price, []
    for one in known.changes:
        price += one.offer.amount
        told.append(
            ChangeTold(
                one.offer.number,
                Side(one.offer.side),
                one.offer.reason,
                one.offer.words,
                one.offer.amount,
                one.offer.period,
                price,
                one.offer.offered_at,
                one.row.agreed_at,
                one.offer.digest,
            )
        )
    return tuple(told)


async def _reports(tx: Transaction, lot_id: UUID) -> tuple[ReportTold, ...]:
    rows = await tx.session.scalars(
        select(PerformanceReportRow)
        .where(col(PerformanceReportRow.lot_id) == lot_id)
        .order_by(col(PerformanceReportRow.on).desc(), col(PerformanceReportRow.reported_at).desc())
        .limit(REPORTS_MAX)
    )
    return tuple(
        ReportTold(
            Side(one.side),
            one.kind,
            one.words,
            one.amount,
            one.share,
            one.on,
            one.due_on,
            one.late,
            one.reported_at,
            tuple(one.cautions),
            one.digest,
        )
        for one in rows
    )


async def _paid(tx: Transaction, lot_id: UUID) -> Decimal:
    """What the reported payments come to."""
    total = await tx.session.scalar(
        select(func.sum(col(PerformanceReportRow.amount))).where(
            col(PerformanceReportRow.lot_id) == lot_id
        )
    )
    return total or Decimal(0)


def _settlement(known: Case) -> SettlementTold | None:
    row = known.settlement
    if row is None:
        return None
    both = Settlement(row.awarded, row.settled)
    return SettlementTold(
        row.awarded,
        row.agreed,
        row.settled,
        both.difference,
        both.share,
        row.settled - row.agreed,
        row.auditor,
        row.document,
        row.completed_on,
        row.audited_on,
        row.words,
        row.settled_at,
        str(PaperNumber(known.project.code, known.lot.number, PaperKind.SETTLEMENT)),
        row.digest,
        row.entry_id,
        tuple(row.cautions),
    )


async def _groups(tx: Transaction, key: Any) -> tuple[SettledGroup, ...]:
    awarded, settled = col(SettlementRow.awarded), col(SettlementRow.settled)
    sums = (
        func.count(),
        func.coalesce(func.sum(awarded), 0),
        func.coalesce(func.sum(settled), 0),
        func.count(case((settled > awarded, 1))),
        func.count(case((settled < awarded, 1))),
    )
    query = select(*sums) if key is None else select(key, *sums)
    query = (
        query.select_from(SettlementRow)
        .join(LotRow, col(LotRow.id) == col(SettlementRow.lot_id))
        .join(ProjectRow, col(ProjectRow.id) == col(LotRow.project_id))
    )
    if key is not None:
        query = query.group_by(key).order_by(key)
    rows: Sequence[Any] = (await tx.session.execute(query)).all()
    return tuple(
        SettledGroup(
            "" if key is None else str(row[0]),
            row[-5],
            Decimal(row[-4]),
            Decimal(row[-3]),
            row[-2],
            row[-1],
        )
        for row in rows
    )


def _group_told(group: SettledGroup) -> dict[str, Any]:
    told = plain(group)
    assert isinstance(told, dict)
    return {**told, "difference": plain(group.difference), "share": plain(group.share)}
