"""Score sheets that are committed to before anyone sees another's, and revealed when all have.

    commitment = SHA-256("ebid/1/score" 0x00 || committee[16] || expert[16] || round[4] ||
                         nonce[32] || canonical sheet bytes)

The nonce keeps a sheet of a few marks from being guessed. A commitment stays for ever: a member who
changes a mark afterwards commits to a new sheet in the next round and says why.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from evaluation.rules.score_arithmetic import decimal_of, decimal_text
from evaluation.rules.score_scheme import ScoreScheme, score_refusals
from kernel.crypto.digests import (
    Malformed,
    canonical,
    count_of,
    labelled,
    list_of,
    members,
    text_of,
)
from kernel.errors import BrokenSeal
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    under,
)

VERSION: Final = "ebid-score-sheet/1"
NONCE_SIZE: Final = 32
ROUNDS_MAX: Final = 2**32 - 1
MARKS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """What one member gives one bid for one item."""

    bid: str
    item: str
    score: Decimal


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """Everything one member gives in one round, in the order of bids and items.

    `ValueError` where a mark stands twice or the round is none.
    """

    committee: UUID
    expert: UUID
    round: int
    marks: tuple[Mark, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.round <= ROUNDS_MAX:
            raise ValueError("rounds count from one")
        if len({(one.bid, one.item) for one in self.marks}) != len(self.marks):
            raise ValueError("a mark stands twice in the sheet")
        object.__setattr__(self, "marks", tuple(sorted(self.marks)))

    def mark(self, bid: str, item: str) -> Decimal:
        """The mark for that bid and item; `KeyError` where there is none."""
        for one in self.marks:
            if (one.bid, one.item) == (bid, item):
                return one.score
        raise KeyError((bid, item))


class ChangeGround(StrEnum):
    """What procurement law lets the committee change once the totals are known."""

    SUM_ERROR = "sum_error"
    OUT_OF_RANGE = "out_of_range"
    OBJECTIVE_DIFFERS = "objective_differs"
    ABNORMAL = "abnormal"
    """The committee finds a mark abnormally high or low (畸高、畸低)."""


@dataclass(frozen=True, slots=True)
class SheetChange:
    """A sheet that follows one already committed to.

    `ground` is needed in procurement once the totals are known.
    """

    before: ScoreSheet
    after: ScoreSheet
    reason: str
    totals_known: bool = False
    report_signed: bool = False
    ground: ChangeGround | None = None


def sheet_document(sheet: ScoreSheet) -> dict[str, object]:
    """The sheet as JSON."""
    return {
        "v": VERSION,
        "committee": str(sheet.committee),
        "expert": str(sheet.expert),
        "round": sheet.round,
        "marks": [
            {"bid": one.bid, "item": one.item, "score": decimal_text(one.score)}
            for one in sheet.marks
        ],
    }


def sheet_bytes(sheet: ScoreSheet) -> bytes:
    """The one text of a sheet, which is what is committed to."""
    return canonical(sheet_document(sheet))


def parse_sheet(document: object) -> ScoreSheet:
    """The sheet that a JSON document says, or `Malformed` unless it is written in the one way."""
    told = members(document, {"v", "committee", "expert", "round", "marks"})
    if told["v"] != VERSION:
        raise Malformed(f"a score sheet is written as {VERSION}")
    marks = []
    for one in list_of(told["marks"], at_most=MARKS_MAX):
        mark = members(one, {"bid", "item", "score"})
        marks.append(Mark(text_of(mark["bid"]), text_of(mark["item"]), decimal_of(mark["score"])))
    try:
        sheet = ScoreSheet(
            UUID(text_of(told["committee"])),
            UUID(text_of(told["expert"])),
            count_of(told["round"]),
            tuple(marks),
        )
    except ValueError as fault:
        raise Malformed(str(fault)) from None
    if sheet_document(sheet) != told:
        raise Malformed("marks stand in the order of bids and items, each in its shortest form")
    return sheet


def commitment(sheet: ScoreSheet, nonce: bytes) -> bytes:
    """The commitment to a sheet; `ValueError` unless the nonce has 32 bytes."""
    if len(nonce) != NONCE_SIZE:
        raise ValueError("a nonce has 32 bytes")
    return labelled(
        "ebid/1/score",
        sheet.committee.bytes,
        sheet.expert.bytes,
        sheet.round.to_bytes(4, "big"),
        nonce,
        sheet_bytes(sheet),
    )


def check_reveal(sheet: ScoreSheet, nonce: bytes, committed: bytes) -> None:
    """`BrokenSeal` unless sheet and nonce are those that were committed to."""
    if len(nonce) != NONCE_SIZE or not hmac.compare_digest(commitment(sheet, nonce), committed):
        raise BrokenSeal(f"round {sheet.round}: the sheet is not the one committed to")


@under(BIDDING_REGULATION[49], PROCUREMENT_TENDER_MEASURES[55], rule=("EV-02", "EV-12"))
def sheet_refusals(
    sheet: ScoreSheet, scheme: ScoreScheme, *, bids: Collection[str], regime: Regime
) -> list[Refusal]:
    """Why a sheet may not be committed to: marks missing, unknown, or outside their bands."""
    article = _article(regime, PROCUREMENT_TENDER_MEASURES[55])
    due = {(bid, item.id) for bid in bids for item in scheme.items}
    given = {(one.bid, one.item) for one in sheet.marks}
    refusals = []
    if due - given:
        reason = f"尚有{len(due - given)}项未评分，不得提交"
        refusals.append(
            Refusal("marks_missing", article, reason, {"missing": str(len(due - given))})
        )
    strange = {bid for bid, _ in given} - set(bids)
    if strange:
        reason = "对不在评审范围内的投标文件评分"
        refusals.append(Refusal("unknown_bid", article, reason))
    for one in sheet.marks:
        refusals += score_refusals(scheme, one.item, one.score)
    return refusals


@under(BIDDING_REGULATION[49], PROCUREMENT_TENDER_MEASURES[62], rule="EV-12")
def reveal_refusals(
    *, committee_members: Collection[UUID], committed: Collection[UUID], regime: Regime
) -> list[Refusal]:
    """Nobody reveals a sheet before every member has committed to one: members score alone."""
    missing = set(committee_members) - set(committed)
    if not missing:
        return []
    article = _article(regime, PROCUREMENT_TENDER_MEASURES[62])
    reason = f"尚有{len(missing)}名成员未提交评分，任何人不得查看他人评分"
    return [Refusal("not_all_committed", article, reason, {"missing": str(len(missing))})]


@dataclass(frozen=True, slots=True)
class NextRound:
    """A commitment that follows an earlier one; what it commits to is not known yet.

    `before` is the round it follows. `ground` is needed in procurement once the totals are known.
    """

    before: int
    round: int
    reason: str
    totals_known: bool = False
    report_signed: bool = False
    ground: ChangeGround | None = None


@under(BIDDING_REGULATION[49], PROCUREMENT_TENDER_MEASURES[64], rule="EV-13")
def recommitment_refusals(following: NextRound, *, regime: Regime) -> list[Refusal]:
    """Why nobody may commit to a new sheet like this after an earlier one.

    Every change says why. Once the totals are known, procurement law names four grounds and no
    more; once the report is signed, marks change only in a renewed evaluation.
    """
    article = _article(regime, PROCUREMENT_TENDER_MEASURES[64])
    refusals = []
    if following.round != following.before + 1:
        reason = f"评分已更新至第{following.before}轮，请重新载入"
        refusals.append(Refusal("round_outrun", article, reason, {"round": str(following.before)}))
    if not following.reason.strip():
        reason = "评分提交后修改的，应当说明理由并记录在案"
        refusals.append(Refusal("no_reason", article, reason))
    if following.report_signed:
        reason = "评标报告签署后不得修改评分，应当由原评标委员会依法复核"
        refusals.append(Refusal("report_signed", article, reason))
    elif following.totals_known and regime is Regime.PROCUREMENT and following.ground is None:
        reason = (
            "评审结果汇总后，除分值汇总计算错误、分项评分超出标准范围、客观评审因素评分不一致、"
            "经认定评分畸高畸低外，不得修改"
        )
        refusals.append(Refusal("no_lawful_ground", article, reason))
    return refusals


@under(BIDDING_REGULATION[49], PROCUREMENT_TENDER_MEASURES[64], rule="EV-13")
def change_refusals(change: SheetChange, *, regime: Regime) -> list[Refusal]:
    """Why a committed sheet may not be followed by this one, both being known."""
    article = _article(regime, PROCUREMENT_TENDER_MEASURES[64])
    before, after = change.before, change.after
    refusals = []
    if (before.committee, before.expert) != (after.committee, after.expert):
        refusals.append(Refusal("not_own_sheet", article, "只能修改本人的评分"))
    if before.marks == after.marks:
        refusals.append(Refusal("nothing_changed", article, "评分没有变化"))
    following = NextRound(
        before.round,
        after.round,
        change.reason,
        change.totals_known,
        change.report_signed,
        change.ground,
    )
    return refusals + recommitment_refusals(following, regime=regime)


def changed_marks(before: ScoreSheet, after: ScoreSheet) -> tuple[tuple[str, str], ...]:
    """The bids and items whose marks differ between two sheets, in order."""
    old = {(one.bid, one.item): one.score for one in before.marks}
    new = {(one.bid, one.item): one.score for one in after.marks}
    return tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))


def _article(regime: Regime, procurement: Article) -> Article:
    return procurement if regime is Regime.PROCUREMENT else BIDDING_REGULATION[49]
