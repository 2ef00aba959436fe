"""Marks are given alone, committed to, and revealed when everybody has committed.

Bidding Regulation 49; Government Procurement Tender Measures 55, 62, 64; Bidding Law 40.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from evaluation import room_views, scoring
from evaluation.rules.score_commitment import ChangeGround, sheet_document
from evaluation.scoring import MarkEdit
from kernel.crypto.digests import Malformed
from kernel.errors import BrokenSeal, NotFound, Outrun, Refused
from kernel.identifiers import BidId
from kernel.randomness import random_id
from tests.committees_at_work import REJECTED_PRICE, Sitter, WorkRoom
from tests.newcomers import codes

SECRET_MARK = "23.47"


async def own(room: WorkRoom, sitter: Sitter) -> scoring.OwnMarks:
    found: scoring.OwnMarks = await room.do(sitter.player, scoring.own_marks, room.committee_id)
    return found


# ── filling in ────────────────────────────────────────────────────────────────────────────────


async def test_a_mark_is_saved_and_seen_by_its_owner_alone(room: WorkRoom) -> None:
    await room.sit()
    first, second = room.sitters[:2]
    bid = (await room.bids())[0]
    saved = await room.save(first, bid.bid_id, "construction", SECRET_MARK)
    assert (saved.version, saved.score, saved.saved) == (1, Decimal(SECRET_MARK), True)
    assert [one.score for one in (await own(room, first)).cells] == [Decimal(SECRET_MARK)]
    assert (await own(room, second)).cells == ()


async def test_a_mark_outside_its_band_is_refused_with_what_is_allowed(room: WorkRoom) -> None:
    """Bidding Regulation 49."""
    await room.sit()
    bid = (await room.bids())[0]
    for score, code in (("25.01", "out_of_band"), ("-1", "out_of_band"), ("20.001", "off_step")):
        with pytest.raises(Refused) as refused:
            await room.save(room.sitters[0], bid.bid_id, "construction", score)
        assert codes(refused) == {code}
    with pytest.raises(Refused) as refused:
        await room.save(room.sitters[0], bid.bid_id, "construction", "21", band="良")
    assert codes(refused) == {"out_of_band"}
    with pytest.raises(Refused) as refused:
        await room.save(room.sitters[0], bid.bid_id, "friendship", "1")
    assert codes(refused) == {"unknown_item"}
    assert (await own(room, room.sitters[0])).cells == ()


async def test_a_mark_for_no_bid_of_this_lot_is_refused(room: WorkRoom) -> None:
    await room.sit()
    with pytest.raises(NotFound):
        await room.save(room.sitters[0], BidId(random_id()), "construction", "20")
    with pytest.raises(Malformed):
        bid = (await room.bids())[0]
        await room.save(room.sitters[0], bid.bid_id, "construction", "1E+9")


async def test_an_edit_sent_twice_is_merged_once(room: WorkRoom) -> None:
    await room.sit()
    sitter, bid = room.sitters[0], (await room.bids())[0]
    edit = random_id()
    first = await room.save(sitter, bid.bid_id, "construction", "20", edit_id=edit)
    again = await room.save(sitter, bid.bid_id, "construction", "20", edit_id=edit)
    assert again == first


async def test_an_edit_upon_an_old_version_shows_what_stands_and_loses_nothing(
    room: WorkRoom,
) -> None:
    await room.sit()
    sitter, bid = room.sitters[0], (await room.bids())[0]
    await room.save(sitter, bid.bid_id, "construction", "20")
    late = await room.save(sitter, bid.bid_id, "construction", "21", base_version=0)
    assert (late.saved, late.score, late.version) == (False, Decimal(20), 1)
    chosen = await room.save(sitter, bid.bid_id, "construction", "21", base_version=1)
    assert (chosen.saved, chosen.version) == (True, 2)


async def test_a_mark_can_be_taken_back(room: WorkRoom) -> None:
    await room.sit()
    sitter, bid = room.sitters[0], (await room.bids())[0]
    await room.save(sitter, bid.bid_id, "construction", "20")
    cleared = await room.save(sitter, bid.bid_id, "construction", None, base_version=1)
    assert (cleared.score, cleared.version) == (None, 2)


async def test_another_members_edit_id_is_not_taken_over(room: WorkRoom) -> None:
    await room.sit()
    bid, edit = (await room.bids())[0], random_id()
    await room.save(room.sitters[0], bid.bid_id, "construction", "20", edit_id=edit)
    with pytest.raises(Outrun):
        await room.save(room.sitters[1], bid.bid_id, "construction", "20", edit_id=edit)


async def test_one_fills_in_alone_while_another_is_missing(room: WorkRoom) -> None:
    """What was queued while a line was cut arrives, and nobody reads meanwhile."""
    await room.sit()
    bid = (await room.bids())[0]
    await room.lose_line(room.sitters[4])
    await room.save(room.sitters[0], bid.bid_id, "construction", "20")
    with pytest.raises(Refused) as refused:
        await room.save(room.sitters[4], bid.bid_id, "construction", "20")
    assert codes(refused) == {"not_at_seat"}


@pytest.mark.parametrize("seed", range(3))
async def test_edits_that_race_from_two_windows_are_each_saved_or_shown(
    room: WorkRoom, seed: int
) -> None:
    """Every edit ends as one version or as a conflict; versions count the ones that were saved."""
    await room.sit()
    chance, sitter, bid = random.Random(seed), room.sitters[0], (await room.bids())[0]
    edits = [
        MarkEdit(random_id(), bid.bid_id, "construction", Decimal(20 + n % 5), chance.randrange(4))
        for n in range(12)
    ]
    sent = [*edits, *chance.sample(edits, 6)]
    chance.shuffle(sent)
    answers = await asyncio.gather(
        *(room.do(sitter.player, scoring.save_mark, room.committee_id, edit) for edit in sent)
    )
    async with room.store.sessions() as session:
        merged = await session.scalar(text("SELECT count(*) FROM evaluation.score_edit"))
    (cell,) = (await own(room, sitter)).cells
    assert cell.version == merged
    acknowledged = {
        edit.edit_id for edit, answer in zip(sent, answers, strict=True) if answer.saved
    }
    assert len(acknowledged) == merged


# ── committing ────────────────────────────────────────────────────────────────────────────────


async def test_nobody_commits_to_a_sheet_with_gaps(room: WorkRoom) -> None:
    await room.sit()
    bid = (await room.bids())[0]
    await room.save(room.sitters[0], bid.bid_id, "construction", "20")
    with pytest.raises(Refused) as refused:
        await room.commit(room.sitters[0])
    assert codes(refused) == {"marks_missing"}


async def test_no_mark_is_anywhere_before_all_have_committed(room: WorkRoom) -> None:
    await room.sit()
    await room.reject()
    first, *others = room.sitters
    await room.fill_in(first)
    bid_id = (await own(room, first)).bids[0]
    await room.save(first, bid_id, "construction", SECRET_MARK, base_version=1)
    await room.commit(first)
    for sitter in others[:3]:
        await room.fill_in(sitter)
        await room.commit(sitter)
    with pytest.raises(Refused) as refused:
        await room.reveal(first)
    assert codes(refused) == {"not_all_committed"}
    await room.draw.tick()
    for who in (*(one.player for one in others), room.supervisor):
        assert SECRET_MARK not in repr(await room.do(who, room_views.room, room.committee_id))
    for sitter in others:
        assert SECRET_MARK not in repr(await own(room, sitter))
    async with room.store.sessions() as session:
        rows = await session.execute(text("SELECT record FROM kernel.journal"))
        assert not [row for row in rows if SECRET_MARK.encode() in bytes(row[0])]


async def test_a_commitment_is_signed_by_its_own_member(room: WorkRoom) -> None:
    await room.sit()
    first, second = room.sitters[:2]
    await room.fill_in(first)
    await room.fill_in(second)
    sheet = await room.sheet_of(first)
    raw = room.commitment_to(first, sheet)
    with pytest.raises(BrokenSeal):
        await room.do(second.player, scoring.commit, room.committee_id, raw)
    with pytest.raises(Malformed):
        raw = room.commitment_to(first, sheet, member=str(second.member_id))
        await room.do(first.player, scoring.commit, room.committee_id, raw)


async def test_a_first_sheet_is_round_one_and_changes_nothing(room: WorkRoom) -> None:
    await room.sit()
    sitter = room.sitters[0]
    await room.fill_in(sitter)
    sheet = await room.sheet_of(sitter)
    for changes in ({"round": 2}, {"reason": "因为"}, {"commitment": "AA"}, {"ground": "mood"}):
        with pytest.raises(Malformed):
            raw = room.commitment_to(sitter, sheet, **changes)
            await room.do(sitter.player, scoring.commit, room.committee_id, raw)


async def test_a_sheet_is_changed_after_its_commitment_with_a_reason_or_not_at_all(
    room: WorkRoom,
) -> None:
    """Bidding Regulation 49; both sheets stay."""
    await room.sit()
    sitter = room.sitters[0]
    await room.fill_in(sitter)
    await room.commit(sitter)
    for reason in ("", "   "):
        with pytest.raises(Refused) as refused:
            await room.commit(sitter, round=2, reason=reason)
        assert codes(refused) == {"no_reason"}
    with pytest.raises(Refused) as refused:
        await room.commit(sitter, round=3, reason="漏看业绩证明")
    assert codes(refused) == {"round_outrun"}
    await room.commit(sitter, round=2, reason="漏看业绩证明")
    found = await own(room, sitter)
    assert [(one.round, one.reason) for one in found.rounds] == [(1, ""), (2, "漏看业绩证明")]


@pytest.mark.parametrize("room", ["procurement"], indirect=True)
async def test_procurement_changes_known_totals_on_four_grounds_alone(room: WorkRoom) -> None:
    """Tender Measures 64."""
    await room.sit()
    await room.score()
    sitter = room.sitters[0]
    with pytest.raises(Refused) as refused:
        await room.commit(sitter, round=2, reason="改主意了")
    assert codes(refused) == {"no_lawful_ground"}
    sheet = await room.sheet_of(sitter, round=2, construction="20")
    raw = room.commitment_to(sitter, sheet, reason="经认定畸高", ground=ChangeGround.ABNORMAL)
    await room.do(sitter.player, scoring.commit, room.committee_id, raw)
    await room.reveal(sitter, round=2)


# ── revealing ─────────────────────────────────────────────────────────────────────────────────


async def all_committed(room: WorkRoom) -> None:
    await room.sit()
    await room.reject()
    for sitter in room.sitters:
        await room.fill_in(sitter)
        await room.commit(sitter)


async def test_what_is_revealed_is_what_was_committed_to(room: WorkRoom) -> None:
    await all_committed(room)
    sitter = room.sitters[0]
    sheet, nonce = sitter.sheets[1]
    changed = replace(sheet, marks=(replace(sheet.marks[0], score=Decimal(21)), *sheet.marks[1:]))
    for shown, with_nonce in ((changed, nonce), (sheet, bytes(32))):
        with pytest.raises(BrokenSeal):
            await room.do(
                sitter.player,
                scoring.reveal,
                room.committee_id,
                sheet_document(shown),
                with_nonce,
            )
    with pytest.raises(Malformed):
        await room.do(
            sitter.player, scoring.reveal, room.committee_id, sheet_document(sheet), b"short"
        )
    await room.reveal(sitter)
    with pytest.raises(Outrun):
        await room.reveal(sitter)


async def test_nobody_reveals_for_another(room: WorkRoom) -> None:
    await all_committed(room)
    sheet, nonce = room.sitters[0].sheets[1]
    with pytest.raises(NotFound):
        await room.do(
            room.sitters[1].player,
            scoring.reveal,
            room.committee_id,
            sheet_document(sheet),
            nonce,
        )


async def test_an_unlawful_sheet_is_replaced_by_a_right_one_and_stays_on_record(
    room: WorkRoom,
) -> None:
    """A seat that commits to marks outside their bands can only put them right, with a reason."""
    await room.sit()
    await room.reject()
    sitter = room.sitters[0]
    for one in room.sitters:
        await room.fill_in(one)
    wrong = await room.sheet_of(sitter, construction="99")
    await room.do(
        sitter.player, scoring.commit, room.committee_id, room.commitment_to(sitter, wrong)
    )
    for one in room.sitters[1:]:
        await room.commit(one)
    with pytest.raises(Refused) as refused:
        await room.reveal(sitter)
    assert codes(refused) == {"out_of_band"}
    await room.commit(sitter, round=2, reason="第一次提交的分值超出档次")
    with pytest.raises(Outrun):
        await room.reveal(sitter, round=2)
    await room.reveal(sitter, round=1)
    await room.reveal(sitter, round=2)


async def test_a_change_that_changes_nothing_is_none(room: WorkRoom) -> None:
    await all_committed(room)
    sitter = room.sitters[0]
    await room.reveal(sitter)
    await room.commit(sitter, round=2, reason="再看一遍")
    with pytest.raises(Refused) as refused:
        await room.reveal(sitter, round=2)
    assert codes(refused) == {"nothing_changed"}


async def test_a_bid_rejected_after_it_was_marked_does_not_spoil_a_sheet(room: WorkRoom) -> None:
    await room.sit()
    for sitter in room.sitters:
        await room.fill_in(sitter)
        await room.commit(sitter)
    await room.reject(REJECTED_PRICE)
    for sitter in room.sitters:
        await room.reveal(sitter)
    seen = await room.do(room.sitters[0].player, room_views.room, room.committee_id)
    assert seen.all_revealed
