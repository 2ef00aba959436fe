"""Which papers of a lot an archive package holds, what it calls them, and who may take each.

Every table that belongs to a lot is named here once: its rows are papers of the package, or they
are left out for a reason that is told to whoever takes it. A test holds the list complete. What is
here still goes in only where the log commits to it before that reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final
from uuid import UUID

from sqlalchemy import inspect, select

from kernel.access import Role
from kernel.store.transaction import Transaction
from trading.rules.lot_lifecycle import was_closed
from trading.tables import (
    AwardAnnulmentRow,
    AwardRenunciationRow,
    AwardReportRow,
    AwardRow,
    AwardVoteRow,
    CandidatesRow,
    ComplaintAnswerRow,
    ComplaintBrakeRow,
    ComplaintDecisionRow,
    ComplaintRow,
    ComplaintWithdrawalRow,
    ContractChangeRow,
    ContractFilingRow,
    ContractRow,
    DemandChangeRow,
    EvidenceFileRow,
    FallbackRow,
    IntentRow,
    LastPriceOpeningRow,
    LastPriceRow,
    LegalHoldEndRow,
    LegalHoldRow,
    LotHaltRow,
    LotRow,
    NoticeRow,
    ObjectionAnswerRow,
    ObjectionRemedyRow,
    ObjectionRow,
    ObjectionWithdrawalRow,
    OpeningPolicyRow,
    OpeningRow,
    PerformanceReportRow,
    PrequalificationAddendumRow,
    PrequalificationReviewRow,
    PrequalificationRow,
    PriceSignatureRow,
    RecheckOpinionRow,
    RecheckRow,
    SecurityAccountRow,
    SecurityForfeitureRow,
    SettlementRow,
    TakenReportRow,
    TalkAnswerRow,
    TalkLeaveRow,
    TalkRow,
    TenderDocumentRow,
    TimetableRow,
    ValidityAnswerRow,
    ValidityRequestRow,
)


class Reach(Enum):
    """Who may have a paper, as far as the log's entries let him."""

    KEEPERS = auto()
    """Whoever may take the package."""

    CONCERNED = auto()
    """All but the centre, once the lot was closed: before, it would tell who means to bid."""

    SUPERVISORS = auto()
    """Supervisors alone, once the lot was closed."""

    ORDERED = auto()
    """Supervisors alone, at any time: what they ordered themselves."""

    def lets(self, role: Role, *, closed: bool) -> bool:
        """Whether somebody in this role may have it, of a lot that was closed or not."""
        match self:
            case Reach.KEEPERS:
                return True
            case Reach.CONCERNED:
                return closed and role is not Role.CENTRE_STAFF
            case Reach.SUPERVISORS:
                return closed and role is Role.SUPERVISOR
            case Reach.ORDERED:
                return role is Role.SUPERVISOR


@dataclass(frozen=True, slots=True)
class Paper:
    """A kind of paper: the table that keeps it, what a package calls each, and who may have it.

    `of` is the column by which a row names one of another table, where it is that which names the
    lot. `content` is what is signed, or the words that an entry commits to.
    """

    table: Any
    named: Callable[[Any, int], str]
    reach: Reach = Reach.KEEPERS
    of: tuple[str, Any] | None = None
    content: Callable[[Any], bytes | None] = lambda one: bytes(one.statement)


C, S = Reach.CONCERNED, Reach.SUPERVISORS

PAPERS: Final[Sequence[Paper]] = (
    Paper(TimetableRow, lambda one, _: f"timetable/{one.version}.dsse"),
    Paper(OpeningPolicyRow, lambda one, _: f"opening-policy/{one.version}.dsse"),
    Paper(NoticeRow, lambda one, _: f"notices/{one.number}-{one.kind}.dsse"),
    Paper(FallbackRow, lambda one, _: f"opening/fallback-{one.side}.dsse"),
    Paper(OpeningRow, lambda *_: "opening/record.dsse", content=lambda one: one.record_statement),
    Paper(IntentRow, lambda _, number: f"bids/submission-{number}.dsse", S),
    Paper(CandidatesRow, lambda _, number: f"result/candidates-{number}.dsse"),
    Paper(RecheckRow, lambda one, _: f"rechecks/{one.number}/request.dsse", C),
    Paper(RecheckOpinionRow, lambda one, _: f"rechecks/{one.number}/opinion-{one.member}.dsse", S),
    Paper(AwardRow, lambda one, _: f"result/award-{one.number}.dsse"),
    Paper(AwardRenunciationRow, lambda one, _: f"result/renunciation-{one.award_number}.dsse"),
    Paper(AwardAnnulmentRow, lambda one, _: f"result/annulment-{one.award_number}.dsse"),
    Paper(AwardVoteRow, lambda one, number: f"result/vote-{one.award_number}-{number}.dsse"),
    Paper(AwardReportRow, lambda one, _: f"result/report-{one.award_number}.dsse"),
    Paper(ContractRow, lambda _, number: f"contract/contract-{number}.dsse"),
    Paper(ContractFilingRow, lambda _, number: f"contract/filing-{number}.dsse"),
    Paper(ContractChangeRow, lambda _, number: f"contract/change-{number}.dsse"),
    Paper(PerformanceReportRow, lambda _, number: f"contract/performance-{number}.dsse"),
    Paper(SettlementRow, lambda _, number: f"contract/settlement-{number}.dsse"),
    Paper(PrequalificationRow, lambda one, _: f"prequalification/{one.round}/notice.dsse"),
    Paper(
        PrequalificationAddendumRow,
        lambda one, _: f"prequalification/{one.round}/addendum-{one.number}.dsse",
    ),
    Paper(
        PrequalificationReviewRow,
        lambda one, _: (
            f"prequalification/{one.round}/{'report.json' if one.by_committee else 'review.dsse'}"
        ),
        C,
    ),
    Paper(ValidityRequestRow, lambda one, _: f"validity/{one.number}/request.dsse"),
    Paper(ValidityAnswerRow, lambda one, _: f"validity/{one.number}/{one.bidder_id}.dsse", S),
    Paper(ObjectionRow, lambda one, _: f"objections/{one.id}/objection.dsse", C),
    Paper(
        ObjectionAnswerRow,
        lambda one, _: f"objections/{one.objection_id}/answer.dsse",
        C,
        ("objection_id", ObjectionRow),
    ),
    Paper(
        ObjectionRemedyRow,
        lambda one, _: f"objections/{one.objection_id}/remedy.dsse",
        C,
        ("objection_id", ObjectionRow),
    ),
    Paper(
        ObjectionWithdrawalRow,
        lambda one, _: f"objections/{one.objection_id}/withdrawal.dsse",
        C,
        ("objection_id", ObjectionRow),
    ),
    Paper(ComplaintRow, lambda one, _: f"complaints/{one.id}/complaint.dsse", S),
    Paper(
        ComplaintAnswerRow,
        lambda one, _: f"complaints/{one.complaint_id}/answer.dsse",
        S,
        ("complaint_id", ComplaintRow),
    ),
    Paper(
        ComplaintBrakeRow,
        lambda one, _: f"complaints/{one.complaint_id}/order-{one.number}.dsse",
        S,
        ("complaint_id", ComplaintRow),
    ),
    Paper(LotHaltRow, lambda one, _: f"halts/{one.number}-{one.ground}.dsse"),
    Paper(
        ComplaintDecisionRow,
        lambda one, _: f"complaints/{one.complaint_id}/decision.dsse",
        S,
        ("complaint_id", ComplaintRow),
    ),
    Paper(
        ComplaintWithdrawalRow,
        lambda one, _: f"complaints/{one.complaint_id}/withdrawal.dsse",
        S,
        ("complaint_id", ComplaintRow),
    ),
    Paper(
        SecurityForfeitureRow,
        lambda _, number: f"securities/forfeiture-{number}.dsse",
        S,
        ("account_id", SecurityAccountRow),
    ),
    Paper(PriceSignatureRow, lambda one, n: f"agreement/{one.number}/signature-{n}.dsse", S),
    Paper(
        TalkRow,
        lambda one, _: f"talks/{one.bidder_id}/turn-{one.turn}.txt",
        S,
        content=lambda one: one.words.encode(),
    ),
    Paper(
        TalkAnswerRow, lambda one, _: f"talks/answers/{one.talk_id}.dsse", S, ("talk_id", TalkRow)
    ),
    Paper(
        DemandChangeRow,
        lambda one, _: f"talks/change-{one.number}.txt",
        S,
        content=lambda one: one.words.encode(),
    ),
    Paper(TalkLeaveRow, lambda one, _: f"talks/{one.bidder_id}/leaving.dsse", S),
    Paper(LastPriceRow, lambda one, _: f"talks/{one.bidder_id}/last-price-{one.seq}.dsse", S),
    Paper(LastPriceOpeningRow, lambda one, _: f"talks/{one.bidder_id}/opening.dsse", S),
    Paper(LegalHoldRow, lambda one, _: f"holds/{one.id}/order.dsse", Reach.ORDERED),
    Paper(
        LegalHoldEndRow,
        lambda one, _: f"holds/{one.hold_id}/end.dsse",
        Reach.ORDERED,
        ("hold_id", LegalHoldRow),
    ),
)
"""Papers of which a row of its own keeps the signed bytes or the words."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Tables of which nothing goes in as a paper, by their names, and why, in both languages."""

    why: tuple[str, str]
    tables: tuple[str, ...]


LEFT_OUT: Final[Sequence[LeftOut]] = (
    LeftOut(
        (
            "密封的投标文件和申请文件、开启它们的密钥和份额：清单只载明摘要",
            "Sealed bids and applications, and what opened them: named by their digests",
        ),
        (
            *("trading.bid", "trading.bid_envelope", "trading.judgement"),
            *("trading.upload", "trading.upload_part", "trading.upload_header"),
            *("trading.upload_whole", "trading.upload_discarded"),
            *("trading.application", "trading.application_release", "trading.release"),
            *("trading.custodian", "trading.custodian_key", "trading.share"),
        ),
    ),
    LeftOut(
        (
            "开标、评标结果、公告和日志条目中已经写明的内容",
            "What the opening record, the report, a notice or an entry of the log says already",
        ),
        (
            *("trading.opened_bid", "trading.opening_objection", "trading.closing"),
            *("trading.ranked_bid", "trading.rejected_bid", "trading.award_notice"),
            *("trading.sole_supplier", "trading.price_agreement", "trading.retender"),
            *("trading.last_price_call", "trading.qualification", "trading.recheck_conclusion"),
        ),
    ),
    LeftOut(
        (
            "谁提出了问题、邀请了谁：前者永远保密，后者由公告中的摘要固定",
            "Who asked, which is secret for ever, and who was invited, whom the notice commits to",
        ),
        (
            *("trading.question", "trading.question_answer"),
            *("trading.invitation", "trading.invitee"),
        ),
    ),
    LeftOut(
        (
            "只有一方签署的文本和拟稿：双方签署的文本在包内",
            "Drafts, and texts that one side alone signed: what both signed is in the package",
        ),
        ("trading.contract_offer", "trading.contract_change_offer", "trading.tender_file"),
    ),
    LeftOut(
        (
            "保证金的收退和保函：每一份的状态写在清单中，保函正本在受益人处",
            "Payments of securities and guarantees: the manifest says where each stands",
        ),
        (
            *("trading.security_account", "trading.security_return"),
            *("trading.guarantee", "trading.guarantee_file"),
        ),
    ),
    LeftOut(
        ("平台自己的提醒和逾期警报", "Reminders and alarms of the platform itself"),
        ("trading.reminder", "trading.overdue_duty", "trading.security_alarm"),
    ),
    LeftOut(
        (
            "评委会成员的签到、评分、表决和签字：评标记录连同证明另行提供",
            "Attendance, marks, votes and signatures of the committee: the evaluation record has"
            " them with their proofs",
        ),
        (
            *("evaluation.committee", "evaluation.member", "evaluation.draft_score"),
            *("evaluation.score_edit", "evaluation.sheet", "evaluation.rejection"),
            *("evaluation.vote", "evaluation.report", "evaluation.set_aside_report"),
            *("evaluation.time_request", "evaluation.signature"),
        ),
    ),
    LeftOut(
        (
            "资格审查委员会各成员的审查意见：已全部载入资格审查报告",
            "What each member of a review committee found: the report on the applications tells it",
        ),
        ("evaluation.opinion",),
    ),
    LeftOut(
        (
            "专家抽取：抽取记录连同证明另行提供",
            "The draw of the experts: its transcript has its own proofs",
        ),
        (
            *("expert_pool.draw", "expert_pool.draw_party", "expert_pool.nonce_share"),
            *("expert_pool.draw_label", "expert_pool.draw_statement", "expert_pool.call"),
        ),
    ),
)
"""What a package leaves out; whoever takes it reads why."""

DOCUMENTS: Final = (TenderDocumentRow, TakenReportRow, EvidenceFileRow)
"""Tables whose rows name a document that goes in beside the papers."""


def archived_tables() -> frozenset[str]:
    """The tables whose rows are papers of a package or name its documents."""
    tables = [one.table for one in PAPERS] + list(DOCUMENTS)
    return frozenset(table.__table__.fullname for table in tables)


async def papers_of(tx: Transaction, lot: LotRow) -> list[tuple[str, bytes]]:
    """Every paper and document of the lot that may be the actor's, by its place in a package."""
    role, closed = tx.actor.role, was_closed(lot.path)
    found = []
    for paper in PAPERS:
        if paper.reach.lets(role, closed=closed):
            for number, one in enumerate(await _rows(tx, paper, lot.id), 1):
                content = paper.content(one)
                if content is not None:
                    found.append((paper.named(one, number), content))
    return found


async def rows_about(tx: Transaction, table: Any, lot_id: UUID) -> Sequence[Any]:
    """The rows of one table about the lot, in the order of their keys."""
    return await _rows(tx, Paper(table, lambda *_: ""), lot_id)


async def _rows(tx: Transaction, paper: Paper, lot_id: UUID) -> Sequence[Any]:
    table = paper.table
    if paper.of is None:
        about = table.lot_id == lot_id
    else:
        column, other = paper.of
        about = getattr(table, column).in_(select(other.id).where(other.lot_id == lot_id))
    keys = inspect(table).primary_key
    return (await tx.session.scalars(select(table).where(about).order_by(*keys))).all()
