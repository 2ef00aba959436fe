"""What a contract must keep to, by when it is signed and made public, and what comes back then.

The contract says what the tender documents and the winning bid say, and is signed within thirty
days. Securities go back in their days. Procurement publishes and files its contracts, and lets them
grow by a tenth at most. When the work is done, what was paid is set beside what was awarded, for
everybody to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.money import cut_off, yuan_text
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    SME_PAYMENT_REGULATION,
    Article,
    Regime,
    Severity,
    under,
)
from kernel.working_days import Calendar, beijing_day, end_of_day, last_day, last_working_day
from trading.rules.procedures import GUARANTEES, SecurityForm, Switches

PERFORMANCE_SECURITY_SHARE: Final = Decimal("0.10")
SUPPLEMENT_SHARE: Final = Decimal("0.10")
PAYMENT_DAYS: Final = 30
PAYMENT_DAYS_MAX: Final = 60


class ChangeReason(StrEnum):
    """Why a contract was changed (变更原因)."""

    DESIGN = "design"
    QUANTITY = "quantity"
    PRICE_ADJUSTMENT = "price_adjustment"
    LAW = "law"
    FORCE_MAJEURE = "force_majeure"
    UNFORESEEN_CONDITIONS = "unforeseen_conditions"
    SCHEDULE = "schedule"
    ADDITIONAL_PURCHASE = "additional_purchase"
    CORRECTION = "correction"


CHANGE_NAMES: Final[Mapping[ChangeReason, str]] = MappingProxyType(
    {
        ChangeReason.DESIGN: "设计变更",
        ChangeReason.QUANTITY: "工程量（数量）变化",
        ChangeReason.PRICE_ADJUSTMENT: "按合同约定调整价格",
        ChangeReason.LAW: "法律、政策变化",
        ChangeReason.FORCE_MAJEURE: "不可抗力",
        ChangeReason.UNFORESEEN_CONDITIONS: "不可预见的条件",
        ChangeReason.SCHEDULE: "工期（履行期限）变化",
        ChangeReason.ADDITIONAL_PURCHASE: "追加采购",
        ChangeReason.CORRECTION: "更正笔误",
    }
)


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """The main terms: what, for how much, of which quality, until when. Amounts are in yuan."""

    subject: str
    price: Decimal
    quality: str
    period: str


@dataclass(frozen=True, slots=True)
class ContractDraft:
    """A contract about to be signed, beside what it must agree with.

    `awarded` are the terms of the tender documents and the winning bid.
    """

    terms: ContractTerms
    awarded: ContractTerms
    performance_security: Decimal
    security_forms: frozenset[SecurityForm]
    awarded_at: datetime
    signed_at: datetime
    open_challenges: int = 0


_DIFFERENCES: Final = (
    ("subject", "合同标的"),
    ("price", "合同价款"),
    ("quality", "质量"),
    ("period", "履行期限"),
)


@under(
    BIDDING_LAW[46],
    BIDDING_REGULATION[57],
    BIDDING_REGULATION[58],
    PROCUREMENT_LAW[46],
    PROCUREMENT_REGULATION[48],
    PROCUREMENT_REGULATION[54],
    PROCUREMENT_TENDER_MEASURES[71],
    rule=("AW-11", "AW-14", "CO-07"),
)
def contract_refusals(draft: ContractDraft, switches: Switches) -> list[Refusal]:
    """Every ground on which the contract may not be signed as it is."""
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_LAW[46] if procurement else BIDDING_REGULATION[57]
    refusals = [
        Refusal(
            "contract_differs",
            article,
            f"{what}应当与招标文件和中标人的投标文件一致",
            {"term": name, "awarded": _told(draft.awarded, name), "said": _told(draft.terms, name)},
        )
        for name, what in _DIFFERENCES
        if getattr(draft.terms, name) != getattr(draft.awarded, name)
    ]
    refusals += security_refusals(draft, switches)
    if procurement and draft.open_challenges:
        reason = f"尚有{draft.open_challenges}件可能影响中标结果的质疑未答复，应当暂停签订合同"
        refusals.append(Refusal("challenge_open", PROCUREMENT_REGULATION[54], reason))
    return refusals


@under(BIDDING_REGULATION[58], PROCUREMENT_REGULATION[48], rule="AW-14")
def security_refusals(draft: ContractDraft, switches: Switches) -> list[Refusal]:
    """A performance security above a tenth of the contract, or in cash where that is forbidden."""
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_REGULATION[48] if procurement else BIDDING_REGULATION[58]
    refusals = []
    most = cut_off(PERFORMANCE_SECURITY_SHARE * draft.terms.price)
    if draft.performance_security > most:
        reason = f"履约保证金不得超过合同金额的10%，即{yuan_text(most)}元"
        facts = {"most": yuan_text(most), "asked": yuan_text(draft.performance_security)}
        refusals.append(Refusal("performance_security_too_high", article, reason, facts))
    if draft.performance_security < 0:
        refusals.append(Refusal("security_negative", article, "履约保证金不得为负"))
    if not draft.performance_security:
        return refusals
    if procurement and SecurityForm.CASH in draft.security_forms:
        refusals.append(Refusal("security_in_cash", article, "履约保证金应当以非现金形式提交"))
    if not draft.security_forms & GUARANTEES:
        reason = "应当允许以金融机构、担保机构出具的保函等形式提交履约保证金"
        refusals.append(Refusal("guarantee_refused", SME_PAYMENT_REGULATION[13], reason))
    return refusals


@under(BIDDING_LAW[46], PROCUREMENT_TENDER_MEASURES[71], rule="AW-11", severity=Severity.WARN)
def contract_cautions(
    draft: ContractDraft, switches: Switches, *, calendar: Calendar
) -> list[Caution]:
    """A contract signed late is warned of; refusing it would leave the award without one."""
    due_at = contract_due_at(draft.awarded_at, switches, calendar=calendar)
    if draft.signed_at < due_at:
        return []
    article = switches.contract_period.article
    reason = f"应当自中标通知书发出之日起{switches.contract_period}内签订合同，已逾期"
    return [Caution("contract_late", article, reason, {"until": due_at.isoformat()})]


def contract_due_at(awarded_at: datetime, switches: Switches, *, calendar: Calendar) -> datetime:
    """The instant by which the contract is to be signed."""
    day = switches.contract_period.ends_on(beijing_day(awarded_at), calendar=calendar)
    return end_of_day(day)


@dataclass(frozen=True, slots=True)
class ReturnDates:
    """By when bid securities go back: to the losers, and to the winner."""

    losers: datetime
    winner: datetime
    article: Article


@under(
    BIDDING_REGULATION[57],
    PROCUREMENT_TENDER_MEASURES[38],
    rule=("AW-12", "AW-13"),
)
def return_dates(
    *, awarded_at: datetime, signed_at: datetime, switches: Switches, calendar: Calendar
) -> ReturnDates:
    """By when the bid securities must be returned: the tendering law counts from the contract for
    everybody, procurement counts from the award notice for those who lost.
    """
    period = switches.security_return_after_contract
    after_contract = end_of_day(period.ends_on(beijing_day(signed_at), calendar=calendar))
    if switches.regime is not Regime.PROCUREMENT:
        return ReturnDates(after_contract, after_contract, period.article)
    after_award = end_of_day(period.ends_on(beijing_day(awarded_at), calendar=calendar))
    return ReturnDates(after_award, after_contract, period.article)


@dataclass(frozen=True, slots=True)
class PublicationDates:
    """By when a procurement contract is made public and its copy filed."""

    public: datetime
    filed: datetime


@under(PROCUREMENT_REGULATION[50], PROCUREMENT_LAW[47], rule="AW-15")
def publication_dates(
    signed_at: datetime, switches: Switches, *, calendar: Calendar
) -> PublicationDates | None:
    """Two working days to publish and seven to file; None where no law sets a day."""
    if switches.regime is not Regime.PROCUREMENT:
        return None
    signed_on = beijing_day(signed_at)
    return PublicationDates(
        end_of_day(last_working_day(signed_on, 2, calendar=calendar)),
        end_of_day(last_working_day(signed_on, 7, calendar=calendar)),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a contract: why, by how much, and how far supplements have added up before."""

    reason: ChangeReason
    words: str
    amount: Decimal
    contract_price: Decimal
    supplements_before: Decimal = Decimal(0)


@under(BIDDING_LAW[46], PROCUREMENT_LAW[49], PROCUREMENT_LAW[50], rule="AW-15")
def change_refusals(change: Change, switches: Switches) -> list[Refusal]:
    """Why a contract may not be changed like this."""
    procurement = switches.regime is Regime.PROCUREMENT
    article = PROCUREMENT_LAW[50] if procurement else BIDDING_LAW[46]
    refusals = []
    if not change.words.strip():
        refusals.append(Refusal("no_reason", article, "合同变更应当写明理由"))
    if change.reason is ChangeReason.CORRECTION and change.amount:
        refusals.append(Refusal("correction_costs", article, "更正笔误不得改变合同价款"))
    if procurement and change.reason is ChangeReason.ADDITIONAL_PURCHASE:
        most = cut_off(SUPPLEMENT_SHARE * change.contract_price)
        together = change.supplements_before + change.amount
        if together > most:
            reason = (
                f"所有补充合同的采购金额不得超过原合同采购金额的10%（{yuan_text(most)}元），"
                f"现累计{yuan_text(together)}元"
            )
            facts = {"most": yuan_text(most), "together": yuan_text(together)}
            refusals.append(Refusal("supplement_too_large", PROCUREMENT_LAW[49], reason, facts))
    return refusals


@under(BIDDING_LAW[48], BIDDING_REGULATION[59], rule="AW-17", severity=Severity.WARN)
def subcontract_cautions(*, main_part: bool, agreed: bool, again: bool) -> list[Caution]:
    """Signs of a forbidden transfer in a subcontract that is reported."""
    cautions = []
    if main_part:
        reason = "主体、关键性工作不得分包"
        cautions.append(Caution("main_part", BIDDING_LAW[48], reason))
    if not agreed:
        reason = "分包应当有合同约定或者经招标人同意"
        cautions.append(Caution("not_agreed", BIDDING_LAW[48], reason))
    if again:
        reason = "接受分包的人不得再次分包"
        cautions.append(Caution("sub_subcontract", BIDDING_REGULATION[59], reason))
    return cautions


@under(SME_PAYMENT_REGULATION[9], rule="AW-18", severity=Severity.WARN)
def payment_cautions(
    *, delivered_on: date, pays_on: date, small_enterprise: bool, calendar: Calendar
) -> list[Caution]:
    """A payment to a small or medium enterprise that comes later than the regulation allows."""
    if not small_enterprise:
        return []
    for code, days in (("payment_too_late", PAYMENT_DAYS_MAX), ("payment_late", PAYMENT_DAYS)):
        if pays_on > last_day(delivered_on, days, calendar=calendar):
            reason = f"应当自交付之日起{PAYMENT_DAYS}日内付款，最长不超过{PAYMENT_DAYS_MAX}日"
            return [Caution(code, SME_PAYMENT_REGULATION[9], reason)]
    return []


@dataclass(frozen=True, slots=True)
class Settlement:
    """What was paid in the end beside what was awarded: in yuan, and as a share of the award."""

    awarded: Decimal
    settled: Decimal

    @property
    def difference(self) -> Decimal:
        """The settlement less the award; negative where less was paid."""
        return self.settled - self.awarded

    @property
    def share(self) -> Decimal:
        """The difference as a share of the award price, exact to ten thousandths.

        `ValueError` for an award of nothing.
        """
        if self.awarded <= 0:
            raise ValueError("an award has a price")
        return (self.difference / self.awarded).quantize(Decimal("0.0001"))


@under(BIDDING_REGULATION[57], CONDUCT_OPINIONS[7], rule="AW-19", severity=Severity.WARN)
def settlement_cautions(settlement: Settlement, *, explained: str) -> list[Caution]:
    """A settlement that differs from the award without a word of why."""
    if not settlement.difference or explained.strip():
        return []
    reason = "审计结算价与中标价不一致的，应当公布差额并说明原因"
    return [Caution("difference_unexplained", CONDUCT_OPINIONS[7], reason)]


def _told(terms: ContractTerms, name: str) -> str:
    value = getattr(terms, name)
    return yuan_text(value) if isinstance(value, Decimal) else str(value)
