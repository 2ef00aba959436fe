"""Evaluation sites and their seats; who is let in, and who learns a name at the door.

Electronic Bidding Measures 33; Opinions on Conduct 15.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import site_keeping
from kernel.access import Role
from kernel.crypto.digests import Malformed, b64u
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import SeatId, SiteId
from kernel.randomness import random_id
from tests.committees_at_work import WorkRoom, seat_statement
from tests.kept_stores import START
from tests.newcomers import codes
from tests.tenders import a_player


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


@given(st.integers(-3600, 3600 * 10))
def test_the_door_opens_with_the_window_and_closes_before_its_end(seconds: int) -> None:
    """Electronic Bidding Measures 33: from the first instant, until before the last."""
    until = START + timedelta(hours=8)
    at = START + timedelta(seconds=seconds)
    refused = site_keeping.admission_refusals(at=at, window_from=START, window_until=until)
    assert bool(refused) == (not START <= at < until)
