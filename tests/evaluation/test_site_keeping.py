"""Evaluation sites and their seats; who is let in, and who learns a name at the door.

Bidding Law 37; Bidding Regulation 46; Electronic Bidding Measures 23, 33; Opinions on Conduct 15.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from evaluation import attending, site_keeping
from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Outrun, Refused
from kernel.events import Audience
from kernel.identifiers import SeatId, SiteId
from kernel.randomness import random_id
from kernel.store.parties import take_part
from kernel.store.transaction import transaction
from kernel.store.views import SUPERVISORS_FEED, own_acts
from kernel.store.views import room as room_view
from tests.committees_at_work import WorkRoom, seat_statement
from tests.kept_stores import START
from tests.newcomers import codes
from tests.tenders import Player, a_player


async def test_a_site_and_its_seats_are_public_facts(room: WorkRoom) -> None:
    found = await room.do(room.agency, site_keeping.sites)
    assert {(one.name, one.seats) for one in found} == {
        ("临江主场", 6),
        ("东湖副场", 6),
        ("南溪副场", 6),
    }


async def test_only_a_verified_keeper_registers_a_site(room: WorkRoom) -> None:
    with pytest.raises(NotPermitted):
        await room.do(room.agency, site_keeping.register_site, name="场", region_code="310100")
    stranger = await a_player(room.store, Role.SITE_ADMINISTRATOR, verified=False)
    with pytest.raises(Refused) as refused:
        await room.do(stranger, site_keeping.register_site, name="场", region_code="310100")
    assert codes(refused) == {"organisation_unverified"}


@pytest.mark.parametrize("name", ["", "   ", "场" * 101])
async def test_a_site_has_a_name(room: WorkRoom, name: str) -> None:
    keeper = room.keepers[room.sites[0]]
    with pytest.raises(Malformed):
        await room.do(keeper, site_keeping.register_site, name=name, region_code="310100")


async def test_a_seat_is_registered_by_its_own_key_at_an_own_site(room: WorkRoom) -> None:
    site, other = room.sites
    key, keeper = PrivateKey.generate(), room.keepers[site]
    await room.do(keeper, site_keeping.register_seat, site, seat_statement(site, 7, key))
    with pytest.raises(NotFound):
        raw = seat_statement(other, 8, PrivateKey.generate())
        await room.do(keeper, site_keeping.register_seat, other, raw)


async def test_a_number_or_a_key_is_registered_once(room: WorkRoom) -> None:
    site = room.sites[0]
    keeper, key = room.keepers[site], next(iter(room.seats.values()))
    for raw in (seat_statement(site, 1, PrivateKey.generate()), seat_statement(site, 9, key)):
        with pytest.raises(Outrun):
            await room.do(keeper, site_keeping.register_seat, site, raw)


async def test_a_seat_that_another_key_signed_for_is_no_seat(room: WorkRoom) -> None:
    site = room.sites[0]
    forged = seat_statement(
        site, 9, PrivateKey.generate(), public_key=b64u(PrivateKey.generate().public_bytes)
    )
    with pytest.raises(BrokenSeal):
        await room.do(room.keepers[site], site_keeping.register_seat, site, forged)


@pytest.mark.parametrize("number", [0, -1, 501, "1", True], ids=repr)
async def test_a_seat_has_a_number_that_can_be_one(room: WorkRoom, number: object) -> None:
    site = room.sites[0]
    with pytest.raises((Malformed, ValueError)):
        raw = seat_statement(site, number, PrivateKey.generate())
        await room.do(room.keepers[site], site_keeping.register_seat, site, raw)


async def test_a_statement_about_another_site_registers_nothing(room: WorkRoom) -> None:
    site, other = room.sites
    raw = seat_statement(other, 9, PrivateKey.generate())
    with pytest.raises(Malformed):
        await room.do(room.keepers[site], site_keeping.register_seat, site, raw)


# ── the door ──────────────────────────────────────────────────────────────────────────────────


async def test_before_the_window_staff_see_seats_and_no_name(room: WorkRoom) -> None:
    room.now -= timedelta(minutes=2)
    site = room.sites[0]
    found = await room.do(room.keepers[site], site_keeping.arrivals, site)
    assert len(found) == 3  # two experts of the host's region, and the tenderee's representative
    assert {one.person for one in found} == {""}


async def test_in_the_window_staff_see_the_names_of_their_own_site_alone(room: WorkRoom) -> None:
    for site in room.sites:
        found = await room.do(room.keepers[site], site_keeping.arrivals, site)
        expected = {one.player.name for one in room.sitters if one.site_id == site}
        assert {one.person for one in found} == expected
    with pytest.raises(NotFound):
        await room.do(room.keepers[room.sites[0]], site_keeping.arrivals, room.sites[1])


async def test_nobody_is_let_in_outside_the_window(room: WorkRoom) -> None:
    room.now -= timedelta(minutes=2)
    with pytest.raises(Refused) as refused:
        await room.admit(room.sitters[0])
    assert codes(refused) == {"outside_window"}


async def test_nobody_is_let_in_at_a_seat_where_nobody_is_expected(room: WorkRoom) -> None:
    site = room.sites[0]
    for site_id, seat in ((site, SeatId(random_id())), (SiteId(random_id()), SeatId(random_id()))):
        with pytest.raises(NotFound):
            await room.do(room.keepers[site], site_keeping.admit, site_id, room.committee_id, seat)


def also(person: Player, other: Player) -> Player:
    """The second player's capacity and organisation in the hands of the first one's person."""
    return replace(other, actor=replace(other.actor, person_id=person.person))


async def test_an_expert_who_keeps_the_site_lets_in_neither_himself_nor_a_colleague(
    room: WorkRoom,
) -> None:
    """Bidding Regulation 46: nobody certifies who he is himself."""
    mine = next(one for one in room.drawn if one.site_id == room.sites[0])
    keeper = also(mine.player, room.keepers[mine.site_id])
    for sitter in room.sitters:
        if sitter.site_id == mine.site_id:
            with pytest.raises(Refused) as refused:
                await room.do(
                    keeper, site_keeping.admit, mine.site_id, room.committee_id, sitter.seat_id
                )
            assert codes(refused) == {"conflicting_capacity"}


async def test_a_member_who_has_left_lets_nobody_in_either(room: WorkRoom) -> None:
    leaver = next(one for one in room.drawn if one.site_id == room.sites[0])
    other = next(one for one in room.sitters if one.site_id == leaver.site_id and one != leaver)
    await room.do(leaver.player, attending.withdraw, room.committee_id, "曾任投标人顾问")
    keeper = also(leaver.player, room.keepers[leaver.site_id])
    with pytest.raises(Refused) as refused:
        await room.do(keeper, site_keeping.admit, other.site_id, room.committee_id, other.seat_id)
    assert codes(refused) == {"conflicting_capacity"}


@pytest.mark.parametrize("role", ["bidder", "supervisor"])
async def test_who_bids_or_supervises_lets_no_member_in(room: WorkRoom, role: str) -> None:
    """Electronic Bidding Measures 23; Bidding Regulation 46."""
    person = room.hall.entries[0].player if role == "bidder" else room.supervisor
    if role == "supervisor":
        async with transaction(room.store, actor=person.actor) as tx:
            await take_part(tx, room.lot_id)
    sitter = room.sitters[0]
    keeper = also(person, room.keepers[sitter.site_id])
    with pytest.raises(Refused) as refused:
        await room.do(keeper, site_keeping.admit, sitter.site_id, room.committee_id, sitter.seat_id)
    assert codes(refused) == {"conflicting_capacity"}


async def test_who_has_let_members_in_can_neither_sit_nor_supervise_nor_bid(
    room: WorkRoom,
) -> None:
    sitter = room.sitters[0]
    keeper = room.keepers[sitter.site_id]
    await room.admit(sitter)
    for other in (
        room.drawn[0].player,
        room.representative,
        room.supervisor,
        room.hall.entries[0].player,
    ):
        with pytest.raises(Refused) as refused:
            async with transaction(room.store, actor=also(keeper, other).actor) as tx:
                await take_part(tx, room.lot_id)
        assert "conflicting_capacity" in codes(refused)


async def test_that_a_member_was_let_in_is_on_record_once_by_number_and_seat(
    room: WorkRoom,
) -> None:
    """Bidding Law 37: neither a name nor a person, and nothing for the site's own staff."""
    sitter = room.sitters[0]
    keeper = room.keepers[sitter.site_id]
    await room.admit(sitter)
    await room.admit(sitter)
    await room.draw.tick()
    async with room.store.sessions() as session:
        found = (
            await session.execute(
                text(
                    "SELECT j.kind, j.record, array_remove(array_agg(v.view), NULL) AS views"
                    " FROM kernel.journal j LEFT JOIN kernel.view_entry v ON v.entry_id = j.id"
                    " WHERE j.kind IN ('MemberAdmitted', 'SiteCapacityTaken')"
                    " GROUP BY j.kind, j.record, j.id ORDER BY j.kind"
                )
            )
        ).all()
        heard_by_staff = await session.scalars(
            text(
                "SELECT j.kind FROM kernel.view_entry v JOIN kernel.journal j ON j.id = v.entry_id"
                " WHERE v.view = :own AND j.subject_id = :lot"
            ),
            {"own": own_acts(keeper.party), "lot": room.lot_id},
        )
        assert heard_by_staff.all() == []
    admitted, taken = found
    assert (admitted.kind, taken.kind) == ("MemberAdmitted", "SiteCapacityTaken")
    assert set(admitted.views) == {
        room_view(room.lot_id, Audience.COMMITTEE),
        room_view(room.lot_id, Audience.SUPERVISORS),
        SUPERVISORS_FEED,
    }
    assert taken.views == []
    facts = json.loads(admitted.record)["facts"]
    assert set(facts) == {"committee_id", "number", "site", "seat"}
    place = room.sites.index(sitter.site_id)
    assert (facts["number"], facts["site"]) == (sitter.number, ("临江主场", "东湖副场")[place])
    told = str(facts)
    assert sitter.player.name not in told
    assert str(sitter.player.person) not in told


@given(st.integers(-3600, 3600 * 10))
def test_the_door_opens_with_the_window_and_closes_before_its_end(seconds: int) -> None:
    """Electronic Bidding Measures 33: from the first instant, until before the last."""
    until = START + timedelta(hours=8)
    at = START + timedelta(seconds=seconds)
    refused = site_keeping.admission_refusals(at=at, window_from=START, window_until=until)
    assert bool(refused) == (not START <= at < until)
