"""An evaluation gets more time when a third of its members ask, or when it was broken off.

Bidding Regulation 48; Electronic Bidding Measures 33.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from evaluation import attending, prolonging, room_views
from evaluation.rules.evaluation_window import ExtensionGround
from evaluation.rules.session_protocol import InterruptionOutcome, Phase
from evaluation.tables import CommitteeRow, MemberRow
from kernel.access import Role
from kernel.crypto.digests import Malformed, instant_text
from kernel.errors import NotFound, NotPermitted, Outrun, Refused
from kernel.randomness import random_id
from tests.committees_at_work import Sitter, WorkRoom
from tests.newcomers import codes
from tests.tenders import Player, a_player

HOUR = timedelta(hours=1)
REASON = "投标文件篇幅大，评标时间不够"


async def asked(room: WorkRoom, *sitters: Sitter) -> None:
    for sitter in sitters:
        await room.do(sitter.player, prolonging.ask_for_time, room.committee_id, REASON)


async def extended(room: WorkRoom, who: Player, more: timedelta = HOUR) -> None:
    await room.do(who, prolonging.extend_window, room.committee_id, more=more)


async def window_ends(room: WorkRoom) -> timedelta:
    """How long after the room's present time the window ends."""
    seen = await room.do(room.supervisor, room_views.room, room.committee_id)
    left: timedelta = seen.window_until - room.now
    return left


async def test_more_than_a_third_ask_and_the_time_is_prolonged(room: WorkRoom) -> None:
    await room.sit()
    before = await window_ends(room)
    await asked(room, room.sitters[0])
    with pytest.raises(Refused) as refused:
        await extended(room, room.agency)
    assert codes(refused) == {"too_few_asked"}
    await asked(room, room.sitters[1])
    await extended(room, room.agency)
    assert await window_ends(room) == before + HOUR
    async with room.store.sessions() as session:
        record = await session.scalar(
            text("SELECT record FROM kernel.journal WHERE kind = 'WindowExtended'")
        )
    facts = json.loads(bytes(record))["facts"]
    assert (facts["ground"], facts["asked"], facts["members"]) == ("members_asked", 2, 5)


async def test_a_request_is_spent_with_the_window_it_was_made_against(room: WorkRoom) -> None:
    await room.sit()
    await asked(room, *room.sitters[:2])
    with pytest.raises(Outrun):
        await asked(room, room.sitters[0])
    await extended(room, room.agency)
    with pytest.raises(Refused) as refused:
        await extended(room, room.agency)
    assert codes(refused) == {"too_few_asked"}
    await asked(room, *room.sitters[:2])
    await extended(room, room.agency)


async def test_who_lost_the_line_after_the_window_sits_down_again_once_it_is_prolonged(
    room: WorkRoom,
) -> None:
    """A lost line after the end must not stop the reading for ever."""
    await room.sit()
    lost = room.drawn[0]
    room.now += 8 * HOUR
    await room.lose_line(lost)
    with pytest.raises(Refused) as refused:
        await room.sign_in(lost, signed_at=instant_text(room.now))
    assert codes(refused) == {"outside_window"}
    await asked(room, lost, room.sitters[-1] if lost is not room.sitters[-1] else room.sitters[0])
    await extended(room, room.agency)
    assert await window_ends(room) == HOUR
    await room.sign_in(lost, signed_at=instant_text(room.now))
    assert len(await room.bids(lost)) == 6


async def test_the_host_sites_keeper_gives_time_while_the_work_is_broken_off(
    room: WorkRoom,
) -> None:
    await room.sit()
    host, other = (room.keepers[site] for site in room.sites)
    with pytest.raises(Refused) as refused:
        await extended(room, host)
    assert codes(refused) == {"too_few_asked"}
    room.now += 8 * HOUR
    await room.lose_line(room.drawn[0])
    with pytest.raises(NotFound):
        await extended(room, other)
    (hosted,) = await room.do(host, prolonging.hosted_committees, room.sites[0])
    assert (hosted.phase, hosted.may_extend) == (Phase.PAUSED, ExtensionGround.INTERRUPTED)
    await extended(room, host)
    assert await window_ends(room) == HOUR


async def test_an_evaluation_that_never_began_is_given_time_by_whoever_tenders(
    room: WorkRoom,
) -> None:
    room.now += 9 * HOUR
    (own,) = await room.do(room.agency, prolonging.own_committees)
    assert own.may_extend is ExtensionGround.NOT_BEGUN
    assert own.interruption is InterruptionOutcome.TENDEREE_DECIDES
    await extended(room, room.agency)
    assert await window_ends(room) == HOUR
    await room.sit()


async def test_what_the_forming_side_sees_is_time_and_open_places_and_no_name(
    room: WorkRoom,
) -> None:
    """Bidding Law 37."""
    await room.sit()
    await asked(room, room.sitters[0])
    await room.do(room.drawn[0].player, attending.withdraw, room.committee_id, "突发疾病")
    await room.do(room.representative, attending.withdraw, room.committee_id, "突发疾病")
    other = await a_player(room.store, Role.OWNER_REPRESENTATIVE, party=room.representative.party)
    (own,) = await room.do(room.agency, prolonging.own_committees)
    assert (own.members, own.experts_missing, own.representatives_missing) == (3, 1, 1)
    assert [id for id, _ in own.eligible] == [other.person]
    told = repr(own)
    for sitter in room.drawn:
        assert sitter.player.name not in told
        assert str(sitter.player.person) not in told
    stranger = await a_player(room.store, Role.AGENCY)
    assert await room.do(stranger, prolonging.own_committees) == []
    with pytest.raises(NotFound):
        await extended(room, stranger)
    with pytest.raises(NotPermitted):
        await extended(room, room.supervisor)


async def test_the_voice_of_who_left_counts_no_more(room: WorkRoom) -> None:
    await room.sit()
    leaver = room.drawn[0]
    await asked(room, leaver, room.drawn[1])
    await room.do(leaver.player, attending.withdraw, room.committee_id, "突发疾病")
    seen = await room.do(room.supervisor, room_views.room, room.committee_id)
    assert seen.asking == 1
    with pytest.raises(NotFound):
        await asked(room, leaver)


async def test_seats_that_another_committee_needs_end_the_prolonging(room: WorkRoom) -> None:
    await room.sit()
    await asked(room, *room.sitters[:2])
    async with room.store.sessions() as session, session.begin():
        committee = await session.get_one(CommitteeRow, room.committee_id)
        until = committee.window_until
        other = CommitteeRow(
            **{
                **committee.model_dump(),
                "id": random_id(),
                "lot_id": random_id(),
                "window_from": until + 2 * HOUR,
                "window_until": until + 4 * HOUR,
            }
        )
        session.add(other)
        await session.flush()
        member = await session.get_one(MemberRow, room.sitters[0].member_id)
        session.add(
            MemberRow(**{**member.model_dump(), "id": random_id(), "committee_id": other.id})
        )
    with pytest.raises(Refused) as refused:
        await extended(room, room.agency, 3 * HOUR)
    assert codes(refused) == {"seats_taken"}
    await extended(room, room.agency, 2 * HOUR)


@pytest.mark.parametrize("reason", ["", "  ", "长" * 501])
async def test_who_asks_for_time_says_why(room: WorkRoom, reason: str) -> None:
    with pytest.raises(Malformed):
        await room.do(room.sitters[0].player, prolonging.ask_for_time, room.committee_id, reason)


@pytest.mark.parametrize("room", ["tendering, scored"], indirect=True, ids=["scored"])
async def test_after_the_report_nobody_asks_or_gives_any_more(room: WorkRoom) -> None:
    await room.reported()
    with pytest.raises(Outrun):
        await asked(room, room.sitters[0])
    with pytest.raises(Outrun):
        await extended(room, room.agency)


async def test_a_fault_that_lasts_says_what_follows(room: WorkRoom) -> None:
    """Within four hours the work goes on; after that a new committee begins again."""
    await room.sit()
    await room.lose_line(room.drawn[0])
    await attending.note_absences(room.store)
    seen = await room.do(room.supervisor, room_views.room, room.committee_id)
    assert seen.interruption is InterruptionOutcome.WAIT
    async with room.store.sessions() as session, session.begin():
        await session.execute(
            text("UPDATE evaluation.committee SET paused_at = paused_at - interval '5 hours'")
        )
    seen = await room.do(room.supervisor, room_views.room, room.committee_id)
    assert seen.interruption is InterruptionOutcome.NEW_COMMITTEE
    assert seen.plain()["interruption"] == "new_committee"
