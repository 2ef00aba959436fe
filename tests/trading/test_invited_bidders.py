"""Who is invited to bid: Bidding Law 17; Government Procurement Law 31, 40; Procurement Tender
Measures 14; and, from memory, Competitive Consultation Measures 6;
Non-tender Procurement Measures 12.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kernel.statute import CONSULTATION_MEASURES, PROCUREMENT_LAW
from kernel.working_days import BEIJING
from trading.rules.invited_bidders import (
    NOBODY,
    Invited,
    Source,
    invitation_cautions,
    invitation_refusals,
    uninvited_refusals,
)
from trading.rules.procedures import Procedure, switches_of

NOON = datetime(2026, 3, 2, 12, tzinfo=BEIJING)
TENDER = switches_of(Procedure.INVITED_TENDER_MANDATORY, on=NOON.date())
PROCUREMENT = switches_of(Procedure.PROCUREMENT_INVITED_TENDER, on=NOON.date())
CONSULTATION = switches_of(Procedure.COMPETITIVE_CONSULTATION, on=NOON.date())
OPEN = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=NOON.date())

CHOSEN = Invited(3, Source.CHOSEN, 3, False, 0, "", (NOON, NOON, NOON))
DRAWN = Invited(3, Source.LIST, 6, True, 2, "抽取记录", (NOON, NOON, NOON))


@pytest.mark.accepts("SC-07")
def test_a_tenderee_may_choose_three() -> None:
    assert invitation_refusals(CHOSEN, TENDER) == []


@pytest.mark.refuses("SC-07")
def test_two_are_too_few() -> None:
    found = invitation_refusals(replace(CHOSEN, count=2), TENDER)
    assert [(one.code, one.facts) for one in found] == [("too_few_invited", {"invited": "2"})]


@pytest.mark.accepts("SC-08")
def test_procurement_draws_from_twice_as_many_before_two_witnesses() -> None:
    assert invitation_refusals(DRAWN, PROCUREMENT) == []
    by_notice = replace(DRAWN, source=Source.NOTICE, choice=3)
    assert invitation_refusals(by_notice, PROCUREMENT) == []


@pytest.mark.refuses("SC-08")
@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        (replace(DRAWN, drawn=False), "not_drawn"),
        (replace(DRAWN, source=Source.CHOSEN), "not_drawn"),
        (replace(DRAWN, choice=5), "choice_too_small"),
        (replace(DRAWN, source=Source.RECOMMENDATION, choice=5), "choice_too_small"),
        (replace(DRAWN, witnesses=1), "too_few_witnesses"),
        (replace(DRAWN, record=" "), "no_record"),
        (replace(DRAWN, sent_at=(NOON, NOON + timedelta(seconds=1))), "not_together"),
    ],
)
def test_each_demand_of_procurement_is_asked(spoilt: Invited, code: str) -> None:
    assert [one.code for one in invitation_refusals(spoilt, PROCUREMENT)] == [code]


@pytest.mark.accepts("NB-02")
def test_a_consultation_invites_by_name_whom_a_register_or_a_recommendation_names() -> None:
    for source in (Source.LIST, Source.RECOMMENDATION):
        named = replace(CHOSEN, source=source)
        assert invitation_refusals(named, CONSULTATION) == []
        assert invitation_cautions(named, CONSULTATION) == []
    assert invitation_cautions(NOBODY, CONSULTATION) == []  # a notice to everybody will do
    assert invitation_cautions(replace(CHOSEN, count=2), TENDER) == []


@pytest.mark.refuses("NB-02")
def test_what_is_known_of_a_consultation_from_memory_warns_and_never_refuses() -> None:
    two = replace(CHOSEN, count=2)
    assert invitation_refusals(two, CONSULTATION) == []
    found = [(one.code, one.article) for one in invitation_cautions(two, CONSULTATION)]
    assert found == [
        ("too_few_invited", CONSULTATION_MEASURES[6]),
        ("chosen_directly", CONSULTATION_MEASURES[6]),
    ]
    (uninvited,) = uninvited_refusals(invited=False, switches=CONSULTATION)
    assert uninvited.article == PROCUREMENT_LAW[3]


def test_nothing_is_asked_where_anybody_may_bid() -> None:
    assert invitation_refusals(replace(CHOSEN, count=0), OPEN) == []


@pytest.mark.refuses("SC-07", "SC-08")
def test_who_was_not_invited_does_not_bid() -> None:
    for switches in (TENDER, PROCUREMENT):
        assert [one.code for one in uninvited_refusals(invited=False, switches=switches)] == [
            "not_invited"
        ]
        assert uninvited_refusals(invited=True, switches=switches) == []
    assert uninvited_refusals(invited=False, switches=OPEN) == []
