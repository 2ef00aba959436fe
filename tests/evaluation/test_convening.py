"""A committee is formed of those drawn and the tenderee's own, each at a seat of one of two sites.

Bidding Law 37; Bidding Regulation 46, 48; Remote Evaluation Notice 4;
Electronic Bidding Measures 33.
"""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import text
from sqlmodel import select

from evaluation import attending, convening
from evaluation.committees import find
from evaluation.tables import CommitteeRow, MemberRow
from kernel.access import PLATFORM, Role
from kernel.errors import NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import CommitteeId, LotId, PersonId, SiteId
from kernel.randomness import random_id
from kernel.store.transaction import transaction
from tests.committees_at_work import WorkRoom
from tests.draw_cast import EAST, HOST, SOUTH
from tests.newcomers import codes
from tests.tenders import a_player


async def test_five_members_sit_at_two_sites_each_at_a_seat_of_its_own(room: WorkRoom) -> None:
    assert [one.number for one in room.sitters] == [1, 2, 3, 4, 5]
    assert Counter(one.site_id for one in room.sitters) == {room.sites[0]: 3, room.sites[1]: 2}
    assert len({one.seat_id for one in room.sitters}) == 5
    assert len(room.drawn) == 4


async def test_the_convening_is_on_record_without_a_name(room: WorkRoom) -> None:
    async with room.store.sessions() as session:
        record = await session.scalar(
            text("SELECT record FROM kernel.journal WHERE kind = 'CommitteeConvened'")
        )
    told = bytes(record).decode()
    assert '"members":5' in told
    assert '"sites":2' in told
    for sitter in room.sitters:
        assert str(sitter.player.person) not in told
        assert sitter.player.name not in told


async def test_a_lot_has_one_committee(room: WorkRoom) -> None:
    with pytest.raises(Outrun):
        await room.do(room.agency, convening.convene, room.request())


async def test_only_the_lots_own_side_convenes(room: WorkRoom) -> None:
    stranger = await a_player(room.store, Role.AGENCY)
    with pytest.raises(NotFound):
        await room.do(stranger, convening.convene, room.request())
    with pytest.raises(NotPermitted):
        await room.do(room.supervisor, convening.convene, room.request())


async def unconvened(room: WorkRoom) -> WorkRoom:
    """The room as it was before its committee was formed."""
    async with room.store.sessions() as session, session.begin():
        await session.execute(text("DELETE FROM evaluation.member"))
        await session.execute(text("DELETE FROM evaluation.committee"))
    return room


async def test_experts_of_a_region_without_a_site_cannot_be_seated(room: WorkRoom) -> None:
    """Remote Evaluation Notice 4."""
    await unconvened(room)
    with pytest.raises(Refused) as refused:
        await room.convene(placement={HOST: room.sites[0]})
    assert codes(refused) == {"region_unplaced"}
    assert len(refused.value.refusals) == 2


async def test_one_site_makes_no_remote_evaluation(room: WorkRoom) -> None:
    await unconvened(room)
    with pytest.raises(Refused) as refused:
        await room.convene(placement=dict.fromkeys((HOST, EAST, SOUTH), room.sites[0]))
    assert codes(refused) == {"too_few_sites"}


async def test_a_committee_of_four_is_none(room: WorkRoom) -> None:
    """Bidding Law 37: five or more, and an odd number."""
    await unconvened(room)
    with pytest.raises(Refused) as refused:
        await room.convene(representatives=())
    assert codes(refused) == {"size_unlawful"}


async def test_the_tenderee_is_represented_by_its_own_people_alone(room: WorkRoom) -> None:
    await unconvened(room)
    for role in (Role.OWNER_REPRESENTATIVE, Role.BIDDER):
        stranger = await a_player(room.store, role)
        with pytest.raises(Refused) as refused:
            await room.convene(representatives=(PersonId(stranger.person),))
        assert codes(refused) == {"not_a_representative"}


async def test_nobody_sits_who_acts_for_another_side(room: WorkRoom) -> None:
    """Bidding Law 37; Bidding Regulation 46."""
    await unconvened(room)
    async with room.store.sessions() as session, session.begin():
        await session.execute(
            text(
                "INSERT INTO kernel.capacity (subject_id, person_id, role, party_id, since)"
                " VALUES (:lot, :person, 'custodian', :party, now())"
            ),
            {
                "lot": room.lot_id,
                "person": room.representative.person,
                "party": room.representative.party,
            },
        )
    with pytest.raises(Refused) as refused:
        await room.convene()
    assert codes(refused) == {"acts_for_another_side"}


async def test_an_unknown_site_and_an_unknown_lot_are_not_found(room: WorkRoom) -> None:
    await unconvened(room)
    for changes in ({"host_site": SiteId(random_id())}, {"lot_id": LotId(random_id())}):
        with pytest.raises(NotFound):
            await room.convene(**changes)


async def test_too_few_free_seats_are_told(room: WorkRoom) -> None:
    """Electronic Bidding Measures 33; a seat is given to one member at a time."""
    await unconvened(room)
    async with room.store.sessions() as session, session.begin():
        await session.execute(
            text("DELETE FROM evaluation.seat WHERE site_id = :site AND number > 2"),
            {"site": room.sites[0]},
        )
    with pytest.raises(Refused) as refused:
        await room.convene()
    assert codes(refused) == {"too_few_seats"}


async def test_a_seat_of_another_committee_in_the_same_window_is_not_free(room: WorkRoom) -> None:
    async with room.store.sessions() as session, session.begin():
        committee = (await session.scalars(select(CommitteeRow))).one()
        other = CommitteeRow(**{**committee.model_dump(), "id": random_id(), "lot_id": random_id()})
        session.add(other)
        await session.flush()
        rows = (
            await session.scalars(select(MemberRow).where(MemberRow.committee_id == committee.id))
        ).all()
        for row in rows:
            row.committee_id = other.id
            session.add(row)
        taken = {row.seat_id for row in rows}
        await session.flush()
        await session.execute(
            text("DELETE FROM evaluation.committee WHERE id = :id"), {"id": committee.id}
        )
    await room.convene()
    assert not taken & {one.seat_id for one in room.sitters}


# ── successors ────────────────────────────────────────────────────────────────────────────────


async def test_the_next_in_the_draw_takes_the_place_of_who_withdrew(room: WorkRoom) -> None:
    """Bidding Regulation 48: what the one who left has given counts for nothing."""
    await room.sit()
    leaver = room.drawn[0]
    await room.do(leaver.player, attending.withdraw, room.committee_id, "与投标人有利害关系")
    with pytest.raises(NotFound):
        await room.do(room.agency, convening.seat_successors, room.committee_id)
    await room.draw.seat_everybody()
    assert await room.do(room.agency, convening.seat_successors, room.committee_id) == 1
    await room.find_sitters()
    assert sorted(one.number for one in room.sitters) == sorted(
        {1, 2, 3, 4, 5, 6} - {leaver.number}
    )
    successor = next(one for one in room.sitters if one.number == 6)
    assert successor.player != leaver.player
    async with transaction(room.store, actor=PLATFORM) as tx:
        file = await find(tx, room.committee_id)
    assert len(file.places) == len(file.members) == 5
    await room.admit(successor)
    await room.sign_in(successor)
    for one in room.sitters:
        await room.sign_in(one, signed_at=f"2026-03-24T09:00:0{one.number}Z")
    assert len(await room.bids(successor)) == 6
    with pytest.raises(NotFound):
        await room.bids(leaver)


async def test_who_withdrew_cannot_sign_in_again(room: WorkRoom) -> None:
    await room.sit()
    leaver = room.drawn[0]
    await room.do(leaver.player, attending.withdraw, room.committee_id, "与投标人有利害关系")
    with pytest.raises(Refused) as refused:
        await room.sign_in(leaver, signed_at="2026-03-24T09:00:00Z")
    assert codes(refused) == {"replaced"}


async def test_without_a_vacancy_nobody_is_seated(room: WorkRoom) -> None:
    assert await room.do(room.agency, convening.seat_successors, room.committee_id) == 0
    with pytest.raises(NotFound):
        await room.do(room.agency, convening.seat_successors, CommitteeId(random_id()))


async def test_the_tenderee_names_another_in_the_place_of_its_own_who_left(room: WorkRoom) -> None:
    await room.sit()
    other = await a_player(room.store, Role.OWNER_REPRESENTATIVE, party=room.representative.party)
    named = (PersonId(other.person),)
    with pytest.raises(Refused) as refused:
        await room.do(
            room.agency, convening.seat_successors, room.committee_id, representatives=named
        )
    assert codes(refused) == {"no_vacancy"}
    await room.do(room.representative, attending.withdraw, room.committee_id, "突发疾病")
    seated = await room.do(
        room.agency, convening.seat_successors, room.committee_id, representatives=named
    )
    assert seated == 1
    async with transaction(room.store, actor=PLATFORM) as tx:
        file = await find(tx, room.committee_id)
    (successor,) = [one for one in file.members if one.person_id == other.person]
    assert (successor.number, successor.site_id) == (6, room.sites[0])
    assert len(file.places) == len(file.members) == 5
