"""Who must step aside: employer, office, kin, authorship, interest, supervision, penalty (回避).

The rule is told what ties an expert to organisations and which organisations the lot concerns, and
answers with every ground, not the first. A ground carries the number under which recusals are
commonly listed (A1 to A10) and the code by which platforms exchange whom the expert avoids: 1 a
bidder, 2 the tenderee, 3 the authority, 4 the agency, 9 another.

That no two members should come from one employer is local custom which nobody here has read: it
warns and does not exclude.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    PROCUREMENT_REGULATION,
    PROCUREMENT_TENDER_MEASURES,
    Article,
    Provenance,
    Regime,
    Severity,
    under,
)

YEARS_LOOKED_BACK: Final = 3
"""What procurement law looks back on, and what pools of the tendering family take by default."""


class TieKind(StrEnum):
    """What ties an expert to an organisation."""

    EMPLOYMENT = "employment"
    RETIREMENT = "retirement"
    OFFICE = "office"
    """Director, supervisor, shareholder or controller."""

    KINSHIP = "kinship"
    """A near relative of its head or of those who made the bid."""

    AUTHORSHIP = "authorship"
    """Wrote or advised on the tender documents for it."""

    INTEREST = "interest"
    """An economic interest in it or a dispute with it."""


class Capacity(StrEnum):
    """In what capacity an organisation is concerned with the lot."""

    BIDDER = "bidder"
    BIDDER_AFFILIATE = "bidder_affiliate"
    """Parent, subsidiary or member of the consortium of a bidder."""

    TENDEREE = "tenderee"
    AGENCY = "agency"
    AUTHORITY = "authority"
    """The competent department or the supervisor."""

    OTHER = "other"


AVOIDED_CODES: Final[Mapping[Capacity, str]] = MappingProxyType(
    {
        Capacity.BIDDER: "1",
        Capacity.BIDDER_AFFILIATE: "1",
        Capacity.TENDEREE: "2",
        Capacity.AUTHORITY: "3",
        Capacity.AGENCY: "4",
        Capacity.OTHER: "9",
    }
)
"""The code under which platforms exchange whom an expert avoids."""

CAPACITY_NAMES: Final[Mapping[Capacity, str]] = MappingProxyType(
    {
        Capacity.BIDDER: "投标人",
        Capacity.BIDDER_AFFILIATE: "投标人的关联单位",
        Capacity.TENDEREE: "招标人",
        Capacity.AUTHORITY: "主管或者监督部门",
        Capacity.AGENCY: "招标代理机构",
        Capacity.OTHER: "应回避单位",
    }
)


class Ground(StrEnum):
    """The recusals that a machine can check."""

    EMPLOYED = "A1"
    WAS_EMPLOYED = "A2"
    RETIRED_FROM = "A3"
    HELD_OFFICE = "A4"
    KIN = "A5"
    AUTHOR = "A6"
    INTERESTED = "A7"
    SAME_EMPLOYER = "A8"
    AUTHORITY = "A9"
    PENALISED = "A10"


@dataclass(frozen=True, slots=True)
class ExpertTie:
    """One tie of an expert to an organisation; `ended_on` is None while it lasts."""

    uscc: str
    kind: TieKind
    ended_on: date | None = None


@dataclass(frozen=True, slots=True)
class ExpertTies:
    """Everything that may tie an expert to a lot.

    `penalised` says that a decision on record punished this person for misconduct in tendering.
    """

    employer_uscc: str
    ties: tuple[ExpertTie, ...] = ()
    penalised: bool = False


@dataclass(frozen=True, slots=True)
class Concerned:
    """An organisation concerned with the lot."""

    uscc: str
    capacity: Capacity


_STRUCTURAL: Final = {Capacity.BIDDER, Capacity.BIDDER_AFFILIATE, Capacity.OTHER}


@under(
    BIDDING_LAW[37],
    BIDDING_REGULATION[46],
    COMMITTEE_PROVISIONS[12],
    PROCUREMENT_REGULATION[9],
    PROCUREMENT_TENDER_MEASURES[47],
    rule=("EX-09", "EX-10", "EX-11"),
)
def recusal_refusals(
    expert: ExpertTies,
    concerned: Collection[Concerned],
    *,
    on: date,
    regime: Regime = Regime.TENDERING,
    years: int = YEARS_LOOKED_BACK,
) -> list[Refusal]:
    """Every ground on which this expert must not sit for this lot, in a fixed order.

    A tie that ended is looked back on for `years`, the day that many years ago included.
    """
    refusals = [
        _refusal(ground, one, regime)
        for one in sorted(set(concerned), key=lambda one: (one.uscc, one.capacity))
        for ground in sorted(set(_grounds(expert, one, on=on, years=years)))
    ]
    if expert.penalised:
        reason = "曾因在招标投标活动中从事违法行为受过处罚"
        refusals.append(
            Refusal("penalised", COMMITTEE_PROVISIONS[12], reason, {"ground": Ground.PENALISED})
        )
    return refusals


@under(BIDDING_LAW.read_as(37, Provenance.MEMORY), severity=Severity.WARN)
def same_employer_cautions(employers: Sequence[str]) -> list[Caution]:
    """More than one member from one employer, which local rules commonly do not want (A8)."""
    doubled = sorted({one for one in employers if one and employers.count(one) > 1})
    return [
        Caution(
            "same_employer",
            BIDDING_LAW.read_as(37, Provenance.MEMORY),
            "同一单位有两名以上专家进入同一评标委员会",
            {"ground": Ground.SAME_EMPLOYER, "uscc": uscc},
        )
        for uscc in doubled
    ]


def ground_codes(refusals: Collection[Refusal]) -> tuple[str, ...]:
    """The codes of an exclusion, each once and in order: what is committed to before a draw."""
    return tuple(sorted({one.code for one in refusals}))


def looked_back_to(on: date, years: int) -> date:
    """The same day so many years ago; 28 February where that year has no 29th."""
    try:
        return on.replace(year=on.year - years)
    except ValueError:
        return on.replace(year=on.year - years, day=28)


def _grounds(expert: ExpertTies, one: Concerned, *, on: date, years: int) -> Iterator[Ground]:
    if expert.employer_uscc == one.uscc:
        yield Ground.AUTHORITY if one.capacity is Capacity.AUTHORITY else Ground.EMPLOYED
    since = looked_back_to(on, years)
    for tie in expert.ties:
        if tie.uscc != one.uscc:
            continue
        lasts = tie.ended_on is None or tie.ended_on > on
        if not lasts and tie.ended_on is not None and tie.ended_on < since:
            continue
        yield from _grounds_of_tie(tie.kind, one.capacity, lasts=lasts)


def _grounds_of_tie(kind: TieKind, capacity: Capacity, *, lasts: bool) -> Iterator[Ground]:
    match kind:
        case TieKind.EMPLOYMENT if capacity is Capacity.AUTHORITY:
            # Only those who work there now supervise the project.
            if lasts:
                yield Ground.AUTHORITY
        case TieKind.EMPLOYMENT:
            yield Ground.EMPLOYED if lasts else Ground.WAS_EMPLOYED
        case TieKind.RETIREMENT:
            yield Ground.RETIRED_FROM
        case TieKind.OFFICE:
            yield Ground.HELD_OFFICE
        case TieKind.KINSHIP:
            yield Ground.KIN
        case TieKind.AUTHORSHIP:
            yield Ground.AUTHOR
        case TieKind.INTEREST:
            yield Ground.INTERESTED


_CODES: Final[Mapping[Ground, tuple[str, str]]] = MappingProxyType(
    {
        Ground.EMPLOYED: ("employed", "现任职于{who}"),
        Ground.WAS_EMPLOYED: ("was_employed", "近年曾任职于{who}"),
        Ground.RETIRED_FROM: ("retired_from", "从{who}退休"),
        Ground.HELD_OFFICE: (
            "held_office",
            "担任或者曾担任{who}的董事、监事，或者是其股东、实际控制人",
        ),
        Ground.KIN: ("kin", "与{who}的负责人或者投标人员有近亲属关系"),
        Ground.AUTHOR: ("author", "曾为{who}编制招标文件或者提供咨询"),
        Ground.INTERESTED: ("interested", "与{who}有经济利益关系或者纠纷"),
        Ground.AUTHORITY: ("authority", "是{who}的工作人员"),
    }
)


def _refusal(ground: Ground, one: Concerned, regime: Regime) -> Refusal:
    code, words = _CODES[ground]
    facts = {"ground": ground, "uscc": one.uscc, "avoided": AVOIDED_CODES[one.capacity]}
    reason = words.format(who=CAPACITY_NAMES[one.capacity]) + "，应当回避"
    return Refusal(code, _article(ground, one.capacity, regime), reason, facts)


def _article(ground: Ground, capacity: Capacity, regime: Regime) -> Article:
    if ground is Ground.AUTHORITY:
        return BIDDING_REGULATION[46]
    if regime is Regime.PROCUREMENT:
        own_staff = ground is Ground.EMPLOYED and capacity not in _STRUCTURAL
        return PROCUREMENT_TENDER_MEASURES[47] if own_staff else PROCUREMENT_REGULATION[9]
    return COMMITTEE_PROVISIONS[12] if ground is Ground.KIN else BIDDING_LAW[37]
