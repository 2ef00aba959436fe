"""Buying from the only supplier: Government Procurement Law 6, 31, 39, 42; Government Procurement
Regulation 38; Procurement Tender Measures 12; Non-tender Procurement Measures 38, 40, 41.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.digests import Malformed
from kernel.identifiers import PersonId
from kernel.statute import NON_TENDER_MEASURES, PROCUREMENT_LAW, PROCUREMENT_REGULATION
from trading.rules.invited_bidders import Invited, Source, invitation_refusals
from trading.rules.procedures import Procedure, switches_of
from trading.rules.procurement_methods import MethodGround
from trading.rules.single_source import (
    ExpertOpinion,
    GroupMember,
    PriceAgreement,
    SoleSupplier,
    agreement_cautions,
    agreement_in,
    agreement_refusals,
    failure_refusals,
    publicity_switches,
    signature_refusals,
    sole_supplier_cautions,
    sole_supplier_refusals,
)

ON = date(2026, 3, 2)
SINGLE = switches_of(Procedure.SINGLE_SOURCE, on=ON)
INQUIRY = switches_of(Procedure.REQUEST_FOR_QUOTATIONS, on=ON)
ONLY, URGENT = MethodGround.ONLY_SUPPLIER, MethodGround.UNFORESEEN_EMERGENCY

OPINION = ExpertOpinion("钱一", "某研究院", "高级工程师", "同意采用单一来源方式。")
SOLE = SoleSupplier(UUID(int=9), "控制软件为该单位专有。", (OPINION,) * 3)
PEOPLE = {UUID(int=1): "赵甲", UUID(int=2): "钱乙", UUID(int=3): "孙丙"}
GROUP = tuple(GroupMember(PersonId(id), name, "工程师") for id, name in PEOPLE.items())
AGREEMENT = PriceAgreement(Decimal(480), GROUP, "双方商定上述价格。")


def codes(agreement: PriceAgreement, *, ceiling: Decimal | None = None) -> list[str]:
    found = agreement_refusals(
        agreement,
        SINGLE,
        offered=Decimal(490),
        budget=Decimal(500),
        ceiling=ceiling,
        of_the_purchaser=PEOPLE,
    )
    return [one.code for one in found]


# ── who is named ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.accepts("NB-06")
def test_a_supplier_with_grounds_may_be_the_only_one() -> None:
    assert sole_supplier_refusals(SOLE, SINGLE, ground=ONLY) == []
    assert sole_supplier_refusals(None, INQUIRY, ground=None) == []


@pytest.mark.refuses("NB-06")
def test_the_only_supplier_is_named_with_grounds() -> None:
    found = sole_supplier_refusals(None, SINGLE, ground=ONLY)
    assert [(one.code, one.article) for one in found] == [
        ("no_sole_supplier", PROCUREMENT_REGULATION[38])
    ]
    found = sole_supplier_refusals(replace(SOLE, grounds=" "), SINGLE, ground=URGENT)
    assert [(one.code, one.article) for one in found] == [("no_sole_grounds", PROCUREMENT_LAW[31])]
    found = sole_supplier_refusals(SOLE, INQUIRY, ground=None)
    assert [one.code for one in found] == ["no_sole_supplier_here"]


def test_an_emergency_does_not_wait_for_a_publicity_and_a_claim_does() -> None:
    assert publicity_switches(SINGLE, ONLY).notice_period == SINGLE.notice_period
    assert SINGLE.notice_period is not None
    assert (SINGLE.notice_period.days, SINGLE.notice_period.working) == (5, True)
    assert publicity_switches(SINGLE, URGENT).notice_period is None
    assert publicity_switches(INQUIRY, None) is INQUIRY


@pytest.mark.accepts("NB-14")
@pytest.mark.refuses("NB-14")
def test_a_claim_with_few_opinions_is_cautioned_about() -> None:
    assert sole_supplier_cautions(SOLE, SINGLE, ground=ONLY) == []
    few = replace(SOLE, opinions=(OPINION,) * 2)
    found = sole_supplier_cautions(few, SINGLE, ground=ONLY)
    assert [(one.code, one.article) for one in found] == [("few_opinions", NON_TENDER_MEASURES[38])]
    assert sole_supplier_cautions(few, SINGLE, ground=URGENT) == []


@pytest.mark.parametrize(
    ("count", "grounds"), [(0, ["too_few_invited"]), (1, []), (2, ["more_than_one"])]
)
def test_one_supplier_is_invited_and_no_other(count: int, grounds: list[str]) -> None:
    invited = Invited(count, Source.CHOSEN, count, False, 0, "", ())
    assert [one.code for one in invitation_refusals(invited, SINGLE)] == grounds


# ── what is agreed ────────────────────────────────────────────────────────────────────────────


@pytest.mark.accepts("NB-15")
def test_a_price_within_budget_and_offer_may_be_agreed() -> None:
    assert codes(AGREEMENT) == []
    assert codes(replace(AGREEMENT, price=Decimal(490)), ceiling=Decimal(490)) == []


@pytest.mark.refuses("NB-15")
def test_a_price_above_budget_is_refused_by_its_article() -> None:
    found = agreement_refusals(
        replace(AGREEMENT, price=Decimal("500.01")),
        SINGLE,
        offered=Decimal(600),
        budget=Decimal(500),
        ceiling=None,
        of_the_purchaser=PEOPLE,
    )
    assert [(one.code, one.article) for one in found] == [("above_budget", PROCUREMENT_LAW[6])]


@pytest.mark.refuses("NB-15")
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"price": Decimal(0)}, "price_not_positive"),
        ({"price": Decimal("490.01")}, "above_offer"),
        ({"group": ()}, "no_group"),
        ({"group": (*GROUP, GROUP[0])}, "no_group"),
        ({"group": (*GROUP[:2], replace(GROUP[2], name="李丁"))}, "not_of_the_purchaser"),
        ({"record": " "}, "no_negotiation_record"),
    ],
)
def test_an_agreement_that_is_not_whole_is_refused(changed: dict[str, object], code: str) -> None:
    assert codes(replace(AGREEMENT, **changed)) == [code]  # type: ignore[arg-type]  # by its field


@given(st.decimals(min_value="0.01", max_value="1000", places=2))
def test_no_price_above_budget_ceiling_or_offer_is_ever_agreed(price: Decimal) -> None:
    lawful = not codes(replace(AGREEMENT, price=price), ceiling=Decimal(485))
    assert lawful is (price <= min(Decimal(500), Decimal(485), Decimal(490)))


@pytest.mark.accepts("NB-16")
@pytest.mark.refuses("NB-16")
def test_a_small_group_and_unanswered_opinions_are_cautioned_about() -> None:
    assert agreement_cautions(AGREEMENT, unanswered=0) == []
    found = agreement_cautions(replace(AGREEMENT, group=GROUP[:2]), unanswered=1)
    assert [(one.code, one.article) for one in found] == [
        ("group_small", NON_TENDER_MEASURES[41]),
        ("opinions_unanswered", NON_TENDER_MEASURES[40]),
    ]


def test_the_group_and_the_supplier_sign_and_nobody_after_all_have() -> None:
    group = [one.person_id for one in GROUP]

    def signs(who: int, *, supplies: bool = False, concluded: bool = False) -> list[str]:
        found = signature_refusals(
            signs=UUID(int=who), group=group, for_supplier=supplies, concluded=concluded
        )
        return [one.code for one in found]

    assert signs(1) == signs(7, supplies=True) == []
    assert signs(7) == ["not_in_group"]
    assert signs(1, concluded=True) == ["already_agreed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "1,000"},
        {"group": [{"person": "甲", "name": "甲", "title": ""}]},
        {"group": [{"person": str(UUID(int=1)), "name": " ", "title": ""}]},
    ],
)
def test_an_agreement_in_another_form_is_none(changes: dict[str, object]) -> None:
    said: dict[str, object] = {"price": "480.00", "group": [], "record": "商定。"}
    assert agreement_in(said).price == Decimal(480)
    with pytest.raises(Malformed):
        agreement_in({**said, **changes})


@pytest.mark.accepts("NB-15")
def test_talks_that_come_to_no_price_end_by_a_notice_that_says_why() -> None:
    assert failure_refusals(reason="供应商不接受预算内的价格。", concluded=False) == []


@pytest.mark.refuses("NB-15")
def test_an_agreed_price_is_no_failure_and_a_failure_has_a_reason() -> None:
    found = failure_refusals(reason=" ", concluded=True)
    assert [(one.code, one.article) for one in found] == [
        ("already_agreed", PROCUREMENT_LAW[39]),
        ("no_reason", PROCUREMENT_LAW[42]),
    ]
