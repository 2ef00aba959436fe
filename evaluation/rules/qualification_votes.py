"""What a committee finds of applications for a prequalification: each member alone, then most.

A committee that reviews applications (资格审查委员会) obeys what the law says of one that evaluates
bids (招标投标法实施条例 18): its members judge by the published conditions alone, each for itself
and with the page on which it rests, and what more than half of all members find is the finding.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kernel.crypto.digests import Malformed, list_of, text_of
from kernel.crypto.digests import members as members_of
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION, under

VERSION: Final = "ebid-qualification-report/1"
"""What a report on applications calls itself."""

REASON_MAX: Final = 500
PAGE_MAX: Final = 100
OPINIONS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one member finds of one applicant under one condition, and where it shows."""

    applicant: UUID
    condition: str
    met: bool
    reason: str = ""
    page: str = ""

    def told(self) -> dict[str, object]:
        """The opinion as a statement says it, and a report."""
        return {
            "applicant": str(self.applicant),
            "condition": self.condition,
            "met": self.met,
            "reason": self.reason,
            "page": self.page,
        }


def opinions_in(told: object) -> tuple[Opinion, ...]:
    """The opinions that a statement says; `Malformed` where it says none."""
    found = []
    for item in list_of(told, at_most=OPINIONS_MAX):
        one = members_of(item, ("applicant", "condition", "met"), optional=("reason", "page"))
        if not isinstance(one["met"], bool):
            raise Malformed("met is true or false")
        try:
            applicant = UUID(text_of(one["applicant"]))
        except ValueError:
            raise Malformed("an applicant is named by its id", code="applicant") from None
        reason, page = text_of(one.get("reason", "")), text_of(one.get("page", ""))
        if len(reason) > REASON_MAX or len(page) > PAGE_MAX:
            raise Malformed(f"reasons have at most {REASON_MAX} characters, a page {PAGE_MAX}")
        found.append(Opinion(applicant, text_of(one["condition"]), one["met"], reason, page))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class CommonFinding:
    """What most members found of an applicant under a condition, with the reasons they gave."""

    applicant: UUID
    condition: str
    met: bool
    in_favour: int
    reason: str

    def told(self, *, among: int) -> dict[str, object]:
        """The finding as a report says it, of a committee of so many."""
        return {
            "applicant": str(self.applicant),
            "condition": self.condition,
            "met": self.met,
            "in_favour": self.in_favour,
            "members": among,
            "reason": self.reason,
        }


@under(BIDDING_REGULATION[18], BIDDING_REGULATION[49], rule=("NO-08", "EV-02"))
def opinion_refusals(
    opinions: Sequence[Opinion],
    *,
    applicants: Mapping[UUID, str],
    conditions: Mapping[str, str],
) -> list[Refusal]:
    """Why a member's opinions are not taken: one is missing or said twice, or what is not met has
    no reason or no page. Applicants and conditions are named by their ids.
    """
    article = BIDDING_REGULATION[18]
    refusals = []
    said = [(one.applicant, one.condition) for one in opinions]
    if len(set(said)) < len(said):
        reason = "对同一申请人的同一项审查标准只能作出一个结论"
        refusals.append(Refusal("opinion_twice", article, reason))
    for applicant, condition in dict.fromkeys(said):
        if applicant not in applicants or condition not in conditions:
            reason = "资格预审应当按照资格预审文件载明的标准，对已解密的申请文件进行审查"
            facts = {"condition": condition}
            refusals.append(Refusal("unknown_condition", article, reason, facts))
    for id, name in applicants.items():
        missing = [words for key, words in conditions.items() if (id, key) not in said]
        if missing:
            reason = f"对{name}尚未作出结论：{'、'.join(missing)}"
            refusals.append(Refusal("opinion_left_out", article, reason))
    for one in opinions:
        if not one.met and not (one.reason.strip() and one.page.strip()):
            name = applicants.get(one.applicant, "申请人")
            reason = f"认定{name}不符合{one.condition}的，应当写明理由和申请文件的页码"
            refusals.append(Refusal("no_ground", BIDDING_REGULATION[49], reason))
    return refusals


@under(BIDDING_REGULATION[53], rule="EV-16")
def common_findings(
    opinions: Mapping[UUID, Sequence[Opinion]], *, members: Collection[UUID]
) -> tuple[CommonFinding, ...]:
    """What the committee finds, by the opinions of all its members: met is what more than half of
    them found met. Who is no member any more has no say.
    """
    met: dict[tuple[UUID, str], int] = {}
    against: dict[tuple[UUID, str], list[str]] = {}
    for member in sorted(members):
        for one in opinions[member]:
            key = (one.applicant, one.condition)
            met[key] = met.get(key, 0) + one.met
            if not one.met:
                said = f"{one.reason.strip()}（{one.page.strip()}）"
                against.setdefault(key, []).append(said)
    return tuple(
        CommonFinding(
            applicant,
            condition,
            2 * count > len(members),
            count,
            "" if 2 * count > len(members) else _together(against[applicant, condition]),
        )
        for (applicant, condition), count in sorted(met.items())
    )


@under(BIDDING_REGULATION[18], BIDDING_REGULATION[53], rule=("NO-08", "EV-16"))
def readiness_refusals(*, silent: Sequence[int], signed: bool) -> list[Refusal]:
    """Why there is no report yet: members, by number, said nothing; or it is being signed."""
    refusals = []
    if silent:
        numbers = "、".join(map(str, silent))
        reason = f"{numbers}号成员尚未提交审查意见"
        refusals.append(
            Refusal("opinions_missing", BIDDING_REGULATION[18], reason, {"members": numbers})
        )
    if signed:
        reason = "资格审查报告已有成员签署，不得重新汇总"
        refusals.append(Refusal("report_signed", BIDDING_REGULATION[53], reason))
    return refusals


def follows(report: Mapping[str, Any]) -> bool:
    """Whether what a report says most members found follows from the opinions that it tells."""
    opinions = {UUID(one["member"]): opinions_in(one["findings"]) for one in report["opinions"]}
    found = common_findings(opinions, members=opinions)
    return bool([one.told(among=len(opinions)) for one in found] == report["findings"])


def _together(reasons: Sequence[str]) -> str:
    """The reasons of those who found it not met, each once."""
    return "；".join(dict.fromkeys(reasons))
