"""The kinds of procedure, and the switches that each of them sets.

One table, no subclasses: a rule is told the switches as facts and never asks which procedure it
serves. Two families of law stand side by side: tendering (招标投标), mandatory or voluntary, and
government procurement (政府采购), by tender or by another of its methods. Every figure carries the
article it comes from, so that a refusal cites the law of its own procedure; where that article is
known from memory alone, what falls short of the figure is warned of and not refused.

Land and property that is listed and bid for in the open (挂牌竞价) is no such procedure: nothing is
sealed there. It has its own small one in `listing_protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.money import cut_off
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONSULTATION_MEASURES,
    E_BIDDING_MEASURES,
    NON_TENDER_MEASURES,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    InForce,
    Provenance,
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
    INVITED_TENDER_MANDATORY = "invited_tender_mandatory"
    INVITED_TENDER_VOLUNTARY = "invited_tender_voluntary"
    PROCUREMENT_OPEN_TENDER = "procurement_open_tender"
    PROCUREMENT_INVITED_TENDER = "procurement_invited_tender"
    COMPETITIVE_CONSULTATION = "competitive_consultation"
    COMPETITIVE_NEGOTIATION = "competitive_negotiation"
    REQUEST_FOR_QUOTATIONS = "request_for_quotations"
    SINGLE_SOURCE = "single_source"


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


class Offers(StrEnum):
    """How often a bidder names a price, and whether it may be talked about."""

    SEALED_ONCE = "sealed_once"
    """投标: sealed, opened, never negotiated."""

    FIXED_ONCE = "fixed_once"
    """询价: one price that cannot be changed, and the lowest wins.

    A sealed price is named when it is opened: until the deadline it may be replaced like a bid.
    """

    FINAL_AFTER_TALKS = "final_after_talks"
    """谈判、磋商: a first response, talks, and a last price of everybody at once."""

    AGREED = "agreed"
    """单一来源: the price is agreed with the only supplier."""


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

    @property
    def binds(self) -> bool:
        """Whether anybody may be refused for it: not where it is known from memory alone."""
        return self.article.provenance is not Provenance.MEMORY

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
class Invitation:
    """That only who is invited may bid: how many at least, and how they are found.

    `drawn` says that they are drawn at random, from at least `choice_factor` times as many where a
    list or recommendations name them, before `witnesses_min` of the purchaser's staff. `or_notice`
    says that a notice to everybody may stand in its place, so that nobody need be invited.
    """

    invited_min: int
    article: Article
    drawn: bool = False
    choice_factor: int = 1
    witnesses_min: int = 0
    or_notice: bool = False

    @property
    def binds(self) -> bool:
        """Whether anybody may be refused for its numbers: not where they are known from memory."""
        return self.article.provenance is not Provenance.MEMORY


@dataclass(frozen=True, slots=True)
class Switches:
    """What one procedure demands; None where its law leaves the matter open.

    `notice_period` and `documents_period` are how long notice and documents must be on offer.
    `documents_objection_days` are the days before the deadline by which the documents must be
    objected to; procurement counts from what the supplier knew instead (`challenge_period`).
    `officials_layer` says that bids are also sealed to officials, so that no bidder can listen to
    the others' prices before giving its own. `decision_period` runs from the report to the award.
    `prequalification_period` is how long applications may be handed in, counted from the end of
    the offer of documents in tendering and from the notice in procurement. `may_split_award` says
    that the tenderee may choose among ranked candidates by a published method (评定分离). Without
    `scored` the lowest price among the bids that meet the demand wins.
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
    invitation: Invitation | None = None
    offers: Offers = Offers.SEALED_ONCE
    scored: bool = True
    prequalification_period: Period | None = None
    may_split_award: bool = False

    def publicity_days(self) -> int:
        """The least number of days for which candidates are published; none where none is due."""
        return 0 if self.publicity is None else self.publicity.days

    @property
    def lowest_price_wins(self) -> bool:
        """Whether the lowest price among those that meet the demand wins, and nothing is scored."""
        return not self.scored

    @property
    def principle(self) -> Article:
        """What its family of law demands of everybody: openness, fairness and good faith."""
        return PROCUREMENT_LAW[3] if self.regime is Regime.PROCUREMENT else BIDDING_LAW[5]

    @property
    def quorum_binds(self) -> bool:
        """Whether fewer bidders than `bidders_min` stop an opening, or are only warned of."""
        return self.quorum_article.provenance is not Provenance.MEMORY


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
    prequalification_period=Period(5, BIDDING_REGULATION[17]),
    may_split_award=True,
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
    may_split_award=True,
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
    prequalification_period=Period(5, PROCUREMENT_REGULATION[21], working=True),
)

_THREE_INVITED: Final = Invitation(3, BIDDING_LAW[17])

_PROCUREMENT_INVITED: Final = replace(
    _PROCUREMENT,
    invitation=Invitation(
        3, PROCUREMENT_TENDER_MEASURES[14], drawn=True, choice_factor=2, witnesses_min=2
    ),
)

_CONSULTATION: Final = replace(
    _PROCUREMENT,
    bidding_period=Period(10, CONSULTATION_MEASURES[10]),
    notice_period=Period(3, CONSULTATION_MEASURES[7], working=True),
    documents_period=Period(5, CONSULTATION_MEASURES[10], working=True),
    clarification_period=Period(5, CONSULTATION_MEASURES[10]),
    committee=CommitteeSize(3, CONSULTATION_MEASURES[14]),
    representative_may_lead=False,
    quorum_article=CONSULTATION_MEASURES[21],
    invitation=Invitation(3, CONSULTATION_MEASURES[6], or_notice=True),
    offers=Offers.FINAL_AFTER_TALKS,
    prequalification_period=None,
)

_NEGOTIATION: Final = replace(
    _PROCUREMENT,
    bidding_period=Period(3, NON_TENDER_MEASURES[29], working=True),
    notice_period=None,
    documents_period=Period(3, NON_TENDER_MEASURES[29], working=True),
    clarification_period=Period(3, NON_TENDER_MEASURES[29], working=True),
    committee=CommitteeSize(3, PROCUREMENT_LAW[38]),
    quorum_article=PROCUREMENT_LAW[38],
    invitation=Invitation(3, PROCUREMENT_LAW[38], or_notice=True),
    offers=Offers.FINAL_AFTER_TALKS,
    scored=False,
    prequalification_period=None,
)

_QUOTATIONS: Final = replace(
    _PROCUREMENT,
    bidding_period=Period(3, NON_TENDER_MEASURES[45], working=True),
    notice_period=None,
    documents_period=Period(3, NON_TENDER_MEASURES[45], working=True),
    clarification_period=Period(3, NON_TENDER_MEASURES[45], working=True),
    committee=CommitteeSize(3, PROCUREMENT_LAW[40]),
    quorum_article=PROCUREMENT_LAW[40],
    invitation=Invitation(3, PROCUREMENT_LAW[40], or_notice=True),
    offers=Offers.FIXED_ONCE,
    scored=False,
    prequalification_period=None,
)

_SINGLE_SOURCE: Final = replace(
    _PROCUREMENT,
    bidding_period=None,
    notice_period=Period(5, PROCUREMENT_REGULATION[38], working=True),
    documents_period=Period(0, PROCUREMENT_LAW[39]),
    clarification_period=Period(0, PROCUREMENT_LAW[39]),
    committee=CommitteeSize(3, NON_TENDER_MEASURES[41]),
    bidders_min=1,
    quorum_article=PROCUREMENT_LAW[31],
    invitation=Invitation(1, PROCUREMENT_LAW[31]),
    offers=Offers.AGREED,
    scored=False,
    prequalification_period=None,
)

PROCEDURES: Final[Mapping[Procedure, InForce[Switches]]] = MappingProxyType(
    {
        Procedure.OPEN_TENDER_MANDATORY: InForce({date(2013, 5, 1): _MANDATORY}),
        Procedure.OPEN_TENDER_VOLUNTARY: InForce({date(2013, 5, 1): _VOLUNTARY}),
        Procedure.INVITED_TENDER_MANDATORY: InForce(
            {date(2013, 5, 1): replace(_MANDATORY, invitation=_THREE_INVITED)}
        ),
        Procedure.INVITED_TENDER_VOLUNTARY: InForce(
            {date(2013, 5, 1): replace(_VOLUNTARY, invitation=_THREE_INVITED)}
        ),
        Procedure.PROCUREMENT_OPEN_TENDER: InForce({date(2017, 10, 1): _PROCUREMENT}),
        Procedure.PROCUREMENT_INVITED_TENDER: InForce({date(2017, 10, 1): _PROCUREMENT_INVITED}),
        Procedure.COMPETITIVE_CONSULTATION: InForce({date(2017, 10, 1): _CONSULTATION}),
        Procedure.COMPETITIVE_NEGOTIATION: InForce({date(2017, 10, 1): _NEGOTIATION}),
        Procedure.REQUEST_FOR_QUOTATIONS: InForce({date(2017, 10, 1): _QUOTATIONS}),
        Procedure.SINGLE_SOURCE: InForce({date(2017, 10, 1): _SINGLE_SOURCE}),
    }
)
"""The switches of each procedure through the years; a lot keeps those of the day it was published.

They begin when the newest instrument they rest on came into force.
"""

PROCEDURE_NAMES: Final[Mapping[Procedure, str]] = MappingProxyType(
    {
        Procedure.OPEN_TENDER_MANDATORY: "依法必须招标项目公开招标",
        Procedure.OPEN_TENDER_VOLUNTARY: "自愿招标项目公开招标",
        Procedure.INVITED_TENDER_MANDATORY: "依法必须招标项目邀请招标",
        Procedure.INVITED_TENDER_VOLUNTARY: "自愿招标项目邀请招标",
        Procedure.PROCUREMENT_OPEN_TENDER: "政府采购公开招标",
        Procedure.PROCUREMENT_INVITED_TENDER: "政府采购邀请招标",
        Procedure.COMPETITIVE_CONSULTATION: "竞争性磋商",
        Procedure.COMPETITIVE_NEGOTIATION: "竞争性谈判",
        Procedure.REQUEST_FOR_QUOTATIONS: "询价",
        Procedure.SINGLE_SOURCE: "单一来源采购",
    }
)

OFFERED: Final = frozenset(
    {
        Procedure.OPEN_TENDER_MANDATORY,
        Procedure.OPEN_TENDER_VOLUNTARY,
        Procedure.INVITED_TENDER_MANDATORY,
        Procedure.INVITED_TENDER_VOLUNTARY,
        Procedure.PROCUREMENT_OPEN_TENDER,
        Procedure.PROCUREMENT_INVITED_TENDER,
        Procedure.REQUEST_FOR_QUOTATIONS,
        Procedure.COMPETITIVE_NEGOTIATION,
        Procedure.COMPETITIVE_CONSULTATION,
        Procedure.SINGLE_SOURCE,
    }
)
"""The procedures that this platform walks from notice to award; of the others only the rules are
known, so that nobody can begin what nobody could end lawfully here.
"""

TALKED: Final = frozenset({Procedure.COMPETITIVE_NEGOTIATION, Procedure.COMPETITIVE_CONSULTATION})
"""The procedures in which prices are talked about before the last one; a test holds it so."""

SWITCH_NAMES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "regime": ("法律体系", "Family of law"),
        "mandatory": ("依法必须采用", "Demanded by law"),
        "bidding_period": ("自发出文件至投标截止", "From the documents to the deadline"),
        "notice_period": ("公告（公示）期限", "How long the notice stands"),
        "documents_period": ("提供招标文件的期限", "How long documents are on offer"),
        "clarification_period": ("澄清修改距截止", "Changes before the deadline"),
        "documents_objection_days": (
            "对招标文件的异议：截止前日数",
            "Objections to the documents: days before the deadline",
        ),
        "challenge_period": ("质疑期限", "Challenge within"),
        "answer_period": ("答复期限", "Answered within"),
        "security": ("投标保证金上限", "Cap of the bid security"),
        "security_return_after_withdrawal": (
            "撤回后退还保证金",
            "Security back after withdrawal",
        ),
        "security_return_after_contract": (
            "签约后退还保证金",
            "Security back after the contract",
        ),
        "validity_article": ("投标有效期依据", "Bid validity rests on"),
        "ceiling_article": ("最高限价依据", "Ceiling price rests on"),
        "ceiling_may_exceed_estimate": (
            "最高限价可以超过估算价（预算）",
            "The ceiling may exceed the estimate",
        ),
        "candidates_max": ("候选人不超过", "Candidates at most"),
        "candidates_article": ("候选人依据", "Candidates rest on"),
        "publish_within": ("收到报告后公示", "Candidates published within"),
        "publicity": ("公示期", "Publicity"),
        "winner": ("中标人的确定", "Who must win"),
        "winner_article": ("定标依据", "The choice rests on"),
        "decision_period": ("确定中标人期限", "Decided within"),
        "award_report_period": ("向监督部门报告", "Reported to the supervisor within"),
        "contract_period": ("签订合同", "Contract within"),
        "price_methods": ("价格评分方法", "How prices are scored"),
        "price_method_article": ("价格评分依据", "Price scoring rests on"),
        "committee": ("评审委员会人数", "Members of the committee"),
        "representative_may_lead": (
            "业主代表可以担任组长",
            "The owner's representative may lead",
        ),
        "officials_layer": ("同时加密给保管人", "Sealed to custodians too"),
        "bidders_min": ("最少投标人", "Bidders at least"),
        "quorum_article": ("最少投标人依据", "That number rests on"),
        "invitation": ("邀请的家数", "Invited at least"),
        "offers": ("报价次数", "How often a price is named"),
        "scored": ("评分（否则按最低报价）", "Scored, and not by the lowest price alone"),
        "prequalification_period": ("资格预审申请期限", "Prequalification within"),
        "may_split_award": ("可以评定分离", "Award may be split from evaluation"),
    }
)
"""What each switch is called, in both languages; a test holds the list complete."""

SEALING_ARTICLE: Final = E_BIDDING_MEASURES[26]
"""What a sealed bid must be, in every procedure."""


def switches_of(procedure: Procedure, *, on: date) -> Switches:
    """What the procedure demanded on that day; `LookupError` before it existed."""
    return PROCEDURES[procedure].on(on)
