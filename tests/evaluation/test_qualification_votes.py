"""What a committee finds of applications: Bidding Regulation 18, 49, 53."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from evaluation.rules.qualification_votes import (
    CommonFinding,
    Opinion,
    common_findings,
    follows,
    opinion_refusals,
    opinions_in,
    readiness_refusals,
)
from kernel.crypto.digests import Malformed
from kernel.statute import BIDDING_REGULATION

FIRST, SECOND = UUID(int=1), UUID(int=2)
NAMES = {FIRST: "甲公司", SECOND: "乙公司"}
CONDITIONS = {"C1": "资质", "C2": "业绩"}
MEMBERS = [UUID(int=number) for number in range(11, 16)]
WHOLE = [Opinion(one, condition, met=True) for one in NAMES for condition in CONDITIONS]


def codes(opinions: list[Opinion]) -> list[str]:
    found = opinion_refusals(opinions, applicants=NAMES, conditions=CONDITIONS)
    return [one.code for one in found]


@pytest.mark.accepts("NO-08")
def test_every_applicant_is_judged_under_every_condition_with_reason_and_page() -> None:
    assert codes(WHOLE) == []
    failed = Opinion(SECOND, "C2", met=False, reason="业绩未附合同", page="第12页")
    assert codes([*WHOLE[:3], failed]) == []


@pytest.mark.refuses("NO-08")
@pytest.mark.parametrize(
    ("last", "code"),
    [
        ([], "opinion_left_out"),
        ([Opinion(SECOND, "C2", met=False, reason="未附合同")], "no_ground"),
        ([Opinion(SECOND, "C2", met=False, page="第12页")], "no_ground"),
        ([WHOLE[3], Opinion(SECOND, "C9", met=True)], "unknown_condition"),
        ([WHOLE[3], Opinion(UUID(int=9), "C1", met=True)], "unknown_condition"),
        ([WHOLE[3], WHOLE[3]], "opinion_twice"),
    ],
)
def test_what_is_missing_unfounded_or_not_published_is_not_taken(
    last: list[Opinion], code: str
) -> None:
    assert codes([*WHOLE[:3], *last]) == [code]


def test_a_report_whose_findings_do_not_follow_is_found_out() -> None:
    told = {str(one): [opinion.told() for opinion in WHOLE] for one in MEMBERS}
    findings = common_findings(dict.fromkeys(MEMBERS, WHOLE), members=MEMBERS)
    report: dict[str, Any] = {
        "opinions": [{"member": member, "findings": said} for member, said in told.items()],
        "findings": [one.told(among=5) for one in findings],
    }
    assert follows(report)
    turned = [{**report["findings"][0], "met": False}, *report["findings"][1:]]
    assert not follows({**report, "findings": turned})
    assert not follows({**report, "opinions": report["opinions"][:4]})
    said = WHOLE[0].told()
    strange: list[Any] = [7, [{}], [{**said, "met": 1}], [{**said, "applicant": "x"}]]
    for broken in [*strange, [{**said, "page": "x" * 101}]]:
        with pytest.raises(Malformed):
            opinions_in(broken)


@pytest.mark.parametrize(("in_favour", "met"), [(0, False), (2, False), (3, True), (5, True)])
def test_more_than_half_of_all_members_find_it_met_or_it_is_not(in_favour: int, met: bool) -> None:
    said = {
        member: [
            Opinion(FIRST, "C1", met=True)
            if place < in_favour
            else Opinion(FIRST, "C1", met=False, reason="资质等级不足", page="第3页")
        ]
        for place, member in enumerate(MEMBERS)
    }
    (found,) = common_findings(said, members=MEMBERS)
    reason = "" if met else "资质等级不足（第3页）"
    assert found == CommonFinding(FIRST, "C1", met, in_favour, reason)
    # Whoever left has no say, and whoever came instead has.
    gone = {**said, UUID(int=99): [Opinion(FIRST, "C1", met=True)]}
    assert common_findings(gone, members=MEMBERS) == (found,)


def test_a_report_waits_for_everybody_and_is_not_changed_under_a_signature() -> None:
    assert readiness_refusals(silent=(), signed=False) == []
    found = readiness_refusals(silent=(2, 4), signed=True)
    assert [(one.code, one.article) for one in found] == [
        ("opinions_missing", BIDDING_REGULATION[18]),
        ("report_signed", BIDDING_REGULATION[53]),
    ]
    assert "2、4号" in found[0].reason
