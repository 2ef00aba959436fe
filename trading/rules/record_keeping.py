"""How long records are kept, what holds them longer, and what personal data may stay at all.

Procurement keeps its records fifteen years by law; for tenders no national law names a number, so
the platform keeps them as long. A legal hold keeps anything until it is lifted. Sensitive personal
data needs a consent of its own and goes when its purpose is over, whatever else is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.refusals import Refusal
from kernel.statute import (
    CHONGQING_REGULATION,
    E_BIDDING_MEASURES,
    PRIVACY_LAW,
    PROCUREMENT_LAW,
    Article,
    Regime,
    under,
)


class RecordClass(StrEnum):
    """Kinds of records, each with a term of its own."""

    TENDER = "tender"
    BIDS_OF_CANDIDATES = "bids_of_candidates"
    BIDS_OF_OTHERS = "bids_of_others"
    RECORDINGS = "recordings"
    LIBRARY = "library"
    IDENTITY = "identity"
    BIOMETRICS = "biometrics"


CLASS_NAMES: Final[Mapping[RecordClass, str]] = MappingProxyType(
    {
        RecordClass.TENDER: "招标、评标、定标与合同记录",
        RecordClass.BIDS_OF_CANDIDATES: "中标候选人的投标文件",
        RecordClass.BIDS_OF_OTHERS: "其他投标人的投标文件",
        RecordClass.RECORDINGS: "音视频记录",
        RecordClass.LIBRARY: "核验过的证照和业绩",
        RecordClass.IDENTITY: "身份信息和操作记录",
        RecordClass.BIOMETRICS: "人脸、位置等敏感个人信息",
    }
)

DEFAULT_YEARS: Final = 15


@dataclass(frozen=True, slots=True)
class Term:
    """How many years a kind of record is kept after its tender ended, and by which article.

    None of years: it goes as soon as its purpose is over.
    """

    years: int | None
    article: Article


@under(PROCUREMENT_LAW[42], CHONGQING_REGULATION[38], PRIVACY_LAW[19], rule=("PL-09", "PL-10"))
def term_of(kind: RecordClass, regime: Regime, *, years: int = DEFAULT_YEARS) -> Term:
    """The term of a kind of record; `ValueError` for less than procurement's fifteen years.

    `years` is the operator's own number, which may be longer.
    """
    if kind is RecordClass.BIOMETRICS:
        return Term(None, PRIVACY_LAW[19])
    if years < DEFAULT_YEARS:
        raise ValueError("records are kept fifteen years at least")
    if regime is Regime.PROCUREMENT:
        return Term(years, PROCUREMENT_LAW[42])
    return Term(years, CHONGQING_REGULATION[38])


def kept_until(ended_on: date, term: Term) -> date:
    """The last day on which the record must be there; the day it ended, where it has no years.

    A tender that ended on 29 February is kept until 28 February where the year has no 29th.
    """
    if term.years is None:
        return ended_on
    try:
        return ended_on.replace(year=ended_on.year + term.years)
    except ValueError:
        return ended_on.replace(year=ended_on.year + term.years, day=28)


@dataclass(frozen=True, slots=True)
class Held:
    """A record somebody wants erased: its kind, until when it is kept, and who holds it longer."""

    kind: RecordClass
    kept_until: date
    holds: tuple[str, ...]
    purpose_over: bool


@under(PROCUREMENT_LAW[42], PRIVACY_LAW[47], rule=("PL-09", "PL-14"))
def erasure_refusals(held: Held, *, on: date, regime: Regime) -> list[Refusal]:
    """Every ground on which a record may not be erased yet."""
    article = PROCUREMENT_LAW[42] if regime is Regime.PROCUREMENT else PRIVACY_LAW[47]
    refusals = []
    if held.holds:
        reason = f"因{'、'.join(held.holds)}依法保全，解除前不得删除"
        refusals.append(Refusal("legal_hold", PRIVACY_LAW[47], reason))
    if held.kind is RecordClass.BIOMETRICS:
        if not held.purpose_over:
            reason = "处理目的尚未实现，保存期限未满"
            refusals.append(Refusal("purpose_not_over", PRIVACY_LAW[47], reason))
    elif on <= held.kept_until:
        reason = f"{CLASS_NAMES[held.kind]}应当保存至{held.kept_until:%Y-%m-%d}"
        facts = {"until": held.kept_until.isoformat()}
        refusals.append(Refusal("term_running", article, reason, facts))
    return refusals


@under(E_BIDDING_MEASURES[40])
def archive_refusals(*, ended: bool) -> list[Refusal]:
    """A lot is put into its archive once it has ended, and not while anything is still to come."""
    if ended:
        return []
    reason = "招标投标活动尚未结束，结束后方可归档"
    return [Refusal("not_ended", E_BIDDING_MEASURES[40], reason)]


@under(PRIVACY_LAW[47], rule="PL-14")
def person_refusals(*, acts_for: int, until: date | None, holds: int, on: date) -> list[Refusal]:
    """Every ground on which a person may not be forgotten yet.

    `acts_for` counts the organisations that the person still acts for, `holds` the legal holds on
    lots the person took part in; `until` is the last day on which records of those are kept.
    """
    refusals = []
    if acts_for:
        reason = "该人员仍代表单位办理业务，应当先结束其全部身份"
        refusals.append(Refusal("still_acting", PRIVACY_LAW[47], reason))
    if holds:
        reason = "该人员参与的标段依法保全，解除前不得删除"
        refusals.append(Refusal("legal_hold", PRIVACY_LAW[47], reason))
    if until is not None and on <= until:
        reason = f"该人员参与的招标投标活动的记录应当保存至{until:%Y-%m-%d}"
        facts = {"until": until.isoformat()}
        refusals.append(Refusal("term_running", PRIVACY_LAW[47], reason, facts))
    return refusals
