"""Bidding Law 50, 53, 54, 56, 60; Bidding Regulation 67, 68, 71, 72; Government Procurement Law 77,
78; Government Procurement Regulation 73, 75.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blacklist.rules.bar_terms import BAR_TERMS
from blacklist.standing import (
    BarredAct,
    Misconduct,
    Subject,
    register,
    standing_of,
    standing_refusals,
)
from kernel.access import PUBLIC, Role
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    PROCUREMENT_LAW,
    PROCUREMENT_REGULATION,
    Regime,
)
from kernel.store.transaction import Store, transaction
from kernel.working_days import start_of_day
from tests.decisions import barred, lifted
from tests.tenders import NOW, Player, a_player

TODAY = date(2026, 3, 2)


async def is_barred(store: Store, on: date | datetime, **asked: Any) -> bool:
    async with transaction(store, actor=PUBLIC, now=NOW) as tx:
        return (await standing_of(tx, on=on, **asked)).barred


@pytest.fixture
async def supervisor(store: Store) -> Player:
    return await a_player(store, Role.SUPERVISOR)


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_player(store, Role.BIDDER)


async def test_a_refusal_cites_authority_number_and_article_of_the_decision(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    decision_id = await barred(store, supervisor, {"organisation": str(bidder.party)})

    async with transaction(store, actor=PUBLIC, now=NOW) as tx:
        standing = await standing_of(tx, party_id=bidder.party, act=BarredAct.SUBMISSION, on=TODAY)

    (refusal,) = standing_refusals(standing)
    assert (refusal.code, refusal.article) == ("barred", BIDDING_LAW[53])
    assert "江发改罚〔2026〕7号" in refusal.reason
    assert refusal.facts["decision"] == str(decision_id)
    assert refusal.facts["authority"] == "江城市发展和改革委员会"
    assert refusal.facts["article"] == "《中华人民共和国招标投标法》第五十三条"


CITED = {
    Misconduct.COLLUSION: BIDDING_LAW[53],
    Misconduct.BRIBERY: BIDDING_LAW[53],
    Misconduct.MISREPRESENTATION: BIDDING_LAW[54],
    Misconduct.NON_PERFORMANCE: BIDDING_LAW[60],
    Misconduct.AGENCY_LEAK: BIDDING_LAW[50],
    Misconduct.PROCUREMENT_MISCONDUCT: PROCUREMENT_LAW[77],
    Misconduct.PROCUREMENT_FALSE_COMPLAINT: PROCUREMENT_REGULATION[73],
    Misconduct.PROCUREMENT_AGENCY: PROCUREMENT_LAW[78],
    Misconduct.EXPERT_MISCONDUCT: BIDDING_REGULATION[71],
    Misconduct.EXPERT_GRAVE_MISCONDUCT: BIDDING_REGULATION[71],
    Misconduct.EXPERT_CORRUPTION: BIDDING_LAW[56],
    Misconduct.PROCUREMENT_EXPERT: PROCUREMENT_REGULATION[75],
}


@pytest.mark.parametrize("misconduct", sorted(Misconduct))
async def test_a_refusal_cites_the_law_that_the_misconduct_broke(
    store: Store, supervisor: Player, misconduct: Misconduct
) -> None:
    term = BAR_TERMS[misconduct]
    subject = await a_player(store, Role.BIDDER)
    person = term.subject is Subject.PERSON
    about = {"person": str(subject.person)} if person else {"organisation": str(subject.party)}
    await barred(
        store,
        supervisor,
        about,
        misconduct=str(misconduct),
        acts=sorted(term.acts),
        ends_on="2028-03-02" if term.years_min == 2 else "2027-09-01",
    )
    async with transaction(store, actor=PUBLIC, now=NOW) as tx:
        for act in term.acts:
            standing = await standing_of(
                tx, party_id=subject.party, person_id=subject.person, act=act, on=TODAY
            )
            (refusal,) = standing_refusals(standing)
            assert refusal.article == CITED[misconduct]


async def test_a_bar_reaches_the_acts_it_names_and_no_other(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    await barred(store, supervisor, {"organisation": str(bidder.party)}, acts=["award"])

    for act in BarredAct:
        expected = act is BarredAct.AWARD
        assert await is_barred(store, TODAY, party_id=bidder.party, act=act) is expected


async def test_asking_about_one_party_never_answers_for_another(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    other = await a_player(store, Role.BIDDER)
    expert = await a_player(store, Role.EXPERT)
    await barred(store, supervisor, {"organisation": str(other.party)})
    await barred(
        store,
        supervisor,
        {"person": str(expert.person)},
        misconduct="expert_corruption",
        acts=["draw", "sign_in"],
        ends_on=None,
    )

    for act in BarredAct:
        assert not await is_barred(store, TODAY, party_id=bidder.party, act=act)
        assert not await is_barred(store, TODAY, person_id=bidder.person, act=act)
    assert await is_barred(
        store, TODAY, party_id=bidder.party, person_id=expert.person, act=BarredAct.DRAW
    )


async def test_standing_is_asked_of_somebody(store: Store) -> None:
    with pytest.raises(ValueError, match="a party or a person"):
        await is_barred(store, TODAY, act=BarredAct.DRAW)


async def test_first_and_last_day_are_barred_and_the_day_after_is_not(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    await barred(store, supervisor, {"organisation": str(bidder.party)})
    asked = {"party_id": bidder.party, "act": BarredAct.SUBMISSION}
    last = date(2027, 9, 1)

    assert not await is_barred(store, TODAY - timedelta(days=1), **asked)
    assert await is_barred(store, TODAY, **asked)
    assert await is_barred(store, last, **asked)
    # The day ends at midnight in Beijing, not in Greenwich.
    midnight = start_of_day(last + timedelta(days=1))
    assert await is_barred(store, midnight - timedelta(microseconds=1), **asked)
    assert not await is_barred(store, midnight, **asked)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(days=st.integers(min_value=-400, max_value=1000))
async def test_a_bar_holds_on_exactly_the_days_of_its_term(
    store: Store, supervisor: Player, days: int
) -> None:
    party = await a_player(store, Role.BIDDER)
    await barred(store, supervisor, {"organisation": str(party.party)})
    on = TODAY + timedelta(days=days)

    held = await is_barred(store, on, party_id=party.party, act=BarredAct.AWARD)

    assert held is (TODAY <= on <= date(2027, 9, 1))


async def test_a_lifted_bar_holds_no_longer_and_held_before(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    decision_id = await barred(store, supervisor, {"organisation": str(bidder.party)})
    later = NOW + timedelta(days=10)
    await lifted(store, supervisor, decision_id, now=later)
    asked = {"party_id": bidder.party, "act": BarredAct.AWARD}

    assert await is_barred(store, NOW + timedelta(days=9), **asked)
    assert not await is_barred(store, later, **asked)


async def test_most_bars_speak_of_tenders_that_the_law_demands(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    await barred(store, supervisor, {"organisation": str(bidder.party)})
    asked = {"party_id": bidder.party, "act": BarredAct.SUBMISSION}

    assert await is_barred(store, TODAY, regime=Regime.TENDERING, **asked)
    assert not await is_barred(store, TODAY, regime=Regime.TENDERING, mandatory=False, **asked)
    assert not await is_barred(store, TODAY, regime=Regime.PROCUREMENT, **asked)


async def test_the_public_register_shows_no_natural_person_and_nothing_that_ran_out(
    store: Store, supervisor: Player, bidder: Player
) -> None:
    expert = await a_player(store, Role.EXPERT)
    shown = await barred(store, supervisor, {"organisation": str(bidder.party)})
    gone = await barred(
        store, supervisor, {"organisation": str(bidder.party)}, document_number="旧文号"
    )
    await lifted(store, supervisor, gone)
    person = await barred(
        store,
        supervisor,
        {"person": str(expert.person)},
        misconduct="expert_corruption",
        acts=["draw", "sign_in"],
        ends_on=None,
    )

    async with transaction(store, actor=PUBLIC, now=NOW) as tx:
        public = [one.decision.id for one in await register(tx)]
    async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
        supervised = {one.decision.id for one in await register(tx)}
    async with transaction(store, actor=PUBLIC, now=NOW + timedelta(days=1000)) as tx:
        later = await register(tx)

    assert public == [shown]
    assert supervised == {shown, gone, person}
    assert later == ()
