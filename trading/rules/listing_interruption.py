"""A listing that stands still (中止), goes on (恢复), ends early (终止), or whose result is void.

Who announces a listing keeps to it: it is not taken back for a change of mind, but on one of few
grounds, each with its article, or by a decision of an authority or a court that is named with its
number. What was paid goes back then, and what was offered binds nobody. While a listing stands
still nothing is taken in it, and every moment that was still to come moves by as long as it stood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.refusals import Refusal
from kernel.statute import CIVIL_CODE, Article, under
from trading.rules.listing_protocol import ENDS, TERMS, ListingTerms, Phase


class OrderKind(StrEnum):
    """What is ordered of a listing."""

    SUSPEND = "suspend"
    RESUME = "resume"
    TERMINATE = "terminate"
    VOID = "void"


class Ground(StrEnum):
    """Why a listing is suspended or ended before its time."""

    OBJECT_LOST = "object_lost"
    CLAIM = "claim"
    CHANGED = "changed"
    FORCE_MAJEURE = "force_majeure"
    AUTHORITY = "authority"
    COURT = "court"


GROUND_NAMES: Final[Mapping[Ground, tuple[str, str]]] = MappingProxyType(
    {
        Ground.OBJECT_LOST: (
            "标的灭失，或者依法不能出让（转让）",
            "It is lost, or may not be granted or sold",
        ),
        Ground.CLAIM: ("第三人对标的主张权利", "Somebody else claims a right in it"),
        Ground.CHANGED: (
            "规划条件、标的状况等发生公告时无法预见的重大变化",
            "What it is changed in a way that nobody could foresee",
        ),
        Ground.FORCE_MAJEURE: ("不可抗力", "Force majeure"),
        Ground.AUTHORITY: ("主管部门的决定", "Decision of an authority"),
        Ground.COURT: ("人民法院的裁判或者协助执行文书", "Decision of a court"),
    }
)

DECIDED: Final = frozenset({Ground.AUTHORITY, Ground.COURT})
"""The grounds that are somebody else's decision, and stand on its paper."""

GROUND_ARTICLES: Final[Mapping[Ground, Article]] = MappingProxyType(
    {
        Ground.OBJECT_LOST: CIVIL_CODE[580],
        Ground.CLAIM: CIVIL_CODE[580],
        Ground.CHANGED: CIVIL_CODE[533],
        Ground.FORCE_MAJEURE: CIVIL_CODE[563],
    }
)


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it comes: what, on which ground, by whose paper, and from which side.

    `authority` and `document` name the decision and stay empty where it is nobody else's.
    """

    kind: OrderKind
    ground: Ground | None = None
    authority: str = ""
    document: str = ""
    by_supervisor: bool = False

    @property
    def basis(self) -> str:
        """What it stands on, in words: the decision with its number, or the article."""
        if self.ground is None:
            return ""
        if self.ground in DECIDED:
            return f"{self.authority} {self.document}"
        return str(GROUND_ARTICLES[self.ground])


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which a listing stood still; `until` is None while it still does."""

    since: datetime
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether the listing stood still at that instant."""
        return self.since <= at and (self.until is None or at < self.until)


@under(CIVIL_CODE[509], CIVIL_CODE[533], CIVIL_CODE[563], CIVIL_CODE[580], rule=("LA-07", "LA-08"))
def order_refusals(
    order: Order, *, phase: Phase, paused: bool, paused_by_supervisor: bool
) -> list[Refusal]:
    """Why a listing is not suspended, resumed or ended so.

    Supervisors record decisions of authorities and courts; they have no grounds of their own in a
    contract. What a supervisor stopped no seller lets go on.
    """
    if phase in ENDS:
        return [Refusal("listing_over", TERMS, "挂牌已经结束")]
    refusals = []
    if order.kind is OrderKind.SUSPEND and paused:
        refusals.append(Refusal("suspended_already", TERMS, "挂牌已经中止"))
    if order.kind is OrderKind.RESUME:
        if not paused:
            refusals.append(Refusal("not_suspended", TERMS, "挂牌没有中止，无须恢复"))
        elif paused_by_supervisor and not order.by_supervisor:
            reason = "依主管部门决定或者司法文书中止的，由行政监督部门恢复"
            refusals.append(Refusal("stopped_by_supervisor", TERMS, reason))
        return refusals
    if order.by_supervisor and order.ground not in DECIDED:
        reason = "行政监督部门依主管部门的决定或者人民法院的文书中止、终止挂牌"
        refusals.append(Refusal("ground_not_theirs", TERMS, reason))
    if order.ground in DECIDED and not (order.authority and order.document):
        reason = "应当写明作出决定的机关和文书编号"
        refusals.append(Refusal("decision_unnamed", TERMS, reason))
    if order.ground not in DECIDED and (order.authority or order.document):
        reason = "不是依决定或者文书的，不填写机关和文书编号"
        refusals.append(Refusal("decision_out_of_place", TERMS, reason))
    return refusals


@under(CIVIL_CODE[509], rule="LA-11")
def void_refusals(order: Order, *, phase: Phase, undone: bool) -> list[Refusal]:
    """Why a result is not recorded as void: there is none, or no decision says so.

    Nobody here finds that a buyer lied, bribed or colluded: an authority or a court does.
    """
    refusals = []
    if phase is not Phase.SOLD or undone:
        refusals.append(Refusal("no_deal", TERMS, "没有可以宣布无效的竞得结果"))
    if not order.by_supervisor or order.ground not in DECIDED:
        reason = "竞得结果无效由行政监督部门依主管部门的决定或者人民法院的文书登记"
        refusals.append(Refusal("ground_not_theirs", TERMS, reason))
    elif not (order.authority and order.document):
        reason = "应当写明作出决定的机关和文书编号"
        refusals.append(Refusal("decision_unnamed", TERMS, reason))
    return refusals


@under(CIVIL_CODE[509], rule="LA-07")
def standstill_refusals(pauses: Sequence[Pause], *, acted_at: datetime) -> list[Refusal]:
    """Why nothing is taken that arrived while the listing stood still."""
    if not any(one.holds(acted_at) for one in pauses):
        return []
    return [Refusal("listing_suspended", TERMS, "挂牌中止期间不办理报名、报价和竞价")]


def moved(at: datetime, pauses: Sequence[Pause]) -> datetime:
    """The moment as it stands after these pauses, in their order; one gone by then stays."""
    for pause in pauses:
        if pause.until is not None and at > pause.since:
            at += pause.until - pause.since
    return at


def terms_after(terms: ListingTerms, pauses: Sequence[Pause]) -> ListingTerms:
    """The published terms with every moment where the pauses have moved it."""
    return replace(
        terms,
        starts_at=moved(terms.starts_at, pauses),
        ends_at=moved(terms.ends_at, pauses),
        register_until=moved(terms.registers_until, pauses),
    )
