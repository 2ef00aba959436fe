"""Members sign in by two keys at one seat, and are present while their lease lasts.

Bidding Law 37, 38; Bidding Regulation 48, 71; Electronic Bidding Measures 33;
Opinions on Conduct 15.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from evaluation import attending, site_keeping
from evaluation.rules.session_protocol import Phase
from evaluation.tables import CommitteeRow
from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Outrun, Refused
from kernel.identifiers import CommitteeId
from kernel.randomness import random_id
from kernel.store.registering import Registered
from tests.committees_at_work import WorkRoom, a_seat_of
from tests.decisions import barred
from tests.draw_cast import bar_expert
from tests.newcomers import codes
from tests.sign_ins import token_for
from tests.tenders import a_player, signed


async def phase_of(room: WorkRoom) -> str:
    async with room.store.sessions() as session:
        return (await session.scalars(select(CommitteeRow.phase))).one()


async def kinds(room: WorkRoom) -> list[str]:
    """What is on record of the session, in its order."""
    await room.draw.tick()
    async with room.store.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT j.kind FROM kernel.journal j JOIN kernel.sequence s ON s.entry_id = j.id"
                " WHERE j.kind IN ('MemberSignedIn', 'ReadingBegan', 'ReadingStopped',"
                " 'MemberWithdrew') ORDER BY s.position"
            )
        )
        return [row[0] for row in rows]


# ── being called ──────────────────────────────────────────────────────────────────────────────


async def test_a_summons_tells_when_and_where_and_neither_for_whom_nor_with_whom(
    room: WorkRoom,
) -> None:
    for sitter in room.sitters:
        (found,) = await room.do(sitter.player, attending.summonses)
        assert (found.committee_id, found.seat_id) == (room.committee_id, sitter.seat_id)
        told = repr(found)
        assert str(room.lot_id) not in told
        assert "污水" not in told
    stranger = await a_player(room.store, Role.EXPERT)
    assert await room.do(stranger, attending.summonses) == []


async def test_a_member_sees_whom_to_have_no_ties_with_in_the_window_alone(room: WorkRoom) -> None:
    """Bidding Law 37."""
    sitter = room.sitters[0]
    found = await room.do(sitter.player, attending.parties_concerned, room.committee_id)
    assert sorted(one.capacity for one in found) == sorted(["agency", "tenderee", *["bidder"] * 6])
    room.now -= timedelta(minutes=2)
    with pytest.raises(Refused) as refused:
        await room.do(sitter.player, attending.parties_concerned, room.committee_id)
    assert codes(refused) == {"outside_window"}


async def test_for_everyone_else_the_committee_does_not_exist(room: WorkRoom) -> None:
    stranger = await a_player(room.store, Role.EXPERT)
    with pytest.raises(NotFound):
        await room.do(stranger, attending.parties_concerned, room.committee_id)
    with pytest.raises(NotPermitted):
        await room.do(room.agency, attending.parties_concerned, room.committee_id)
    with pytest.raises(NotFound):
        await room.do(room.sitters[0].player, attending.parties_concerned, CommitteeId(random_id()))


# ── signing in ────────────────────────────────────────────────────────────────────────────────


async def test_reading_begins_with_the_last_member(room: WorkRoom) -> None:
    for sitter in room.sitters:
        assert await phase_of(room) == Phase.CONVENING
        await room.admit(sitter)
        await room.sign_in(sitter)
    assert await phase_of(room) == Phase.WORKING
    assert await kinds(room) == ["MemberSignedIn"] * 5 + ["ReadingBegan"]


async def test_nobody_signs_in_without_having_been_let_in(room: WorkRoom) -> None:
    """Opinions on Conduct 15."""
    with pytest.raises(Refused) as refused:
        await room.sign_in(room.sitters[0])
    assert codes(refused) == {"identity_unchecked"}


async def test_nobody_signs_in_outside_the_window(room: WorkRoom) -> None:
    await room.admit(room.sitters[0])
    begun = room.now
    for minutes in (-2, 8 * 60):
        room.now = begun + timedelta(minutes=minutes)
        with pytest.raises(Refused) as refused:
            await room.sign_in(room.sitters[0])
        assert codes(refused) == {"outside_window"}


async def test_nobody_signs_in_at_a_third_site(room: WorkRoom) -> None:
    sitter = room.sitters[0]
    await room.admit(sitter)
    seat_id, key = await a_seat_of(room, room.spare_site)
    declaration = room.declaration(sitter, seat=str(seat_id))
    presence = room.presence(sitter, declaration, key=key, seat=str(seat_id))
    with pytest.raises(Refused) as refused:
        await room.do(sitter.player, attending.sign_in, room.committee_id, declaration, presence)
    assert codes(refused) == {"wrong_site"}


async def test_nobody_signs_in_at_another_members_seat(room: WorkRoom) -> None:
    first = room.sitters[0]
    other = next(one for one in room.sitters[1:] if one.site_id == first.site_id)
    await room.admit(first)
    declaration = room.declaration(first, seat=str(other.seat_id))
    presence = room.presence(other, declaration)
    with pytest.raises(Refused) as refused:
        await room.do(first.player, attending.sign_in, room.committee_id, declaration, presence)
    assert codes(refused) == {"wrong_seat"}


async def test_who_does_not_deny_a_conflict_does_not_sit(room: WorkRoom) -> None:
    await room.admit(room.sitters[0])
    with pytest.raises(Refused) as refused:
        await room.sign_in(room.sitters[0], no_conflict=False)
    assert codes(refused) == {"conflict_not_denied"}


async def test_a_barred_expert_does_not_sit(room: WorkRoom) -> None:
    """Bidding Regulation 71; the expert is told by whose decision."""
    sitter = room.drawn[0]
    await room.admit(sitter)
    expert = next(one for one in room.draw.experts if one.player == sitter.player)
    await bar_expert(room.draw, expert)
    with pytest.raises(Refused) as refused:
        await room.sign_in(sitter)
    assert codes(refused) == {"barred"}
    (refusal,) = refused.value.refusals
    assert refusal.facts["document_number"] in refusal.reason


async def test_a_bar_from_government_procurement_keeps_nobody_from_a_tender(
    room: WorkRoom,
) -> None:
    """Procurement Regulation 75 forbids procurement's reviews."""
    sitter = room.drawn[0]
    await room.admit(sitter)
    await barred(
        room.store,
        room.draw.parties["supervisor"],
        {"person": str(sitter.player.person)},
        misconduct="procurement_expert",
        acts=["draw", "sign_in"],
    )
    await room.sign_in(sitter)


async def test_a_seat_vouches_for_one_declaration_by_its_own_key(room: WorkRoom) -> None:
    sitter = room.sitters[0]
    await room.admit(sitter)
    declaration = room.declaration(sitter)
    forged = [
        (room.presence(sitter, b"another declaration"), BrokenSeal),
        (room.presence(sitter, declaration, key=PrivateKey.generate()), BrokenSeal),
        (room.presence(sitter, declaration, committee=str(random_id())), Malformed),
        (room.presence(sitter, declaration, seat=str(random_id())), NotFound),
        (room.presence(sitter, declaration, seat="1"), Malformed),
    ]
    for presence, error in forged:
        with pytest.raises(error):
            await room.do(
                sitter.player, attending.sign_in, room.committee_id, declaration, presence
            )


async def test_a_declaration_is_the_members_own(room: WorkRoom) -> None:
    sitter, other = room.sitters[:2]
    await room.admit(sitter)
    said = {
        "v": "ebid-evaluation-sign-in/1",
        "committee": str(room.committee_id),
        "seat": str(sitter.seat_id),
        "no_conflict": True,
        "discipline": True,
    }
    declaration = signed(other.player, "evaluation-sign-in", said)
    with pytest.raises(BrokenSeal):
        await room.do(
            sitter.player,
            attending.sign_in,
            room.committee_id,
            declaration,
            room.presence(sitter, declaration),
        )


@pytest.mark.parametrize(
    "changes",
    [{"committee": "x"}, {"seat": "x"}, {"discipline": False}, {"more": 1}],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_declaration_about_something_else_is_malformed(
    room: WorkRoom, changes: dict[str, object]
) -> None:
    await room.admit(room.sitters[0])
    with pytest.raises(Malformed):
        await room.sign_in(room.sitters[0], **changes)


async def test_a_declaration_is_good_once(room: WorkRoom) -> None:
    sitter = room.sitters[0]
    await room.admit(sitter)
    await room.sign_in(sitter)
    with pytest.raises(Outrun):
        await room.sign_in(sitter)
    await room.sign_in(sitter, signed_at="2026-03-23T03:02:00Z")


async def test_signing_in_is_acting_for_the_lot(room: WorkRoom) -> None:
    """Bidding Regulation 46: from then on the person may hold no capacity that conflicts."""
    await room.sit()
    async with room.store.sessions() as session:
        rows = await session.execute(
            text("SELECT person_id FROM kernel.capacity WHERE subject_id = :lot AND role = :role"),
            {"lot": room.lot_id, "role": str(Role.EXPERT)},
        )
        assert {row[0] for row in rows} == {one.player.person for one in room.drawn}


# ── leases ────────────────────────────────────────────────────────────────────────────────────


async def test_a_lease_is_renewed_by_the_seats_key_and_never_twice(room: WorkRoom) -> None:
    sitter, other = room.sitters[:2]
    await room.sit()
    raw = room.lease(sitter)
    await room.do(sitter.player, attending.renew, room.committee_id, raw)
    with pytest.raises(Outrun):
        await room.do(sitter.player, attending.renew, room.committee_id, raw)
    with pytest.raises(BrokenSeal):
        forged = room.lease(other, seat=str(sitter.seat_id))
        await room.do(sitter.player, attending.renew, room.committee_id, forged)
    with pytest.raises(Malformed):
        raw = room.lease(sitter, committee=str(random_id()))
        await room.do(sitter.player, attending.renew, room.committee_id, raw)
    for counter in (0, -1, True, "9", 2**31):
        with pytest.raises(Malformed):
            raw = room.lease(sitter, counter=counter)
            await room.do(sitter.player, attending.renew, room.committee_id, raw)


async def test_a_lease_that_has_ended_is_not_renewed(room: WorkRoom) -> None:
    await room.sit()
    await room.lose_line(room.sitters[3])
    with pytest.raises(Refused) as refused:
        await room.renew(room.sitters[3])
    assert codes(refused) == {"not_at_seat"}


async def test_nobody_reads_from_the_instant_a_lease_ends(room: WorkRoom) -> None:
    """Bidding Law 38; and nothing has to notice it for that."""
    await room.sit()
    assert len(await room.bids()) == 6
    await room.lose_line(room.sitters[3])
    assert await phase_of(room) == Phase.WORKING
    with pytest.raises(Refused) as refused:
        await room.bids()
    assert codes(refused) == {"committee_incomplete"}
    assert str(room.sitters[3].number) in refused.value.refusals[0].reason


async def test_an_absence_is_put_on_record_once_and_cured_by_signing_in_anew(
    room: WorkRoom,
) -> None:
    await room.sit()
    assert await attending.note_absences(room.store) == 0
    await room.lose_line(room.sitters[3])
    assert await attending.note_absences(room.store) == 1
    assert await attending.note_absences(room.store) == 0
    assert await phase_of(room) == Phase.PAUSED
    await room.sign_in(room.sitters[3], signed_at="2026-03-24T09:00:00Z")
    assert await phase_of(room) == Phase.WORKING
    assert len(await room.bids()) == 6
    assert (await kinds(room))[-3:] == ["ReadingBegan", "ReadingStopped", "ReadingBegan"]


async def test_who_leaves_the_seat_stops_the_others_at_once(room: WorkRoom) -> None:
    await room.sit()
    await room.do(room.sitters[2].player, attending.leave_seat, room.committee_id)
    assert await phase_of(room) == Phase.PAUSED
    with pytest.raises(Refused) as refused:
        await room.bids(room.sitters[2])
    assert codes(refused) == {"not_at_seat"}


async def test_a_site_that_is_cut_off_stops_the_other(room: WorkRoom) -> None:
    await room.sit()
    for sitter in room.sitters:
        if sitter.site_id == room.sites[1]:
            await room.lose_line(sitter)
    with pytest.raises(Refused):
        await room.bids(next(one for one in room.sitters if one.site_id == room.sites[0]))


# ── stepping aside ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reason", ["", "  ", "长" * 501])
async def test_who_withdraws_says_why(room: WorkRoom, reason: str) -> None:
    with pytest.raises(Malformed):
        await room.do(room.drawn[0].player, attending.withdraw, room.committee_id, reason)


async def test_a_withdrawal_is_on_record_by_its_number(room: WorkRoom) -> None:
    await room.sit()
    leaver = room.drawn[1]
    await room.do(leaver.player, attending.withdraw, room.committee_id, "曾任投标人顾问")
    assert (await kinds(room))[-2:] == ["ReadingStopped", "MemberWithdrew"]
    with pytest.raises(Refused):
        await room.bids(next(one for one in room.sitters if one != leaver))


async def test_the_staff_no_longer_expect_who_withdrew(room: WorkRoom) -> None:
    leaver = room.drawn[1]
    await room.do(leaver.player, attending.withdraw, room.committee_id, "曾任投标人顾问")
    found = await room.do(room.keepers[leaver.site_id], site_keeping.arrivals, leaver.site_id)
    assert leaver.player.name not in {one.person for one in found}


async def test_that_an_expert_signs_in_and_sits_is_in_no_view_of_anybodys(room: WorkRoom) -> None:
    """Bidding Law 37: around a call, who signs in would tell who was called."""
    await room.sit()
    for sitter in room.drawn:
        await token_for(
            room.store, Registered(sitter.player.party, sitter.player.person), Role.EXPERT
        )
    await room.draw.tick()
    async with room.store.sessions() as session:
        kinds = await session.execute(
            text(
                "SELECT kind, audience FROM kernel.journal WHERE kind LIKE 'Expert%Taken'"
                " OR kind LIKE 'ExpertSigned%'"
            )
        )
        assert {(row.kind, row.audience) for row in kinds} == {
            ("ExpertCapacityTaken", "nobody"),
            ("ExpertSignedIn", "nobody"),
        }
        rows = await session.execute(
            text(
                "SELECT j.record FROM kernel.view_entry v JOIN kernel.journal j"
                " ON j.id = v.entry_id WHERE j.kind NOT IN ('ExpertEnrolled', 'ExpertVerified')"
            )
        )
        seen = b"\n".join(bytes(row[0]) for row in rows)
    assert not [one for one in room.drawn if str(one.player.person).encode() in seen]
