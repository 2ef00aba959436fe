"""Who may be an expert: eight years, a senior title, a right specialism, not barred.

What the law itself asks of everyone stands here as figures. Age and health differ from place to
place and are parameters that carry the article they rest on; where nobody has read that article,
they warn and do not block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CHONGQING_REGULATION,
    PROCUREMENT_REGULATION,
    Article,
    InForce,
    Provenance,
    Severity,
    under,
)

YEARS_MIN: Final = InForce({date(2000, 1, 1): 8})
"""Years of work in the field that the Bidding Law asks for."""

SPECIALISM_FORM: Final = re.compile(r"[ABC][0-9]{2}(?:[0-9]{2}(?:[0-9]{2})?)?", re.ASCII)
"""Class, speciality and direction of 公共资源交易评标专家专业分类标准 (发改法规〔2018〕316号)."""


class Title(StrEnum):
    """An expert's professional title (职称), by its level."""

    SENIOR = "senior"
    EQUIVALENT = "equivalent"
    """No senior title, but an equal professional level (同等专业水平)."""

    INTERMEDIATE = "intermediate"


@dataclass(frozen=True, slots=True)
class ExpertFacts:
    """What is known of an expert who applies or who might be drawn.

    `years` are whole years of work in the field; `healthy` is the expert's own declaration.
    """

    specialisms: tuple[str, ...]
    title: str
    years: int
    born_on: date
    healthy: bool


@dataclass(frozen=True, slots=True)
class PersonalConditions:
    """What a place asks of age and health, and the article that asks it.

    An expert leaves at the birthday that completes `age_limit`; None asks nothing.
    """

    article: Article
    age_limit: int | None = None
    health_declared: bool = True


UNREAD: Final = BIDDING_LAW.read_as(37, Provenance.MEMORY)
"""That fitness belongs to an expert's conditions is known from digests of the measures under the
Bidding Law alone, so it is cited as known from memory."""

NATIONAL: Final = PersonalConditions(UNREAD)
"""Fitness is to be declared; no national age limit is known."""

CHONGQING: Final = PersonalConditions(CHONGQING_REGULATION[27], age_limit=70)


@under(BIDDING_LAW[37], BIDDING_REGULATION[45], CHONGQING_REGULATION[27])
def enrolment_refusals(
    expert: ExpertFacts, *, on: date, conditions: PersonalConditions = NATIONAL
) -> list[Refusal]:
    """Every ground on which a person cannot be an expert of the pool on that day."""
    refusals = []
    years_min = YEARS_MIN.on(on)
    if expert.years < years_min:
        reason = f"评标专家应当从事相关领域工作满{years_min}年，现为{expert.years}年"
        refusals.append(
            Refusal("too_few_years", BIDDING_LAW[37], reason, {"years": str(expert.years)})
        )
    if expert.title not in (Title.SENIOR, Title.EQUIVALENT):
        reason = "评标专家应当具有高级职称或者具有同等专业水平"
        refusals.append(Refusal("title_too_low", BIDDING_LAW[37], reason))
    refusals.extend(_specialism_refusals(expert.specialisms))
    if conditions.article.provenance is not Provenance.MEMORY:
        refusals.extend(
            Refusal(code, conditions.article, reason)
            for code, reason in _personal_faults(expert, conditions, on=on)
        )
    return refusals


@under(UNREAD, severity=Severity.WARN)
def enrolment_cautions(
    expert: ExpertFacts, *, on: date, conditions: PersonalConditions = NATIONAL
) -> list[Caution]:
    """Age and health where the article that asks for them is known from memory alone."""
    if conditions.article.provenance is not Provenance.MEMORY:
        return []
    return [
        Caution(code, conditions.article, reason)
        for code, reason in _personal_faults(expert, conditions, on=on)
    ]


@under(
    BIDDING_LAW[37],
    BIDDING_LAW[56],
    BIDDING_REGULATION[46],
    BIDDING_REGULATION[71],
    BIDDING_REGULATION[72],
    PROCUREMENT_REGULATION[75],
    rule="EX-05",
)
def standing_refusals(*, verified: bool, bars: Sequence[Refusal]) -> list[Refusal]:
    """Why an enrolled expert may not be drawn: not yet verified, or barred by a decision.

    `bars` are the grounds that the register gives, each with its decision and the article it rests
    on. They name the decision, so nothing but their codes may go where others can read it.
    """
    refusals = []
    if not verified:
        reason = "专家信息尚未经评标专家库核验，不得抽取"
        refusals.append(Refusal("not_verified", BIDDING_REGULATION[46], reason))
    return [*refusals, *bars]


def age_on(day: date, born_on: date) -> int:
    """Completed years; whoever was born on 29 February ages on 1 March of a common year."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


def _specialism_refusals(specialisms: Sequence[str]) -> list[Refusal]:
    article = BIDDING_REGULATION[45]
    if not specialisms:
        return [Refusal("no_specialism", article, "应当至少填报一个评标专业")]
    refusals = [
        Refusal(
            "unknown_specialism", article, f"专业代码“{code}”不符合统一分类标准", {"code": code}
        )
        for code in specialisms
        if not SPECIALISM_FORM.fullmatch(code)
    ]
    if len(set(specialisms)) != len(specialisms):
        refusals.append(Refusal("specialism_twice", article, "同一专业代码重复填报"))
    return refusals


def _personal_faults(
    expert: ExpertFacts, conditions: PersonalConditions, *, on: date
) -> list[tuple[str, str]]:
    faults = []
    if conditions.age_limit is not None and age_on(on, expert.born_on) >= conditions.age_limit:
        faults.append(("too_old", f"年满{conditions.age_limit}周岁，应当退出评标专家库"))
    if conditions.health_declared and not expert.healthy:
        faults.append(("not_fit", "未声明身体健康、能够承担评标工作"))
    return faults
