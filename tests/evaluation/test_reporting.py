"""The report is computed from sheets and votes, signed, and moves the lot.

Bidding Law 37, 40, 42; Bidding Regulation 53; Committee Provisions 17, 27, 42, 43; Government
Procurement Tender Measures 57, 61, 68; Procurement Law 36.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import select

from evaluation import reporting, room_views, scoring
from evaluation.reporting import name_commitment
from evaluation.rules.rejection_grounds import RejectionGround, RejectionMotion
from evaluation.rules.report_contents import Position
from evaluation.rules.session_protocol import Phase
from kernel.crypto.digests import Malformed, b64u, sha256
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.failpoints import FailpointHit, arm
from kernel.identifiers import BidId, PartyId
from tests.committees_at_work import PRICES, REJECTED_PRICE, WorkRoom
from tests.kept_stores import Sound
from tests.newcomers import codes
from tests.tenders import signed
from trading.handover import OpenedBid
from trading.rules.lot_lifecycle import LotState
from trading.tables import RankedBidRow, RejectedBidRow

scored = pytest.mark.parametrize("room", ["tendering, scored"], indirect=True, ids=["scored"])


async def told(room: WorkRoom) -> dict[str, Any]:
    content = await room.do(room.sitters[0].player, reporting.report, room.committee_id)
    found: dict[str, Any] = json.loads(content)
    return found


def test_who_left_the_talks_is_in_no_report_unless_its_bid_was_rejected() -> None:
    """Procurement Law 38: three votes of three members against one bid, one against another."""
    members = [UUID(int=number) for number in (1, 2, 3)]
    kept, silent, rejected = (
        OpenedBid(
            BidId(UUID(int=number)),
            PartyId(UUID(int=number)),
            f"标{number}",
            "单位",
            Decimal(1),
            {},
            number,
            gone=number > 1,
        )
        for number in (1, 2, 3)
    )
    motions = [
        RejectionMotion(
            str(one.bid_id),
            RejectionGround.PROCUREMENT_OTHER,
            "1",
            "不符合要求",
            in_favour=frozenset(members[:votes]),
        )
        for one, votes in ((silent, 1), (rejected, 3))
    ]
    found = reporting.accounted_for([kept, silent, rejected], motions, members)
    assert found == ([kept, rejected], [motions[1]])


# ── computing ─────────────────────────────────────────────────────────────────────────────────


@scored
async def test_the_report_ranks_by_marks_and_price_and_names_three(room: WorkRoom) -> None:
    """M2 over five valid prices: without the highest and the lowest, 1,199,500 yuan."""
    await room.compile()
    parts = (await told(room))["parts"]
    assert len(parts) == 10
    result = (await told(room))["result"]
    assert Decimal(result["benchmark"]) == Decimal(1_199_500)
    assert [one["rank"] for one in parts["ranking"]] == [1, 2, 3, 4, 5]
    totals = [Decimal(one["total"]) for one in parts["ranking"]]
    assert totals == sorted(totals, reverse=True)
    assert parts["candidates"] == [
        {name: one[name] for name in ("bid", "bidder", "name", "price")}
        for one in parts["ranking"][:3]
    ]
    (rejected,) = parts["rejections"]
    assert (rejected["in_favour"], rejected["members"]) == (3, 5)
    assert "第51条" in rejected["article"]
    assert "12" in rejected["page"]


@pytest.mark.parametrize("room", ["procurement, scored"], indirect=True)
async def test_procurement_gives_the_lowest_price_full_points(room: WorkRoom) -> None:
    """Tender Measures 55: the lowest valid price over the price, times its weight."""
    await room.compile()
    lines = (await told(room))["result"]["lines"]
    prices = sorted(Decimal(one) for one in PRICES if Decimal(one) != REJECTED_PRICE)
    for line in lines:
        if line["rank"] is not None:
            exact = prices[0] / Decimal(line["price"]) * 60
            assert abs(Decimal(line["price_points"]) - exact) <= Decimal("0.005")


@pytest.mark.parametrize("room", ["voluntary, scored"], indirect=True)
async def test_a_voluntary_tender_is_evaluated_like_any_other(room: WorkRoom) -> None:
    await room.reported()
    assert (await room.hall.lot()).state == LotState.EVALUATED


async def test_no_report_before_the_votes_are_decided_and_the_sheets_shown(room: WorkRoom) -> None:
    await room.sit()
    await room.propose((await room.bid_at(REJECTED_PRICE)).bid_id)
    for sitter in room.sitters:
        await room.fill_in(sitter)
        await room.commit(sitter)
    with pytest.raises(Refused) as refused:
        await room.compile()
    assert codes(refused) == {"motions_open", "sheets_unrevealed"}


async def test_a_fact_on_which_members_differ_is_put_right_first(room: WorkRoom) -> None:
    """Opinions on Conduct 5."""
    await room.sit()
    await room.reject()
    for sitter in room.sitters:
        await room.fill_in(sitter)
    odd = room.sitters[0]
    sheet = await room.sheet_of(odd, records="15")
    await room.do(odd.player, scoring.commit, room.committee_id, room.commitment_to(odd, sheet))
    for sitter in room.sitters[1:]:
        await room.commit(sitter)
    for sitter in room.sitters:
        await room.reveal(sitter)
    with pytest.raises(Refused) as refused:
        await room.compile()
    assert codes(refused) == {"objective_marks_differ"}
    await room.commit(odd, round=2, reason="业绩认定与证明材料不符")
    await room.reveal(odd, round=2)
    await room.compile()


async def test_below_three_valid_bids_the_committee_argues_the_competition(room: WorkRoom) -> None:
    """Bidding Law 42; Committee Provisions 27."""
    await room.sit()
    for price in sorted(map(Decimal, PRICES))[:4]:
        await room.reject(price)
    await room.score()
    with pytest.raises(Refused) as refused:
        await room.compile()
    assert codes(refused) == {"not_argued"}
    await room.compile(argued="两家报价均低于最高投标限价且差异明显，仍具有竞争性")
    assert (await told(room))["parts"]["basic_data"]["argued"]


@pytest.mark.parametrize("room", ["procurement"], indirect=True)
async def test_procurement_stops_below_three(room: WorkRoom) -> None:
    """Procurement Law 36."""
    await room.sit()
    for price in sorted(map(Decimal, PRICES))[:4]:
        await room.reject(price)
    await room.score()
    with pytest.raises(Refused) as refused:
        await room.compile(argued="仍有竞争")
    assert codes(refused) == {"too_few_valid"}


async def test_when_all_bids_are_rejected_the_report_says_so_and_the_lot_fails(
    room: WorkRoom,
) -> None:
    """Bidding Law 42."""
    await room.sit()
    for price in map(Decimal, PRICES):
        await room.reject(price)
    digest = await room.compile(argued="全部投标均未实质性响应")
    for sitter in room.sitters:
        await room.sign(sitter, digest)
    assert (await room.hall.lot()).state == LotState.FAILED


@scored
async def test_a_report_is_computed_again_until_somebody_signs(room: WorkRoom) -> None:
    first = await room.compile()
    assert await room.compile(argued="") == first
    sitter = room.sitters[0]
    sheet = await room.sheet_of(sitter, round=2, construction="25")
    raw = room.commitment_to(sitter, sheet, reason="施工组织设计有新认识")
    await room.do(sitter.player, scoring.commit, room.committee_id, raw)
    with pytest.raises(NotFound):
        await told(room)
    await room.reveal(sitter, round=2)
    second = await room.compile()
    assert second != first
    await room.sign(sitter, second)
    with pytest.raises(Refused) as refused:
        await room.compile()
    assert codes(refused) == {"report_signed"}
    with pytest.raises(Refused) as refused:
        await room.commit(sitter, round=3, reason="又有新认识")
    assert codes(refused) == {"report_signed"}


@scored
async def test_the_report_names_nobody_and_proves_every_name_later(room: WorkRoom) -> None:
    """Bidding Law 37: names are secret until the winner is determined."""
    await room.reported()
    report = await told(room)
    names = {one.player.name for one in room.sitters}
    content = json.dumps(report, ensure_ascii=False)
    assert not [name for name in names if name in content]
    for who in (room.supervisor, room.agency):
        with pytest.raises(NotFound):
            await room.do(who, room_views.member_names, room.lot_id)
    async with room.store.sessions() as session:
        rows = await session.execute(
            text("SELECT number, salt, person_id FROM evaluation.member ORDER BY number")
        )
        salts = {row.number: (row.salt, row.person_id) for row in rows}
    people = {one.player.person: one.player.name for one in room.sitters}
    for member in report["parts"]["members"]:
        salt, person = salts[member["number"]]
        assert member["name_commitment"] == b64u(name_commitment(salt, people[person]))


# ── signing ───────────────────────────────────────────────────────────────────────────────────


@scored
async def test_the_last_signature_moves_the_lot(room: WorkRoom) -> None:
    digest = await room.compile()
    for sitter in room.sitters[:-1]:
        state = await room.sign(sitter, digest)
        assert not state.is_complete()
        assert (await room.hall.lot()).state == LotState.IN_EVALUATION
    state = await room.sign(room.sitters[-1], digest)
    assert state.is_adopted()
    assert (await room.hall.lot()).state == LotState.EVALUATED
    seen = await room.do(room.supervisor, room_views.room, room.committee_id)
    assert (seen.phase, seen.handed_back_at) == (Phase.CLOSED, room.now)


@scored
async def test_what_trading_takes_is_what_the_report_says(room: WorkRoom) -> None:
    digest = await room.reported()
    report = await told(room)
    assert digest == sha256(
        await room.do(room.sitters[0].player, reporting.report, room.committee_id)
    )
    async with room.store.sessions() as session:
        ranked = (await session.scalars(select(RankedBidRow).order_by("rank"))).all()
        rejected = (await session.scalars(select(RejectedBidRow))).all()
    assert [(str(one.bid_id), one.total) for one in ranked] == [
        (one["bid"], Decimal(one["total"])) for one in report["parts"]["ranking"]
    ]
    assert [one.candidate for one in ranked] == [True, True, True, False, False]
    assert [one["label"] for one in ranked[0].parts] == ["施工组织设计", "类似工程业绩", "报价"]
    assert [str(one.bid_id) for one in rejected] == [report["parts"]["rejections"][0]["bid"]]


@scored
async def test_the_report_and_the_lot_move_in_one_transaction_or_not_at_all(
    room: WorkRoom, sound_room: Sound
) -> None:
    digest = await room.compile()
    for sitter in room.sitters[:-1]:
        await room.sign(sitter, digest)
    arm("db.before_commit=raise")
    try:
        with pytest.raises(FailpointHit):
            await room.sign(room.sitters[-1], digest)
    finally:
        arm("")
    assert (await room.hall.lot()).state == LotState.IN_EVALUATION
    async with room.store.sessions() as session:
        count = await session.scalar(
            text(
                "SELECT count(*) FROM kernel.journal WHERE kind IN ('ReportTaken',"
                " 'ReportHandedBack')"
            )
        )
    assert count == 0
    await room.sign(room.sitters[-1], digest)
    async with room.store.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT kind, recorded_at FROM kernel.journal WHERE kind IN ('ReportTaken',"
                " 'ReportHandedBack')"
            )
        )
        found = {row.kind: row.recorded_at for row in rows}
    assert set(found) == {"ReportTaken", "ReportHandedBack"}
    assert len(set(found.values())) == 1
    await sound_room()


@scored
async def test_a_dissent_in_writing_stays_with_the_report(room: WorkRoom) -> None:
    """Bidding Regulation 53."""
    digest = await room.compile()
    state = await room.sign(room.sitters[0], digest, dissent="第二名的业绩不应认定")
    assert state.positions[room.sitters[0].member_id] is Position.DISSENTS
    state = await room.sign(room.sitters[1], digest, refused=True)
    assert state.positions[room.sitters[1].member_id] is Position.DEEMED_TO_AGREE
    for sitter in room.sitters[2:]:
        await room.sign(sitter, digest)
    assert (await room.hall.lot()).state == LotState.EVALUATED


@scored
async def test_where_the_majority_dissents_the_lot_stays(room: WorkRoom) -> None:
    digest = await room.compile()
    for place, sitter in enumerate(room.sitters):
        state = await room.sign(sitter, digest, dissent="不同意排序" if place < 3 else "")
    assert (state.is_complete(), state.is_adopted()) == (True, False)
    assert (await room.hall.lot()).state == LotState.IN_EVALUATION


@scored
async def test_one_signs_once_this_very_report_and_for_oneself(room: WorkRoom) -> None:
    with pytest.raises(NotFound):
        await room.sign(room.sitters[0], bytes(32))
    digest = await room.compile()
    with pytest.raises(Refused) as refused:
        await room.sign(room.sitters[0], bytes(32))
    assert codes(refused) == {"another_report"}
    with pytest.raises(Refused) as refused:
        await room.sign(room.sitters[0], digest, dissent="不同意", refused=True)
    assert codes(refused) == {"dissent_is_signed"}
    await room.sign(room.sitters[0], digest)
    with pytest.raises(Refused) as refused:
        await room.sign(room.sitters[0], digest)
    assert codes(refused) == {"signed_already"}
    said = {
        "v": "ebid-report-signature/1",
        "committee": str(room.committee_id),
        "member": str(room.sitters[1].member_id),
        "report": b64u(digest),
        "dissent": "",
        "refused": False,
    }
    with pytest.raises(BrokenSeal):
        raw = signed(room.sitters[0].player, "report-signature", said)
        await room.do(room.sitters[1].player, reporting.sign, room.committee_id, raw)
    for changes in ({"refused": "no"}, {"member": "x"}, {"more": 1}):
        with pytest.raises(Malformed):
            raw = signed(room.sitters[1].player, "report-signature", {**said, **changes})
            await room.do(room.sitters[1].player, reporting.sign, room.committee_id, raw)


@scored
async def test_only_members_read_the_report(room: WorkRoom) -> None:
    await room.compile()
    with pytest.raises(NotPermitted):
        await room.do(room.agency, reporting.report, room.committee_id)


# ── what becomes public ───────────────────────────────────────────────────────────────────────


@scored
async def test_the_record_is_public_with_the_candidates_and_before_for_the_entitled(
    room: WorkRoom,
) -> None:
    bidder = room.hall.entries[0].player
    for who in (room.supervisor, room.agency, bidder):
        with pytest.raises(NotFound):
            await room.do(who, room_views.published_record, room.lot_id)
    digest = await room.compile()
    for sitter in room.sitters:
        await room.sign(sitter, digest)
    for who in (room.supervisor, room.agency):
        found = await room.do(who, room_views.published_record, room.lot_id)
        assert len(found.bundle["commitments"]) == len(found.bundle["signatures"]) == 5
    for who in (bidder, room.sitters[0].player):
        with pytest.raises(NotFound):
            await room.do(who, room_views.published_record, room.lot_id)
