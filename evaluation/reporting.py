"""The report: computed from sheets and votes, signed by every member, handed back in one act.

Everything the result follows from stands in the report, so that anyone can reckon it again. Names
stand in it as commitments: they are secret until the award, and whoever may know them gets them
beside the report with the salts that prove them. The last signature moves the lot in its own
transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlmodel import col, select

from evaluation import committees, reviewing, scoring
from evaluation.committees import CommitteeFile
from evaluation.events import ReportCompiled, ReportHandedBack, ReportSigned
from evaluation.rules.ranking import (
    EvaluatedBid,
    EvaluationResult,
    ScoreLine,
    Totalling,
    candidates_refusals,
    ranked,
    result_document,
    totalling_refusals,
)
from evaluation.rules.recomputation import evaluation_document
from evaluation.rules.rejection_grounds import (
    GROUNDS,
    MotionOutcome,
    RejectionMotion,
    continuation_refusals,
    outcome,
    rejected_bids,
)
from evaluation.rules.report_contents import (
    DISSENT_MAX,
    ReportPart,
    ReportSignature,
    SetAsideGround,
    SigningState,
    report_refusals,
    signature_refusals,
    signing_state,
)
from evaluation.rules.score_commitment import ScoreSheet, parse_sheet
from evaluation.rules.score_scheme import ScoreScheme, TieRule
from evaluation.rules.session_protocol import ReportConcluded
from evaluation.tables import MemberRow, ReportRow, SheetRow, SignatureRow
from kernel.access import Role, by
from kernel.crypto.digests import (
    Malformed,
    b64u,
    canonical,
    instant_text,
    labelled,
    sha256,
    text_of,
    unb64u,
)
from kernel.errors import NotFound, Refused
from kernel.identifiers import CommitteeId, PartyId
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, COMMITTEE_PROVISIONS, under
from kernel.store.clocks import unshifted_clock
from kernel.store.parties import live_keys, organisation_name, verified_statement
from kernel.store.tables import PersonRow
from kernel.store.transaction import Transaction
from trading import handover
from trading.handover import LotBrief, OpenedBid, RankedBid, RejectedBid, SignedReport

VERSION: Final = "ebid-report/1"
ARGUED_MAX: Final = 5000


@dataclass(frozen=True, slots=True)
class Reckoned:
    """Everything a report is made of."""

    totalling: Totalling
    motions: list[RejectionMotion]
    sheets: list[tuple[ScoreSheet, bytes, bytes, str]]
    result: EvaluationResult

    @property
    def all_rejected(self) -> bool:
        """Whether no bid is left."""
        return not self.totalling.valid()


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def compile_report(tx: Transaction, committee_id: CommitteeId, *, argued: str = "") -> bytes:
    """Compute the report when every sheet is revealed; its digest.

    `argued` is the committee's written view of the competition where fewer than three valid bids
    are left (评标委员会暂行规定 27). Compiling again replaces a report that nobody has signed; one
    that was signed and came to nothing stays on record, and the next is another version.
    """
    file = await committees.lock(tx, committee_id)
    await committees.at_work(tx, file)
    brief = await committees.brief_of(tx, file)
    if len(argued) > ARGUED_MAX:
        raise Malformed(f"an argument has at most {ARGUED_MAX} characters")
    bids, motions = await _before_the_committee(tx, file)
    sheets = await committees.sheets_of(tx, file.member_ids)
    scheme = await scoring.scheme_of(tx, file)
    rejected = rejected_bids(motions, file.member_ids)

    refusals = list(await handover.last_prices_due(tx, file.lot_id))
    refusals += readiness_refusals(
        open_motions=sum(outcome(one, file.member_ids) is MotionOutcome.OPEN for one in motions),
        unrevealed=0 if len(rejected) == len(bids) else _unrevealed(sheets),
        unpriced=sum(one.price <= 0 for one in bids if str(one.bid_id) not in rejected),
        k_due=scheme.formula is not None and bool(scheme.formula.k_set),
        signed=bool(await _signatures(tx, file)),
    )
    if not brief.prices_confidential:
        # How few last prices suffice after talks nobody here has read; the call warned of it.
        refusals += continuation_refusals(
            len(bids) - len(rejected),
            regime=brief.regime,
            argued=argued,
            rejects_all=len(rejected) == len(bids),
            inquiry=brief.inquiry,
        )
    if refusals:
        raise Refused(refusals)
    reckoned = _reckoned(file, brief, scheme, bids, motions, sheets)
    parts = await _parts(tx, file, brief, bids, reckoned, argued=argued)
    refusals = report_refusals(
        [ReportPart(one) for one in parts], reckoned.result.candidates, regime=brief.regime
    )
    if not reckoned.all_rejected:
        refusals += candidates_refusals(
            reckoned.result.candidates, reckoned.result, regime=brief.regime
        )
    if refusals:
        raise Refused(refusals)

    document = canonical(
        {
            "v": VERSION,
            "parts": parts,
            "record": evaluation_document(
                reckoned.totalling,
                committee=file.id,
                committee_members=file.member_ids,
                motions=reckoned.motions,
                sheets=reckoned.sheets,
            ),
            "result": result_document(reckoned.result),
        }
    )
    return await keep_report(tx, file, document)


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def report(tx: Transaction, committee_id: CommitteeId) -> bytes:
    """The report as its members read and sign it; `NotFound` while there is none."""
    file = await committees.hold(tx, committee_id)
    file.member_of(tx)
    return (await _report(tx, file)).document


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def sign(tx: Transaction, committee_id: CommitteeId, raw: bytes) -> SigningState:
    """Sign the report, dissent in writing, or refuse; the last answer hands the report back.

    A refusal without written reasons counts as consent (招标投标法实施条例 53). The lot moves in
    the same transaction, and only where a majority of all members stands behind the report. Where
    it does not, the report is set aside and the committee corrects it.
    """
    file = await committees.lock(tx, committee_id)
    brief = await committees.brief_of(tx, file)
    row, state = await take_answer(tx, file, brief, raw)
    if state.is_adopted():
        await _hand_back(tx, file, brief, row)

    return state


@under(
    BIDDING_REGULATION[53],
    COMMITTEE_PROVISIONS[17],
    COMMITTEE_PROVISIONS[42],
    rule=("EV-17", "EV-18"),
)
def readiness_refusals(
    *, open_motions: int, unrevealed: int, unpriced: int, k_due: bool, signed: bool
) -> list[Refusal]:
    """Why no report can be computed yet: open votes, sheets not shown, prices or K missing.

    Once anyone has signed it, a report is not computed again before all have answered it.
    """
    refusals = []
    article = COMMITTEE_PROVISIONS[42]
    if open_motions:
        reason = f"尚有{open_motions}项否决投标的表决未有结果"
        refusals.append(Refusal("motions_open", article, reason))
    if unrevealed:
        reason = f"尚有{unrevealed}份评分未公开"
        refusals.append(Refusal("sheets_unrevealed", article, reason))
    if unpriced:
        reason = f"尚有{unpriced}份未被否决的投标没有可供评审的报价"
        refusals.append(Refusal("price_missing", article, reason))
    if k_due:
        reason = "招标文件规定的K值尚未公开抽取"
        refusals.append(Refusal("k_not_drawn", COMMITTEE_PROVISIONS[17], reason))
    if signed:
        reason = "评标报告已有成员签署，不得重新汇总"
        refusals.append(Refusal("report_signed", BIDDING_REGULATION[53], reason))
    return refusals


# ── for the neighbours in this package ────────────────────────────────────────────────────────


async def take_answer(
    tx: Transaction, file: CommitteeFile, brief: LotBrief, raw: bytes
) -> tuple[ReportRow, SigningState]:
    """The acting member's answer to the committee's report, kept; a report that all have answered
    and no majority stands behind is set aside.
    """
    member = await committees.at_work(tx, file)
    row = await _report(tx, file)
    statement = await verified_statement(
        tx, raw, "report-signature", committee=file.id, member=member.id
    )
    said = statement.payload
    if not isinstance(said["refused"], bool):
        raise Malformed("a report is refused or not")
    answer = ReportSignature(
        member.id,
        unb64u(said["report"], 32),
        text_of(said["dissent"])[: DISSENT_MAX + 1],
        said["refused"],
    )
    earlier = await _signatures(tx, file)

    refusals = signature_refusals(
        answer,
        [_answer(one) for one in earlier],
        committee_members=file.member_ids,
        report_digest=row.digest,
        regime=brief.regime,
    )
    if refusals:
        raise Refused(refusals)

    keys = await live_keys(tx.session, tx.actor.person)
    tx.session.add(
        SignatureRow(
            committee_id=file.id,
            member_id=member.id,
            report_digest=row.digest,
            keyid=statement.keyid,
            public_key=keys[statement.keyid],
            statement=raw,
            dissent=answer.dissent.strip(),
            refused=answer.refused,
            signed_at=tx.now,
        )
    )
    tx.record(
        ReportSigned(
            file.lot_id,
            file.id,
            member.number,
            dissented=bool(answer.dissent.strip()),
            refused=answer.refused,
        )
    )
    state = signing_state(
        [*(_answer(one) for one in earlier), answer],
        committee_members=file.member_ids,
        report_digest=row.digest,
    )
    if state.is_complete() and not state.is_adopted():
        await committees.set_report_aside(tx, file, SetAsideGround.NOT_ADOPTED)
    return row, state


async def is_signed(tx: Transaction, file: CommitteeFile) -> bool:
    """Whether anybody has answered the report as it stands."""
    return bool(await _signatures(tx, file))


async def members_told(tx: Transaction, file: CommitteeFile) -> list[dict[str, object]]:
    """The members as a report names them: by number and seat, and by a commitment to the name."""
    places = await committees.seats_and_sites(tx, file.members)
    names = await names_of(tx, file.members)
    predecessors = file.predecessors()
    return [
        {
            "member": str(one.id),
            "number": one.number,
            "capacity": one.capacity,
            "site": places[one.id][1].name,
            "seat": places[one.id][0].number,
            "succeeds": predecessors.get(one.id),
            "name_commitment": b64u(name_commitment(one.salt, names[one.person_id])),
        }
        for one in file.members
    ]


async def keep_report(tx: Transaction, file: CommitteeFile, document: bytes) -> bytes:
    """Keep the report that the members are to sign, in the place of one nobody has signed; its
    digest.
    """
    digest = sha256(document)
    row = await tx.session.get(ReportRow, file.id)
    if row is None:
        row = ReportRow(committee_id=file.id, document=document, digest=digest, compiled_at=tx.now)
    row.document, row.digest, row.compiled_at = document, digest, tx.now
    tx.session.add(row)

    tx.record(ReportCompiled(file.lot_id, file.id, digest))

    return digest


async def signing_of(tx: Transaction, file: CommitteeFile) -> tuple[bytes, SigningState] | None:
    """The digest of the report and where every member stands on it; None while there is none."""
    row = await tx.session.get(ReportRow, file.id)
    if row is None:
        return None
    return row.digest, signing_state(
        [_answer(one) for one in await _signatures(tx, file)],
        committee_members=file.member_ids,
        report_digest=row.digest,
    )


def accounted_for(
    bids: Sequence[OpenedBid], motions: Sequence[RejectionMotion], members: Sequence[UUID]
) -> tuple[list[OpenedBid], list[RejectionMotion]]:
    """The bids that a report accounts for, and the motions on them.

    Whoever left the talks before its last price has no part in it, unless the committee had
    rejected its bid before.
    """
    rejected = rejected_bids(motions, members)
    kept = [one for one in bids if not one.gone or str(one.bid_id) in rejected]
    named = {str(one.bid_id) for one in kept}
    return kept, [one for one in motions if one.bid in named]


def name_commitment(salt: bytes, name: str) -> bytes:
    """What stands in the report for a member's name."""
    return labelled("ebid/1/member", salt, name.encode())


async def names_of(tx: Transaction, rows: Sequence[MemberRow]) -> dict[UUID, str]:
    """The names of these members, by person."""
    found = await tx.session.execute(
        select(PersonRow.id, PersonRow.name).where(
            col(PersonRow.id).in_([one.person_id for one in rows])
        )
    )
    return {id: name for id, name in found}


# ── what the above is made of ─────────────────────────────────────────────────────────────────


async def _report(tx: Transaction, file: CommitteeFile) -> ReportRow:
    row = await tx.session.get(ReportRow, file.id)
    if row is None:
        raise NotFound("no report yet")
    return row


async def _signatures(tx: Transaction, file: CommitteeFile) -> Sequence[SignatureRow]:
    """Every answer to the report as it stands."""
    rows = await tx.session.scalars(
        select(SignatureRow)
        .join(ReportRow, col(ReportRow.digest) == col(SignatureRow.report_digest))
        .where(SignatureRow.committee_id == file.id, ReportRow.committee_id == file.id)
    )
    return rows.all()


def _answer(row: SignatureRow) -> ReportSignature:
    return ReportSignature(row.member_id, row.report_digest, row.dissent, row.refused)


def _unrevealed(sheets: dict[UUID, list[SheetRow]]) -> int:
    """How many members have a sheet still to show, or none at all."""
    return sum(not rows or any(one.revealed_at is None for one in rows) for rows in sheets.values())


def _reckoned(
    file: CommitteeFile,
    brief: LotBrief,
    scheme: ScoreScheme,
    bids: Sequence[OpenedBid],
    motions: list[RejectionMotion],
    sheets: dict[UUID, list[SheetRow]],
) -> Reckoned:
    """The result, or `Refused` where totals may not be formed."""
    shown = [row for rows in sheets.values() for row in rows if row.scores is not None]
    standing = [rows[-1] for rows in sheets.values() if rows and rows[-1].scores is not None]
    totalling = Totalling(
        scheme=scheme,
        regime=brief.regime,
        bids=tuple(
            EvaluatedBid(
                str(one.bid_id),
                one.price,
                received=one.received if TieRule.EARLIER_BID in scheme.ties else 0,
            )
            for one in bids
        ),
        rejected=rejected_bids(motions, file.member_ids),
        sheets=tuple(parse_sheet(row.scores) for row in standing),
        ceiling=brief.ceiling_price,
        candidates_max=brief.candidates_max,
    )
    if totalling.valid():
        refusals = totalling_refusals(totalling, committee_members=file.member_ids)
        if refusals:
            raise Refused(refusals)
    return Reckoned(
        totalling,
        motions,
        [(parse_sheet(row.scores), row.nonce or b"", row.commitment, row.reason) for row in shown],
        ranked(totalling),
    )


async def _parts(
    tx: Transaction,
    file: CommitteeFile,
    brief: LotBrief,
    bids: Sequence[OpenedBid],
    reckoned: Reckoned,
    *,
    argued: str,
) -> dict[str, object]:
    """The ten parts; one about which there is nothing to tell is there and empty."""
    named = {str(one.bid_id): one for one in bids}
    rejected = reckoned.totalling.rejected
    document: Any = result_document(reckoned.result)
    places = await committees.seats_and_sites(tx, file.members)
    return {
        ReportPart.BASIC_DATA: {
            "lot": str(brief.lot_id),
            "name": brief.name,
            "project": str(brief.project_id),
            "project_name": brief.project_name,
            "procedure": str(brief.procedure),
            "tenderee": await organisation_name(tx, brief.tenderee_id),
            "agency": (
                None if brief.agency_id is None else await organisation_name(tx, brief.agency_id)
            ),
            "convened_at": instant_text(file.row.convened_at),
            "window_from": instant_text(file.row.window_from),
            "window_until": instant_text(file.row.window_until),
            "version": await committees.report_version(tx, file),
            "sites": sorted({site.name for _, site in places.values()}),
            "argued": argued.strip(),
        },
        ReportPart.MEMBERS: await members_told(tx, file),
        ReportPart.OPENING_RECORD: {
            "digest": None if brief.opening_record is None else b64u(brief.opening_record)
        },
        ReportPart.CONFORMING_BIDS: [
            _bid_told(one) for one in bids if str(one.bid_id) not in rejected
        ],
        ReportPart.REJECTIONS: [
            {
                **_bid_told(named[one.bid]),
                "ground": one.ground,
                "article": str(GROUNDS[one.ground][0]),
                "says": GROUNDS[one.ground][1],
                "page": one.page,
                "words": one.words,
                "in_favour": len(one.in_favour),
                "members": len(file.members),
            }
            for one in reckoned.motions
            if outcome(one, file.member_ids) is MotionOutcome.CARRIED
        ],
        ReportPart.STANDARDS: brief.scheme,
        ReportPart.COMPARISON: document["lines"],
        ReportPart.RANKING: [
            {**_bid_told(named[one["bid"]]), "rank": one["rank"], "total": one["total"]}
            for one in document["lines"]
            if one["rank"] is not None
        ],
        ReportPart.CANDIDATES: [_bid_told(named[one]) for one in reckoned.result.candidates],
        ReportPart.CLARIFICATIONS: [],
    }


def _bid_told(bid: OpenedBid) -> dict[str, object]:
    return {
        "bid": str(bid.bid_id),
        "bidder": str(bid.bidder_id),
        "name": bid.name,
        "price": f"{bid.price:f}",
    }


async def _hand_back(tx: Transaction, file: CommitteeFile, brief: LotBrief, row: ReportRow) -> None:
    """Give the report to trading, move the lot by it, and end the session: all or nothing."""
    opened, every = await _before_the_committee(tx, file)
    bids = {str(one.bid_id): one for one in opened}
    motions = [one for one in every if outcome(one, file.member_ids) is MotionOutcome.CARRIED]
    sheets = await committees.sheets_of(tx, file.member_ids)
    reckoned = _reckoned(
        file,
        brief,
        await scoring.scheme_of(tx, file),
        list(bids.values()),
        motions,
        sheets,
    )
    placed = [one for one in reckoned.result.lines if one.rank is not None]
    names = {item.id: item.name for item in reckoned.totalling.scheme.items}
    await handover.take_report(
        tx,
        SignedReport(
            lot_id=file.lot_id,
            report_digest=row.digest,
            report=row.document,
            ranking=tuple(
                _ranked_bid(bids[line.bid], line, place, names)
                for place, line in enumerate(placed, start=1)
            ),
            rejected=tuple(_rejected_bid(bids[one.bid], one) for one in _first_of_each(motions)),
            candidates=tuple(PartyId(bids[one].bidder_id) for one in reckoned.result.candidates),
            all_rejected=reckoned.all_rejected,
        ),
    )
    await committees.step_on(tx, file, ReportConcluded(await unshifted_clock(tx.session)))
    row.handed_back_at = tx.now
    row.handed_back_entry = tx.record(
        ReportHandedBack(
            file.lot_id,
            file.id,
            row.digest,
            candidates=len(reckoned.result.candidates),
            rejected=len(reckoned.totalling.rejected),
        )
    )
    tx.session.add(row)


async def _before_the_committee(
    tx: Transaction, file: CommitteeFile
) -> tuple[list[OpenedBid], list[RejectionMotion]]:
    bids = await handover.opened_bids(tx, file.lot_id)
    return accounted_for(bids, await reviewing.motions_of(tx, file), file.member_ids)


def _first_of_each(motions: Sequence[RejectionMotion]) -> list[RejectionMotion]:
    """One motion for each rejected bid, the first that was carried."""
    found: dict[str, RejectionMotion] = {}
    for one in motions:
        found.setdefault(one.bid, one)
    return list(found.values())


def _ranked_bid(bid: OpenedBid, line: ScoreLine, rank: int, names: dict[str, str]) -> RankedBid:
    parts: list[tuple[str, Decimal]] = [(names[item], points) for item, points in line.items]
    if parts or line.price_points:
        parts.append(("报价", line.price_points))
    return RankedBid(
        bid.bid_id,
        bid.bidder_id,
        bid.name,
        rank,
        line.total,
        bid.price,
        tuple(parts),
    )


def _rejected_bid(bid: OpenedBid, motion: RejectionMotion) -> RejectedBid:
    article, words = GROUNDS[motion.ground]
    return RejectedBid(bid.bid_id, bid.bidder_id, bid.name, words, str(article), motion.page)
