"""Licences and performances are entered once, verified, replaced, and announced before they end:
E-Bidding Measures 14.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kernel.access import PLATFORM, Role
from kernel.crypto.digests import Malformed
from kernel.errors import NotFound, NotPermitted, Refused
from kernel.identifiers import LibraryEntryId
from kernel.store import outbox
from kernel.store.clocks import hand_clock
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store, transaction
from tests.awards import UNKNOWN_REFERENCE
from tests.conftest import Database
from tests.libraries import (
    PAPER,
    a_file,
    a_verified_licence,
    entered,
    judged,
    licence_said,
    performance_said,
)
from tests.newcomers import codes
from tests.opened_lots import Hall
from tests.tenders import NOW, Player, a_player, signed
from trading import expiring, handover, library, library_views
from trading.rules.library_entries import EntryState
from trading.sound_library import library_faults

DAY = timedelta(days=1)


async def own(store: Store, who: Player, now: datetime = NOW) -> library_views.Library:
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await library_views.own_library(tx)


async def states(store: Store, who: Player) -> dict[LibraryEntryId, EntryState]:
    return {one.id: one.state for one in (await own(store, who)).entries}


async def test_an_entry_is_used_once_the_centre_compared_it_and_not_before(store: Store) -> None:
    bidder, staff = await a_player(store, Role.BIDDER), await a_player(store, Role.CENTRE_STAFF)
    licence = await entered(store, bidder, licence_said(bidder))
    work = await entered(store, bidder, performance_said(bidder))
    found = {one.id: one for one in (await own(store, bidder)).entries}
    assert {one.plain()["reference"] for one in found.values()} == {None}
    assert found[work.id].plain()["client"] == "东湖水务有限公司"
    async with transaction(store, actor=staff.actor, now=NOW) as tx:
        waiting = await library_views.waiting_entries(tx)
        assert await library_views.waiting_count(tx) == 2
    assert [(name, one.id) for name, one in waiting] == sorted(
        ((bidder.organisation, one.id) for one in (licence, work)), key=lambda one: str(one[1])
    )

    await judged(store, staff, licence.id)
    await judged(store, staff, work.id, holds=False, basis="合同编号查无此项")

    found = {one.id: one for one in (await own(store, bidder)).entries}
    told = found[licence.id].plain()
    assert (told["usable"], told["reference"]) == (True, found[licence.id].reference)
    assert (found[work.id].state, found[work.id].said) == (
        EntryState.REFUSED,
        "合同编号查无此项",
    )
    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        inbox = await outbox.inbox(tx)
    assert [one.topic for one in inbox.notifications] == [library.JUDGED_TOPIC] * 2
    with pytest.raises(Refused) as refused:
        await judged(store, staff, licence.id)
    assert codes(refused) == {"not_waiting"}


async def test_nobody_verifies_in_the_capacity_of_staff_what_he_entered_elsewhere(
    store: Store,
) -> None:
    bidder = await a_player(store, Role.BIDDER)
    made = await entered(store, bidder, licence_said(bidder))
    centre = await a_player(store, Role.CENTRE_STAFF)
    same_person = replace(centre, actor=replace(centre.actor, person_id=bidder.person))
    with pytest.raises(Refused) as refused:
        await judged(store, same_person, made.id)
    assert codes(refused) == {"own_entry"}
    with pytest.raises(NotPermitted):
        await judged(store, bidder, made.id)


async def test_the_same_number_is_entered_once_and_a_verified_one_by_nobody_else(
    store: Store,
) -> None:
    one, two = await a_player(store, Role.BIDDER), await a_player(store, Role.BIDDER)
    staff = await a_player(store, Role.CENTRE_STAFF)
    said = licence_said(one)
    async with transaction(store, actor=one.actor, now=NOW) as tx:
        await library.keep_entry_file(tx, PAPER)
        raw = signed(one, "licence", said)
        made = await library.enter_licence(tx, raw)
    async with transaction(store, actor=one.actor, now=NOW) as tx:
        assert await library.enter_licence(tx, raw) == made
    again = licence_said(one, number=f"（{said['number']}）", title="另一名称")
    with pytest.raises(Refused) as refused:
        await entered(store, one, again)
    assert codes(refused) == {"entry_known"}

    # What merely waits elsewhere keeps nobody from entering his own.
    other = await entered(store, two, licence_said(two, number=said["number"]))
    await judged(store, staff, other.id)
    third = await a_player(store, Role.BIDDER)
    with pytest.raises(Refused) as refused:
        await entered(store, third, licence_said(third, number=said["number"]))
    assert codes(refused) == {"entry_elsewhere"}


async def test_a_renewed_licence_replaces_the_old_one_when_it_is_verified(store: Store) -> None:
    bidder, staff = await a_player(store, Role.BIDDER), await a_player(store, Role.CENTRE_STAFF)
    old = await a_verified_licence(store, bidder, staff, number="D242000777")
    said = licence_said(bidder, number="D242000777", valid_to="2034-04-30", replaces=str(old.id))
    new = await entered(store, bidder, said)
    assert (await states(store, bidder))[old.id] is EntryState.VERIFIED
    await judged(store, staff, new.id)
    assert await states(store, bidder) == {
        old.id: EntryState.REPLACED,
        new.id: EntryState.VERIFIED,
    }
    for replaces in (old.id, new.id):
        wrong = performance_said(bidder, replaces=str(replaces))
        with pytest.raises(Refused) as refused:
            await entered(store, bidder, wrong)
        assert codes(refused) == {"not_replaceable"}
    stranger = await a_player(store, Role.BIDDER)
    with pytest.raises(NotFound):
        await entered(store, stranger, licence_said(stranger, replaces=str(new.id)))

    async with transaction(store, actor=bidder.actor, now=NOW) as tx:
        await library.withdraw_entry(tx, new.id, reason="资质等级变更")
        await library.withdraw_entry(tx, new.id, reason="再说一次")
    seen = {one.id: one for one in (await own(store, bidder)).entries}
    assert (seen[new.id].state, seen[new.id].said) == (EntryState.WITHDRAWN, "资质等级变更")
    with pytest.raises(NotFound):
        async with transaction(store, actor=stranger.actor, now=NOW) as tx:
            await library.withdraw_entry(tx, new.id, reason="不是我的")


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"number": "D2 4"}, "number"),
        ({"valid_to": "2023-01-01"}, "valid_to"),
        ({"valid_from": "2024-02-30"}, "valid_from"),
        ({"kind": "performance"}, "kind"),
        ({"kind": "licence"}, "kind"),
        ({"issuer": " "}, "issuer"),
        ({"file": {**a_file(), "size": 1}}, "file"),
        ({"file": a_file(b"%PDF-other")}, "file"),
    ],
)
async def test_what_is_malformed_is_told_with_its_place(
    store: Store, change: dict[str, Any], member: str
) -> None:
    bidder = await a_player(store, Role.BIDDER)
    with pytest.raises(Malformed) as malformed:
        await entered(store, bidder, licence_said(bidder, **change))
    assert list(malformed.value.faults) == [member]


async def test_an_entry_names_only_a_paper_that_its_own_organisation_sent(store: Store) -> None:
    one, two = await a_player(store, Role.BIDDER), await a_player(store, Role.BIDDER)
    made = await entered(store, one, licence_said(one))
    raw = signed(two, "licence", licence_said(two))
    with pytest.raises(Malformed):
        async with transaction(store, actor=two.actor, now=NOW) as tx:
            await library.enter_licence(tx, raw)
    with pytest.raises(Malformed):
        async with transaction(store, actor=two.actor, now=NOW) as tx:
            await library.keep_entry_file(tx, b"<script>")
    staff = await a_player(store, Role.CENTRE_STAFF)
    for reader in (one, staff):
        async with transaction(store, actor=reader.actor, now=NOW) as tx:
            assert (await library_views.read_entry_file(tx, made.id))[1] == PAPER
    with pytest.raises(NotFound):
        async with transaction(store, actor=two.actor, now=NOW) as tx:
            await library_views.read_entry_file(tx, made.id)


async def test_the_holder_is_told_once_at_each_stage_before_an_end(store: Store) -> None:
    bidder, staff = await a_player(store, Role.BIDDER), await a_player(store, Role.CENTRE_STAFF)
    last = datetime(2026, 6, 1, 4, tzinfo=UTC)
    await a_verified_licence(store, bidder, staff, valid_to="2026-06-01")
    await entered(store, bidder, licence_said(bidder, valid_to="2026-06-01"))  # waits
    told = []
    for left in (61, 60, 60, 59, 30, 7, 6, 0, -1):
        told.append(await expiring.announce(replace(store, clock=hand_clock(last - left * DAY))))
    assert told == [0, 1, 0, 0, 1, 1, 0, 0, 0]
    async with transaction(store, actor=bidder.actor, now=last) as tx:
        inbox = await outbox.inbox(tx)
    topics = [one.topic for one in inbox.notifications]
    assert topics == [expiring.EXPIRY_TOPIC] * 3 + [library.JUDGED_TOPIC]


async def test_every_row_that_is_changed_behind_the_acts_is_found(
    store: Store, database: Database
) -> None:
    bidder, staff = await a_player(store, Role.BIDDER), await a_player(store, Role.CENTRE_STAFF)
    await a_verified_licence(store, bidder, staff)
    await entered(store, bidder, performance_said(bidder))
    behind = {
        "UPDATE trading.library_entry SET number = number || '1'": "repeats its statement",
        "UPDATE trading.library_entry SET statement = 'x'": "not what was signed",
        "UPDATE trading.library_entry SET erased_at = entered_at": "says something still",
        "UPDATE trading.library_entry SET file_digest = digest": "entries of libraries",
        "UPDATE trading.library_entry SET entered_by = :staff": "who entered it",
        "UPDATE trading.library_verdict SET holds = false": "verdicts of libraries",
    }
    engine = connect(database.url(OWNER), pool_size=1)
    try:
        async with engine.connect() as connection:
            assert await library_faults(connection) == []
            await connection.rollback()
            for change, expected in behind.items():
                # Only a superuser's replica role gets round the triggers; the owner disables them.
                await connection.execute(
                    text("ALTER TABLE trading.library_verdict DISABLE TRIGGER USER")
                )
                values = {"staff": staff.person} if ":staff" in change else {}
                await connection.execute(text(change), values)
                assert expected in " ".join(await library_faults(connection)), change
                await connection.rollback()
    finally:
        await engine.dispose()


async def test_a_committee_sees_what_an_opened_bid_refers_to(recorded_hall: Hall) -> None:
    first = recorded_hall.entries[0].player
    async with transaction(recorded_hall.store, actor=PLATFORM) as tx:
        found = await handover.library_of_bids(tx, recorded_hall.lot_id)
    (told,) = [one for one in found.values() if one]
    known, unknown = told
    assert known.seen is not None
    assert (known.seen.party_id, known.cautions) == (first.party, ())
    assert (unknown.reference, unknown.seen) == (UNKNOWN_REFERENCE, None)
    assert [one.code for one in unknown.cautions] == ["entry_unknown"]
    bid = next(id for id, one in found.items() if one)
    async with transaction(recorded_hall.store, actor=PLATFORM) as tx:
        name, paper = await handover.library_file(tx, recorded_hall.lot_id, bid, known.reference)
        with pytest.raises(NotFound):
            await handover.library_file(tx, recorded_hall.lot_id, bid, UNKNOWN_REFERENCE)
    assert (name, paper) == ("证书.pdf", PAPER)


async def test_before_the_opening_nobody_learns_what_a_bid_refers_to(hall: Hall) -> None:
    with pytest.raises(Refused):
        async with transaction(hall.store, actor=PLATFORM) as tx:
            await handover.library_of_bids(tx, hall.lot_id)
