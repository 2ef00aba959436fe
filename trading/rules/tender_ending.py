"""How a tender ends before its time: ended by its owner, void by its papers, halted by faults.

Whoever ends a tender says so at once, gives back what was paid, and in procurement tells the
finance department. Papers that break the law are mended and the lot is tendered again. What an
authority orders through the platform is carried out; what a fault of the system stops is suspended
and goes on when it is mended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    NINGBO_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    under,
)
from kernel.working_days import Calendar, beijing_day, end_of_day, last_working_day
from trading.rules.lot_lifecycle import UNBRAKED, LotState
from trading.rules.procedures import Switches

RETURN_WORKING_DAYS = 5


class Promise(StrEnum):
    """What whoever ends a tender promises, and says that it has done, in the notice of it."""

    RETURN = "return"
    INTEREST = "interest"
    FINANCE = "finance"


@dataclass(frozen=True, slots=True)
class Termination:
    """A tender about to be ended: why, and what its owner promises about what was paid."""

    reason: str
    fees_collected: Decimal
    securities_collected: Decimal
    promises_return: bool
    promises_interest: bool
    told_finance: bool = False


@under(BIDDING_REGULATION[31], PROCUREMENT_TENDER_MEASURES[29], rule="NO-21")
def termination_refusals(termination: Termination, switches: Switches) -> list[Refusal]:
    """Every ground on which a tender may not be ended like this."""
    procurement = switches.regime is Regime.PROCUREMENT
    article = return_article(switches)
    refusals = []
    if not termination.reason.strip():
        refusals.append(Refusal("no_reason", article, "终止公告应当写明理由"))
    paid = termination.fees_collected > 0 or termination.securities_collected > 0
    if paid and not termination.promises_return:
        reason = "已经收取的招标文件费用和投标保证金应当退还"
        refusals.append(Refusal("no_return", article, reason))
    if termination.securities_collected > 0 and not termination.promises_interest:
        reason = "退还投标保证金应当包括银行同期存款利息"
        refusals.append(Refusal("no_interest", article, reason))
    if procurement and not termination.told_finance:
        reason = "终止采购活动应当将有关情况书面报告本级财政部门"
        refusals.append(Refusal("finance_not_told", article, reason))
    return refusals


@under(PROCUREMENT_TENDER_MEASURES[29], rule="NO-21")
def return_due_at(ended_at: datetime, switches: Switches, *, calendar: Calendar) -> datetime | None:
    """By when what was paid must be back; None where the law says only 及时, without delay."""
    if switches.regime is not Regime.PROCUREMENT:
        return None
    day = last_working_day(beijing_day(ended_at), RETURN_WORKING_DAYS, calendar=calendar)
    return end_of_day(day)


def return_article(switches: Switches) -> Article:
    """The article that says what whoever ends a tender gives back."""
    procurement = switches.regime is Regime.PROCUREMENT
    return PROCUREMENT_TENDER_MEASURES[29] if procurement else BIDDING_REGULATION[31]


def promises_due(switches: Switches, *, security_asked: bool) -> tuple[Promise, ...]:
    """What the notice that ends a tender has to promise, which says nothing of who had paid."""
    promises = [Promise.RETURN, Promise.INTEREST] if security_asked else []
    return (*promises, *([Promise.FINANCE] if switches.regime is Regime.PROCUREMENT else []))


@under(BIDDING_REGULATION[23], rule="NO-12")
def retender_refusals(*, voided_for: str, changed: bool, switches: Switches) -> list[Refusal]:
    """Why a lot may not be tendered again as it was: unlawful papers must be mended first.

    So says the law of tendering of what must be tendered; procurement has rules of its own.
    """
    binds = switches.mandatory and switches.regime is Regime.TENDERING
    if not binds or not voided_for or changed:
        return []
    reason = f"招标文件的内容因“{voided_for}”被认定违法，应当修改后重新招标"
    return [Refusal("papers_not_mended", BIDDING_REGULATION[23], reason)]


@under(E_BIDDING_MEASURES[52], rule="PL-15")
def order_refusals(*, ordered_by: str, document: str, words: str) -> list[Refusal]:
    """Why an order of a supervisor is not taken in: it must say who orders what, by which paper."""
    article = E_BIDDING_MEASURES[52]
    told = {"ordered_by": ordered_by, "document": document, "words": words}
    names = {"ordered_by": "监督部门", "document": "文号", "words": "内容"}
    return [
        Refusal("order_incomplete", article, f"监督指令应当载明{names[key]}", {"member": key})
        for key, value in told.items()
        if not value.strip()
    ]


@under(NINGBO_REGULATION[25], rule="PL-16")
def halts_for_fault(state: LotState, *, cured: bool, fallback: bool) -> bool:
    """Whether a fault of the system suspends the lot: while it lasts and nothing stands in for it.

    What is no procedure yet or any more is not suspended, nor is a closing that is under way.
    """
    return state not in UNBRAKED and not cured and not fallback
