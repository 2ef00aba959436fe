"""The parties' part in a draw: in order, once, bound to what was committed; and parties that fail.

Bidding Law 37; Bidding Regulation 46; Opinions on Conduct 14.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from expert_pool import contributing, draw_history, drawing
from expert_pool.drawing import threshold_of
from expert_pool.rules.draw_protocol import DrawState
from kernel.access import Role
from kernel.crypto import fair_draw
from kernel.crypto.digests import b64u
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.draw_cast import (
    EAST,
    HOST,
    SOUTH,
    DrawHouse,
    Tick,
    a_draw_house,
    kinds_on_record,
)
from tests.newcomers import codes
from tests.tenders import a_player, signed


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """No witnesses, so that a checkpoint alone makes an entry witnessed."""
    return settings.model_copy(update={"witness_quorum": 0})


@pytest.fixture
def house(draw_house: DrawHouse) -> DrawHouse:
    return draw_house


# ── the order of the steps ────────────────────────────────────────────────────────────────────


async def test_a_whole_draw_goes_through_its_steps_in_order(house: DrawHouse) -> None:
    await house.seated()

    assert (await house.view()).state is DrawState.SEATED
    steps = [kind for kind in await kinds_on_record(house) if kind != "CapacityTaken"]
    groups = [kind for place, kind in enumerate(steps) if kind != steps[place - 1]]
    assert groups[:9] == [
        "LotClosed",
        "DrawAnnounced",
        "DrawCommitted",
        "NonceSharesDealt",
        "NonceShareConfirmed",
        "EligibilityCountersigned",
        "NonceRevealed",
        "DrawRanked",
        "ExpertCalled",
    ]
    assert steps[-1] == "DrawCompleted"
    assert steps.count("NonceRevealed") == 3
    seated = await house.do(house.pool, drawing.drawn_experts, house.lot_id)
    assert Counter(one.region_code for one in seated) == {HOST: 2, EAST: 1, SOUTH: 1}


async def test_no_commitment_before_the_announcement_is_witnessed(
    house: DrawHouse, tick: Tick
) -> None:
    house.tick = _never
    await house.announce()
    raw = signed(house.parties["agency"], "draw-commit", _commitment(house, "agency"))
    with pytest.raises(Refused) as refused:
        await house.do(house.parties["agency"], contributing.commit, house.draw_id, raw)
    assert codes(refused) == {"not_now"}
    await tick()
    await house.do(house.parties["agency"], contributing.commit, house.draw_id, raw)


async def test_no_share_and_no_reveal_before_every_commitment_is_witnessed(
    house: DrawHouse, tick: Tick
) -> None:
    await house.announce()
    await house.commit("tenderee", "agency")
    house.tick = _never
    await house.commit("supervisor")
    agency, program = house.parties["agency"], house.programs["agency"]
    nonce = {**_about(house, "agency"), "v": "ebid-draw-reveal/1", "nonce": b64u(program.nonce)}
    shares = {**_about(house, "agency"), "v": "ebid-draw-shares/1", "shares": []}
    for act, raw in (
        (contributing.reveal, signed(agency, "draw-reveal", nonce)),
        (contributing.deal, signed(agency, "draw-shares", shares)),
    ):
        with pytest.raises((Refused, BrokenSeal)):
            await house.do(agency, act, house.draw_id, raw)
    await tick()
    with pytest.raises(Refused):
        await house.do(
            agency, contributing.reveal, house.draw_id, signed(agency, "draw-reveal", nonce)
        )


async def test_no_reveal_before_the_exclusions_are_countersigned(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    await house.deal()
    await house.confirm()
    with pytest.raises(Refused) as refused:
        await house.reveal("agency")
    assert codes(refused) == {"not_now"}
    await house.countersign()
    await house.reveal("agency")


async def test_a_party_commits_once_and_keeps_to_it(house: DrawHouse) -> None:
    await house.announce()
    await house.commit("agency")
    with pytest.raises(Refused) as refused:
        await house.commit("agency")
    assert codes(refused) == {"committed_already"}


async def test_another_nonce_than_the_one_committed_to_is_refused_by_name(
    house: DrawHouse,
) -> None:
    await house.ready()
    house.programs["agency"].nonce = bytes(32)
    with pytest.raises(BrokenSeal, match="agency"):
        await house.reveal("agency")


async def test_a_stranger_has_no_part_in_a_draw(house: DrawHouse) -> None:
    await house.announce()
    stranger = await a_player(house.store, Role.BIDDER)
    raw = signed(stranger, "draw-commit", _commitment(house, "agency"))
    with pytest.raises(NotFound):
        await house.do(stranger, contributing.commit, house.draw_id, raw)
    with pytest.raises(NotPermitted):
        await house.do(house.experts[0].player, contributing.commit, house.draw_id, raw)


async def test_nobody_signs_in_anothers_name(house: DrawHouse) -> None:
    await house.announce()
    agency = house.parties["agency"]
    others = signed(agency, "draw-commit", _commitment(house, "tenderee"))
    with pytest.raises(BrokenSeal):
        await house.do(agency, contributing.commit, house.draw_id, others)
    forged = signed(house.parties["tenderee"], "draw-commit", _commitment(house, "agency"))
    with pytest.raises(BrokenSeal):
        await house.do(agency, contributing.commit, house.draw_id, forged)
    elsewhere = _commitment(house, "agency") | {"draw": str(random_id())}
    with pytest.raises(BrokenSeal):
        await house.do(
            agency, contributing.commit, house.draw_id, signed(agency, "draw-commit", elsewhere)
        )


async def test_only_the_supervisor_sees_and_countersigns_the_exclusions(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    with pytest.raises(NotPermitted):
        await house.do(house.parties["agency"], contributing.exclusions, house.draw_id)
    other = await a_player(house.store, Role.SUPERVISOR)
    with pytest.raises(NotFound):
        await house.do(other, contributing.exclusions, house.draw_id)
    supervisor = house.parties["supervisor"]
    wrong = {
        **_about(house, "supervisor"),
        "v": "ebid-draw-eligibility/1",
        "members_root": b64u(bytes(32)),
    }
    with pytest.raises(BrokenSeal):
        await house.do(
            supervisor,
            contributing.countersign,
            house.draw_id,
            signed(supervisor, "draw-eligibility", wrong),
        )


# ── parties that fail ─────────────────────────────────────────────────────────────────────────


def test_a_threshold_is_never_one_and_lets_one_of_many_stay_silent() -> None:
    assert [threshold_of(count) for count in (3, 4, 5, 9)] == [2, 2, 3, 7]


async def test_a_party_that_vanishes_after_dealing_is_rebuilt_from_shares(
    house: DrawHouse,
) -> None:
    await house.ready()
    await house.reveal("agency", "supervisor")
    shares = await house.shares()
    agency, supervisor = house.parties["agency"], house.parties["supervisor"]
    mine = house.programs["agency"].open_share(shares, "tenderee")

    with pytest.raises(Refused) as refused:
        await house.do(agency, contributing.give_share, house.draw_id, "tenderee", mine)
    assert codes(refused) == {"too_early"}

    house.late = timedelta(minutes=61)
    with pytest.raises(BrokenSeal):
        await house.do(agency, contributing.give_share, house.draw_id, "tenderee", bytes(33))
    await house.do(agency, contributing.give_share, house.draw_id, "tenderee", mine)
    assert (await house.view()).state is DrawState.REVEALING
    theirs = house.programs["supervisor"].open_share(shares, "tenderee")
    await house.do(supervisor, contributing.give_share, house.draw_id, "tenderee", theirs)

    view = await house.view()
    assert view.state is DrawState.CALLING
    assert [one.name for one in view.parties if one.recovered] == ["tenderee"]
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED


async def test_with_four_parties_a_withheld_confirmation_stops_nothing(
    store: Store, tick: Tick
) -> None:
    house = await a_draw_house(store, tick, more_parties=["bidder-1"])
    await house.announce()
    await house.commit()
    await house.deal()
    await house.countersign()
    await house.confirm("tenderee", "agency", "supervisor")
    assert (await house.view()).state is DrawState.REVEALING
    await house.reveal()
    await house.seat_everybody()
    assert (await house.view()).state is DrawState.SEATED


async def test_with_three_parties_the_silent_one_sits_out_the_redraw(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    await house.deal()
    await house.countersign()
    await house.confirm("agency", "supervisor")
    with pytest.raises(Refused) as refused:
        await house.do(house.pool, drawing.void, house.draw_id)
    assert codes(refused) == {"not_void"}

    house.late = timedelta(minutes=41)
    assert (await house.view()).state is DrawState.VOID
    await house.do(house.pool, drawing.void, house.draw_id)
    first = house.draw_id
    view = await house.view()
    assert (view.void_reason, view.at_fault) == ("too_few_confirmations", ("tenderee",))
    with pytest.raises(Refused) as refused:
        await house.announce()
    assert codes(refused) == {"sits_out"}

    house.parties["bidder-1"] = await a_player(house.store, Role.BIDDER)
    tenderee = house.parties.pop("tenderee")
    await house.announce(bid_opened=True)
    house.parties["tenderee"] = tenderee
    lines = await house.do(house.pool, draw_history.draws_of_lot, house.lot_id)
    assert [(one.round, one.state) for one in lines] == [
        (1, DrawState.VOID),
        (2, DrawState.ANNOUNCED),
    ]
    assert lines[0].id == first
    assert (await kinds_on_record(house)).count("DrawVoided") == 1


async def test_who_dealt_badly_is_shown_to_have_and_sits_out(house: DrawHouse) -> None:
    await house.announce()
    await house.commit()
    cheat = house.programs["tenderee"]
    payload = cheat.deal(await house.proofs())
    for one in payload["shares"]:
        one["commitment"] = b64u(bytes(32))
    raw = signed(house.parties["tenderee"], "draw-shares", payload)
    await house.do(house.parties["tenderee"], contributing.deal, house.draw_id, raw)
    await house.deal("agency", "supervisor")
    await house.confirm("tenderee")
    shares = await house.shares()
    for holder, other in (("agency", "supervisor"), ("supervisor", "agency")):
        program, player = house.programs[holder], house.parties[holder]
        await house.do(player, contributing.confirm, house.draw_id, other)
        with pytest.raises(BrokenSeal, match="tenderee"):
            program.open_share(shares, "tenderee")
        with pytest.raises(BrokenSeal, match="opens as committed"):
            await house.do(
                player, contributing.show_misdealt, house.draw_id, other, program.share_key
            )
        with pytest.raises(BrokenSeal, match="not the key"):
            await house.do(
                player, contributing.show_misdealt, house.draw_id, "tenderee", cheat.share_key
            )
        await house.do(
            player, contributing.show_misdealt, house.draw_id, "tenderee", program.share_key
        )
    house.late = timedelta(minutes=41)
    assert await _overdue(house) == 1
    assert (await house.view()).at_fault == ("tenderee",)


async def test_whoever_never_committed_is_at_fault_and_nobody_else(house: DrawHouse) -> None:
    await house.announce()
    await house.commit("agency", "supervisor")
    house.late = timedelta(minutes=21)
    await house.do(house.parties["agency"], drawing.void, house.draw_id)
    view = await house.view()
    assert (view.void_reason, view.at_fault) == ("not_committed", ("tenderee",))


async def test_announcing_again_puts_an_overdue_round_on_record_first(house: DrawHouse) -> None:
    await house.announce()
    house.late = timedelta(minutes=21)
    house.parties["bidder-1"] = await a_player(house.store, Role.BIDDER)
    with pytest.raises(Refused) as refused:
        await house.announce()
    assert codes(refused) == {"sits_out"}
    assert "DrawVoided" not in await kinds_on_record(house)
    names = ("bidder-2", "bidder-3")
    for name in names:
        house.parties[name] = await a_player(house.store, Role.BIDDER)
    regulator = await a_player(house.store, Role.SUPERVISOR)
    await house.announce(
        parties=(
            *((name, house.parties[name].party) for name in names),
            ("supervisor", regulator.party),
        )
    )
    assert (await kinds_on_record(house)).count("DrawVoided") == 1


# ── what the tests above are made of ──────────────────────────────────────────────────────────


async def _never() -> None:
    """Time in which the log does nothing."""


async def _overdue(house: DrawHouse) -> int:
    """The background's look at every draw, after the time the house lets pass."""
    assert house.late is not None
    late = house.late
    clock = house.store.clock

    async def later(line: object) -> object:
        return await clock(line) + late  # type: ignore[arg-type]  # any line the store gives

    return await drawing.void_overdue(replace(house.store, clock=later))  # type: ignore[arg-type]  # the same clock, later


def _about(house: DrawHouse, name: str) -> dict[str, object]:
    return {"draw": str(house.draw_id), "party": name}


def _commitment(house: DrawHouse, name: str) -> dict[str, object]:
    program = house.programs[name]
    return {
        **_about(house, name),
        "v": "ebid-draw-commit/1",
        "commitment": b64u(fair_draw.commitment(program.digest, name, program.nonce)),
        "share_key": b64u(program.share_key.public_bytes),
    }
