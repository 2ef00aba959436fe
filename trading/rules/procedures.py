"""The kinds of procedure, and the switches that each of them sets.

One table, no subclasses: a rule is told the switches as facts and never asks which procedure it
serves. Two families of law stand side by side: tendering (招标投标), mandatory or voluntary, and
government procurement (政府采购). Every figure carries the article it comes from, so that a refusal
cites the law of its own procedure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.money import cut_off
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    InForce,
    Regime,
)
from kernel.working_days import (
    STATE_CALENDAR,
    Calendar,
    last_day,
    last_working_day,
)


class Procedure(StrEnum):
    """How a lot is put up: by a tender that the law demands, a free one, or as procurement."""

    OPEN_TENDER_MANDATORY = "open_tender_mandatory"
    OPEN_TENDER_VOLUNTARY = "open_tender_voluntary"
    PROCUREMENT_OPEN_TENDER = "procurement_open_tender"


class SecurityForm(StrEnum):
    """How a bid security may be given (投标保证金的形式)."""

    CASH = "cash"
    TRANSFER = "transfer"
    CHEQUE = "cheque"
    DRAFT = "draft"
    BANK_GUARANTEE = "bank_guarantee"
    SURETY_BOND = "surety_bond"
    INSURANCE = "insurance"


class PriceMethod(StrEnum):
    """How a price becomes points."""

    BENCHMARK = "benchmark"
    LOWEST_PRICE_FIRST = "lowest_price_first"


class Winner(StrEnum):
    """Whom the tenderee must name among the ranked candidates."""

    RANK_ONE = "rank_one"
    RANK_ONE_IF_STATE_FUNDED = "rank_one_if_state_funded"
    ANY_CANDIDATE = "any_candidate"


@dataclass(frozen=True, slots=True)
class Period:
    """A statutory number of days, natural or working, and the article that fixes it."""

    days: int
    article: Article
    working: bool = False

    def ends_on(self, start_on: date, *, calendar: Calendar = STATE_CALENDAR) -> date:
        """The last day of the period that starts on `start_on`, a day which is not counted."""
        count = last_working_day if self.working else last_day
        return count(start_on, self.days, calendar=calendar)

    def __str__(self) -> str:
        return f"{self.days}个工作日" if self.working else f"{self.days}日"


@dataclass(frozen=True, slots=True)
class SecurityCap:
    """The most that a bid security may be, as a share of the estimate or the budget."""

    share: Decimal
    article: Article
    basis: str
    forms: frozenset[SecurityForm]

    def most_for(self, estimate: Decimal) -> Decimal:
        """The largest amount in whole fen that is not above the cap."""
        return cut_off(self.share * estimate)


@dataclass(frozen=True, slots=True)
class CommitteeSize:
    """How many sit on a committee; from a budget of `large_from` on it must be larger."""

    members_min: int
    article: Article
    large_from: Decimal | None = None
    large_members_min: int = 0

    def members_for(self, estimate: Decimal) -> int:
        """The least number of members for a lot of this estimate; the number must also be odd."""
        if self.large_from is not None and estimate >= self.large_from:
            return self.large_members_min
        return self.members_min


@dataclass(frozen=True, slots=True)
class Switches:
    """What one procedure demands; None where its law leaves the matter open.

    `notice_period` and `documents_period` are how long notice and documents must be on offer.
    `documents_objection_days` are the days before the deadline by which the documents must be
    objected to; procurement counts from what the supplier knew instead (`challenge_period`).
    `officials_layer` says that bids are also sealed to officials, so that no bidder can listen to
    the others' prices before giving its own. `decision_period` runs from the report to the award.
    """

    regime: Regime
    mandatory: bool
    bidding_period: Period | None
    notice_period: Period | None
    documents_period: Period
    clarification_period: Period
    documents_objection_days: int | None
    challenge_period: Period | None
    answer_period: Period
    security: SecurityCap
    security_return_after_withdrawal: Period
    security_return_after_contract: Period
    validity_article: Article
    ceiling_article: Article
    ceiling_may_exceed_estimate: bool
    candidates_max: int
    candidates_article: Article
    publish_within: Period | None
    publicity: Period | None
    winner: Winner
    winner_article: Article
    decision_period: Period | None
    award_report_period: Period | None
    contract_period: Period
    price_methods: frozenset[PriceMethod]
    price_method_article: Article
    committee: CommitteeSize
    representative_may_lead: bool
    officials_layer: bool
    bidders_min: int
    quorum_article: Article

    def publicity_days(self) -> int:
        """The least number of days for which candidates are published; none where none is due."""
        return 0 if self.publicity is None else self.publicity.days


ANY_FORM: Final = frozenset(SecurityForm)
NO_CASH: Final = ANY_FORM - {SecurityForm.CASH}
GUARANTEES: Final = frozenset(
    {SecurityForm.BANK_GUARANTEE, SecurityForm.SURETY_BOND, SecurityForm.INSURANCE}
)

_MANDATORY: Final = Switches(
    regime=Regime.TENDERING,
    mandatory=True,
    bidding_period=Period(20, BIDDING_LAW[24]),
    notice_period=None,
    documents_period=Period(5, BIDDING_REGULATION[16]),
    clarification_period=Period(15, BIDDING_REGULATION[21]),
    documents_objection_days=10,
    challenge_period=None,
    answer_period=Period(3, BIDDING_REGULATION[54]),
    security=SecurityCap(Decimal("0.02"), BIDDING_REGULATION[26], "招标项目估算价", ANY_FORM),
    security_return_after_withdrawal=Period(5, BIDDING_REGULATION[35]),
    security_return_after_contract=Period(5, BIDDING_REGULATION[57]),
    validity_article=BIDDING_REGULATION[25],
    ceiling_article=BIDDING_REGULATION[27],
    ceiling_may_exceed_estimate=True,
    candidates_max=3,
    candidates_article=BIDDING_REGULATION[53],
    publish_within=Period(3, BIDDING_REGULATION[54]),
    publicity=Period(3, BIDDING_REGULATION[54]),
    winner=Winner.RANK_ONE_IF_STATE_FUNDED,
    winner_article=BIDDING_REGULATION[55],
    decision_period=None,
    award_report_period=Period(15, BIDDING_LAW[47]),
    contract_period=Period(30, BIDDING_LAW[46]),
    price_methods=frozenset(PriceMethod),
    price_method_article=BIDDING_LAW[40],
    committee=CommitteeSize(5, BIDDING_LAW[37]),
    representative_may_lead=True,
    officials_layer=True,
    bidders_min=3,
    quorum_article=BIDDING_REGULATION[44],
)

_VOLUNTARY: Final = Switches(
    regime=Regime.TENDERING,
    mandatory=False,
    bidding_period=None,
    notice_period=None,
    documents_period=Period(5, BIDDING_REGULATION[16]),
    clarification_period=Period(15, BIDDING_REGULATION[21]),
    documents_objection_days=10,
    challenge_period=None,
    answer_period=Period(3, BIDDING_REGULATION[22]),
    security=SecurityCap(Decimal("0.02"), BIDDING_REGULATION[26], "招标项目估算价", ANY_FORM),
    security_return_after_withdrawal=Period(5, BIDDING_REGULATION[35]),
    security_return_after_contract=Period(5, BIDDING_REGULATION[57]),
    validity_article=BIDDING_REGULATION[25],
    ceiling_article=BIDDING_REGULATION[27],
    ceiling_may_exceed_estimate=True,
    candidates_max=3,
    candidates_article=BIDDING_REGULATION[53],
    publish_within=None,
    publicity=None,
    winner=Winner.ANY_CANDIDATE,
    winner_article=BIDDING_LAW[40],
    decision_period=None,
    award_report_period=None,
    contract_period=Period(30, BIDDING_LAW[46]),
    price_methods=frozenset(PriceMethod),
    price_method_article=BIDDING_LAW[40],
    committee=CommitteeSize(5, BIDDING_LAW[37]),
    representative_may_lead=True,
    officials_layer=True,
    bidders_min=3,
    quorum_article=BIDDING_REGULATION[44],
)

_PROCUREMENT: Final = Switches(
    regime=Regime.PROCUREMENT,
    mandatory=True,
    bidding_period=Period(20, PROCUREMENT_LAW[35]),
    notice_period=Period(5, PROCUREMENT_TENDER_MEASURES[16], working=True),
    documents_period=Period(5, PROCUREMENT_REGULATION[31], working=True),
    clarification_period=Period(15, PROCUREMENT_TENDER_MEASURES[27]),
    documents_objection_days=None,
    challenge_period=Period(7, PROCUREMENT_LAW[52], working=True),
    answer_period=Period(7, PROCUREMENT_LAW[53], working=True),
    security=SecurityCap(Decimal("0.02"), PROCUREMENT_REGULATION[33], "采购项目预算金额", NO_CASH),
    security_return_after_withdrawal=Period(5, PROCUREMENT_TENDER_MEASURES[38], working=True),
    security_return_after_contract=Period(5, PROCUREMENT_TENDER_MEASURES[38], working=True),
    validity_article=PROCUREMENT_TENDER_MEASURES[23],
    ceiling_article=PROCUREMENT_TENDER_MEASURES[12],
    ceiling_may_exceed_estimate=False,
    candidates_max=3,
    candidates_article=PROCUREMENT_TENDER_MEASURES[68],
    publish_within=None,
    publicity=None,
    winner=Winner.RANK_ONE,
    winner_article=PROCUREMENT_REGULATION[43],
    decision_period=Period(5, PROCUREMENT_REGULATION[43], working=True),
    award_report_period=None,
    contract_period=Period(30, PROCUREMENT_TENDER_MEASURES[71]),
    price_methods=frozenset({PriceMethod.LOWEST_PRICE_FIRST}),
    price_method_article=PROCUREMENT_TENDER_MEASURES[55],
    committee=CommitteeSize(
        5, PROCUREMENT_TENDER_MEASURES[47], large_from=Decimal(10_000_000), large_members_min=7
    ),
    representative_may_lead=False,
    officials_layer=True,
    bidders_min=3,
    quorum_article=PROCUREMENT_TENDER_MEASURES[43],
)

PROCEDURES: Final[Mapping[Procedure, InForce[Switches]]] = MappingProxyType(
    {
        Procedure.OPEN_TENDER_MANDATORY: InForce({date(2013, 5, 1): _MANDATORY}),
        Procedure.OPEN_TENDER_VOLUNTARY: InForce({date(2013, 5, 1): _VOLUNTARY}),
        Procedure.PROCUREMENT_OPEN_TENDER: InForce({date(2017, 10, 1): _PROCUREMENT}),
    }
)
"""The switches of each procedure through the years; a lot keeps those of the day it was published.

They begin when the newest instrument they rest on came into force.
"""

PROCEDURE_NAMES: Final[Mapping[Procedure, str]] = MappingProxyType(
    {
        Procedure.OPEN_TENDER_MANDATORY: "依法必须招标项目公开招标",
        Procedure.OPEN_TENDER_VOLUNTARY: "自愿招标项目公开招标",
        Procedure.PROCUREMENT_OPEN_TENDER: "政府采购公开招标",
    }
)

SEALING_ARTICLE: Final = E_BIDDING_MEASURES[26]
"""What a sealed bid must be, in every procedure."""


def switches_of(procedure: Procedure, *, on: date) -> Switches:
    """What the procedure demanded on that day; `LookupError` before it existed."""
    return PROCEDURES[procedure].on(on)
