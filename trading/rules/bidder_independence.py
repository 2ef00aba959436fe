"""Who may not bid beside whom, what a consortium must show, and what a change of a bidder means.

Firms with one head, or of which one holds or manages the other, do not bid for the same lot. A
consortium brings its agreement, counts by its lowest grade, keeps its members and leaves them no
second part. A bidder that merged, split or failed tells it; one that no longer qualifies is out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from kernel.identifiers import PartyId
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_REGULATION,
    Article,
    Regime,
    Severity,
    under,
)

DIRECT: Final = "direct"


@dataclass(frozen=True, slots=True)
class BidderTies:
    """A bidder as the register knows it: who heads it, who holds or manages it, what it did before.

    `holders` and `managers` are organisations by their codes; the value of `holders` says how:
    `direct`, or through others. `project_work` names what it did for this very project: design,
    specifications, supervision, testing.
    """

    party_id: PartyId
    name: str
    uscc: str
    head: str
    holders: Mapping[str, str]
    managers: frozenset[str] = frozenset()
    project_work: tuple[str, ...] = ()


def _tied(one: BidderTies, other: BidderTies, *, direct_only: bool) -> str:
    """How two bidders are tied, in words; empty where they are not."""
    if one.head and one.head == other.head:
        return "单位负责人为同一人"
    for holder, held in ((one, other), (other, one)):
        how = held.holders.get(holder.uscc)
        if how is not None and (how == DIRECT or not direct_only):
            return f"{holder.name}控股{held.name}"
        if holder.uscc in held.managers:
            return f"{holder.name}管理{held.name}"
    return ""


@under(BIDDING_REGULATION[34], PROCUREMENT_REGULATION[18], rule=("BI-06", "BI-07"))
def ties_between(bidders: Iterable[BidderTies], regime: Regime) -> list[Refusal]:
    """Every pair of bidders of one lot that may not both bid; both bids are void.

    The tendering law counts every hold, procurement a direct one alone.
    """
    procurement = regime is Regime.PROCUREMENT
    article = PROCUREMENT_REGULATION[18] if procurement else BIDDING_REGULATION[34]
    refusals = []
    for one, other in combinations(bidders, 2):
        how = _tied(one, other, direct_only=procurement)
        if how:
            reason = f"{one.name}与{other.name}{how}，不得参加同一标段投标，相关投标均无效"
            facts = {"one": one.uscc, "other": other.uscc, "how": how}
            refusals.append(Refusal("bidders_tied", article, reason, facts))
    return refusals


@under(BIDDING_REGULATION[34], PROCUREMENT_REGULATION[18], rule=("BI-06", "BI-07"))
def ties_to_project(bidder: BidderTies, *, tenderee_uscc: str, regime: Regime) -> list[Refusal]:
    """A bidder tied to the tenderee, or that worked on the project's own papers."""
    refusals = []
    if regime is Regime.PROCUREMENT:
        if bidder.project_work:
            reason = f"{bidder.name}为本项目提供过{'、'.join(bidder.project_work)}，不得再参加"
            article = PROCUREMENT_REGULATION[18]
            return [Refusal("worked_on_project", article, reason)]
        return []
    if tenderee_uscc in bidder.holders or tenderee_uscc in bidder.managers:
        reason = f"{bidder.name}与招标人存在控股或者管理关系，可能影响招标公正性，不得参加投标"
        refusals.append(Refusal("tied_to_tenderee", BIDDING_REGULATION[34], reason))
    return refusals


@under(E_BIDDING_MEASURES[23], rule="BI-08")
def ties_to_platform(bidder: BidderTies, *, operator_uscc: str) -> list[Refusal]:
    """The platform's operator, and whoever it holds, manages or is held by, does not bid here."""
    article = E_BIDDING_MEASURES[23]
    if bidder.uscc == operator_uscc:
        return [Refusal("operator_bids", article, "平台运营机构不得在其运营的平台上投标")]
    if operator_uscc in bidder.holders or operator_uscc in bidder.managers:
        reason = "与平台运营机构有控股或者管理关系的单位，不得在该平台上投标"
        return [Refusal("tied_to_operator", article, reason)]
    return []


# ── consortia (联合体) ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a consortium: its part of the work, and its grade in each speciality.

    The best grade is 1; a speciality that is missing is not had at all.
    """

    party_id: PartyId
    name: str
    part: str
    grades: Mapping[str, int]
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Consortium:
    """A consortium as it bids: its members, the leading one first, and its agreement."""

    members: tuple[Member, ...]
    agreement: str

    def grade(self, speciality: str) -> int | None:
        """The grade it counts by: the lowest among members of the same speciality."""
        had = [one.grades[speciality] for one in self.members if speciality in one.grades]
        return max(had, default=None)


@under(
    BIDDING_LAW[31],
    BIDDING_REGULATION[37],
    PROCUREMENT_REGULATION[22],
    rule="BI-09",
)
def consortium_refusals(
    consortium: Consortium,
    *,
    accepted: bool,
    required_grades: Mapping[str, int],
    others: Iterable[Iterable[PartyId]],
    prequalified: Iterable[PartyId] | None,
    regime: Regime,
) -> list[Refusal]:
    """Every ground on which a consortium may not bid as it is.

    `others` are the bidders of the lot beside it, each as its members; `prequalified` are the
    members that passed, where there was a prequalification.
    """
    refusals = list(_form_faults(consortium, accepted=accepted, regime=regime))
    second = PROCUREMENT_REGULATION[22] if regime is Regime.PROCUREMENT else BIDDING_REGULATION[37]
    own = {one.party_id for one in consortium.members}
    taken = {party for other in others for party in other}
    for one in consortium.members:
        if one.party_id in taken:
            reason = f"{one.name}不得再单独投标或者参加其他联合体投标，相关投标均无效"
            refusals.append(Refusal("second_part", second, reason, {"member": one.name}))
    if prequalified is not None and set(prequalified) != own:
        reason = "资格预审后联合体增减、更换成员的，其投标无效"
        refusals.append(Refusal("members_changed", BIDDING_REGULATION[37], reason))
    grades = PROCUREMENT_REGULATION[22] if regime is Regime.PROCUREMENT else BIDDING_LAW[31]
    for speciality, least in required_grades.items():
        had = consortium.grade(speciality)
        if had is None or had > least:
            told = "没有" if had is None else f"按较低者为{had}级"
            reason = f"联合体{speciality}资质{told}，不满足{least}级的要求"
            facts = {"speciality": speciality, "required": str(least)}
            refusals.append(Refusal("grade_too_low", grades, reason, facts))
    return refusals


def _form_faults(consortium: Consortium, *, accepted: bool, regime: Regime) -> Iterator[Refusal]:
    article: Article = BIDDING_LAW[31]
    if regime is Regime.PROCUREMENT:
        article = PROCUREMENT_REGULATION[22]
    if not accepted:
        reason = "本标段不接受联合体投标"
        yield Refusal("no_consortia", BIDDING_REGULATION[37], reason)
    if len(consortium.members) < 2:
        yield Refusal("too_few_members", article, "联合体应当由两个以上单位组成")
    if not consortium.agreement.strip():
        yield Refusal("no_agreement", article, "应当提交共同投标协议，明确各方承担的工作和责任")
    for one in consortium.members:
        if not one.part.strip():
            reason = f"共同投标协议未明确{one.name}承担的工作"
            yield Refusal("part_unclear", article, reason, {"member": one.name})
        if not one.signed:
            reason = f"{one.name}未签署共同投标协议"
            yield Refusal("not_signed", article, reason, {"member": one.name})
    if len({one.party_id for one in consortium.members}) != len(consortium.members):
        yield Refusal("member_twice", article, "联合体成员不得重复")


# ── changes and lent names ────────────────────────────────────────────────────────────────────


@under(BIDDING_REGULATION[38], rule="BI-10")
def change_refusals(*, told: bool, still_qualified: bool, harms_fairness: bool) -> list[Refusal]:
    """What a merger, split or insolvency of a bidder means for its bid."""
    article = BIDDING_REGULATION[38]
    refusals = []
    if not still_qualified:
        reason = "投标人不再具备规定的资格条件，其投标无效"
        refusals.append(Refusal("no_longer_qualified", article, reason))
    if harms_fairness:
        refusals.append(Refusal("harms_fairness", article, "其投标影响招标公正性，投标无效"))
    if not told:
        reason = "投标人发生重大变化，应当及时书面告知招标人"
        refusals.append(Refusal("change_not_told", article, reason))
    return refusals


@under(BIDDING_REGULATION[42], rule="BI-11", severity=Severity.WARN)
def misrepresentation_cautions(
    *, certificate_of_another: bool, unverified_claims: Iterable[str]
) -> list[Caution]:
    """Signs of bidding in another's name or with false papers; a finding is an authority's."""
    article = BIDDING_REGULATION[42]
    cautions = []
    if certificate_of_another:
        reason = "所附资格、资质证书登记在其他单位名下，请核实是否以他人名义投标"
        cautions.append(Caution("certificate_of_another", article, reason))
    cautions += [
        Caution("claim_unverified", article, f"“{claim}”未能核实，请核实是否弄虚作假")
        for claim in unverified_claims
    ]
    return cautions
