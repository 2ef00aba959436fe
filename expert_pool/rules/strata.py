"""What may be asked of a draw: strata of specialism and region, how many of each, and what then.

A stratum is a part of the pool from which so many experts are drawn. Its name enters the position
of every label, so an expert who belongs to two strata stands at unrelated places in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from expert_pool.rules.eligibility import SPECIALISM_FORM
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CONDUCT_OPINIONS,
    PROCUREMENT_TENDER_MEASURES,
    REMOTE_EVALUATION_NOTICE,
    Article,
    Provenance,
    Regime,
    Severity,
    under,
)

HOST_SHARE_MAX: Final = Fraction(1, 2)
"""The largest part of the experts that should come from the host's own region."""

THIN_FACTOR: Final = 3
"""Fewer candidates than so many times the seats make a draw thin."""

_REGION: Final = re.compile(r"(?:[1-9][0-9])(?:[0-9]{2}){0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stratum:
    """One part of a draw: experts of a specialism from a region, and how many of them.

    `specialism` and `region_code` are prefixes, so that `A04` takes in `A040103`, and `51` every
    district of its province; an empty region takes in all. `alternates` are asked to stand by.
    """

    name: str
    specialism: str
    region_code: str
    seats: int
    alternates: int = 0

    def takes_in(self, *, specialisms: Sequence[str], region_code: str) -> bool:
        """Whether an expert of these specialisms and this region belongs here."""
        return region_code.startswith(self.region_code) and any(
            code.startswith(self.specialism) for code in specialisms
        )


@dataclass(frozen=True, slots=True)
class CommitteePlan:
    """The committee that a draw is to fill: its size, and those who are not drawn.

    `size_article` fixes its least size, where that is not the family's usual article.
    """

    size: int
    representatives: int
    size_min: int = 5
    size_article: Article | None = None


class Fallback(StrEnum):
    """What to do, in this order, when a stratum has too few experts left."""

    SAME_CODE = "same_code"
    """Draw on in the same code, calling those who had not been asked."""

    SPECIALITY = "speciality"
    """Widen from the direction to its speciality: five characters."""

    CLASS = "class"
    """Widen to the class: three characters."""

    PROVINCE = "province"
    """Widen the region to the whole province."""

    PARTNER_REGION = "partner_region"
    """Any region that has agreed to lend its experts."""

    OTHER_POOL = "other_pool"
    """Another lawful pool, of a department or the national one; the authority must consent."""

    APPOINTMENT = "appointment"
    """Direct appointment as a special project; the authority must consent."""


FALLBACKS: Final = tuple(Fallback)

CONSENT_NEEDED: Final[Mapping[Fallback, Article]] = MappingProxyType(
    {
        Fallback.OTHER_POOL: BIDDING_REGULATION[46],
        Fallback.APPOINTMENT: BIDDING_REGULATION[47],
    }
)
"""The steps that need the authority's consent, and the article on which they stand."""


@under(BIDDING_LAW[37], BIDDING_REGULATION[45], CONDUCT_OPINIONS[14], rule="EX-14")
def strata_refusals(strata: Sequence[Stratum]) -> list[Refusal]:
    """Every ground on which these strata cannot be drawn from as they are written."""
    if not strata:
        return [Refusal("no_strata", BIDDING_LAW[37], "抽取申请没有列明专业、地区和人数")]
    refusals = []
    names = [one.name for one in strata]
    for name in sorted({name for name in names if names.count(name) > 1}):
        refusals.append(
            Refusal("stratum_twice", CONDUCT_OPINIONS[14], f"抽取分组“{name}”重复", {"name": name})
        )
    for one in strata:
        facts = {"name": one.name}
        if not one.name.strip() or "\0" in one.name:
            refusals.append(Refusal("stratum_unnamed", CONDUCT_OPINIONS[14], "抽取分组没有名称"))
        if not SPECIALISM_FORM.fullmatch(one.specialism):
            reason = f"分组“{one.name}”的专业代码“{one.specialism}”不符合统一分类标准"
            refusals.append(Refusal("unknown_specialism", BIDDING_REGULATION[45], reason, facts))
        if one.region_code and not _REGION.fullmatch(one.region_code):
            reason = f"分组“{one.name}”的地区代码“{one.region_code}”不是行政区划代码"
            refusals.append(Refusal("unknown_region", CONDUCT_OPINIONS[14], reason, facts))
        if one.seats < 1 or one.alternates < 0:
            reason = f"分组“{one.name}”的抽取人数应当至少为1，备选人数不得为负"
            refusals.append(Refusal("no_seats", CONDUCT_OPINIONS[14], reason, facts))
    return refusals


@under(BIDDING_LAW[37], PROCUREMENT_TENDER_MEASURES[47], rule="EX-01")
def plan_refusals(
    strata: Sequence[Stratum], plan: CommitteePlan, *, regime: Regime = Regime.TENDERING
) -> list[Refusal]:
    """Why these strata would not make a lawful committee together with its representatives."""
    article = plan.size_article or (
        PROCUREMENT_TENDER_MEASURES[47] if regime is Regime.PROCUREMENT else BIDDING_LAW[37]
    )
    experts = sum(one.seats for one in strata)
    refusals = []
    if experts + plan.representatives != plan.size:
        reason = (
            f"抽取{experts}人与招标人代表{plan.representatives}人之和不等于"
            f"评标委员会成员数{plan.size}人"
        )
        refusals.append(Refusal("quotas_do_not_sum", article, reason))
    if plan.size < plan.size_min or plan.size % 2 == 0:
        reason = f"评标委员会成员人数应当为{plan.size_min}人以上单数，现为{plan.size}人"
        refusals.append(Refusal("size_unlawful", article, reason))
    if experts * 3 < plan.size * 2:
        reason = f"技术、经济等方面的专家不得少于成员总数的三分之二，现为{experts}人"
        refusals.append(Refusal("too_few_experts", article, reason))
    return refusals


@under(REMOTE_EVALUATION_NOTICE.read_as(4, Provenance.MEMORY), rule="RE-12", severity=Severity.WARN)
def strata_cautions(
    strata: Sequence[Stratum],
    *,
    host_region: str,
    host_share_max: Fraction = HOST_SHARE_MAX,
    candidates: Mapping[str, int] | None = None,
) -> list[Caution]:
    """What is doubtful in the strata: too many seats from the host's region, or thin pools.

    `candidates` are how many experts each stratum could draw from, by its name. No national ratio
    between sites is known; provinces set their own.
    """
    article = REMOTE_EVALUATION_NOTICE.read_as(4, Provenance.MEMORY)
    cautions = []
    seats = sum(one.seats for one in strata)
    hosted = sum(one.seats for one in strata if one.region_code.startswith(host_region))
    if seats and Fraction(hosted, seats) > host_share_max:
        reason = f"主场地区专家{hosted}人，超过抽取总数{seats}人的上限比例{host_share_max}"
        cautions.append(Caution("host_share", article, reason, {"hosted": str(hosted)}))
    if seats and len({one.region_code for one in strata}) == 1:
        cautions.append(Caution("one_region", article, "全部专家来自同一地区，未实现异地评标"))
    for one in strata:
        available = (candidates or {}).get(one.name)
        if available is not None and available < THIN_FACTOR * one.seats:
            reason = f"分组“{one.name}”可抽{available}人，低于需要人数的{THIN_FACTOR}倍"
            cautions.append(Caution("thin_stratum", article, reason, {"name": one.name}))
    return cautions


@under(BIDDING_REGULATION[46], BIDDING_REGULATION[47], CONDUCT_OPINIONS[14], rule="EX-05")
def fallback_refusals(
    step: Fallback, *, taken: Sequence[Fallback], consented: bool
) -> list[Refusal]:
    """Why a stratum that ran dry may not be widened by this step now.

    The steps are taken in order, none is left out, and each is on record; the last two need the
    authority's consent.
    """
    refusals = []
    due = FALLBACKS[len(taken)] if len(taken) < len(FALLBACKS) else None
    if tuple(taken) != FALLBACKS[: len(taken)] or step is not due:
        reason = "补充抽取应当按规定顺序逐级放宽，不得跳级"
        refusals.append(Refusal("out_of_order", CONDUCT_OPINIONS[14], reason, {"step": step}))
    if step in CONSENT_NEEDED and not consented:
        reason = "从其他专家库抽取或者直接确定专家，应当经行政监督部门确认"
        refusals.append(Refusal("no_consent", CONSENT_NEEDED[step], reason, {"step": step}))
    return refusals


def widened(stratum: Stratum, step: Fallback) -> Stratum:
    """The stratum as a fallback step widens it, under a name of its own; else unchanged.

    A new name gives every label a fresh place, so that a wider part of the pool is a new list and
    not the old one with insertions.
    """
    specialism, region = stratum.specialism, stratum.region_code
    match step:
        case Fallback.SPECIALITY:
            specialism = specialism[:5]
        case Fallback.CLASS:
            specialism = specialism[:3]
        case Fallback.PROVINCE:
            specialism, region = specialism[:3], region[:2]
        case Fallback.PARTNER_REGION:
            specialism, region = specialism[:3], ""
        case _:
            return stratum
    return Stratum(f"{stratum.name}/{step}", specialism, region, stratum.seats, stratum.alternates)
