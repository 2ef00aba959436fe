"""What an addendum changes, and what may not pass as harmless: Bidding Regulation 21; Procurement
Tender Measures 27.
"""

from __future__ import annotations

from datetime import date

import pytest

from kernel.crypto.digests import Malformed
from trading.rules.document_changes import (
    AFFECTING,
    OBJECT,
    PLACE_NAMES,
    STANDING,
    Change,
    change_refusals,
    changes_in,
    changes_object,
)
from trading.rules.procedures import Procedure, switches_of

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
WORDS = {"schedule": "总工期540日历天", "tenderee_contact": "王工", "name": "一标段"}
SCHEDULE = Change("schedule", "总工期600日历天")
CONTACT = Change("tenderee_contact", "赵工")


def test_every_place_that_affects_bids_is_one_that_can_be_changed() -> None:
    assert OBJECT < AFFECTING < PLACE_NAMES.keys()
    assert PLACE_NAMES.keys() > STANDING
    assert not STANDING & AFFECTING


def test_changes_are_read_whole() -> None:
    told = [{"place": "schedule", "text": " 总工期600日历天 "}]
    assert changes_in(told, WORDS, at_most=100) == (SCHEDULE,)
    assert changes_in([], WORDS, at_most=100) == ()


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ([{"place": "quality", "text": "合格"}], "place"),
        ([{"place": "name", "text": "二标段"}], "place"),
        ([{"place": "schedule", "text": "总工期540日历天"}], "no_change"),
        ([{"place": "schedule", "text": " "}], "text"),
        ([{"place": "schedule", "text": "x" * 101}], "text"),
        ([{"place": "schedule", "text": "a\x00b"}], "text"),
        ([{"place": "schedule", "text": "a"}, {"place": "schedule", "text": "b"}], "place_twice"),
        ([{"place": "schedule"}], "malformed"),
        ({"place": "schedule", "text": "a"}, "malformed"),
    ],
)
def test_what_is_no_change_is_malformed(told: object, code: str) -> None:
    with pytest.raises(Malformed) as fault:
        changes_in(told, WORDS, at_most=100)
    assert fault.value.code == code


@pytest.mark.accepts("NO-10")
def test_a_change_that_is_said_to_affect_bids_or_affects_none_may_go_out() -> None:
    for switches in (TENDERING, PROCUREMENT):
        assert (
            change_refusals([CONTACT], replaced=[], may_affect_bids=False, switches=switches) == []
        )
        assert (
            change_refusals(
                [SCHEDULE],
                replaced=["a.pdf"],
                may_affect_bids=True,
                switches=switches,
                terms=["ceiling_price"],
            )
            == []
        )


@pytest.mark.refuses("NO-10")
def test_a_change_that_affects_bids_cannot_be_said_to_leave_them_alone() -> None:
    for switches, article in ((TENDERING, "第21条"), (PROCUREMENT, "第27条")):
        refusals = change_refusals(
            [SCHEDULE, CONTACT],
            replaced=["清单.xml"],
            may_affect_bids=False,
            switches=switches,
            terms=["sheet_fields"],
        )
        assert [one.code for one in refusals] == ["effect_denied"] * 3
        assert {str(one.article)[-4:] for one in refusals} == {article}
        assert "工期" in refusals[0].reason
        assert "开标一览表" in refusals[1].reason
        assert "清单.xml" in refusals[2].reason


def test_what_is_bought_and_who_qualifies_is_the_object() -> None:
    assert changes_object([Change("qualifications", "二级")])
    assert not changes_object([SCHEDULE, CONTACT])
