"""What becomes of a report that the majority refuses, or on whose author it can rest no more.

Bidding Regulation 48, 53; Government Procurement Tender Measures 61, 64.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from evaluation import attending, convening, reporting, reviewing, room_views, scoring
from evaluation.rules.rejection_grounds import MotionOutcome
from evaluation.sound_committees import committee_faults
from kernel.crypto.digests import instant_text
from kernel.errors import NotFound, Outrun, Refused
from kernel.store.transaction import transaction
from tests.committees_at_work import REJECTED_PRICE, Sitter, WorkRoom
from tests.complaints import complained, decided, taken_up
from tests.newcomers import codes
from tests.tampering import tampered
from trading.rules.lot_lifecycle import LotState
from web.evaluation_papers import evaluation_papers
from web.log_proofs import proofs_of
from web.reactions import react_once, reopen_evaluation
from web.verifying.evaluation_record import verify

scored = pytest.mark.parametrize("room", ["tendering, scored"], indirect=True, ids=["scored"])
procured = pytest.mark.parametrize("room", ["procurement, scored"], indirect=True, ids=["procured"])


async def refused_by_the_majority(room: WorkRoom) -> bytes:
    """A report under which three of five dissent."""
    digest = await room.compile()
    for place, sitter in enumerate(room.sitters):
        await room.sign(sitter, digest, dissent="不同意排序" if place < 3 else "")
    return digest


async def set_aside(room: WorkRoom) -> list[tuple[int, bytes, str]]:
    """What is kept of reports that came to nothing."""
    async with room.store.sessions() as session:
        rows = await session.execute(
            text("SELECT version, digest, ground FROM evaluation.set_aside_report ORDER BY version")
        )
        return [(row.version, bytes(row.digest), row.ground) for row in rows]


async def on_record(room: WorkRoom, kind: str) -> list[dict[str, Any]]:
    """The facts of every entry of this kind."""
    async with room.store.sessions() as session:
        rows = await session.execute(
            text("SELECT record FROM kernel.journal WHERE kind = :kind ORDER BY recorded_at"),
            {"kind": kind},
        )
        return [json.loads(bytes(row[0]))["facts"] for row in rows]


async def succeeded(room: WorkRoom, leaver: Sitter) -> Sitter:
    """A member withdraws, the next in the draw comes, and all are at their seats again."""
    await room.do(leaver.player, attending.withdraw, room.committee_id, "突发疾病，不能继续评标")
    await room.draw.seat_everybody()
    await room.do(room.agency, convening.seat_successors, room.committee_id)
    before = {one.member_id for one in room.sitters}
    await room.find_sitters()
    (fresh,) = [one for one in room.sitters if one.member_id not in before]
    await room.admit(fresh)
    for one in room.sitters:
        said_at = room.now + timedelta(minutes=fresh.number, seconds=one.number)
        await room.sign_in(one, signed_at=instant_text(said_at))
    await room.stay()
    return fresh


async def record_of(room: WorkRoom) -> dict[str, Any]:
    """The record as the platform gives it to the supervisor."""
    await room.draw.tick()
    async with transaction(room.store, actor=room.supervisor.actor, now=room.now) as tx:
        told = await evaluation_papers(tx, room.lot_id)
        proofs = await proofs_of(tx, told.entries)
    return {**told.bundle, "proofs": proofs}


# ── a majority dissents ───────────────────────────────────────────────────────────────────────


@scored
async def test_what_the_majority_refuses_is_corrected_and_signed_anew(room: WorkRoom) -> None:
    """Bidding Regulation 53: the committee decides by majority, so it finds another report."""
    first = await refused_by_the_majority(room)
    with pytest.raises(NotFound):
        await room.do(room.sitters[0].player, reporting.report, room.committee_id)
    assert await set_aside(room) == [(1, first, "not_adopted")]
    (told,) = await on_record(room, "ReportSetAside")
    assert (told["version"], told["ground"]) == (1, "not_adopted")
    sitter = room.sitters[0]
    sheet = await room.sheet_of(sitter, round=2, construction="25")
    raw = room.commitment_to(sitter, sheet, reason="施工组织设计有新认识")
    await room.do(sitter.player, scoring.commit, room.committee_id, raw)
    await room.reveal(sitter, round=2)
    second = await room.compile()
    for one in room.sitters:
        await room.sign(one, second)
    assert (await room.hall.lot()).state == LotState.EVALUATED
    told = await record_of(room)
    assert verify(json.dumps(told).encode()).ok
    async with room.store.sessions() as session:
        assert await committee_faults(await session.connection()) == []


@scored
async def test_the_same_report_again_is_another_version_that_all_answer_anew(
    room: WorkRoom,
) -> None:
    first = await refused_by_the_majority(room)
    second = await room.compile()
    assert second != first
    with pytest.raises(Refused) as refused:
        await room.sign(room.sitters[0], first)
    assert codes(refused) == {"another_report"}
    await refused_by_the_majority(room)
    assert [version for version, _, _ in await set_aside(room)] == [1, 2]
    assert (await room.hall.lot()).state == LotState.IN_EVALUATION


@scored
async def test_a_rejection_that_the_majority_regrets_is_put_to_the_vote_anew(
    room: WorkRoom,
) -> None:
    bid = await room.bid_at(REJECTED_PRICE)
    with pytest.raises(Outrun):
        await room.propose(bid.bid_id)
    await refused_by_the_majority(room)
    (before,) = await rejections(room)
    again = await room.propose(bid.bid_id, by=3, words="经复核，工期响应符合要求，提请重新表决")
    with pytest.raises(Refused) as refused:
        await room.compile()
    assert "motions_open" in codes(refused)
    with pytest.raises(NotFound):
        await room.vote(room.sitters[4], before, in_favour=True)
    for sitter in room.sitters[:3]:
        decided = await room.vote(sitter, again, in_favour=False)
    assert decided is MotionOutcome.LOST
    assert await rejections(room) == [again]
    for sitter in room.sitters:
        await room.fill_in(sitter)
        await room.commit(sitter, round=2, reason="该投标不予否决，补充评分")
    for sitter in room.sitters:
        await room.reveal(sitter, round=2)
    digest = await room.compile()
    for sitter in room.sitters:
        await room.sign(sitter, digest)
    assert (await room.hall.lot()).state == LotState.EVALUATED
    assert verify(json.dumps(await record_of(room)).encode()).ok


async def rejections(room: WorkRoom) -> list[UUID]:
    seen = await room.do(room.sitters[0].player, room_views.room, room.committee_id)
    return [one.id for one in seen.motions]


@procured
async def test_procurement_changes_marks_on_the_grounds_that_the_law_names(
    room: WorkRoom,
) -> None:
    """Tender Measures 64: once the totals are known, four grounds and no other."""
    await refused_by_the_majority(room)
    sitter = room.sitters[0]
    sheet = await room.sheet_of(sitter, round=2, construction="25")
    said = {"reason": "经评标委员会认定评分畸低"}
    with pytest.raises(Refused) as refused:
        raw = room.commitment_to(sitter, sheet, **said)
        await room.do(sitter.player, scoring.commit, room.committee_id, raw)
    assert codes(refused) == {"no_lawful_ground"}
    raw = room.commitment_to(sitter, sheet, **said, ground="abnormal")
    await room.do(sitter.player, scoring.commit, room.committee_id, raw)
    await room.reveal(sitter, round=2)
    digest = await room.compile()
    for one in room.sitters:
        await room.sign(one, digest)
    assert (await room.hall.lot()).state == LotState.EVALUATED


@scored
async def test_only_the_supervisor_reads_what_came_to_nothing_and_only_afterwards(
    room: WorkRoom,
) -> None:
    """A successor must not learn the others' marks from it before it has given its own."""
    await refused_by_the_majority(room)
    seen = await room.do(room.sitters[0].player, room_views.room, room.committee_id)
    (kept,) = seen.set_aside
    assert (kept.version, kept.ground, kept.agreed, kept.dissented) == (1, "not_adopted", 2, 3)
    with pytest.raises(NotFound):
        await room.do(room.supervisor, room_views.set_aside_report, room.committee_id, 1)
    await room.reported()
    found = await room.do(room.supervisor, room_views.set_aside_report, room.committee_id, 1)
    assert found["report"]["parts"]["basic_data"]["version"] == 1
    assert [one["dissent"] for one in found["answers"]].count("不同意排序") == 3
    with pytest.raises(NotFound):
        await room.do(room.supervisor, room_views.set_aside_report, room.committee_id, 2)


# ── a member leaves ───────────────────────────────────────────────────────────────────────────


@scored
async def test_who_leaves_while_the_report_is_signed_takes_it_down_with_him(
    room: WorkRoom,
) -> None:
    """Bidding Regulation 48: the conclusions of who is replaced are void, and are made anew."""
    digest = await room.compile()
    await room.sign(room.sitters[0], digest)
    leaver = next(one for one in room.drawn if one is not room.sitters[0])
    fresh = await succeeded(room, leaver)
    assert await set_aside(room) == [(1, digest, "member_left")]
    with pytest.raises(NotFound):
        await room.sign(fresh, digest)
    with pytest.raises(Refused) as refused:
        await room.compile()
    assert "sheets_unrevealed" in codes(refused)
    await judged_anew(room, fresh)
    second = await room.compile()
    for one in room.sitters:
        await room.sign(one, second)
    assert (await room.hall.lot()).state == LotState.EVALUATED


@scored
async def test_the_record_shows_who_came_later_and_stands_up_to_tampering(room: WorkRoom) -> None:
    """A successor alone commits after others' sheets were shown, and it says so."""
    leaver = room.drawn[0]
    fresh = await succeeded(room, leaver)
    await judged_anew(room, fresh)
    await room.reported()
    told = await record_of(room)
    verdict = verify(json.dumps(told).encode())
    assert [check for check in verdict.checks if not check.passed] == []
    succession = f"succeeded/{fresh.number}"
    assert succession in told["proofs"]
    assert f"committed/{leaver.number}/1" not in told["proofs"]
    missed = [
        (what, path)
        for what, path, changed in tampered({"proofs": told["proofs"]})
        if path[-1:] == (succession,) and verify(json.dumps({**told, **changed}).encode()).ok
    ]
    assert missed == []
    for other in ("handed_back", f"revealed/{fresh.number}/1"):
        proofs = {**told["proofs"], succession: told["proofs"][other]}
        assert not verify(json.dumps({**told, "proofs": proofs}).encode()).ok


async def judged_anew(room: WorkRoom, fresh: Sitter) -> None:
    """The successor votes where the one who left had, marks, commits and shows its sheet."""
    seen = await room.do(fresh.player, room_views.room, room.committee_id)
    for motion in seen.motions:
        if motion.outcome is MotionOutcome.OPEN:
            await room.vote(fresh, motion.id, in_favour=True)
    await room.fill_in(fresh)
    await room.commit(fresh)
    await room.reveal(fresh)


@scored
async def test_who_comes_reads_votes_and_sees_nobodys_marks(room: WorkRoom) -> None:
    fresh = await succeeded(room, room.drawn[0])
    assert len(await room.do(fresh.player, reviewing.bids, room.committee_id)) == 6
    own = await room.do(fresh.player, scoring.own_marks, room.committee_id)
    assert (own.cells, own.rounds) == ((), ())
    with pytest.raises(NotFound):
        await room.do(fresh.player, reporting.report, room.committee_id)


# ── the lot comes back ────────────────────────────────────────────────────────────────────────


@scored
async def test_a_lot_that_a_supervisor_sends_back_is_evaluated_anew_by_its_committee(
    room: WorkRoom,
) -> None:
    """Bidding Regulation 61: what was upheld is corrected, and the committee reports again."""
    first = await room.reported()
    supervisor, lot_id = room.supervisor, room.lot_id
    bidder = room.hall.entries[0].player
    filed = await complained(room.store, bidder, lot_id, "conduct", now=room.now)
    await taken_up(room.store, supervisor, lot_id, filed, now=room.now)
    done = await decided(room.store, supervisor, lot_id, filed, "upheld_correct", now=room.now)
    assert done.consequence == "returned"
    await room.draw.tick()
    while await react_once(room.store, reopen_evaluation, {"LotMoved"}):
        pass
    assert await set_aside(room) == [(1, first, "returned")]
    with pytest.raises(Refused) as refused:
        await room.compile()
    assert "not_at_seat" in codes(refused)

    for one in room.sitters:
        said_at = room.now + timedelta(minutes=30 + one.number)
        await room.sign_in(one, signed_at=instant_text(said_at))
    await room.stay()
    second = await room.compile()
    assert second != first
    for one in room.sitters:
        await room.sign(one, second)

    assert (await room.hall.lot()).state == LotState.EVALUATED
    told = await record_of(room)
    assert verify(json.dumps(told).encode()).ok
    async with room.store.sessions() as session:
        assert await committee_faults(await session.connection()) == []
