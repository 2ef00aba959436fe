"""What an addendum changes of ceiling, security, sheet and scheme.

Bidding Law 36; Bidding Regulation 26, 27; Procurement Tender Measures 12; Government Procurement
Regulation 33.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kernel.crypto.digests import Malformed, b64u
from trading.rules.changed_terms import (
    FORM_NAMES,
    KIND_NAMES,
    TERM_NAMES,
    Terms,
    changed_terms,
    changed_terms_refusals,
    stated_terms,
    terms_in,
)
from trading.rules.notice_contents import NoticeContents
from trading.rules.procedures import Procedure, SecurityForm, Switches, switches_of
from trading.rules.sheet_fields import SheetKind

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
PRICE = {"key": "price", "label": "投标总价", "kind": "money"}
DAYS = {"key": "days", "label": "工期", "kind": "count"}
TERMS = Terms(
    Decimal("128460000.00"),
    Decimal("800000.00"),
    (SecurityForm.BANK_GUARANTEE,),
    (PRICE,),
    b"s" * 32,
)
ESTIMATE = Decimal("130000000.00")


def grounds(new: Terms, switches: Switches) -> list[str]:
    contents = NoticeContents(
        organisation_verified=True,
        words={},
        has_agency=False,
        agency_authorised=True,
        estimate=ESTIMATE,
        bid_security=new.bid_security,
        security_forms=frozenset(new.security_forms),
        has_ceiling=new.ceiling_price is not None,
        ceiling_price=new.ceiling_price,
    )
    changed = changed_terms(TERMS, new)
    return [one.code for one in changed_terms_refusals(changed, new, contents, switches)]


def test_every_term_form_and_kind_has_its_name() -> None:
    assert TERM_NAMES.keys() == TERMS.told().keys()
    assert FORM_NAMES.keys() == set(SecurityForm)
    assert KIND_NAMES.keys() == set(SheetKind)
    assert [TERMS.words(name) for name in TERM_NAMES] == [
        "128460000.00",
        "800000.00",
        "银行保函",
        "投标总价（金额）",
        (b"s" * 32).hex(),
    ]


@given(
    some.none() | some.decimals(0, 10**15, places=2),
    some.decimals(0, 10**9, places=2),
    some.lists(some.sampled_from(SecurityForm), unique=True),
    some.binary(min_size=32, max_size=32),
)
def test_terms_are_read_from_a_notice_as_they_were_told(
    ceiling: Decimal | None, security: Decimal, forms: list[SecurityForm], scheme: bytes
) -> None:
    terms = Terms(ceiling, security, tuple(forms), (PRICE, DAYS), scheme)
    assert stated_terms(terms.told()) == terms
    changed = {name: terms.told()[name] for name in changed_terms(TERMS, terms)}
    assert terms_in(changed, TERMS) == terms


def test_a_term_that_is_not_named_stays() -> None:
    found = terms_in({"ceiling_price": None}, TERMS)
    assert found == replace(TERMS, ceiling_price=None)
    assert changed_terms(TERMS, found) == ("ceiling_price",)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "no_change"),
        ({"bid_security": "800000.00"}, "no_change"),
        ({"bid_security": "8e5"}, "amount"),
        ({"bid_security": None}, "malformed"),
        ({"estimate": "1.00"}, "malformed"),
        ({"security_forms": ["gold"]}, "forms"),
        ({"security_forms": ["cash", "cash"]}, "forms"),
        ({"sheet_fields": [{**PRICE, "kind": "date"}]}, "sheet_fields"),
        ({"sheet_fields": [{**PRICE, "label": "a\x00"}]}, "sheet_fields"),
        ({"scheme": None}, "scheme"),
        ({"scheme": b64u(b"short")}, "malformed"),
    ],
)
def test_what_states_no_changed_term_is_malformed(said: dict[str, Any], code: str) -> None:
    with pytest.raises(Malformed) as fault:
        terms_in(said, TERMS)
    if code != "malformed":
        assert fault.value.code == code


@pytest.mark.accepts("NO-14")
@pytest.mark.accepts("NO-15")
@pytest.mark.accepts("NO-16")
@pytest.mark.accepts("NO-17")
@pytest.mark.accepts("OP-02")
def test_changes_up_to_the_caps_may_go_out() -> None:
    top = replace(TERMS, bid_security=ESTIMATE / 50, sheet_fields=(PRICE, DAYS))
    assert grounds(replace(top, ceiling_price=ESTIMATE + 1), TENDERING) == []
    assert grounds(replace(top, ceiling_price=ESTIMATE), PROCUREMENT) == []
    assert grounds(replace(TERMS, ceiling_price=None, scheme=b"t" * 32), TENDERING) == []


@pytest.mark.refuses("NO-14")
@pytest.mark.refuses("NO-15")
@pytest.mark.refuses("NO-16")
@pytest.mark.refuses("NO-17")
@pytest.mark.refuses("OP-02")
def test_changes_beyond_them_are_refused_as_in_a_first_notice() -> None:
    for switches in (TENDERING, PROCUREMENT):
        dear = replace(TERMS, bid_security=ESTIMATE / 50 + Decimal("0.01"))
        assert grounds(dear, switches) == ["security_too_high"]
        assert grounds(replace(TERMS, ceiling_price=Decimal(0)), switches) == [
            "ceiling_not_positive"
        ]
        assert grounds(replace(TERMS, sheet_fields=(DAYS,)), switches) == ["sheet_lacks_price"]
        assert "guarantee_refused" in grounds(
            replace(TERMS, security_forms=(SecurityForm.TRANSFER,)), switches
        )
    above = replace(TERMS, ceiling_price=ESTIMATE + Decimal("0.01"))
    assert grounds(above, PROCUREMENT) == ["ceiling_above_budget"]


def test_what_stays_is_not_judged_again() -> None:
    lawful_once = replace(TERMS, bid_security=ESTIMATE)
    contents = NoticeContents(
        organisation_verified=True,
        words={},
        has_agency=False,
        agency_authorised=True,
        estimate=ESTIMATE,
        bid_security=lawful_once.bid_security,
        security_forms=frozenset(),
    )
    assert changed_terms_refusals(["scheme"], lawful_once, contents, TENDERING) == []
