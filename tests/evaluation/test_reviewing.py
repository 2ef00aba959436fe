"""Bids are read by the whole committee or by nobody, and rejected by the majority of all members.

Bidding Law 38, 42; Bidding Regulation 51, 53; Opinions on Conduct 13; Tender Measures 61, 63.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import text

from evaluation import reviewing, room_views, scoring
from evaluation.rules.rejection_grounds import MotionOutcome, RejectionGround
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import BidId
from kernel.randomness import random_id
from kernel.store.transaction import transaction
from tests.committees_at_work import PRICES, REJECTED_PRICE, WorkRoom
from tests.newcomers import codes
from trading import lots
from trading.tables import LotRow


async def test_everybody_reads_every_bid_and_its_files(room: WorkRoom) -> None:
    await room.sit()
    for sitter in room.sitters:
        found = await room.bids(sitter)
        assert sorted(one.price for one in found) == sorted(map(Decimal, PRICES))
        bid = found[0]
        files = await room.do(sitter.player, reviewing.files, room.committee_id, bid.bid_id)
        assert [name for name, _ in files] == ["技术标/方案.txt", "报价.csv"]
        content = await room.do(
            sitter.player, reviewing.read, room.committee_id, bid.bid_id, "报价.csv"
        )
        assert Decimal(content.decode()) == bid.price


async def test_every_look_is_recorded(room: WorkRoom) -> None:
    await room.sit()
    await room.bids()
    async with room.store.sessions() as session:
        count = await session.scalar(
            text("SELECT count(*) FROM kernel.journal WHERE kind = 'BidsRead'")
        )
    assert count >= 1


async def test_what_a_bid_has_not_is_not_found(room: WorkRoom) -> None:
    await room.sit()
    player, bid = room.sitters[0].player, (await room.bids())[0]
    for bid_id, name in ((bid.bid_id, "../../etc/passwd"), (BidId(random_id()), "报价.csv")):
        with pytest.raises(NotFound):
            await room.do(player, reviewing.read, room.committee_id, bid_id, name)


async def test_nobody_reads_before_everybody_sits(room: WorkRoom) -> None:
    for sitter in room.sitters[:4]:
        await room.admit(sitter)
        await room.sign_in(sitter)
    with pytest.raises(Refused) as refused:
        await room.bids()
    assert codes(refused) == {"committee_incomplete"}


async def test_nobody_else_reads_at_all(room: WorkRoom) -> None:
    await room.sit()
    for who in (room.agency, room.supervisor, room.hall.entries[0].player):
        with pytest.raises(NotPermitted):
            await room.do(who, reviewing.bids, room.committee_id)


async def test_a_brake_on_the_lot_stops_the_room(room: WorkRoom) -> None:
    """Bidding Regulation 62."""
    await room.sit()
    async with transaction(room.store, actor=room.supervisor.actor, now=room.now) as tx:
        await lots.lock(tx, room.lot_id)
        lot = await tx.session.get_one(LotRow, room.lot_id)
        lot.suspended = True
        tx.session.add(lot)
    with pytest.raises(Refused) as refused:
        await room.bids()
    assert codes(refused) == {"suspended"}


# ── proposing ─────────────────────────────────────────────────────────────────────────────────


async def test_a_proposal_names_a_ground_of_the_law_a_page_and_reasons(room: WorkRoom) -> None:
    await room.sit()
    bid = await room.bid_at(REJECTED_PRICE)
    for changes, code in (
        ({"page": "技术标"}, "no_page"),
        ({"words": "  "}, "no_words"),
        ({"ground": RejectionGround.PROCUREMENT_OTHER}, "ground_unknown"),
        ({"ground": RejectionGround.PRICE_OUT_OF_BOUNDS, "below_cost": True}, "not_asked"),
    ):
        with pytest.raises(Refused) as refused:
            await room.propose(bid.bid_id, **changes)
        assert codes(refused) == {code}
    with pytest.raises(Malformed):
        await room.propose(bid.bid_id, page="1" * 101)
    with pytest.raises(Malformed):
        await room.propose(bid.bid_id, words="长" * 2001)
    with pytest.raises(NotFound):
        await room.propose(BidId(random_id()))


async def test_the_same_is_proposed_once(room: WorkRoom) -> None:
    await room.sit()
    bid = await room.bid_at(REJECTED_PRICE)
    await room.propose(bid.bid_id)
    with pytest.raises(Outrun):
        await room.propose(bid.bid_id, by=1)
    await room.propose(bid.bid_id, by=1, ground=RejectionGround.UNSIGNED)


@pytest.mark.parametrize("room", ["procurement"], indirect=True)
async def test_procurement_has_grounds_of_its_own(room: WorkRoom) -> None:
    """Tender Measures 63."""
    await room.sit()
    bid = await room.bid_at(REJECTED_PRICE)
    with pytest.raises(Refused) as refused:
        await room.propose(bid.bid_id, ground=RejectionGround.NOT_RESPONSIVE)
    assert codes(refused) == {"ground_unknown"}
    await room.propose(bid.bid_id)


# ── voting ────────────────────────────────────────────────────────────────────────────────────


async def test_three_of_five_reject_and_the_bid_is_scored_no_more(room: WorkRoom) -> None:
    """Bidding Regulation 53: whoever does not vote does not help to reject."""
    await room.sit()
    bid = await room.bid_at(REJECTED_PRICE)
    motion = await room.propose(bid.bid_id)
    outcomes = [await room.vote(one, motion, in_favour=True) for one in room.sitters[:3]]
    assert outcomes == [MotionOutcome.OPEN, MotionOutcome.OPEN, MotionOutcome.CARRIED]
    own = await room.do(room.sitters[4].player, scoring.own_marks, room.committee_id)
    assert bid.bid_id not in own.bids
    assert len(own.bids) == 5
    with pytest.raises(Refused) as refused:
        await room.vote(room.sitters[4], motion, in_favour=True)
    assert codes(refused) == {"decided_already"}


async def test_three_against_lose_it(room: WorkRoom) -> None:
    await room.sit()
    motion = await room.propose((await room.bid_at(REJECTED_PRICE)).bid_id)
    outcomes = [await room.vote(one, motion, in_favour=False) for one in room.sitters[:3]]
    assert outcomes[-1] is MotionOutcome.LOST


async def test_nobody_votes_twice(room: WorkRoom) -> None:
    await room.sit()
    motion = await room.propose((await room.bid_at(REJECTED_PRICE)).bid_id)
    await room.vote(room.sitters[0], motion, in_favour=True)
    with pytest.raises(Refused) as refused:
        await room.vote(room.sitters[0], motion, in_favour=False)
    assert codes(refused) == {"voted_already"}


async def test_votes_are_blind_until_the_motion_is_decided(room: WorkRoom) -> None:
    await room.sit()
    motion = await room.propose((await room.bid_at(REJECTED_PRICE)).bid_id)
    await room.vote(room.sitters[0], motion, in_favour=True)
    for who in (room.sitters[1].player, room.supervisor):
        seen = await room.do(who, room_views.room, room.committee_id)
        assert (seen.motions[0].in_favour, seen.motions[0].own_vote) == (None, None)
    own = await room.do(room.sitters[0].player, room_views.room, room.committee_id)
    assert own.motions[0].own_vote is True
    for sitter in room.sitters[1:3]:
        await room.vote(sitter, motion, in_favour=True)
    seen = await room.do(room.supervisor, room_views.room, room.committee_id)
    assert seen.motions[0].in_favour == 3


async def test_an_unknown_motion_is_not_found(room: WorkRoom) -> None:
    await room.sit()
    with pytest.raises(NotFound):
        await room.vote(room.sitters[0], random_id(), in_favour=True)


async def test_no_vote_is_taken_while_somebody_is_missing(room: WorkRoom) -> None:
    await room.sit()
    motion = await room.propose((await room.bid_at(REJECTED_PRICE)).bid_id)
    await room.lose_line(room.sitters[4])
    with pytest.raises(Refused) as refused:
        await room.vote(room.sitters[0], motion, in_favour=True)
    assert codes(refused) == {"committee_incomplete"}


async def test_once_the_report_is_compiled_nothing_is_rejected_any_more(room: WorkRoom) -> None:
    await room.sit()
    await room.score()
    await room.compile()
    with pytest.raises(Refused) as refused:
        await room.propose((await room.bid_at(REJECTED_PRICE)).bid_id)
    assert codes(refused) == {"report_compiled"}
