"""Who makes a lawful committee: five or more, odd, two thirds of them experts.

Also who may not sit in it although the numbers are right: whoever acts for another side of the same
lot. How the members spread over sites is known from local custom alone, and warns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Final
from uuid import UUID

from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    CHONGQING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_TENDER_MEASURES,
    REMOTE_EVALUATION_NOTICE,
    Article,
    Provenance,
    Regime,
    Severity,
    under,
)

MEMBERS_MIN: Final = 5
HOST_SHARE_MAX: Final = Fraction(1, 2)
"""The largest part of the experts that should sit at one site; provinces set their own."""


class MemberKind(StrEnum):
    """Whether a member was drawn as an expert or represents the tenderee."""

    EXPERT = "expert"
    REPRESENTATIVE = "representative"


class OtherSide(StrEnum):
    """In what other capacity a person already acts for the same lot."""

    BIDDER = "bidder"
    AGENCY = "agency"
    SUPERVISOR = "supervisor"
    CUSTODIAN = "custodian"
    SITE_STAFF = "site_staff"


OTHER_SIDE_NAMES: Final[Mapping[OtherSide, str]] = MappingProxyType(
    {
        OtherSide.BIDDER: "投标人一方",
        OtherSide.AGENCY: "招标代理机构",
        OtherSide.SUPERVISOR: "行政监督部门",
        OtherSide.CUSTODIAN: "密钥保管人",
        OtherSide.SITE_STAFF: "场所工作人员",
    }
)


@dataclass(frozen=True, slots=True)
class CommitteeMember:
    """A person who is to sit: how he came to it, who employs him, where he sits, what else he does.

    `other_sides` are the capacities in which this person already acts for the lot.
    """

    person_id: UUID
    kind: MemberKind
    employer_uscc: str
    site_id: UUID
    other_sides: frozenset[OtherSide] = frozenset()


@dataclass(frozen=True, slots=True)
class ProposedCommittee:
    """A committee before it is convened; `leader` is None while it has not chosen one."""

    members: tuple[CommitteeMember, ...]
    tenderee_uscc: str
    leader: UUID | None = None

    def experts(self) -> tuple[CommitteeMember, ...]:
        """The members who were drawn."""
        return tuple(one for one in self.members if one.kind is MemberKind.EXPERT)


@dataclass(frozen=True, slots=True)
class CommitteeDemands:
    """What the lot's procedure demands of its committee.

    `members_min` is seven where the budget, the complexity or a trade's own rules make it so, and
    three where nothing is tendered; `size_article` says so, where it is not the family's usual one.
    `representatives_max` is a local limit on top of the share, and has its article.
    """

    regime: Regime
    members_min: int = MEMBERS_MIN
    size_article: Article | None = None
    representatives_max: int | None = None
    representatives_article: Article = CHONGQING_REGULATION[30]


@under(
    BIDDING_LAW[37],
    BIDDING_REGULATION[46],
    CHONGQING_REGULATION[30],
    PROCUREMENT_LAW[40],
    PROCUREMENT_TENDER_MEASURES[45],
    PROCUREMENT_TENDER_MEASURES[47],
    rule=("EX-01", "EX-02", "EX-04", "EX-11", "EX-13"),
)
def composition_refusals(committee: ProposedCommittee, demands: CommitteeDemands) -> list[Refusal]:
    """Every ground on which these people may not be convened as the lot's committee."""
    procurement = demands.regime is Regime.PROCUREMENT
    article = demands.size_article or (
        PROCUREMENT_TENDER_MEASURES[47] if procurement else BIDDING_LAW[37]
    )
    size, experts = len(committee.members), len(committee.experts())
    refusals = []
    if size < demands.members_min or size % 2 == 0:
        reason = f"评标委员会成员应当为{demands.members_min}人以上单数，现为{size}人"
        refusals.append(Refusal("size_unlawful", article, reason, {"size": str(size)}))
    if experts * 3 < size * 2:
        reason = f"技术、经济等方面的专家不得少于成员总数的三分之二，现为{experts}/{size}"
        refusals.append(Refusal("too_few_experts", article, reason))
    limit = demands.representatives_max
    if limit is not None and size - experts > limit:
        reason = f"招标人代表不得超过{limit}人，现为{size - experts}人"
        refusals.append(
            Refusal("too_many_representatives", demands.representatives_article, reason)
        )
    refusals += _leader_refusals(committee, demands)
    if len({one.person_id for one in committee.members}) != size:
        refusals.append(Refusal("person_twice", article, "同一人不得担任两名成员"))
    for one in committee.members:
        refusals += _conflict_refusals(one, committee, demands.regime)
    return refusals


@under(REMOTE_EVALUATION_NOTICE.read_as(4, Provenance.MEMORY), rule="RE-12", severity=Severity.WARN)
def spread_cautions(
    committee: ProposedCommittee,
    *,
    host_site_id: UUID,
    host_share_max: Fraction = HOST_SHARE_MAX,
) -> list[Caution]:
    """What is doubtful in how the experts spread over sites: all at one, or too many at the host.

    No national ratio is known; the limits are a province's to set.
    """
    article = REMOTE_EVALUATION_NOTICE.read_as(4, Provenance.MEMORY)
    experts = committee.experts()
    if not experts:
        return []
    by_site = Counter(one.site_id for one in experts)
    cautions = []
    if len(by_site) == 1:
        reason = "全部专家在同一评标场所，未形成远程异地评标"
        cautions.append(Caution("all_experts_at_one_site", article, reason))
    hosted = by_site[host_site_id]
    if Fraction(hosted, len(experts)) > host_share_max:
        reason = f"主场专家{hosted}人，超过专家总数{len(experts)}人的上限比例{host_share_max}"
        cautions.append(Caution("host_share", article, reason, {"hosted": str(hosted)}))
    return cautions


def _leader_refusals(committee: ProposedCommittee, demands: CommitteeDemands) -> list[Refusal]:
    if committee.leader is None:
        return []
    kinds = {one.person_id: one.kind for one in committee.members}
    kind = kinds.get(committee.leader)
    procurement = demands.regime is Regime.PROCUREMENT
    if kind is None:
        article = PROCUREMENT_TENDER_MEASURES[47] if procurement else BIDDING_LAW[37]
        return [Refusal("leader_not_a_member", article, "评标委员会负责人应当是其成员")]
    if kind is MemberKind.REPRESENTATIVE and procurement:
        reason = "采购人代表不得担任评标委员会负责人"
        return [Refusal("representative_leads", PROCUREMENT_TENDER_MEASURES[45, 4], reason)]
    return []


def _conflict_refusals(
    member: CommitteeMember, committee: ProposedCommittee, regime: Regime
) -> list[Refusal]:
    procurement = regime is Regime.PROCUREMENT
    facts = {"person": str(member.person_id)}
    refusals = []
    for side in sorted(member.other_sides):
        article = BIDDING_LAW[37]
        if side in (OtherSide.SUPERVISOR, OtherSide.SITE_STAFF, OtherSide.CUSTODIAN):
            article = BIDDING_REGULATION[46]
        elif side is OtherSide.AGENCY:
            article = PROCUREMENT_TENDER_MEASURES[47] if procurement else BIDDING_REGULATION[46]
        reason = f"本标段中属于{OTHER_SIDE_NAMES[side]}的人员不得担任评标委员会成员"
        refusals.append(Refusal("acts_for_another_side", article, reason, facts | {"side": side}))
    is_own = member.employer_uscc == committee.tenderee_uscc
    if member.kind is MemberKind.EXPERT and is_own and procurement:
        reason = "评审专家对本单位的采购项目只能作为采购人代表参与评标"
        article = PROCUREMENT_TENDER_MEASURES[47]
        refusals.append(Refusal("own_staff_as_expert", article, reason, facts))
    return refusals
