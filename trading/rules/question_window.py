"""Until when the tender documents may be asked about, and what a question may not give away.

Whoever tenders must not let out who has the documents, so a question may not say by itself who asks
it. Under the tendering law what is doubted in the documents is raised ten days before the deadline;
procurement sets no such limit, and there the deadline itself is the last moment.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Regime,
    under,
)
from kernel.working_days import BEIJING, Calendar, beijing_day, end_of_day, last_working_day
from trading.rules.lot_lifecycle import LotState
from trading.rules.objection_window import documents_objection_until
from trading.rules.procedures import Switches

ANSWER_WORKING_DAYS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is asked; name and credit code of whoever asks are nobody else's to know."""

    asked_at: datetime
    words: str
    asker_name: str
    asker_uscc: str
    lot_state: LotState
    bids_due_at: datetime


@under(BIDDING_REGULATION[22], rule="NO-11")
def question_until(bids_due_at: datetime, switches: Switches) -> datetime:
    """The last instant at which the documents may be asked about; in procurement, the deadline."""
    return documents_objection_until(bids_due_at, switches) or bids_due_at


@under(
    BIDDING_LAW[22],
    BIDDING_REGULATION[22],
    PROCUREMENT_TENDER_MEASURES[27],
    PROCUREMENT_TENDER_MEASURES[28],
    rule=("NO-10", "NO-11", "NO-22"),
)
def question_refusals(question: Question, switches: Switches) -> list[Refusal]:
    """Every ground on which a question is not taken in."""
    procurement = switches.regime is Regime.PROCUREMENT
    until = question_until(question.bids_due_at, switches)
    refusals = []
    if procurement and question.asked_at >= until:
        reason = f"投标截止时间（{_clock(until)}）已到，不再就采购文件提问"
        article = PROCUREMENT_TENDER_MEASURES[27]
        refusals.append(Refusal("question_late", article, reason, {"until": until.isoformat()}))
    elif not procurement and question.asked_at > until:
        reason = (
            f"对招标文件的疑问应当在投标截止时间{switches.documents_objection_days}日前提出，"
            f"即不晚于{_clock(until)}"
        )
        article = BIDDING_REGULATION[22]
        refusals.append(Refusal("question_late", article, reason, {"until": until.isoformat()}))
    elif question.lot_state is not LotState.OPEN:
        article = PROCUREMENT_TENDER_MEASURES[27] if procurement else BIDDING_REGULATION[22]
        refusals.append(Refusal("not_open", article, "标段不在投标阶段，不再就招标文件提问"))
    if _names(question.words, question.asker_name) or _names(question.words, question.asker_uscc):
        article = secrecy_article(switches)
        reason = "问题中不得写明提问单位的名称或者代码，潜在投标人的名称应当保密"
        refusals.append(Refusal("names_asker", article, reason))
    return refusals


@under(PROCUREMENT_LAW[51], PROCUREMENT_REGULATION[52], rule="CO-07")
def answer_due_at(asked_at: datetime, switches: Switches, *, calendar: Calendar) -> datetime | None:
    """By when a supplier's question is answered; the tendering law sets no such days."""
    if switches.regime is not Regime.PROCUREMENT:
        return None
    day = last_working_day(beijing_day(asked_at), ANSWER_WORKING_DAYS, calendar=calendar)
    return end_of_day(day)


def secrecy_article(switches: Switches) -> Article:
    """The article that keeps secret who means to bid."""
    procurement = switches.regime is Regime.PROCUREMENT
    return PROCUREMENT_TENDER_MEASURES[28] if procurement else BIDDING_LAW[22]


def _names(words: str, name: str) -> bool:
    return bool(name) and _plain(name) in _plain(words)


def _plain(text: str) -> str:
    """The text's letters and digits alone: full and half width alike, in one case."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"
