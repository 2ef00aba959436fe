"""Experts are called, answer, stay silent, step aside; and who learns what of it.

Bidding Law 37; Bidding Regulation 46, 71; Opinions on Conduct 14.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from expert_pool import calling, draw_history, drawing
from expert_pool.draws import EXHAUSTED
from expert_pool.rules.calling_order import CallOutcome
from expert_pool.rules.draw_protocol import DrawState
from expert_pool.rules.strata import Stratum
from kernel.access import Role
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import DecisionId, DrawId
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import outbox
from kernel.store.tables import CapacityRow
from kernel.store.transaction import Store, transaction
from tests.draw_cast import (
    CIVIL,
    COST,
    HOST,
    STRATA,
    DrawHouse,
    Tick,
    a_draw_house,
    an_expert,
    bar_expert,
    kinds_on_record,
)
from tests.newcomers import codes
from tests.tenders import signed


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@pytest.fixture
def house(draw_house: DrawHouse) -> DrawHouse:
    return draw_house


# ── calling ───────────────────────────────────────────────────────────────────────────────────


async def test_when_two_decline_the_next_in_the_list_are_called(house: DrawHouse) -> None:
    await house.ranked()
    waiting = await house.waiting()
    assert len(waiting) == 4
    first, second = (one for one in waiting if one[0].stratum == STRATA[0].name)

    assert await house.answer(*first, "declined", "已有安排") is CallOutcome.DECLINED
    assert await house.answer(*second, "declined", "身体不适") is CallOutcome.DECLINED

    mine = [call for call in await house.calls() if call.stratum == STRATA[0].name]
    assert [(call.place, call.outcome) for call in mine] == [
        (1, CallOutcome.DECLINED),
        (2, CallOutcome.DECLINED),
        (3, CallOutcome.CALLED),
        (4, CallOutcome.CALLED),
    ]
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED
    await every_called_expert_alone_was_told(house)


async def every_called_expert_alone_was_told(house: DrawHouse) -> None:
    """Each finds his call in his inbox, without the lot's name; his pool and colleagues do not."""
    called = {call.expert_id for call in await house.calls()}
    for who, calls in [
        (house.pool, 0),
        *((expert.player, int(expert.expert_id in called)) for expert in house.experts),
    ]:
        async with transaction(house.store, actor=who.actor) as tx:
            found = (await outbox.inbox(tx)).notifications
        assert [one.topic for one in found] == [calling.CALL_TOPIC] * calls
        assert all(one.facts == {} and one.subject_id != house.lot_id for one in found)


async def test_an_expert_who_declines_says_why_and_signs_it(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    with pytest.raises(BrokenSeal, match="says why"):
        await house.answer(call, expert, "declined")
    with pytest.raises(BrokenSeal):
        await house.answer(call, expert, "perhaps")
    forged = signed(
        house.parties["agency"],
        "draw-answer",
        {"v": "ebid-draw-answer/1", "call": str(call.id), "answer": "declined", "reason": "忙"},
    )
    with pytest.raises(BrokenSeal):
        await house.do(expert.player, calling.answer, call.id, forged)
    await house.answer(call, expert)
    with pytest.raises(Outrun):
        await house.answer(call, expert, "declined", "改变主意")


async def test_nobody_answers_anothers_call(house: DrawHouse) -> None:
    await house.ranked()
    (call, _), (_, other), *_ = await house.waiting()
    with pytest.raises(NotFound):
        await house.answer(call, other)


async def test_silence_needs_a_delivery_and_patience(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    with pytest.raises(Refused) as refused:
        await house.do(house.pool, calling.note_no_answer, call.id)
    assert codes(refused) == {"not_delivered"}

    (own,) = await house.do(expert.player, calling.own_calls)
    assert own.answer_by - own.called_at >= calling.ANSWER_WITHIN
    with pytest.raises(Refused) as refused:
        await house.do(house.pool, calling.note_no_answer, call.id)
    assert codes(refused) == {"too_early"}

    house.late = calling.ANSWER_WITHIN + timedelta(minutes=1)
    await house.do(house.pool, calling.note_no_answer, call.id)
    assert {one.outcome for one in await house.calls() if one.id == call.id} == {
        CallOutcome.NO_ANSWER
    }
    assert len(await house.waiting()) == 4
    with pytest.raises(Outrun):
        await house.answer(call, expert)
    (own,) = await house.do(expert.player, calling.own_calls)
    assert own.outcome == CallOutcome.NO_ANSWER


async def test_a_bar_recorded_since_the_announcement_is_marked_late(house: DrawHouse) -> None:
    await house.ready()
    for expert in house.experts[:3]:
        await bar_expert(house, expert)
    await house.reveal()
    called = {expert.expert_id for _, expert in await house.waiting()}
    barred = {expert.expert_id for expert in house.experts[:3]}
    assert not called & barred
    for call in await house.calls():
        if call.expert_id in barred:
            assert call.outcome == CallOutcome.BARRED_LATE
            assert call.evidence.startswith("decision:")


async def test_a_bar_recorded_since_the_call_voids_the_acceptance(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    await bar_expert(house, expert)
    assert await house.answer(call, expert) is CallOutcome.BARRED_LATE
    assert len(await house.waiting()) == 4


async def test_whoever_took_another_duty_meanwhile_can_only_decline(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    async with house.store.sessions() as session, session.begin():
        session.add(
            CapacityRow(
                subject_id=house.lot_id,
                person_id=expert.player.person,
                role=Role.CUSTODIAN,
                party_id=expert.player.party,
                since=await house.store.clock(session),
            )
        )
    with pytest.raises(Refused) as refused:
        await house.answer(call, expert)
    assert codes(refused) == {"conflicting_capacity"}
    assert await house.answer(call, expert, "declined", "另有职责") is CallOutcome.DECLINED


async def test_an_expert_of_two_strata_is_called_once(store: Store, tick: Tick) -> None:
    house = await a_draw_house(store, tick, each=0)
    for _ in range(6):
        house.experts.append(
            await an_expert(store, house.pool, specialisms=(CIVIL, COST), region_code=HOST)
        )
    strata = (Stratum("施工", CIVIL, "", 2), Stratum("造价", COST, "", 2))
    await house.ranked(strata=strata)
    people = [expert.expert_id for _, expert in await house.waiting()]
    assert len(people) == len(set(people)) == 4
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED
    assert CallOutcome.SEATED_ELSEWHERE in {
        CallOutcome(call.outcome) for call in await house.calls()
    } or [call.place for call in await house.calls()] == [1, 2, 1, 2]


async def test_a_list_that_runs_out_makes_the_draw_void_and_a_wider_one_follows(
    store: Store, tick: Tick
) -> None:
    house = await a_draw_house(store, tick, each=2)
    await house.ranked()
    for call, expert in await house.waiting():
        if call.stratum == STRATA[0].name:
            await house.answer(call, expert, "declined", "出差")
        else:
            await house.answer(call, expert)
    view = await house.view()
    assert (view.exhausted, view.accepted, view.state) == (True, 2, DrawState.CALLING)
    await house.do(house.pool, drawing.void, house.draw_id)
    view = await house.view()
    assert (view.void_reason, view.at_fault) == (EXHAUSTED, ())
    accepted = [expert for expert in house.experts if expert.region != HOST]
    outcomes = [
        own.outcome
        for expert in accepted
        for own in await house.do(expert.player, calling.own_calls)
    ]
    assert set(outcomes) == {"void"}
    with pytest.raises(NotFound):
        await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    wider = (replace(STRATA[0], name="施工", region_code="", seats=3), STRATA[2])
    await house.seated(strata=wider, bid_opened=True)
    assert len(await house.do(house.pool, drawing.drawn_experts, house.lot_id)) == 4


async def test_whoever_steps_aside_at_sign_in_is_followed_by_the_next(house: DrawHouse) -> None:
    await house.seated()
    before = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    gone = next(one for one in before if one.stratum == STRATA[1].name)

    await house.do(
        house.pool,
        drawing.replace,
        house.lot_id,
        gone.expert_id,
        outcome=CallOutcome.RECUSED,
        reason="与投标人有利害关系",
    )

    with pytest.raises(NotFound):
        await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    ((call, expert),) = await house.waiting()
    assert (call.stratum, call.place) == (STRATA[1].name, 2)
    await house.answer(call, expert)
    after = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    assert {one.expert_id for one in before} - {one.expert_id for one in after} == {gone.expert_id}
    assert (await kinds_on_record(house)).count("DrawCompleted") == 2


async def test_a_second_one_may_leave_while_the_first_ones_successor_is_called(
    house: DrawHouse,
) -> None:
    """Bidding Regulation 48: whoever cannot go on is replaced, however many."""
    await house.seated()
    before = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    for gone in before[:2]:
        await house.do(
            house.pool,
            drawing.replace,
            house.lot_id,
            gone.expert_id,
            outcome=CallOutcome.ABSENT,
            reason="评标开始后未到场",
        )
    assert len(await house.waiting()) == 2
    await house.seat_everybody()
    after = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    gone_ids = {one.expert_id for one in before[:2]}
    assert {one.expert_id for one in before} - {one.expert_id for one in after} == gone_ids
    with pytest.raises(NotFound):
        await house.do(
            house.pool,
            drawing.replace,
            house.lot_id,
            before[0].expert_id,
            outcome=CallOutcome.ABSENT,
            reason="再次缺席",
        )


async def test_whoever_is_barred_after_accepting_is_marked_with_the_decision(
    house: DrawHouse,
) -> None:
    await house.seated()
    gone, *_ = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    decision = DecisionId(random_id())
    given = {"reason": "处罚决定", "outcome": CallOutcome.BARRED_LATE}
    with pytest.raises(ValueError, match="by a decision"):
        await house.do(house.pool, drawing.replace, house.lot_id, gone.expert_id, **given)
    await house.do(
        house.pool, drawing.replace, house.lot_id, gone.expert_id, **given, decision_id=decision
    )
    (call,) = [one for one in await house.calls() if one.expert_id == gone.expert_id]
    assert (call.outcome, call.evidence.partition(":")[0]) == (CallOutcome.BARRED_LATE, "decision")
    assert str(decision) not in call.evidence
    await house.seat_everybody()


# ── who learns what ───────────────────────────────────────────────────────────────────────────


async def test_a_called_expert_learns_when_and_where_but_not_for_whom(house: DrawHouse) -> None:
    await house.ranked()
    (_, expert), *_ = await house.waiting()
    (own,) = await house.do(expert.player, calling.own_calls)
    told = repr(own)
    assert own.window_from < own.window_until
    assert own.region_code == expert.region
    for secret in (house.lot_id, house.draw_id, *(one.party for one in house.parties.values())):
        assert str(secret) not in told


async def test_whoever_was_not_called_sees_no_call(house: DrawHouse) -> None:
    await house.ranked()
    called = {expert.expert_id for _, expert in await house.waiting()}
    for expert in house.experts:
        own = await house.do(expert.player, calling.own_calls)
        assert bool(own) == (expert.expert_id in called)


async def test_no_record_names_an_expert_of_the_draw(house: DrawHouse) -> None:
    await house.ranked()
    (call, expert), *_ = await house.waiting()
    await house.answer(call, expert, "declined", "已有安排")
    await house.seat_everybody()

    async with house.store.sessions() as session:
        rows = await session.execute(
            text("SELECT record, audience FROM kernel.journal WHERE subject_id = :lot"),
            {"lot": house.lot_id},
        )
        records = b"\n".join(bytes(row[0]) for row in rows)
    for one in house.experts:
        for secret in (one.player.name, str(one.expert_id), str(one.player.person)):
            assert secret.encode() not in records
        assert one.player.key.keyid.encode() not in records


async def test_the_committee_is_not_told_to_those_who_need_not_know(house: DrawHouse) -> None:
    await house.seated()
    for who in (house.parties["supervisor"], house.experts[0].player):
        with pytest.raises(NotPermitted):
            await house.do(who, drawing.drawn_experts, house.lot_id)
    with pytest.raises(NotPermitted):
        await house.do(house.parties["agency"], calling.pending_calls, house.draw_id)


async def test_an_unknown_draw_is_not_found(house: DrawHouse) -> None:
    for activity in (draw_history.draw_view, draw_history.transcript, drawing.void):
        with pytest.raises(NotFound):
            await house.do(house.pool, activity, DrawId(random_id()))
    with pytest.raises(NotFound):
        await house.do(house.pool, calling.note_no_answer, random_id())
