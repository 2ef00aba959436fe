"""A member who does not come, vanishes or is barred is replaced, and the lot goes on.

Bidding Law 37; Bidding Regulation 46, 48, 71.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from evaluation import attending, convening, replacing, room_views
from evaluation.rules.replacement import ABSENCE_GRACE, ReplacementGround
from expert_pool import drawing
from kernel.access import PLATFORM, Role
from kernel.crypto.digests import Malformed, instant_text
from kernel.errors import NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import PersonId
from kernel.store.transaction import transaction
from tests.committees_at_work import Sitter, WorkRoom
from tests.decisions import barred
from tests.draw_cast import HOST, bar_expert
from tests.newcomers import codes
from tests.tenders import a_player
from trading.rules.lot_lifecycle import LotState

scored = pytest.mark.parametrize("room", ["tendering, scored"], indirect=True, ids=["scored"])
ABSENT, BARRED = ReplacementGround.ABSENT, ReplacementGround.BARRED


async def removed(
    room: WorkRoom, sitter: Sitter, ground: ReplacementGround = ABSENT, **changes: Any
) -> None:
    """The keeper of the member's site notes it."""
    given: dict[str, Any] = {"ground": ground, "reason": "开始后半小时仍未到场", **changes}
    await room.do(
        room.keepers[sitter.site_id],
        replacing.remove_member,
        sitter.site_id,
        room.committee_id,
        sitter.seat_id,
        **given,
    )


async def barred_by_decision(room: WorkRoom, sitter: Sitter) -> None:
    expert = next(one for one in room.draw.experts if one.player == sitter.player)
    await bar_expert(room.draw, expert)


async def told_of(room: WorkRoom, kind: str) -> list[str]:
    """Every entry of this kind, as its audience may read it."""
    async with room.store.sessions() as session:
        rows = await session.execute(
            text("SELECT record FROM kernel.journal WHERE kind = :kind"), {"kind": kind}
        )
        return [bytes(row[0]).decode() for row in rows]


async def seated(room: WorkRoom) -> Sitter:
    """Whoever the draw calls accepts, sits, and so do all others."""
    await room.draw.seat_everybody()
    await room.do(room.agency, convening.seat_successors, room.committee_id)
    before = {one.member_id for one in room.sitters}
    await room.find_sitters()
    (fresh,) = [one for one in room.sitters if one.member_id not in before]
    for one in room.sitters:
        await room.admit(one)
        said_at = room.now + timedelta(seconds=one.number)
        await room.sign_in(one, signed_at=instant_text(said_at))
    await room.stay()
    return fresh


async def test_who_does_not_come_is_replaced_by_the_next_in_the_draw(room: WorkRoom) -> None:
    missing = room.drawn[0]
    with pytest.raises(Refused) as refused:
        await removed(room, missing)
    assert codes(refused) == {"too_early"}
    room.now += ABSENCE_GRACE
    await removed(room, missing)
    with pytest.raises(NotFound):
        await removed(room, missing)
    (told,) = await told_of(room, "MemberRemoved")
    assert f'"number":{missing.number}' in told
    assert "未到场" not in told
    fresh = await seated(room)
    assert fresh.player != missing.player
    assert len(await room.bids(fresh)) == 6
    with pytest.raises(Refused) as refused:
        await room.sign_in(missing, signed_at=instant_text(room.now + timedelta(hours=1)))
    assert "replaced" in codes(refused)


async def test_who_vanishes_is_replaced_half_an_hour_after_the_line_was_lost(
    room: WorkRoom,
) -> None:
    await room.sit()
    room.now += timedelta(hours=2)
    gone = room.drawn[0]
    with pytest.raises(Refused) as refused:
        await removed(room, gone)
    assert codes(refused) == {"at_seat"}
    await room.lose_line(gone)
    with pytest.raises(Refused) as refused:
        await removed(room, gone)
    assert codes(refused) == {"too_early"}
    await room.lose_line(gone, ago=ABSENCE_GRACE)
    await removed(room, gone)
    assert (await seated(room)).number == 6


async def test_that_a_line_was_lost_is_remembered_when_the_session_moves_on(
    room: WorkRoom,
) -> None:
    await room.sit()
    room.now += timedelta(hours=2)
    gone, other = room.drawn[:2]
    await room.lose_line(gone, ago=ABSENCE_GRACE)
    await room.renew(other)
    await removed(room, gone)


async def test_two_who_are_missing_are_both_replaced(room: WorkRoom) -> None:
    room.now += ABSENCE_GRACE
    far = {one.player.person for one in room.draw.experts if one.region != HOST}
    for missing in [one for one in room.drawn if one.player.person in far]:
        await removed(room, missing)
    await room.draw.seat_everybody()
    assert await room.do(room.agency, convening.seat_successors, room.committee_id) == 2


async def test_whoever_must_leave_may_although_the_lists_have_run_out(room: WorkRoom) -> None:
    """Bidding Law 37: a conflict is no smaller because nobody is left to call."""
    near = {one.player.person for one in room.draw.experts if one.region == HOST}
    for leaver in [one for one in room.drawn if one.player.person in near]:
        await room.do(leaver.player, attending.withdraw, room.committee_id, "与投标人有利害关系")
    await room.draw.seat_everybody()
    await room.do(room.agency, drawing.void, room.draw.draw_id)
    other = next(one for one in room.drawn if one.player.person not in near)
    await room.do(other.player, attending.withdraw, room.committee_id, "与投标人有利害关系")
    assert len(await told_of(room, "MemberWithdrew")) == 3


async def test_the_tenderee_names_another_for_its_own_who_stays_away(room: WorkRoom) -> None:
    room.now += ABSENCE_GRACE
    await removed(room, room.representative_sitter)
    other = await a_player(room.store, Role.OWNER_REPRESENTATIVE, party=room.representative.party)
    seated = await room.do(
        room.agency,
        convening.seat_successors,
        room.committee_id,
        representatives=(PersonId(other.person),),
    )
    assert seated == 1


async def test_who_was_barred_after_accepting_is_replaced_by_that_decision(
    room: WorkRoom,
) -> None:
    """Bidding Regulation 71; in the room nobody learns of the decision, which names somebody."""
    member = room.drawn[0]
    with pytest.raises(Refused) as refused:
        await removed(room, member, BARRED)
    assert codes(refused) == {"not_barred"}
    await barred_by_decision(room, member)
    await removed(room, member, BARRED)
    (told,) = await told_of(room, "MemberRemoved")
    async with room.store.sessions() as session:
        row = (
            await session.execute(
                text(
                    "SELECT d.id, d.document_number, m.left_reason FROM blacklist.decision d,"
                    " evaluation.member m WHERE m.id = :member"
                ),
                {"member": member.member_id},
            )
        ).one()
    assert row.document_number in row.left_reason
    assert str(row.id) not in told
    assert row.document_number not in told
    ended = [one for one in await told_of(room, "CallEnded") if "barred_late" in one]
    assert str(row.id) in ended[0]
    await seated(room)


async def test_a_bar_that_is_recorded_replaces_the_member_at_once(room: WorkRoom) -> None:
    member = room.drawn[0]
    async with transaction(room.store, actor=PLATFORM, now=room.now) as tx:
        assert await replacing.remove_barred(tx, PersonId(member.player.person)) == 0
    await barred_by_decision(room, member)
    async with transaction(room.store, actor=PLATFORM, now=room.now) as tx:
        assert await replacing.remove_barred(tx, PersonId(member.player.person)) == 1
        assert await replacing.remove_barred(tx, PersonId(member.player.person)) == 0
    await seated(room)


async def test_a_bar_that_does_not_reach_this_evaluation_replaces_nobody(room: WorkRoom) -> None:
    member = room.drawn[0]
    await barred(
        room.store,
        room.draw.parties["supervisor"],
        {"person": str(member.player.person)},
        misconduct="procurement_expert",
        acts=["draw", "sign_in"],
    )
    async with transaction(room.store, actor=PLATFORM, now=room.now) as tx:
        assert await replacing.remove_barred(tx, PersonId(member.player.person)) == 0


@scored
async def test_the_report_of_who_vanished_is_set_aside_and_the_lot_is_evaluated(
    room: WorkRoom,
) -> None:
    digest = await room.compile()
    await room.sign(room.sitters[0], digest)
    gone = next(one for one in room.drawn if one is not room.sitters[0])
    room.now += timedelta(hours=2)
    await room.lose_line(gone, ago=ABSENCE_GRACE)
    await removed(room, gone)
    seen = await room.do(room.supervisor, room_views.room, room.committee_id)
    assert [one.ground for one in seen.set_aside] == ["member_left"]
    fresh = await seated(room)
    for motion in (await room.do(fresh.player, room_views.room, room.committee_id)).motions:
        if motion.outcome == "open":
            await room.vote(fresh, motion.id, in_favour=True)
    await room.fill_in(fresh)
    await room.commit(fresh)
    await room.reveal(fresh)
    await room.reported()
    assert (await room.hall.lot()).state == LotState.EVALUATED
    with pytest.raises(Outrun):
        await removed(room, room.sitters[0])


async def test_only_the_keeper_of_the_members_own_site_has_it_replaced(room: WorkRoom) -> None:
    room.now += ABSENCE_GRACE
    member = room.drawn[0]
    other = next(site for site in room.sites if site != member.site_id)
    for keeper, site in ((room.keepers[other], member.site_id), (room.keepers[other], other)):
        with pytest.raises(NotFound):
            await room.do(
                keeper,
                replacing.remove_member,
                site,
                room.committee_id,
                member.seat_id,
                ground=ABSENT,
                reason="未到场",
            )
    with pytest.raises(NotPermitted):
        await room.do(
            room.agency,
            replacing.remove_member,
            member.site_id,
            room.committee_id,
            member.seat_id,
            ground=ABSENT,
            reason="未到场",
        )


async def test_no_member_has_another_one_replaced(room: WorkRoom) -> None:
    """Bidding Regulation 46."""
    room.now += ABSENCE_GRACE
    first, other = room.drawn[:2]
    keeper = room.keepers[other.site_id]
    both = replace(keeper, actor=replace(keeper.actor, person_id=first.player.person))
    with pytest.raises(Refused) as refused:
        await room.do(
            both,
            replacing.remove_member,
            other.site_id,
            room.committee_id,
            other.seat_id,
            ground=ABSENT,
            reason="未到场",
        )
    assert "conflicting_capacity" in codes(refused)


@pytest.mark.parametrize("reason", ["", "  ", "长" * 501])
async def test_the_staff_say_what_happened(room: WorkRoom, reason: str) -> None:
    room.now += ABSENCE_GRACE
    with pytest.raises(Malformed):
        await removed(room, room.drawn[0], reason=reason)
