"""What one floor does because of another: once, in order, and never past a failure.

Bidding Regulation 31: a tender that ends needs no committee. 48, 71: who is barred is replaced.
"""

from __future__ import annotations

import asyncio

import pytest

from expert_pool import calling
from expert_pool.draws import LOT_ENDED
from expert_pool.rules.draw_protocol import DrawState
from kernel.settings import Settings
from kernel.store.journal import Entry
from kernel.store.transaction import Store, Transaction
from tests.committees_at_work import WorkRoom
from tests.draw_cast import DrawHouse, a_draw_house, bar_expert, kinds_on_record
from tests.log_story import Tick, Uttered, enter, utter
from trading.events import LotMoved
from web import reactions
from web.reactions import end_draws, react_once, replace_barred_members

LOT_MOVES = {"LotMoved"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses: a draw's steps follow each other without waiting for them."""
    return settings.model_copy(update={"witness_quorum": 0})


async def moved(house: DrawHouse, went_to: str) -> None:
    """It is on record that the house's lot went to a state."""
    event = LotMoved(house.lot_id, came_from="opened", went_to=went_to, move="cancel", due_at=None)
    await enter(house.store, event)
    await house.tick()


async def reacted(store: Store) -> None:
    while await react_once(store, end_draws, LOT_MOVES):
        pass


@pytest.mark.parametrize("ending", ["cancelled", "failed"])
async def test_a_lot_that_ends_ends_its_draw_and_calls_nobody_any_more(
    store: Store, tick: Tick, ending: str
) -> None:
    house = await a_draw_house(store, tick)
    await house.ranked()
    waiting = await house.waiting()
    assert waiting
    await moved(house, ending)
    await reacted(store)
    await reacted(store)
    view = await house.view()
    assert (view.state, view.void_reason, view.at_fault) == (DrawState.VOID, LOT_ENDED, ())
    assert (await kinds_on_record(house)).count("DrawVoided") == 1
    for _, expert in waiting:
        own = await house.do(expert.player, calling.own_calls)
        assert {one.outcome for one in own} == {"void"}


async def test_a_lot_that_merely_moves_on_ends_nothing(store: Store, tick: Tick) -> None:
    house = await a_draw_house(store, tick)
    await house.announce()
    await moved(house, "opened")
    await reacted(store)
    assert (await house.view()).state is not DrawState.VOID


async def test_a_draw_whose_seats_are_taken_stays_what_it_is(store: Store, tick: Tick) -> None:
    house = await a_draw_house(store, tick)
    await house.ranked()
    while waiting := await house.waiting():
        for call, expert in waiting:
            await house.answer(call, expert)
    assert (await house.view()).state is DrawState.SEATED
    await moved(house, "cancelled")
    await reacted(store)
    assert (await house.view()).state is DrawState.SEATED
    assert "DrawVoided" not in await kinds_on_record(house)


async def test_a_member_who_is_barred_while_the_committee_sits_is_replaced_once(
    room: WorkRoom,
) -> None:
    """Bidding Regulation 48, 71."""
    member = room.drawn[0]
    expert = next(one for one in room.draw.experts if one.player == member.player)
    await bar_expert(room.draw, expert)
    await room.draw.tick()
    for _ in range(2):
        while await react_once(room.store, replace_barred_members, {"PersonBarred"}):
            pass
    await room.find_sitters()
    assert member.number not in {one.number for one in room.sitters}
    assert len(await room.draw.waiting()) == 1
    assert (await kinds_on_record(room.draw)).count("MemberRemoved") == 1


async def test_a_reaction_that_fails_waits_at_its_place_and_happens_once(
    store: Store, tick: Tick
) -> None:
    heard: list[str] = []
    broken = True

    async def listen(tx: Transaction, entry: Entry) -> None:
        words = entry.facts["words"]
        if broken and words == "word 3":
            raise RuntimeError("not now")
        tx.record(Uttered(entry.subject_id, f"heard {words}"))
        heard.append(words)

    await utter(store, 7)
    await tick()
    kinds = {"Uttered"}
    for _ in range(3):
        with pytest.raises(RuntimeError):
            while await react_once(store, listen, kinds):
                pass
    assert heard == [f"word {number}" for number in range(3)]
    broken = False
    while await react_once(store, listen, kinds):
        pass
    assert heard == [f"word {number}" for number in range(7)]


async def test_two_processes_react_to_an_entry_once_between_them(store: Store, tick: Tick) -> None:
    heard: list[str] = []

    async def listen(tx: Transaction, entry: Entry) -> None:
        heard.append(entry.facts["words"])

    async def follow() -> None:
        while await react_once(store, listen, {"Uttered"}):
            pass

    await utter(store, 12)
    await tick()
    await asyncio.gather(*(follow() for _ in range(3)))
    assert heard == [f"word {number}" for number in range(12)]


async def test_the_other_process_follows_every_reaction_in_the_table(
    store: Store, tick: Tick
) -> None:
    house = await a_draw_house(store, tick)
    await house.announce()
    await moved(house, "cancelled")
    following = asyncio.create_task(reactions.follow(store))
    async with asyncio.timeout(20):
        while (await house.view()).state is not DrawState.VOID:
            await asyncio.sleep(0.05)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
