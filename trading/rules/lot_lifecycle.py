"""The life of a lot.

Everything that decides where a lot may go next is in this file. `trading/lots.py` is the only
caller that acts on it, and the README's diagram is drawn from `LAWFUL_MOVES`.

There are two machines here, not one. The lifecycle runs from DRAFT to an end; the suspension is a
brake that a supervisor or an unanswered objection pulls. A braked lot keeps its place, which is
what keeps the table small.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.errors import Refused
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    under,
)


class LotState(StrEnum):
    """Where a lot is in its life."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    OPENING = "opening"
    OPENED = "opened"
    IN_EVALUATION = "in_evaluation"
    EVALUATED = "evaluated"
    CANDIDATES_PUBLISHED = "candidates_published"
    CLEARED_FOR_AWARD = "cleared_for_award"
    AWARDED = "awarded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class LotMove(StrEnum):
    """What can happen to a lot; each is one act by a person or one moment that comes."""

    PUBLISH = "publish"
    BEGIN_CLOSING = "begin_closing"
    CLOSE = "close"
    FAIL_FOR_TOO_FEW_BIDDERS = "fail_for_too_few_bidders"
    BEGIN_OPENING = "begin_opening"
    FINISH_OPENING = "finish_opening"
    HAND_OVER = "hand_over"
    TAKE_REPORT = "take_report"
    REJECT_ALL_BIDS = "reject_all_bids"
    PUBLISH_CANDIDATES = "publish_candidates"
    END_STANDSTILL = "end_standstill"
    AWARD = "award"
    ANNUL_AWARD = "annul_award"
    RETURN_TO_EVALUATION = "return_to_evaluation"
    CANCEL = "cancel"


S, M, LAW, REG = LotState, LotMove, BIDDING_LAW, BIDDING_REGULATION

LAWFUL_MOVES: Final[Mapping[tuple[LotState, LotMove], tuple[LotState, Article]]] = MappingProxyType(
    {
        (S.DRAFT, M.PUBLISH): (S.OPEN, LAW[16]),
        (S.OPEN, M.BEGIN_CLOSING): (S.CLOSING, LAW[28]),
        (S.CLOSING, M.CLOSE): (S.CLOSED, E_BIDDING_MEASURES[27]),
        (S.CLOSED, M.FAIL_FOR_TOO_FEW_BIDDERS): (S.FAILED, REG[44]),
        (S.CLOSED, M.BEGIN_OPENING): (S.OPENING, LAW[34]),
        (S.OPENING, M.FINISH_OPENING): (S.OPENED, LAW[36]),
        (S.OPENED, M.FAIL_FOR_TOO_FEW_BIDDERS): (S.FAILED, REG[44]),
        (S.OPENED, M.HAND_OVER): (S.IN_EVALUATION, LAW[37]),
        (S.IN_EVALUATION, M.TAKE_REPORT): (S.EVALUATED, LAW[40]),
        (S.IN_EVALUATION, M.REJECT_ALL_BIDS): (S.FAILED, LAW[42]),
        (S.EVALUATED, M.PUBLISH_CANDIDATES): (S.CANDIDATES_PUBLISHED, REG[54]),
        (S.EVALUATED, M.RETURN_TO_EVALUATION): (S.IN_EVALUATION, REG[56]),
        (S.CANDIDATES_PUBLISHED, M.END_STANDSTILL): (S.CLEARED_FOR_AWARD, REG[54]),
        (S.CANDIDATES_PUBLISHED, M.RETURN_TO_EVALUATION): (S.IN_EVALUATION, REG[56]),
        (S.CLEARED_FOR_AWARD, M.AWARD): (S.AWARDED, LAW[45]),
        (S.CLEARED_FOR_AWARD, M.RETURN_TO_EVALUATION): (S.IN_EVALUATION, REG[56]),
        # The next in order may be named then, or the lot ended and tendered again.
        (S.AWARDED, M.ANNUL_AWARD): (S.CLEARED_FOR_AWARD, REG[55]),
        (S.DRAFT, M.CANCEL): (S.CANCELLED, REG[31]),
        (S.OPEN, M.CANCEL): (S.CANCELLED, REG[31]),
        (S.CLOSED, M.CANCEL): (S.CANCELLED, REG[31]),
        (S.OPENING, M.CANCEL): (S.CANCELLED, REG[31]),
        (S.OPENED, M.CANCEL): (S.CANCELLED, REG[31]),
        (S.IN_EVALUATION, M.CANCEL): (S.CANCELLED, REG[31]),
        (S.EVALUATED, M.CANCEL): (S.CANCELLED, REG[31]),
        # Once candidates are known, ending is tendering again because none of them qualifies.
        (S.CANDIDATES_PUBLISHED, M.CANCEL): (S.CANCELLED, REG[55]),
        (S.CLEARED_FOR_AWARD, M.CANCEL): (S.CANCELLED, REG[55]),
    }
)
"""Where each lawful move leads, and the article it stands on under the tendering law."""

PROCUREMENT_ARTICLES: Final[Mapping[LotMove, Article]] = MappingProxyType(
    {
        M.PUBLISH: PROCUREMENT_TENDER_MEASURES[16],
        M.BEGIN_CLOSING: PROCUREMENT_TENDER_MEASURES[33],
        M.CLOSE: PROCUREMENT_TENDER_MEASURES[33],
        M.FAIL_FOR_TOO_FEW_BIDDERS: PROCUREMENT_TENDER_MEASURES[43],
        M.BEGIN_OPENING: PROCUREMENT_TENDER_MEASURES[39],
        M.FINISH_OPENING: PROCUREMENT_TENDER_MEASURES[41],
        M.HAND_OVER: PROCUREMENT_TENDER_MEASURES[44],
        M.TAKE_REPORT: PROCUREMENT_TENDER_MEASURES[61],
        M.REJECT_ALL_BIDS: PROCUREMENT_LAW[36],
        M.PUBLISH_CANDIDATES: PROCUREMENT_TENDER_MEASURES[68],
        M.END_STANDSTILL: PROCUREMENT_TENDER_MEASURES[68],
        M.AWARD: PROCUREMENT_REGULATION[43],
        M.ANNUL_AWARD: PROCUREMENT_REGULATION[49],
        M.RETURN_TO_EVALUATION: PROCUREMENT_TENDER_MEASURES[64],
        M.CANCEL: PROCUREMENT_TENDER_MEASURES[29],
    }
)
"""The article each move stands on in government procurement, which moves the same way."""

ENDS: Final = frozenset({S.AWARDED, S.FAILED, S.CANCELLED})
"""Where a lot stays for good; only an award that falls away is left again."""

UNBRAKED: Final = ENDS | {S.DRAFT, S.CLOSING}
"""Where there is no brake: ends; a draft, which is no procedure yet unless its bidders are being
qualified beforehand; and the closing, which takes moments and whose cut must not be left half
judged."""

STATE_NAMES: Final[Mapping[LotState, str]] = MappingProxyType(
    {
        S.DRAFT: "拟稿",
        S.OPEN: "投标",
        S.CLOSING: "截标",
        S.CLOSED: "已截标",
        S.OPENING: "开标",
        S.OPENED: "已开标",
        S.IN_EVALUATION: "评标",
        S.EVALUATED: "已评标",
        S.CANDIDATES_PUBLISHED: "中标候选人公示",
        S.CLEARED_FOR_AWARD: "待定标",
        S.AWARDED: "已定标",
        S.FAILED: "流标",
        S.CANCELLED: "已终止",
    }
)

MOVE_NAMES: Final[Mapping[LotMove, str]] = MappingProxyType(
    {
        M.PUBLISH: "发布招标公告",
        M.BEGIN_CLOSING: "截止投标",
        M.CLOSE: "完成截标",
        M.FAIL_FOR_TOO_FEW_BIDDERS: "因投标人不足流标",
        M.BEGIN_OPENING: "开始开标",
        M.FINISH_OPENING: "完成开标",
        M.HAND_OVER: "移交评标",
        M.TAKE_REPORT: "提交评标报告",
        M.REJECT_ALL_BIDS: "否决所有投标",
        M.PUBLISH_CANDIDATES: "公示中标候选人",
        M.END_STANDSTILL: "结束公示",
        M.AWARD: "定标",
        M.ANNUL_AWARD: "取消中标资格",
        M.RETURN_TO_EVALUATION: "退回评标委员会",
        M.CANCEL: "终止招标",
    }
)


def was_closed(path: Collection[str]) -> bool:
    """Whether a lot that has been in these states was ever closed, so that its bidders are known.

    What a lot is now does not tell: one that was cancelled may have ended before its close or long
    after it, and who meant to bid for the first stays a secret for ever (招标投标法 22).
    """
    return LotState.CLOSED in path


def was_opened(path: Collection[str]) -> bool:
    """Whether the bids of a lot that has been in these states were ever opened."""
    return LotState.OPENED in path


def after(state: LotState, move: LotMove, *, suspended: bool) -> LotState:
    """The state that `move` leads to, or `Refused` where the law knows no such step."""
    refusals = move_refusals(state, move, suspended=suspended)
    if refusals:
        raise Refused(refusals)
    return LAWFUL_MOVES[state, move][0]


@under(BIDDING_LAW[5], BIDDING_REGULATION[22], BIDDING_REGULATION[62])
def move_refusals(state: LotState, move: LotMove, *, suspended: bool) -> list[Refusal]:
    """Why a lot may not take this step: it is braked, or the law knows no such step here."""
    refusals = standstill_refusals(suspended=suspended)
    if (state, move) not in LAWFUL_MOVES:
        reason = f"标段处于“{STATE_NAMES[state]}”状态，不得{MOVE_NAMES[move]}"
        refusals.append(
            Refusal("no_such_move", LAW[5], reason, {"state": str(state), "move": str(move)})
        )
    return refusals


@under(BIDDING_REGULATION[22], BIDDING_REGULATION[62])
def standstill_refusals(*, suspended: bool) -> list[Refusal]:
    """Why nothing goes on in a lot now: it is braked."""
    if not suspended:
        return []
    return [Refusal("lot_suspended", REG[62], "标段已暂停，恢复前不得进行此项活动")]


@under(BIDDING_REGULATION[22])
def submission_refusals(*, suspended: bool) -> list[Refusal]:
    """Why no bid and no application is taken in now: the lot is braked."""
    if not suspended:
        return []
    return [Refusal("lot_suspended", REG[22], "招标投标活动已暂停，恢复后方可递交")]


def article_of(state: LotState, move: LotMove, *, regime: Regime = Regime.TENDERING) -> Article:
    """The article on which a lawful move stands; `KeyError` for a move that is not lawful."""
    article = LAWFUL_MOVES[state, move][1]
    return PROCUREMENT_ARTICLES[move] if regime is Regime.PROCUREMENT else article


def may_suspend(state: LotState, *, suspended: bool, called: bool = False) -> bool:
    """Whether the brake can be pulled here.

    `called` says that applications were called for, so that a draft is a procedure already.
    """
    return not suspended and _has_brake(state, called=called)


def may_resume(state: LotState, *, suspended: bool, called: bool = False) -> bool:
    """Whether there is a brake to release here."""
    return suspended and _has_brake(state, called=called)


def _has_brake(state: LotState, *, called: bool) -> bool:
    return state not in UNBRAKED or (called and state is S.DRAFT)


@under(BIDDING_REGULATION[22], BIDDING_REGULATION[62])
def suspension_refusals(state: LotState, *, suspended: bool, called: bool = False) -> list[Refusal]:
    """Why a lot cannot be suspended: it is already, or there is nothing here to suspend."""
    if may_suspend(state, suspended=suspended, called=called):
        return []
    if suspended:
        return [Refusal("already_suspended", REG[62], "标段已处于暂停状态")]
    reason = f"标段处于“{STATE_NAMES[state]}”状态，不能暂停"
    return [Refusal("not_suspendable", REG[62], reason, {"state": str(state)})]


@dataclass(frozen=True, slots=True)
class Standstill:
    """A lot that is to go on, and the deadlines that may have passed meanwhile.

    `called` says that applications were called for, `suspended_at` since when everything waits.
    """

    state: LotState
    suspended: bool
    now: datetime
    bids_due_at: datetime | None = None
    called: bool = False
    applications_due_at: datetime | None = None
    suspended_at: datetime | None = None

    @property
    def deadline_passed(self) -> bool:
        """Whether the bids fell due while nobody could bid."""
        if self.state is not LotState.OPEN or self.bids_due_at is None:
            return False
        return self.now >= self.bids_due_at

    @property
    def applications_passed(self) -> bool:
        """Whether applications fell due while nobody could apply."""
        due_at, since = self.applications_due_at, self.suspended_at
        if self.state is not LotState.DRAFT or due_at is None or since is None:
            return False
        return since < due_at <= self.now


@under(BIDDING_REGULATION[22], BIDDING_REGULATION[62])
def resumption_refusals(lot: Standstill) -> list[Refusal]:
    """Why a lot cannot be resumed: it is not suspended, or its deadline passed meanwhile.

    Nobody could bid or apply while the lot was suspended, so a deadline that has passed meanwhile
    must be moved before the lot goes on.
    """
    if not may_resume(lot.state, suspended=lot.suspended, called=lot.called):
        return [Refusal("not_suspended", REG[62], "标段未处于暂停状态")]
    if lot.deadline_passed:
        reason = "投标截止时间在暂停期间已过，应当先顺延投标截止时间再恢复"
        return [Refusal("deadline_passed_meanwhile", REG[22], reason)]
    if lot.applications_passed:
        reason = "提交资格预审申请文件的截止时间在暂停期间已过，应当先顺延再恢复"
        return [Refusal("deadline_passed_meanwhile", REG[22], reason)]
    return []


def mermaid() -> str:
    """The diagram of the README: every lawful move, drawn from the table."""
    lines = ["stateDiagram-v2", f"    [*] --> {S.DRAFT.name}"]
    for (here, move), (there, article) in LAWFUL_MOVES.items():
        place = f"{article.instrument.name} {article.number}"
        lines.append(f"    {here.name} --> {there.name}: {move.name} ({place})")
    lines += [f"    {end.name} --> [*]" for end in S if end in ENDS]
    return "\n".join(lines)
