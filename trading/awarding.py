"""From the report to the award: candidates are published, objections waited out, notices sent.

The tenderee signs what is published and whom it names; the law says whom it may name. Award notice
and result notices leave in one transaction, so nobody is told before anybody else (招标投标法 45).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from blacklist.standing import BarredAct, standing_of
from kernel.access import PLATFORM, Role, by
from kernel.crypto.digests import Malformed, b64u, list_of, members, text_of
from kernel.errors import BrokenSeal, Refused
from kernel.identifiers import LotId, PartyId
from kernel.money import yuan_text
from kernel.refusals import Caution, Refusal
from kernel.store.parties import Statement, take_part, verified_statement
from kernel.store.transaction import Store, Transaction, transaction
from kernel.working_days import beijing_day
from trading import agency_letters, complaining, library_views, lots, objecting, rechecking
from trading.bound_bids import BoundBids, bound_bids
from trading.counted_bids import counted_bids
from trading.events import (
    AwardDecided,
    AwardNoticed,
    AwardPublished,
    CandidatesPublished,
    ResultNoticed,
)
from trading.handover import switches_for
from trading.made_awards import MadeAward, awards_of
from trading.rechecking import RecheckFile, found_unfit
from trading.rules.agency_scope import AgencyAct
from trading.rules.award_followup import (
    Recheck,
    benchmark_cautions,
    decision_cautions,
    recheck_refusals,
)
from trading.rules.award_gates import (
    AwardGate,
    Publicity,
    award_cautions,
    award_deadlines,
    award_refusals,
    candidates_until,
    publicity_cautions,
    publicity_refusals,
)
from trading.rules.bid_admission import CitedBar
from trading.rules.lot_lifecycle import LotMove, LotState, move_refusals
from trading.rules.objection_window import ObjectionKind
from trading.rules.price_talks import prices_are_read_out
from trading.rules.procedures import Offers, Switches
from trading.rules.sheet_fields import references_in
from trading.rules.split_award import (
    Contender,
    Minutes,
    Vote,
    decision_refusals,
    minutes_in,
    party_in,
    signature_refusals,
    unsigned_cautions,
)
from trading.rules.winner_choice import (
    Candidate,
    SetAside,
    SetAsideGround,
    WinnerChoice,
    winner_refusals,
)
from trading.splitting import split_of
from trading.tables import (
    AwardNoticeRow,
    AwardRow,
    AwardVoteRow,
    CandidatesRow,
    LotRow,
    OpenedBidRow,
    ProjectRow,
    RankedBidRow,
    RejectedBidRow,
    TakenReportRow,
)

WORDS_MAX: Final = 500
OWN_WORDS: Final = {
    "evaluation": "评标情况",
    "manager": "项目负责人及其证书",
    "period": "工期（交货期）",
    "qualification": "资格能力条件响应情况",
    "quality": "质量",
}
"""What the notice says of each candidate in words of the tenderee's own (公示办法 6)."""

Together = Mapping[UUID, Sequence[dict[str, Any]]]
"""Who bids together by the bid of each consortium, the leading member first."""


@dataclass(frozen=True, slots=True)
class Report:
    """The report in force: its candidates and other ranked bids by rank, and those rejected."""

    row: TakenReportRow
    ranking: tuple[RankedBidRow, ...]
    rejected: tuple[RejectedBidRow, ...]

    @property
    def candidates(self) -> tuple[RankedBidRow, ...]:
        """Those recommended, the first in rank first."""
        return tuple(one for one in self.ranking if one.candidate)


@dataclass(frozen=True, slots=True)
class Publication:
    """Candidates as they were published: until when, and what was doubtful about it."""

    digest: bytes
    until: datetime
    cautions: tuple[Caution, ...]


@dataclass(frozen=True, slots=True)
class Award:
    """An award as it was made, and what is due by when after it."""

    winner_id: PartyId
    winner: str
    rank: int
    price: Decimal
    contract_due_on: date
    report_due_on: date | None
    told: int
    cautions: tuple[Caution, ...]


# ── candidates ────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE, Role.AGENCY)
async def candidates_notice(tx: Transaction, lot_id: LotId) -> dict[str, Any]:
    """The notice of candidates as the report makes it, for its publisher to complete and sign.

    Certificates and performances are what each bid refers to in its bidder's library. What
    stands in `OWN_WORDS`, and `objections`, are words of the publisher's; all else must stay.
    """
    lot = await lots.hold(tx, lot_id)
    await lots.owned(tx, lot_id)
    report = await report_in_force(tx, lot_id)
    if report is None or not report.candidates:
        raise Refused(
            move_refusals(LotState(lot.state), LotMove.PUBLISH_CANDIDATES, suspended=lot.suspended)
        )

    return await _notice(tx, lot, report)


@by(Role.TENDEREE, Role.AGENCY)
async def publish_candidates(tx: Transaction, lot_id: LotId, raw: bytes) -> Publication:
    """Publish the candidates of the report; they stay published for the days of the timetable.

    `BrokenSeal` where the signed notice says anything else than the report.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    await agency_letters.require_scope(tx, project, AgencyAct.RESULT, lot_id)
    statement = await verified_statement(tx, raw, "candidates", lot=lot_id, project=lot.project_id)
    report = await report_in_force(tx, lot_id)
    switches = await switches_for(tx, lot)

    refusals = move_refusals(
        LotState(lot.state), LotMove.PUBLISH_CANDIDATES, suspended=lot.suspended
    )
    if refusals or report is None:
        raise Refused(refusals)
    publicity = Publicity(
        candidates=_candidates(report.candidates),
        report_received_at=report.row.taken_at,
        published_at=tx.now,
        days=lot.publicity_days,
        lacks=_lacks(statement.payload, await _notice(tx, lot, report)),
        states_objection_channel=bool(statement.payload["objections"].strip()),
    )
    refusals = publicity_refusals(publicity, switches)
    if refusals:
        raise Refused(refusals)
    cautions = publicity_cautions(publicity, switches, calendar=tx.settings.calendar)
    cautions += benchmark_cautions(*await _benchmarks(tx, report.row), switches)
    together = await _together(tx, lot)
    until = candidates_until(tx.now, lot.publicity_days, calendar=tx.settings.calendar)

    await take_part(tx, lot_id)
    tx.session.add(
        CandidatesRow(
            lot_id=lot_id,
            round=report.row.round,
            digest=statement.digest,
            statement=raw,
            published_by=tx.actor.person,
            published_at=tx.now,
            until=until,
            cautions=[one.as_json() for one in cautions],
        )
    )
    lot.candidates_until = until

    tx.record(
        CandidatesPublished(
            lot_id,
            round=report.row.round,
            candidates=tuple(_ranked(one, switches, together) for one in report.candidates),
            ranking=tuple(_ranked(one, switches, together) for one in report.ranking),
            rejected=tuple(_rejected(one, together) for one in report.rejected),
            report_digest=report.row.report_digest,
            statement_digest=statement.digest,
            until=until,
        )
    )
    lots.move(tx, lot, LotMove.PUBLISH_CANDIDATES)

    return Publication(statement.digest, until, tuple(cautions))


async def end_standstill(store: Store, lot_id: LotId) -> None:
    """Clear a lot for its award once its candidates have been published for their days."""
    async with transaction(store, actor=PLATFORM) as tx:
        await clear_for_award(tx, lot_id)


@by(Role.PLATFORM)
async def clear_for_award(tx: Transaction, lot_id: LotId) -> None:
    """End the publicity whose time is over; while an objection brakes the lot, nothing happens."""
    lot = await lots.lock(tx, lot_id)
    if lot.state != LotState.CANDIDATES_PUBLISHED or lot.suspended:
        return
    if lot.candidates_until is None or tx.now < lot.candidates_until:
        return

    lots.move(tx, lot, LotMove.END_STANDSTILL)


# ── the award ─────────────────────────────────────────────────────────────────────────────────


@by(Role.TENDEREE)
async def award(tx: Transaction, lot_id: LotId, raw: bytes) -> Award:
    """Name the winner; the winner and every other bidder are told in the same act.

    Every ground against it is given at once: a better rank passed over, days still running,
    objections not answered, a winner who is barred today.
    """
    lot = await lots.lock(tx, lot_id)
    _, project = await lots.owned(tx, lot_id)
    statement = await verified_statement(tx, raw, "award", lot=lot_id, project=lot.project_id)
    report = await report_in_force(tx, lot_id)
    winner_id, set_aside, minutes = _award_in(statement, report)
    before = await awards_of(tx, lot_id)
    _require_chain(statement, before)
    annulled = frozenset(PartyId(one.row.winner_id) for one in before if one.annulment is not None)
    split = split_of(lot)
    round = 0 if report is None else report.row.round
    examined = await rechecking.rechecks_of(tx, lot_id, round=round)
    unfit = found_unfit(examined)
    switches = await switches_for(tx, lot)
    bidders = [PartyId(bid.bidder_id) for bid in await counted_bids(tx.session, lot_id)]
    losers = [bidder for bidder in bidders if bidder != winner_id]

    bound = await bound_bids(tx, lot)
    gate = await _gate(tx, lot, bound.days_of(winner_id))
    bars = await _bars(tx, winner_id, switches)
    refusals = move_refusals(LotState(lot.state), LotMove.AWARD, suspended=lot.suspended)
    refusals += _winner_refusals(
        report,
        project,
        switches,
        chosen=winner_id,
        set_aside=set_aside,
        lapsed=frozenset(map(PartyId, bound.left)),
        annulled=annulled,
        unfit=unfit,
        split=split is not None,
    )
    refusals += recheck_refusals(_examined_last(examined, winner_id))
    refusals += decision_refusals(
        split,
        minutes,
        winner_id,
        candidates=() if report is None else contenders(report.candidates),
        set_aside=set_aside.keys() | annulled | unfit,
        left=set(map(PartyId, bound.left)),
    )
    refusals += signature_refusals(minutes, await votes_cast(tx, lot_id, round, len(before) + 1))
    refusals += _gate_refusals(gate, bars, switches)
    if refusals or report is None:
        raise Refused(refusals)
    cautions = award_cautions(gate) + unsigned_cautions(minutes)
    if not before:
        cautions += decision_cautions(
            received_at=report.row.taken_at,
            decided_at=tx.now,
            switches=switches,
            calendar=tx.settings.calendar,
        )
    won = next(one for one in report.candidates if one.bidder_id == winner_id)

    await take_part(tx, lot_id)
    due = award_deadlines(beijing_day(tx.now), switches, calendar=tx.settings.calendar)
    row = AwardRow(
        lot_id=lot_id,
        number=len(before) + 1,
        round=report.row.round,
        bid_id=won.bid_id,
        winner_id=winner_id,
        rank=won.rank,
        price=won.price,
        set_aside=[
            {
                "bidder": str(bidder),
                "ground": str(one.ground),
                "document": one.document,
                "found_by": one.found_by,
            }
            for bidder, one in set_aside.items()
        ],
        digest=statement.digest,
        statement=raw,
        awarded_by=tx.actor.person,
        awarded_at=tx.now,
        contract_due_on=due["contract"],
        report_due_on=due.get("report"),
        cautions=[one.as_json() for one in cautions],
        minutes=None if minutes is None else minutes.plain(),
    )
    tx.session.add(row)
    await tx.session.flush()

    lots.move(tx, lot, LotMove.AWARD)
    if split is not None and minutes is not None:
        tx.record(
            AwardDecided(
                lot_id,
                method=str(split.method),
                winner_id=winner_id,
                minutes=minutes.plain(),
                statement_digest=statement.digest,
            )
        )
    together = (await _together(tx, lot)).get(won.bid_id, [])
    _tell_everyone(
        tx,
        row,
        won.name,
        together,
        losers,
        report_digest=report.row.report_digest,
        lapsed=_lapsed(report, bound),
        unfit=tuple(
            {"bidder": one.row.candidate_id, "recheck": one.row.number}
            for one in examined
            if one.unfit
        ),
    )

    return Award(
        winner_id,
        won.name,
        won.rank,
        won.price,
        row.contract_due_on,
        row.report_due_on,
        told=len(losers) + 1,
        cautions=tuple(cautions),
    )


@by(Role.TENDEREE)
async def candidates_left(tx: Transaction, lot_id: LotId) -> tuple[PartyId, ...]:
    """The candidates of an own lot whom their bids bind no longer, as the minutes must say."""
    lot, _ = await lots.owned(tx, lot_id)
    report = await report_in_force(tx, lot_id)
    bound = await bound_bids(tx, lot)
    return tuple(
        PartyId(one.bidder_id)
        for one in (() if report is None else report.candidates)
        if one.bidder_id in bound.left
    )


async def report_in_force(tx: Transaction, lot_id: UUID) -> Report | None:
    """The newest report taken over for a lot, or None where there is none yet."""
    newest = (
        select(func.max(col(TakenReportRow.round)))
        .where(col(TakenReportRow.lot_id) == lot_id)
        .scalar_subquery()
    )
    row = await tx.session.scalar(
        select(TakenReportRow).where(
            col(TakenReportRow.lot_id) == lot_id, col(TakenReportRow.round) == newest
        )
    )
    if row is None:
        return None
    ranking = await tx.session.scalars(
        select(RankedBidRow)
        .where(col(RankedBidRow.lot_id) == lot_id, col(RankedBidRow.round) == row.round)
        .order_by(col(RankedBidRow.rank))
    )
    rejected = await tx.session.scalars(
        select(RejectedBidRow)
        .where(col(RejectedBidRow.lot_id) == lot_id, col(RejectedBidRow.round) == row.round)
        .order_by(col(RejectedBidRow.name), col(RejectedBidRow.ground))
    )
    return Report(row, tuple(ranking), tuple(rejected))


async def votes_cast(
    tx: Transaction, lot_id: UUID, round: int, award_number: int
) -> tuple[Vote, ...]:
    """The votes that members signed for an award over this report, in the order they were cast."""
    rows = await tx.session.scalars(
        select(AwardVoteRow)
        .where(
            col(AwardVoteRow.lot_id) == lot_id,
            col(AwardVoteRow.round) == round,
            col(AwardVoteRow.award_number) == award_number,
        )
        .order_by(col(AwardVoteRow.cast_at), col(AwardVoteRow.member))
    )
    return tuple(Vote(one.member, PartyId(one.bidder_id), b64u(one.digest)) for one in rows)


def contenders(rows: Sequence[RankedBidRow]) -> tuple[Contender, ...]:
    """Candidates as the method of a split award chooses among them."""
    return tuple(Contender(PartyId(one.bidder_id), one.name, one.rank, one.price) for one in rows)


def points_text(points: Decimal) -> str:
    """The points without zeros that say nothing, but with two places at least."""
    shown = points.normalize()
    places = max(2, -int(shown.as_tuple().exponent))
    return f"{shown:.{places}f}"


# ── what the acts above are made of ───────────────────────────────────────────────────────────


def _candidates(rows: Sequence[RankedBidRow]) -> tuple[Candidate, ...]:
    return tuple(Candidate(PartyId(one.bidder_id), one.name, one.rank) for one in rows)


async def _notice(tx: Transaction, lot: LotRow, report: Report) -> dict[str, Any]:
    switches = await switches_for(tx, lot)
    together = await _together(tx, lot)
    sheets = {
        row.bid_id: row.sheet or {}
        for row in await tx.session.scalars(
            select(OpenedBidRow).where(col(OpenedBidRow.lot_id) == lot.id)
        )
        # What a supplier offered in talks is no more told than its price.
        if prices_are_read_out(switches)
    }
    promised = {
        PartyId(one.bidder_id): references_in(sheets.get(one.bid_id, {}))
        for one in report.candidates
    }
    papers = await _papers(tx, lot, promised)
    return {
        "v": "ebid-candidates/1",
        "project": str(lot.project_id),
        "lot": str(lot.id),
        "report": b64u(report.row.report_digest),
        "days": lot.publicity_days,
        "candidates": [
            {
                **_ranked(one, switches, together),
                **_words_about(one, sheets.get(one.bid_id, {}), switches),
                **papers[PartyId(one.bidder_id)],
            }
            for one in report.candidates
        ],
        "ranking": [_ranked(one, switches, together) for one in report.ranking],
        "rejected": [_rejected(one, together) for one in report.rejected],
        "objections": _objections_how(switches),
        **({"award_method": lot.award_method} if lot.award_method else {}),
    }


async def _benchmarks(
    tx: Transaction, report: TakenReportRow
) -> tuple[Decimal | None, Decimal | None]:
    """The benchmark of the report before this one, and this one's; None where there is none."""
    before = await tx.session.get(TakenReportRow, (report.lot_id, report.round - 1))
    if before is None:
        return None, None
    return await _benchmark_in(tx, before), await _benchmark_in(tx, report)


async def _benchmark_in(tx: Transaction, report: TakenReportRow) -> Decimal | None:
    told = json.loads(await tx.documents.read(report.report_digest))
    benchmark = told.get("result", {}).get("benchmark")
    return None if benchmark is None else Decimal(benchmark)


async def _papers(
    tx: Transaction, lot: LotRow, promised: Mapping[PartyId, Sequence[str]]
) -> dict[PartyId, dict[str, list[dict[str, Any]]]]:
    """What each candidate's bid refers to in its library: certificates of the unit, those of whom
    it promises, and performances, as they stood when bids were due (公示办法 6).
    """
    assert lot.bids_due_at is not None
    found = await library_views.entries_referred(tx, promised, on=beijing_day(lot.bids_due_at))
    return {
        party: {
            "certificates": [one.published() for one in named if one.entry.kind.is_of_the_unit],
            "manager_certificates": [
                one.published() for one in named if one.entry.kind.is_of_a_person
            ],
            "performances": [one.published() for one in named if not one.entry.kind.is_licence],
        }
        for party, references in promised.items()
        for named in [[found[party, one] for one in references if (party, one) in found]]
    }


def _objections_how(switches: Switches) -> str:
    """How the result is objected to, as the notice proposes to say it."""
    if switches.challenge_period is not None:
        outcome = "中标" if switches.offers is Offers.SEALED_ONCE else "成交"
        return (
            f"供应商认为{outcome}结果使其权益受到损害的，应当在知道或者应知之日起{switches.challenge_period}内"
            f"通过本平台提出质疑；采购人自收到质疑之日起{switches.answer_period}内答复。"
        )
    return (
        "对评标结果有异议的，应当在公示期内通过本平台提出；"
        f"招标人自收到异议之日起{switches.answer_period}内答复，作出答复前暂停招标投标活动。"
    )


async def _together(tx: Transaction, lot: LotRow) -> Together:
    """Who bids together by each bid of a consortium, as the opening found it."""
    rows = await tx.session.scalars(select(OpenedBidRow).where(col(OpenedBidRow.lot_id) == lot.id))
    return {row.bid_id: row.members for row in rows if row.members}


def _named_together(bid_id: UUID, together: Together) -> dict[str, object]:
    return {"members": together[bid_id]} if bid_id in together else {}


def _ranked(row: RankedBidRow, switches: Switches, together: Together) -> dict[str, object]:
    """A bid's place as everybody is told it; what was asked for in talks is nobody else's to know.

    The award then tells the winner's price.
    """
    return {
        "bidder": str(row.bidder_id),
        "name": row.name,
        "rank": row.rank,
        "price": yuan_text(row.price) if prices_are_read_out(switches) else None,
        "total": points_text(row.total),
        **_named_together(row.bid_id, together),
    }


def _rejected(row: RejectedBidRow, together: Together) -> dict[str, object]:
    return {
        "bidder": str(row.bidder_id),
        "name": row.name,
        "ground": row.ground,
        "article": row.article,
        "page": row.page,
        **_named_together(row.bid_id, together),
    }


def _words_about(row: RankedBidRow, sheet: dict[str, Any], switches: Switches) -> dict[str, str]:
    days = sheet.get("duration_days")
    tendered = switches.offers is Offers.SEALED_ONCE
    met = "经评标委员会评审，符合招标文件" if tendered else "经评审，符合采购文件"
    return {
        "evaluation": _evaluated(row, agreed=switches.offers is Offers.AGREED),
        "manager": str(sheet.get("manager", "")),
        "period": "" if days is None else f"{days}日历天",
        "qualification": f"{met}规定的资格能力条件",
        "quality": str(sheet.get("quality", "")),
    }


def _evaluated(row: RankedBidRow, *, agreed: bool) -> str:
    """How the bid came off, as the notice proposes to say it; nothing is scored by price alone."""
    if agreed:
        return "单一来源采购，采购人员与供应商协商，商定上述成交价格"
    if not row.parts:
        return f"满足采购文件要求，按照报价由低到高排名第{row.rank}"
    return f"综合得分{points_text(row.total)}分，排名第{row.rank}"


def _lacks(signed: dict[str, Any], proposed: dict[str, Any]) -> tuple[str, ...]:
    """What the signed notice leaves unsaid; `BrokenSeal` where it says something else."""
    if not _is_words(signed.get("objections")):
        raise Malformed("the notice says where to object")
    told = {**signed, "objections": proposed["objections"]}
    del told["signed_at"]
    written = signed.get("candidates")
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise Malformed("candidates are a list of objects")
    if not all(_is_words(one.get(key)) for one in written for key in OWN_WORDS):
        raise Malformed(f"the notice says of each candidate: {', '.join(OWN_WORDS)}")
    fixed = [{**one, **dict.fromkeys(OWN_WORDS, "")} for one in written]
    due = [{**one, **dict.fromkeys(OWN_WORDS, "")} for one in proposed["candidates"]]
    if {**told, "candidates": fixed} != {**proposed, "candidates": due}:
        raise BrokenSeal("what was signed is not the notice that the report makes")
    return tuple(
        f"{one['name']}的{label}"
        for one in written
        for key, label in OWN_WORDS.items()
        if not one[key].strip()
    )


def _is_words(told: object) -> bool:
    return isinstance(told, str) and len(told) <= WORDS_MAX


def _award_in(
    statement: Statement, report: Report | None
) -> tuple[PartyId, dict[PartyId, SetAside], Minutes | None]:
    told = statement.payload
    if "report" in told and (report is None or told["report"] != b64u(report.row.report_digest)):
        raise BrokenSeal("the statement rests on another report")
    passed_over = {}
    for item in list_of(told.get("set_aside", []), at_most=10):
        one = members(item, {"bidder", "ground", "document"}, optional={"found_by"})
        if one["ground"] not in list(SetAsideGround):
            raise Malformed(f"a candidate is set aside for one of: {', '.join(SetAsideGround)}")
        passed_over[party_in(one["bidder"])] = SetAside(
            SetAsideGround(text_of(one["ground"])),
            _short(one["document"]),
            _short(one.get("found_by", "")),
        )
    minutes = minutes_in(told["minutes"]) if "minutes" in told else None
    return party_in(told["winner"]), passed_over, minutes


def _short(told: object) -> str:
    if not _is_words(told):
        raise Malformed(f"a text of at most {WORDS_MAX} characters was expected")
    return text_of(told)


async def _bars(tx: Transaction, winner_id: PartyId, switches: Switches) -> list[CitedBar]:
    standing = await standing_of(
        tx,
        act=BarredAct.AWARD,
        on=tx.now,
        party_id=winner_id,
        regime=switches.regime,
        mandatory=switches.mandatory,
    )
    return [
        CitedBar(one.authority, one.document_number, one.article, one.starts_on, one.ends_on)
        for one in standing.decisions
    ]


async def _gate(tx: Transaction, lot: LotRow, validity_days: int) -> AwardGate:
    assert lot.bids_due_at is not None
    return AwardGate(
        now=tx.now,
        candidates_until=lot.candidates_until,
        open_objections=await objecting.unanswered(tx, lot.id, ObjectionKind.RESULT),
        deciding_complaints=await complaining.holding(tx, lot),
        winner_bar=None,
        bids_due_at=lot.bids_due_at,
        validity_days=validity_days,
    )


def _gate_refusals(gate: AwardGate, bars: list[CitedBar], switches: Switches) -> list[Refusal]:
    refusals = award_refusals(gate, switches)
    for bar in bars:
        barred = award_refusals(replace(gate, winner_bar=bar), switches)
        refusals += [one for one in barred if one.code == "winner_barred"]
    return refusals


def _winner_refusals(
    report: Report | None, project: ProjectRow, switches: Switches, **choice: Any
) -> list[Refusal]:
    if report is None:
        return []
    return winner_refusals(
        WinnerChoice(
            candidates=_candidates(report.candidates),
            state_funded=project.state_funded,
            all_rejected=report.row.all_rejected,
            **choice,
        ),
        switches,
    )


def _examined_last(examined: Sequence[RecheckFile], party_id: PartyId) -> Recheck | None:
    """What the committee last found of this candidate, or has yet to find."""
    about = [one for one in examined if one.row.candidate_id == party_id]
    return about[-1].as_judged() if about else None


def _tell_everyone(
    tx: Transaction,
    row: AwardRow,
    winner: str,
    together: Sequence[dict[str, Any]],
    losers: Sequence[PartyId],
    *,
    report_digest: bytes,
    lapsed: tuple[dict[str, object], ...],
    unfit: tuple[dict[str, object], ...],
) -> None:
    """The notices and the publication, all of one instant; the winner's notice comes first."""
    won = AwardNoticed(
        row.lot_id,
        addressee_id=row.winner_id,
        price=row.price,
        statement_digest=row.digest,
        contract_due_on=row.contract_due_on,
    )
    _keep_notice(tx, row, PartyId(row.winner_id), tx.record(won))
    for loser in losers:
        lost = ResultNoticed(
            row.lot_id,
            addressee_id=loser,
            winner_id=row.winner_id,
            winner=winner,
            members=tuple(together),
            price=row.price,
            statement_digest=row.digest,
        )
        _keep_notice(tx, row, loser, tx.record(lost))
    tx.record(
        AwardPublished(
            row.lot_id,
            number=row.number,
            winner_id=row.winner_id,
            winner=winner,
            members=tuple(together),
            rank=row.rank,
            price=row.price,
            report_digest=report_digest,
            statement_digest=row.digest,
            contract_due_on=row.contract_due_on,
            report_due_on=row.report_due_on,
            lapsed=lapsed,
            unfit=unfit,
        )
    )


def _lapsed(report: Report, bound: BoundBids) -> tuple[dict[str, object], ...]:
    """The candidates whom their bids bind no longer, with what shows it to a stranger."""
    gone = [(one.bidder_id, bound.lapse_of(one.bidder_id)) for one in report.candidates]
    return tuple(
        {
            "bidder": bidder,
            "request": lapse.request,
            "at": lapse.at,
            "refusal": None if lapse.refusal is None else lapse.refusal.digest,
        }
        for bidder, lapse in gone
        if lapse is not None
    )


def _require_chain(statement: Statement, before: Sequence[MadeAward]) -> None:
    """Each award after the first names what made the last one fall, so that none can be hidden."""
    last = before[-1].annulment if before else None
    due = None if last is None else b64u(last.digest)
    if statement.payload.get("after") != due:
        raise BrokenSeal("the award does not follow what became of the last one")


def _keep_notice(tx: Transaction, row: AwardRow, bidder_id: PartyId, entry_id: UUID) -> None:
    tx.session.add(
        AwardNoticeRow(
            lot_id=row.lot_id,
            award_number=row.number,
            bidder_id=bidder_id,
            won=bidder_id == row.winner_id,
            entry_id=entry_id,
            noticed_at=tx.now,
        )
    )
