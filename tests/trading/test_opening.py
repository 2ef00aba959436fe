"""Electronic Bidding Measures 29-32 and Bidding Regulation 44: bidders first, officials last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from kernel.access import PLATFORM, Role
from kernel.crypto import sealing, threshold
from kernel.crypto.digests import Malformed, b64u, canonical, instant_text, strict_json
from kernel.crypto.envelope_header import head_of, header_bytes, share_commitment, wrap_info
from kernel.crypto.signing import Envelope
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.failpoints import FailpointHit, arm, watched
from kernel.identifiers import LotId
from kernel.store.documents import Documents
from kernel.store.transaction import Store, transaction
from tests.awards import objected
from tests.kept_stores import Sound, Tick
from tests.newcomers import codes
from tests.opened_lots import (
    PRICES,
    Hall,
    a_hall,
    an_entry,
    an_opened_lot,
    everything_opened,
    fallback_agreed,
    release_statement,
    released,
    shares_given,
    shares_of,
    window_ended,
)
from tests.sealed_bids import SealedFile, Tender, a_bidder, a_tender, at
from tests.tenders import Player, a_player, cancelled, signed
from trading import drafting, due_lots, lots, opening, opening_views
from trading.opening_views import Hall as Seen
from trading.rules.lot_lifecycle import LotState
from trading.rules.objection_outcome import ObjectionOutcome


async def seen(hall: Hall) -> Seen:
    async with transaction(hall.store, actor=PLATFORM) as tx:
        return await opening_views.hall(tx, hall.lot_id)


async def kinds(store: Store) -> list[str]:
    async with store.sessions() as session:
        rows = await session.execute(
            text(
                "SELECT kind FROM kernel.journal j JOIN kernel.unsequenced u ON u.entry_id = j.id"
                " ORDER BY u.id"
            )
        )
        return [row[0] for row in rows]


async def test_bids_open_once_bidders_and_three_custodians_released(
    store: Store, tender: Tender
) -> None:
    hall = await an_opened_lot(store, tender, PRICES)
    assert (await hall.lot()).state == LotState.OPENED
    shown = await seen(hall)
    assert {bid.price for bid in shown.bids} == {Decimal(price) for price in PRICES}
    assert {bid.outcome for bid in shown.bids} == {"opened"}
    sheets = {bid.bidder_id: bid.sheet for bid in shown.bids}
    assert sheets == {entry.player.party: entry.sheet for entry in hall.entries}
    recorded = await kinds(store)
    assert recorded.count("BidsOpened") == 1
    assert recorded.index("ReleaseWindowClosed") < recorded.index("SharesGiven")
    assert recorded.index("SharesGiven") < recorded.index("BidsOpened")


async def test_two_custodians_are_not_enough(store: Store, hall: Hall) -> None:
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    for custodian in hall.tender.cast.custodians[:2]:
        await shares_given(hall, custodian)
    await opening.proceed(at(store, await hall.window_ends_at()), hall.lot_id)
    assert (await hall.lot()).state == LotState.OPENING
    assert all(bid.price is None for bid in (await seen(hall)).bids)


async def test_nothing_is_readable_before_the_window_is_over(store: Store, hall: Hall) -> None:
    await released(hall, hall.entries[0])
    custodian = hall.tender.cast.custodians[0]
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=custodian.actor, now=hall.in_window) as tx:
            await opening.share_request(tx, hall.lot_id)
    assert codes(refused) == {"too_early"}
    assert all(bid.sheet is None for bid in (await seen(hall)).bids)


async def test_the_window_closes_early_when_everyone_has_released(store: Store, hall: Hall) -> None:
    for entry in hall.entries[:2]:
        await released(hall, entry)
    await opening.proceed(at(store, hall.in_window), hall.lot_id)
    assert (await seen(hall)).window_closed_at is None
    assert await due_lots.wake(at(store, hall.in_window)) == 0
    await released(hall, hall.entries[2])
    assert await due_lots.wake(at(store, hall.in_window)) == 1
    assert (await seen(hall)).window_closed_at == hall.in_window


async def test_two_who_release_first_at_once_are_both_heard(store: Store, hall: Hall) -> None:
    await asyncio.gather(*(released(hall, entry) for entry in hall.entries))
    assert (await kinds(store)).count("BidderReleased") == 3
    assert await due_lots.wake(at(store, hall.in_window)) == 1


@pytest.mark.parametrize("late_by", [timedelta(0), timedelta(microseconds=1), timedelta(days=1)])
async def test_a_release_at_or_after_the_end_of_the_window_is_refused(
    hall: Hall, late_by: timedelta
) -> None:
    with pytest.raises(Refused) as refused:
        await released(hall, hall.entries[0], at=await hall.window_ends_at() + late_by)
    assert codes(refused) == {"window_closed"}


async def test_a_wrong_secret_is_refused_and_recorded_and_may_be_sent_again(
    store: Store, hall: Hall
) -> None:
    entry = hall.entries[0]
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=entry.player.actor, now=hall.in_window) as tx:
            await opening.release(tx, hall.lot_id, release_statement(hall, entry, spoilt=True))
    assert codes(refused) == {"wrong_secret"}
    assert "ReleaseRefused" in await kinds(store)
    await released(hall, entry)
    assert "BidderReleased" in await kinds(store)


async def test_a_stranger_has_nothing_to_release(store: Store, hall: Hall) -> None:
    stranger = await a_bidder(store)
    raw = signed(
        stranger, "release", {"v": "ebid-release/1", "lot": str(hall.lot_id), "secrets": []}
    )
    with pytest.raises(NotFound):
        async with transaction(store, actor=stranger.actor, now=hall.in_window) as tx:
            await opening.release(tx, hall.lot_id, raw)


async def test_who_does_not_release_and_chose_no_escrow_is_revoked(
    store: Store, tender: Tender
) -> None:
    entries = [await an_entry(store, tender, price) for price in [*PRICES, "126000000.00"]]
    hall = await a_hall(store, tender, entries)
    for entry in entries[:3]:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    shown = {bid.bidder_id: bid for bid in (await seen(hall)).bids}
    silent = shown[entries[3].player.party]
    assert (silent.outcome, silent.price, silent.sheet) == ("revoked", None, None)
    assert "31" in silent.article
    assert sum(bid.outcome == "opened" for bid in shown.values()) == 3


async def test_an_absent_bidder_who_chose_escrow_is_opened_when_both_sides_agree(
    store: Store, tender: Tender
) -> None:
    entries = [await an_entry(store, tender, price, escrow=True) for price in PRICES]
    hall = await a_hall(store, tender, entries)
    for entry in entries[:2]:
        await released(hall, entry)
    await window_ended(hall)
    custodians = tender.cast.custodians
    regulator_and_two = [custodians[0], custodians[1], custodians[3]]
    await fallback_agreed(hall, tender.cast.agency)
    for custodian in regulator_and_two:
        await shares_given(hall, custodian)
    await opening.proceed(at(store, await hall.window_ends_at()), hall.lot_id)
    assert (await hall.lot()).state == LotState.OPENING, "one side alone opens nothing"
    await fallback_agreed(hall, tender.cast.supervisor)
    for custodian in regulator_and_two:
        await shares_given(hall, custodian)
    await opening.proceed(at(store, await hall.window_ends_at()), hall.lot_id)
    shown = {bid.bidder_id: bid for bid in (await seen(hall)).bids}
    assert shown[entries[2].player.party].outcome == "opened_by_custodians"
    assert shown[entries[2].player.party].sheet == entries[2].sheet


async def test_escrow_without_the_regulator_opens_nothing(store: Store, tender: Tender) -> None:
    entries = [await an_entry(store, tender, price, escrow=True) for price in PRICES]
    hall = await a_hall(store, tender, entries)
    for entry in entries[:2]:
        await released(hall, entry)
    await window_ended(hall)
    for side in (tender.cast.agency, tender.cast.supervisor):
        await fallback_agreed(hall, side)
    for custodian in tender.cast.custodians[:3]:
        await shares_given(hall, custodian)
    await opening.proceed(at(store, await hall.window_ends_at()), hall.lot_id)
    assert (await hall.lot()).state == LotState.OPENING
    assert all(bid.price is None for bid in (await seen(hall)).bids)


async def test_a_wrong_share_is_refused_and_names_its_custodian(store: Store, hall: Hall) -> None:
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    custodian = hall.tender.cast.custodians[1]
    raw = await shares_of(hall, custodian, spoilt=True)
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=custodian.actor, now=await hall.window_ends_at()) as tx:
            await opening.give_shares(tx, hall.lot_id, raw)
    [refusal] = refused.value.refusals
    assert refusal.code == "wrong_share"
    assert custodian.organisation in refusal.reason
    assert "ShareRefused" in await kinds(store)
    async with store.sessions() as session:
        rows = await session.execute(text("SELECT count(*) FROM trading.share"))
        assert rows.scalar_one() == 0


async def test_a_custodian_sees_whether_its_own_shares_are_given(store: Store, hall: Hall) -> None:
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    first, second = hall.tender.cast.custodians[:2]
    await shares_given(hall, first)
    for custodian, gave in ((first, True), (second, False)):
        async with transaction(store, actor=custodian.actor, now=await hall.window_ends_at()) as tx:
            (mine,) = await drafting.own_assignments(tx)
        assert (mine.state, mine.gave_shares) == (LotState.OPENING, gave)
        assert mine.release_until == await hall.window_ends_at()


async def test_a_custodian_who_gives_nothing_is_not_said_to_have_given(
    store: Store, hall: Hall
) -> None:
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    custodian, then = hall.tender.cast.custodians[0], await hall.window_ends_at()
    said = {"v": "ebid-shares/1", "lot": str(hall.lot_id), "shares": []}
    said["signed_at"] = instant_text(then)
    with pytest.raises(Malformed) as malformed:
        async with transaction(store, actor=custodian.actor, now=then) as tx:
            await opening.give_shares(tx, hall.lot_id, signed(custodian, "shares", said))
    assert malformed.value.code == "no_shares"
    assert "SharesGiven" not in await kinds(store)


async def test_shares_that_are_given_twice_are_recorded_once(store: Store, hall: Hall) -> None:
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    for _ in range(2):
        await shares_given(hall, hall.tender.cast.custodians[0])
    assert (await kinds(store)).count("SharesGiven") == 1


class SlowDocuments(Documents):
    """The real documents, far away: each file takes its time."""

    async def read(self, digest: bytes) -> bytes:
        await asyncio.sleep(0.3)
        return await super().read(digest)


@contextmanager
def patient_only_for(store: Store, idle: str) -> Iterator[None]:
    """Let Postgres end every transaction in which nothing happens for so long."""
    engine = store.sessions.kw["bind"].sync_engine

    def bound(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{idle}'")

    event.listen(engine, "begin", bound)
    try:
        yield
    finally:
        event.remove(engine, "begin", bound)


async def ready_to_open(hall: Hall) -> Store:
    """Everything was given; a store whose clock stands at that moment."""
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    for custodian in hall.tender.cast.custodians[:3]:
        await shares_given(hall, custodian)
    return at(hall.store, await hall.window_ends_at())


async def test_bids_that_take_longer_to_read_than_a_transaction_may_idle_open_all_the_same(
    store: Store, hall: Hall, tmp_path: Path
) -> None:
    then = await ready_to_open(hall)
    slow = replace(then, documents=SlowDocuments("", folder=tmp_path / "documents"))
    with patient_only_for(store, "200ms"):
        await opening.proceed(slow, hall.lot_id)
    assert (await hall.lot()).state == LotState.OPENED
    assert {bid.outcome for bid in (await seen(hall)).bids} == {"opened"}


async def test_an_opening_that_dies_after_reading_leaves_nothing_half_done(
    store: Store, hall: Hall, tick: Tick, sound: Sound
) -> None:
    then = await ready_to_open(hall)
    arm("opening.read_through=raise")
    try:
        with pytest.raises(FailpointHit):
            await opening.proceed(then, hall.lot_id)
    finally:
        arm("")
    assert (await hall.lot()).state == LotState.OPENING
    assert all(bid.price is None and not bid.outcome for bid in (await seen(hall)).bids)
    assert "BidsOpened" not in await kinds(store)
    assert await due_lots.wake(then) == 1
    assert (await hall.lot()).state == LotState.OPENED
    await tick()
    await sound()


async def test_two_openers_at_once_open_a_lot_once(store: Store, hall: Hall) -> None:
    then = await ready_to_open(hall)
    both = asyncio.Barrier(2)

    async def together(name: str) -> None:
        if name == "opening.read_through":
            await both.wait()

    with watched(together):
        await asyncio.gather(*(opening.proceed(then, hall.lot_id) for _ in range(2)))
    assert (await kinds(store)).count("BidsOpened") == 1
    assert (await hall.lot()).state == LotState.OPENED


async def test_shares_that_come_while_bids_are_read_are_not_passed_over(
    store: Store, hall: Hall
) -> None:
    then = await ready_to_open(hall)
    late = hall.tender.cast.custodians[3]

    async def one_more(name: str) -> None:
        if name == "opening.read_through" and late not in given:
            given.append(late)
            await shares_given(hall, late)

    given: list[Player] = []
    with watched(one_more):
        await opening.proceed(then, hall.lot_id)
        assert (await hall.lot()).state == LotState.OPENING
        assert await due_lots.wake(then) == 1
    assert (await hall.lot()).state == LotState.OPENED


async def test_a_lot_that_is_long_in_opening_keeps_no_other_waiting(
    store: Store, hall: Hall
) -> None:
    then = await ready_to_open(hall)
    other = await a_tender(store)
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def long(name: str) -> None:
        if name == "opening.read_through":
            reading.set()
            await go_on.wait()

    later = at(store, max(other.due_at, await hall.window_ends_at()) + timedelta(seconds=3))
    with watched(long):
        first = asyncio.create_task(due_lots.wake(then))
        await reading.wait()
        await due_lots.wake(later)
        async with transaction(store, actor=PLATFORM) as tx:
            assert (await lots.hold(tx, other.lot_id)).state == LotState.FAILED
        assert (await hall.lot()).state == LotState.OPENING
        go_on.set()
        await first
    assert (await hall.lot()).state == LotState.OPENED


async def test_a_tender_that_was_ended_while_it_was_opened_is_opened_no_further(
    store: Store, hall: Hall
) -> None:
    await released(hall, hall.entries[0])
    cast = hall.tender.cast
    await cancelled(store, cast, hall.tender.lot, now=hall.in_window)
    bidder = hall.entries[1].player
    for act in (
        released(hall, hall.entries[1]),
        fallback_agreed(hall, cast.agency),
        objected(store, bidder, hall.lot_id, "opening", now=hall.in_window),
    ):
        with pytest.raises(Refused) as refused:
            await act
        assert codes(refused) == {"lot_cancelled"}
    await window_ended(hall)
    assert {"ReleaseWindowClosed", "BidsOpened"} & set(await kinds(store)) == set()
    assert (await kinds(store)).count("BidderReleased") == 1


async def test_a_sheet_that_is_no_sheet_is_revoked_and_blocks_nobody(
    store: Store, tender: Tender
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES]
    entries.append(await an_entry(store, tender, "0", sheet=b"not a sheet at all"))
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    shown = {bid.bidder_id: bid for bid in (await seen(hall)).bids}
    assert shown[entries[3].player.party].outcome == "revoked"
    assert sum(bid.outcome == "opened" for bid in shown.values()) == 3


def one_share_for_all(tender: Tender) -> Callable[[SealedFile], SealedFile]:
    """Seals one and the same share of the officials' to every holder."""
    held = [custodian.lot_keys[tender.lot_id] for custodian in tender.cast.custodians]
    keys_by_kid = {key.kid: key.public_bytes for key in held}

    def spoil(file: SealedFile) -> SealedFile:
        header, share = sealing.parse_header(file.header), bytes(32) + b"\x01"
        keys: Any = strict_json(header.keys_bytes)
        for component in keys["components"]:
            if component["id"] != sealing.OFFICIALS:
                continue
            for one in component["ways"][0]["to"]:
                info = wrap_info(header.bind, header.policy_hash, "officials", one["kid"])
                one["ct"] = b64u(threshold.seal_for(keys_by_kid[one["kid"]], share, info=info))
                one["cmt"] = b64u(share_commitment(header.bind, "officials", share))
        spoilt = header_bytes(header.meta_bytes, canonical(keys))
        return replace(file, header=spoilt, head=head_of(spoilt))

    return spoil


SAID = '{"currency":"CNY","v":"ebid-sheet/1"'


UNREADABLE = (
    b"{}",
    b"[]",
    b"null",
    f'{SAID},"price":null}}'.encode(),
    f'{SAID},"price":"abc"}}'.encode(),
    f'{SAID},"price":"NaN"}}'.encode(),
    f'{SAID},"price":"-5.00"}}'.encode(),
    f'{SAID},"price":"1E+30"}}'.encode(),
    f'{SAID},"price":"1.005"}}'.encode(),
    f'{SAID},"price":"99999999999999999.00"}}'.encode(),
    f'{SAID},"price":1}}'.encode(),
    f'{SAID},"price":"1.00","quality":"\\u0000"}}'.encode(),
    f'{SAID},"price":"1.00","quality":"\\ud800"}}'.encode(),
    f'{SAID},"price":"1.00","quality":{{"a":1}}}}'.encode(),
    f'{SAID},"price":"1.00","quality":"{"长" * 501}"}}'.encode(),
)


async def test_no_sheet_that_anybody_can_seal_keeps_a_lot_from_being_opened(
    store: Store, tender: Tender
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES[:2]]
    entries += [await an_entry(store, tender, "0", sheet=sheet) for sheet in UNREADABLE]
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    assert (await hall.lot()).state == LotState.OPENED
    shown = {bid.bidder_id: bid for bid in (await seen(hall)).bids}
    for entry, sheet in zip(entries[2:], UNREADABLE, strict=True):
        bid = shown[entry.player.party]
        assert (bid.outcome, bid.sheet) == ("revoked", None), sheet
    assert sum(bid.outcome == "opened" for bid in shown.values()) == 2


async def test_a_bidder_who_deals_one_share_to_all_is_not_waited_for(
    store: Store, tender: Tender
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES[:2]]
    entries.append(await an_entry(store, tender, "1.00", spoil=one_share_for_all(tender)))
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    shown = {bid.bidder_id: bid for bid in (await seen(hall)).bids}
    assert shown[entries[2].player.party].outcome == "revoked"
    assert sum(bid.outcome == "opened" for bid in shown.values()) == 2


async def test_another_s_agency_cannot_agree_to_the_fallback(store: Store, hall: Hall) -> None:
    await window_ended(hall)
    for role in (Role.AGENCY, Role.TENDEREE):
        with pytest.raises(NotPermitted):
            await fallback_agreed(hall, await a_player(store, role))
    with pytest.raises(NotPermitted):
        await fallback_agreed(hall, await a_player(store, Role.CENTRE_STAFF))
    async with store.sessions() as session:
        sides = await session.scalars(text("SELECT side FROM trading.fallback"))
        assert sides.all() == []


@pytest.mark.parametrize(
    "secrets",
    [None, 7, "x", [1], [{}], [{"head": 1, "secret": "x"}], [{"head": "AA", "secret": "AA"}]],
    ids=str,
)
async def test_a_release_that_is_none_is_told_so(store: Store, hall: Hall, secrets: object) -> None:
    entry = hall.entries[0]
    said = {"v": "ebid-release/1", "lot": str(hall.lot_id), "secrets": secrets}
    said["signed_at"] = instant_text(hall.in_window)
    raw = signed(entry.player, "release", said)
    with pytest.raises(Malformed):
        async with transaction(store, actor=entry.player.actor, now=hall.in_window) as tx:
            await opening.release(tx, hall.lot_id, raw)


@pytest.mark.parametrize("shares", [None, {}, [{}], [{"head": "AA", "component": 1, "share": ""}]])
async def test_shares_that_are_none_are_told_so(store: Store, hall: Hall, shares: object) -> None:
    await released(hall, hall.entries[0])
    await window_ended(hall)
    custodian = hall.tender.cast.custodians[0]
    then = await hall.window_ends_at()
    said = {"v": "ebid-shares/1", "lot": str(hall.lot_id), "shares": shares}
    said["signed_at"] = instant_text(then)
    raw = signed(custodian, "shares", said)
    with pytest.raises(Malformed):
        async with transaction(store, actor=custodian.actor, now=then) as tx:
            await opening.give_shares(tx, hall.lot_id, raw)


async def signed_record(hall: Hall, who: Player) -> bytes:
    async with transaction(hall.store, actor=who.actor, now=await hall.window_ends_at()) as tx:
        draft = await opening.draft_record(tx, hall.lot_id)
    return who.key.sign("application/vnd.ebid.opening-record.v1+json", draft).to_bytes()


async def test_the_record_is_signed_only_after_every_objection_is_answered(
    store: Store, tender: Tender
) -> None:
    hall = await an_opened_lot(store, tender, PRICES)
    agency, then = tender.cast.agency, await hall.window_ends_at()
    async with transaction(store, actor=hall.entries[0].player.actor, now=then) as tx:
        objection_id = await opening.object_on_the_spot(tx, hall.lot_id, "请说明解密顺序。")
    raw = await signed_record(hall, agency)
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=agency.actor, now=then) as tx:
            await opening.sign_record(tx, hall.lot_id, raw)
    assert codes(refused) == {"objection_open"}
    async with transaction(store, actor=agency.actor, now=then) as tx:
        words, outcome = "先投标人，后保管人。", ObjectionOutcome.REJECTED
        await opening.answer_on_the_spot(tx, hall.lot_id, objection_id, words, outcome=outcome)
    with pytest.raises(BrokenSeal):
        async with transaction(store, actor=agency.actor, now=then) as tx:
            await opening.sign_record(tx, hall.lot_id, raw)
    raw = await signed_record(hall, agency)
    async with transaction(store, actor=agency.actor, now=then) as tx:
        await opening.sign_record(tx, hall.lot_id, raw)
    async with transaction(store, actor=PLATFORM, now=then) as tx:
        record = await opening_views.published_record(tx, hall.lot_id)
    assert Envelope.from_bytes(record.record, max_bytes=32 << 20).payload.count(b"announced") == 3
    assert len(record.sheets) == 3


async def test_objections_come_on_the_spot_or_not_at_all(store: Store, tender: Tender) -> None:
    hall = await an_opened_lot(store, tender, PRICES)
    then = await hall.window_ends_at()
    raw = await signed_record(hall, tender.cast.agency)
    async with transaction(store, actor=tender.cast.agency.actor, now=then) as tx:
        await opening.sign_record(tx, hall.lot_id, raw)
    with pytest.raises(Refused) as refused:
        async with transaction(store, actor=hall.entries[0].player.actor, now=then) as tx:
            await opening.object_on_the_spot(tx, hall.lot_id, "太晚了")
    assert codes(refused) == {"opening_over"}


async def test_the_secrets_of_whole_bids_stay_out_of_the_record(
    store: Store, tender: Tender
) -> None:
    hall = await an_opened_lot(store, tender, PRICES)
    raw = await signed_record(hall, tender.cast.agency)
    told: Any = Envelope.from_bytes(raw, max_bytes=32 << 20).payload
    async with store.sessions() as session:
        rows = await session.execute(text("SELECT secrets FROM trading.opened_bid"))
        kept = [row[0] for row in rows]
    assert all(secret.encode() in told for one in kept for secret in one["sheet"].values())
    assert not any(secret.encode() in told for one in kept for secret in one["bid"].values())


async def test_ending_the_window_twice_changes_nothing(store: Store, tender: Tender) -> None:
    hall = await an_opened_lot(store, tender, PRICES)
    before = canonical((await seen(hall)).plain())
    for _ in range(2):
        await opening.proceed(at(store, await hall.window_ends_at()), LotId(hall.lot_id))
    assert canonical((await seen(hall)).plain()) == before
