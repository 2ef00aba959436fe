"""When an award falls away: Bidding Law 45, 46; Bidding Regulation 55, 74; Government Procurement
Law 46; Government Procurement Regulation 49, 71.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from kernel.statute import BIDDING_REGULATION, PROCUREMENT_REGULATION
from kernel.working_days import BEIJING, end_of_day
from trading.rules.award_annulment import (
    ANNULMENT_NAMES,
    FORFEITING,
    Annulment,
    AnnulmentGround,
    annulment_article,
    annulment_grounds,
    annulment_refusals,
    forfeits_security,
    renunciation_refusals,
)
from trading.rules.procedures import Procedure, Switches, switches_of

TENDERING = switches_of(Procedure.OPEN_TENDER_MANDATORY, on=date(2026, 3, 2))
PROCUREMENT = switches_of(Procedure.PROCUREMENT_OPEN_TENDER, on=date(2026, 3, 2))
INSTANT = timedelta(microseconds=1)
G = AnnulmentGround
DUE_ON = date(2026, 4, 27)
OVER = end_of_day(DUE_ON)
ANNULMENT = Annulment(
    ground=G.REFUSED_CONTRACT,
    now=OVER,
    words="经两次书面催告仍不签订合同。",
    document="催告函及签收记录",
    contract_due_on=DUE_ON,
    offered=True,
)
SHOWN = {
    G.GAVE_UP: replace(ANNULMENT, ground=G.GAVE_UP, renounced=True, document=""),
    G.REFUSED_CONTRACT: ANNULMENT,
    G.ADDED_TERMS: replace(ANNULMENT, ground=G.ADDED_TERMS, now=OVER - timedelta(days=9)),
    G.NO_PERFORMANCE_SECURITY: replace(
        ANNULMENT, ground=G.NO_PERFORMANCE_SECURITY, offered=False, security_due_on=DUE_ON
    ),
    G.FORCE_MAJEURE: replace(ANNULMENT, ground=G.FORCE_MAJEURE, offered=False),
    G.ILLEGAL_ACT_FOUND: replace(
        ANNULMENT, ground=G.ILLEGAL_ACT_FOUND, found_by="江城市发展和改革委员会"
    ),
}


def codes(annulment: Annulment, switches: Switches = TENDERING) -> list[str]:
    return [one.code for one in annulment_refusals(annulment, switches)]


@pytest.mark.accepts("AW-16", "AW-04")
@pytest.mark.parametrize("ground", G)
def test_an_award_falls_away_on_each_ground_that_is_shown(ground: AnnulmentGround) -> None:
    assert codes(SHOWN[ground]) == []
    assert ANNULMENT_NAMES[ground]


@pytest.mark.refuses("AW-16")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"words": " "}, "no_reason"),
        ({"document": " "}, "no_document"),
        ({"concluded": True}, "concluded_already"),
        ({"tendered_again": True}, "tendered_again"),
        ({"now": OVER - INSTANT}, "contract_days_running"),
        ({"offered": False}, "not_offered"),
        ({"ground": G.ADDED_TERMS, "offered": False}, "not_offered"),
        ({"ground": G.GAVE_UP}, "not_renounced"),
        ({"ground": G.ILLEGAL_ACT_FOUND}, "not_found_by_authority"),
        ({"ground": G.NO_PERFORMANCE_SECURITY}, "no_security_day"),
        (
            {
                "ground": G.NO_PERFORMANCE_SECURITY,
                "security_due_on": DUE_ON,
                "now": OVER - INSTANT,
            },
            "security_days_running",
        ),
    ],
)
def test_a_winner_keeps_the_award_while_its_ground_is_not_shown(
    changes: dict[str, Any], code: str
) -> None:
    assert codes(replace(ANNULMENT, **changes)) == [code]


def test_every_ground_against_it_is_given_at_once() -> None:
    early = datetime(2026, 4, 1, 9, 0, tzinfo=BEIJING)
    bare = Annulment(G.REFUSED_CONTRACT, early, "", "", DUE_ON)
    assert codes(bare) == ["no_reason", "no_document", "not_offered", "contract_days_running"]


@pytest.mark.accepts("AW-23")
@pytest.mark.refuses("AW-23")
def test_procurement_knows_a_supplier_that_will_not_sign_and_a_result_that_breaks_the_law() -> None:
    known = annulment_grounds(PROCUREMENT)
    assert known == (G.GAVE_UP, G.REFUSED_CONTRACT, G.ILLEGAL_ACT_FOUND)
    assert annulment_grounds(TENDERING) == tuple(G)
    for ground in G:
        found = codes(SHOWN[ground], PROCUREMENT)
        assert found == ([] if ground in known else ["ground_unknown"]), ground
    assert annulment_article(G.REFUSED_CONTRACT, PROCUREMENT) == PROCUREMENT_REGULATION[49]
    assert annulment_article(G.ILLEGAL_ACT_FOUND, PROCUREMENT) == PROCUREMENT_REGULATION[71]
    assert annulment_article(G.REFUSED_CONTRACT, TENDERING) == BIDDING_REGULATION[74]
    assert annulment_article(G.FORCE_MAJEURE, TENDERING) == BIDDING_REGULATION[55]


@pytest.mark.refuses("AW-16")
@pytest.mark.parametrize("ground", sorted(FORFEITING))
def test_a_winner_that_would_not_sign_loses_its_bid_security(ground: AnnulmentGround) -> None:
    assert forfeits_security(ground)


@pytest.mark.accepts("AW-16")
def test_one_whom_no_such_blame_meets_keeps_it() -> None:
    assert [one for one in G if not forfeits_security(one)] == [
        G.FORCE_MAJEURE,
        G.ILLEGAL_ACT_FOUND,
    ]
    assert not forfeits_security(None)


@pytest.mark.accepts("AW-16", "AW-23")
@pytest.mark.refuses("AW-16", "AW-23")
@pytest.mark.parametrize("switches", [TENDERING, PROCUREMENT])
def test_an_award_is_given_up_once_with_a_reason_and_before_the_contract(
    switches: Switches,
) -> None:
    def found(**facts: Any) -> list[str]:
        given: dict[str, Any] = {
            "renounced": False,
            "annulled": False,
            "concluded": False,
            "words": "资金困难",
        }
        told = renunciation_refusals(**{**given, **facts}, switches=switches)
        return [one.code for one in told]

    assert found() == []
    assert found(words=" ") == ["no_reason"]
    assert found(renounced=True) == ["renounced_already"]
    assert found(annulled=True) == ["award_annulled"]
    assert found(concluded=True) == ["concluded_already"]
