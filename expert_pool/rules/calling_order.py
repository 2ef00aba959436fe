"""The order in which experts are called: from the top of each list downwards, skipping for reasons.

Skipping only executes what was committed before anyone knew the order, what an expert answered, or
a bar that was recorded since. Whoever leaves moves nobody else: the next in the same list follows
(补抽), so that a supplementary draw is nothing but the old one walked further.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, CONDUCT_OPINIONS, under


class CallOutcome(StrEnum):
    """What became of an expert at a place of the ranking."""

    CALLED = "called"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    EXCLUDED = "excluded"
    """Passed over on the grounds committed before the draw."""

    SEATED_ELSEWHERE = "seated_elsewhere"
    BARRED_LATE = "barred_late"
    """Barred by a decision recorded after the announcement, and marked so."""

    RECUSED = "recused"
    """Stepped aside when the bidders' names were shown at sign-in."""

    ABSENT = "absent"


LEFT: Final = frozenset(
    {
        CallOutcome.DECLINED,
        CallOutcome.NO_ANSWER,
        CallOutcome.BARRED_LATE,
        CallOutcome.RECUSED,
        CallOutcome.ABSENT,
    }
)
"""The outcomes that give a call or a seat back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a called expert answered, and the proof that the record needs."""

    outcome: CallOutcome
    signed_by_expert: bool = False
    delivered: bool = False
    decision: str = ""


@under(CONDUCT_OPINIONS[14], BIDDING_REGULATION[46], rule=("EX-12", "EX-14"))
def answer_refusals(answer: Answer) -> list[Refusal]:
    """Why an answer may not be recorded in an expert's name.

    Accepting and declining are the expert's own signed words; silence needs proof that the call
    arrived; a bar names its decision.
    """
    own_words = {CallOutcome.ACCEPTED, CallOutcome.DECLINED, CallOutcome.RECUSED}
    refusals = []
    if answer.outcome in own_words and not answer.signed_by_expert:
        refusals.append(Refusal("not_signed", CONDUCT_OPINIONS[14], "专家的答复应当由其本人签名"))
    if answer.outcome is CallOutcome.NO_ANSWER and not answer.delivered:
        refusals.append(
            Refusal("not_delivered", CONDUCT_OPINIONS[14], "没有送达回执，不得记为未应答")
        )
    if answer.outcome is CallOutcome.BARRED_LATE and not answer.decision:
        refusals.append(
            Refusal("no_decision", CONDUCT_OPINIONS[14], "以受到处罚为由跳过的，应当列明处罚决定")
        )
    if answer.outcome not in LEFT and answer.outcome is not CallOutcome.ACCEPTED:
        reason = "此项结果由名单顺序产生，不能作为专家的答复"
        refusals.append(Refusal("not_an_answer", BIDDING_REGULATION[46], reason))
    return refusals


@dataclass(frozen=True, slots=True)
class WalkStep:
    """What was done at one place of one stratum's ranking; places count from one."""

    stratum: str
    place: int
    label: bytes
    outcome: CallOutcome
    grounds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a draw went down its lists, whom it seated, and how many seats stay open."""

    seated: Mapping[str, tuple[bytes, ...]]
    steps: tuple[WalkStep, ...]
    open_seats: Mapping[str, int]


def walk(
    rankings: Mapping[str, Sequence[bytes]],
    *,
    numbers: Mapping[str, int],
    grounds: Mapping[bytes, Collection[str]],
    left: Sequence[tuple[bytes, CallOutcome]] = (),
) -> Walk:
    """Who sits, taken from the top of each stratum's ranking, and why anyone was passed over.

    `grounds` are each label's committed exclusions, empty where there is none; `left` is who gave
    up a call or a seat, in the order in which it was recorded. Strata are filled in the order of
    `numbers`; each list is walked downwards only, so that whoever leaves moves nobody else: the
    next in the list of the same stratum takes the seat (补抽). Nobody sits twice, and whoever left
    is not asked again. `ValueError` for a label that nobody committed to, and for one that left
    without having been called.
    """
    lists = _Lists(rankings, grounds)
    for stratum, count in numbers.items():
        lists.fill(stratum, count)
    for label, outcome in left:
        lists.fill(lists.leave(label, outcome), 1)
    return lists.result(numbers)


class _Lists:
    """The lists while they are walked."""

    def __init__(
        self, rankings: Mapping[str, Sequence[bytes]], grounds: Mapping[bytes, Collection[str]]
    ) -> None:
        self._waiting = {
            stratum: deque(enumerate(ranking, 1)) for stratum, ranking in rankings.items()
        }
        self._grounds = grounds
        self._seat_of: dict[bytes, str] = {}
        self._gone: dict[bytes, CallOutcome] = {}
        self._steps: list[WalkStep] = []
        for ranking in rankings.values():
            unknown = [label for label in ranking if label not in grounds]
            if unknown:
                raise ValueError(f"{unknown[0].hex()} is ranked, but stands in no commitment")

    def fill(self, stratum: str, count: int) -> None:
        """Call down one list until so many more are called, or it has run out."""
        waiting = self._waiting[stratum]
        while count and waiting:
            place, label = waiting.popleft()
            reasons = tuple(sorted(self._grounds[label]))
            outcome = self._fate(label, reasons)
            self._steps.append(WalkStep(stratum, place, label, outcome, reasons))
            if outcome is CallOutcome.CALLED:
                self._seat_of[label] = stratum
                count -= 1

    def leave(self, label: bytes, outcome: CallOutcome) -> str:
        """Take a label's call back; the stratum in which it had been called."""
        if label not in self._seat_of or outcome not in LEFT:
            raise ValueError(f"{label.hex()} holds no call that it could give up")
        stratum = self._seat_of.pop(label)
        self._gone[label] = outcome
        self._steps = [
            replace(one, outcome=outcome) if (one.stratum, one.label) == (stratum, label) else one
            for one in self._steps
        ]
        return stratum

    def result(self, numbers: Mapping[str, int]) -> Walk:
        seated = {
            stratum: tuple(
                one.label
                for one in self._steps
                if one.stratum == stratum and one.outcome is CallOutcome.CALLED
            )
            for stratum in numbers
        }
        left_open = {stratum: count - len(seated[stratum]) for stratum, count in numbers.items()}
        return Walk(seated, tuple(self._steps), left_open)

    def _fate(self, label: bytes, grounds: tuple[str, ...]) -> CallOutcome:
        if grounds:
            return CallOutcome.EXCLUDED
        if label in self._seat_of:
            return CallOutcome.SEATED_ELSEWHERE
        return self._gone.get(label, CallOutcome.CALLED)
