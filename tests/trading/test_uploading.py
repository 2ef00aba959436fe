"""Electronic Bidding Measures 26, 27: parts come whole before the deadline, and stay unread."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kernel.access import Actor, Role
from kernel.crypto import sealing
from kernel.crypto.digests import Malformed, sha256
from kernel.errors import NotFound, NotPermitted, Outrun, Refused, TooMuch
from kernel.failpoints import FailpointHit, arm
from kernel.randomness import random_bytes
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store, transaction
from tests.conftest import Database
from tests.kept_stores import Sound, Tick
from tests.newcomers import codes
from tests.sealed_bids import (
    IN_TIME,
    SealedFile,
    Tender,
    a_bidder,
    a_sealed_file,
    a_submission,
    announced,
    at,
    header_sent,
    sent,
    submitted,
    uploaded,
)
from tests.tenders import Player, a_player
from trading import reception, uploading
from trading.uploading import Announcement, UploadState, assemble, part_count, part_size

PART = sealing.PART_SIZE


async def the_state(store: Store, who: Player, upload: UploadState) -> UploadState:
    async with transaction(store, actor=who.actor) as tx:
        return await uploading.upload_state(tx, upload.id)


def stored_parts(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "documents" / "sealed"
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_bidder(store)


def a_large_file(size: int = 2 * PART + 5) -> SealedFile:
    """Parts of full size; what is in them does not matter before anything is submitted."""
    payload = random_bytes(1024) * (size // 1024 + 1)
    payload = b"".join(bytes([number]) + payload[1:PART] for number in range(part_count(size)))[
        :size
    ]
    return SealedFile("bid", b"", payload, b"", b"")


async def test_parts_may_come_in_any_order_and_twice(
    store: Store, tender: Tender, bidder: Player
) -> None:
    now, file = at(store, IN_TIME), a_large_file()
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    assert upload.missing == (0, 1, 2)
    for number in (2, 0, 2, 1, 1):
        await sent(now, bidder, upload.id, number, file.parts[number])
    assert (await the_state(now, bidder, upload)).missing == ()
    whole = await assemble(store, upload.id)
    digest = sealing.PayloadDigest()
    digest.update(file.payload)
    assert whole is not None
    assert (whole.payload_root, whole.payload_sha256) == (digest.root, sha256(file.payload))


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(order=st.lists(st.integers(min_value=0, max_value=3), max_size=9))
async def test_an_upload_is_whole_exactly_when_every_part_came(
    store: Store, tender: Tender, bidder: Player, order: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = 1000
    monkeypatch.setattr(sealing, "PART_SIZE", small)
    file = replace(a_large_file(1), payload=random_bytes(3 * small + 17))
    now = at(store, IN_TIME)
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    for number in order:
        await sent(now, bidder, upload.id, number, file.parts[number])
    state = await the_state(now, bidder, upload)
    assert set(state.missing) == set(range(4)) - set(order)
    assert (await assemble(store, upload.id) is not None) == (not state.missing)
    async with transaction(now, actor=bidder.actor) as tx:
        await uploading.discard_upload(tx, upload.id)


@given(size=st.integers(min_value=1, max_value=3 * PART))
def test_the_parts_of_a_payload_are_all_of_it(size: int) -> None:
    sizes = [part_size(size, number) for number in range(part_count(size))]
    assert sum(sizes) == size
    assert all(one == PART for one in sizes[:-1])
    assert 0 < sizes[-1] <= PART


async def test_a_wrong_digest_is_refused_and_nothing_is_kept(
    store: Store, tender: Tender, bidder: Player, tmp_path: Path
) -> None:
    now, file = at(store, IN_TIME), a_large_file(PART + 9)
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    with pytest.raises(Malformed) as fault:
        await sent(now, bidder, upload.id, 1, bytes(9))
    assert fault.value.code == "wrong_digest"
    for content in (b"", file.parts[1][:-1], file.parts[1] + b"x", file.parts[0]):
        with pytest.raises(Malformed) as fault:
            await sent(now, bidder, upload.id, 1, content)
        assert fault.value.code == "part_size"
    assert (await the_state(now, bidder, upload)).missing == (0, 1)
    assert stored_parts(tmp_path) == []


@pytest.mark.parametrize("number", [-1, 2, 10**6])
async def test_a_part_that_was_not_announced_is_not_there(
    store: Store, tender: Tender, bidder: Player, number: int
) -> None:
    now, file = at(store, IN_TIME), a_large_file(PART + 9)
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    with pytest.raises(NotFound):
        await sent(now, bidder, upload.id, number, file.parts[0])


@pytest.mark.parametrize(
    ("announcement", "code"),
    [
        (Announcement("bid", 0, ()), "upload_size"),
        (Announcement("bid", -1, ()), "upload_size"),
        (Announcement("bid", 2 * 1024**3 + 1, (bytes(32),) * 257), "upload_size"),
        (Announcement("bid", 10, ()), "part_count"),
        (Announcement("bid", 10, (bytes(32),) * 2), "part_count"),
        (Announcement("bid", PART + 1, (bytes(32),)), "part_count"),
        (Announcement("bid", 10, (bytes(31),)), "part_digest"),
        (Announcement("prices", 10, (bytes(32),)), "unknown_envelope"),
    ],
)
async def test_an_announcement_that_cannot_be_is_refused(
    store: Store, tender: Tender, bidder: Player, announcement: Announcement, code: str
) -> None:
    with pytest.raises(Malformed) as fault:
        await announced(at(store, IN_TIME), bidder, tender.lot_id, announcement)
    assert fault.value.code == code


async def test_the_same_announcement_finds_the_same_upload(
    store: Store, tender: Tender, bidder: Player
) -> None:
    now, file = at(store, IN_TIME), a_large_file(PART + 9)
    first = await announced(now, bidder, tender.lot_id, file.announcement)
    await sent(now, bidder, first.id, 0, file.parts[0])
    again = await announced(now, bidder, tender.lot_id, file.announcement)
    assert again.id == first.id
    assert again.missing == (1,)


async def test_another_header_needs_no_part_again(
    store: Store, tender: Tender, bidder: Player
) -> None:
    now, file = at(store, IN_TIME), a_sealed_file(tender, bidder.party, "bid")
    [upload_id] = await uploaded(store, bidder, tender.lot_id, [file])
    other = a_sealed_file(tender, bidder.party, "bid")
    with pytest.raises(Outrun):
        await header_sent(now, bidder, upload_id, other.header)
    changed = replace(file.announcement, envelope="technical")
    assert (await announced(now, bidder, tender.lot_id, changed)).missing == ()


async def test_waiting_uploads_are_bounded_and_a_given_up_one_makes_room(
    store: Store, tender: Tender, bidder: Player
) -> None:
    now = at(store, IN_TIME)
    uploads = [
        await announced(now, bidder, tender.lot_id, Announcement("bid", 10, (bytes([n]) * 32,)))
        for n in range(uploading.LIVE_UPLOADS_MAX)
    ]
    one_more = Announcement("bid", 10, (b"\xff" * 32,))
    with pytest.raises(TooMuch):
        await announced(now, bidder, tender.lot_id, one_more)
    async with transaction(now, actor=bidder.actor) as tx:
        await uploading.discard_upload(tx, uploads[0].id)
    await announced(now, bidder, tender.lot_id, one_more)
    with pytest.raises(NotFound):
        await the_state(now, bidder, uploads[0])
    async with transaction(now, actor=bidder.actor) as tx:
        assert len(await uploading.own_uploads(tx, tender.lot_id)) == uploading.LIVE_UPLOADS_MAX


async def test_waiting_payloads_are_bounded_together(
    store: Store, tender: Tender, bidder: Player
) -> None:
    now, most = at(store, IN_TIME), store.settings.upload_bytes_max
    for n in range(uploading.LIVE_PAYLOADS_MAX):
        digests = (bytes([n]) * 32,) * part_count(most)
        await announced(now, bidder, tender.lot_id, Announcement("bid", most, digests))
    with pytest.raises(TooMuch):
        await announced(now, bidder, tender.lot_id, Announcement("bid", 1, (bytes(32),)))


async def test_bytes_that_are_not_sealed_are_refused_with_a_prompt(
    store: Store, tender: Tender, bidder: Player
) -> None:
    now, file = at(store, IN_TIME), a_sealed_file(tender, bidder.party, "sheet")
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    for header in (
        b"",
        b"PK\x03\x04 a zip file and no envelope",
        file.header[:-1],
        file.header + b"x",
        b"EBIDENV1" + b"\xff" * 8,
        file.header.replace(b'"suite"', b'"suits"'),
    ):
        with pytest.raises(Refused) as refused:
            await header_sent(now, bidder, upload.id, header)
        assert codes(refused) == {"not_sealed"}
        assert "加密" in refused.value.refusals[0].reason
    assert (await the_state(now, bidder, upload)).head is None
    await header_sent(now, bidder, upload.id, file.header)
    await header_sent(now, bidder, upload.id, file.header)
    assert (await the_state(now, bidder, upload)).head == file.head


async def test_an_upload_is_its_bidder_s_alone(
    store: Store, tender: Tender, bidder: Player
) -> None:
    now, file = at(store, IN_TIME), a_sealed_file(tender, bidder.party, "sheet")
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    rival = await a_bidder(store)
    with pytest.raises(NotFound):
        await the_state(now, rival, upload)
    with pytest.raises(NotFound):
        await sent(now, rival, upload.id, 0, file.parts[0])
    with pytest.raises(NotFound):
        await header_sent(now, rival, upload.id, file.header)
    async with transaction(now, actor=rival.actor) as tx:
        with pytest.raises(NotFound):
            await uploading.discard_upload(tx, upload.id)
    for role in set(Role) - {Role.BIDDER}:
        other = Actor(role, bidder.person, bidder.party)
        async with transaction(now, actor=other) as tx:
            with pytest.raises(NotPermitted):
                await uploading.upload_state(tx, upload.id)


async def test_nothing_is_taken_at_the_deadline_or_for_a_draft(
    store: Store, tender: Tender, bidder: Player
) -> None:
    file = a_sealed_file(tender, bidder.party, "sheet")
    just = tender.due_at - timedelta(microseconds=1)
    upload = await announced(at(store, just), bidder, tender.lot_id, file.announcement)
    with pytest.raises(Refused) as refused:
        await sent(at(store, tender.due_at), bidder, upload.id, 0, file.parts[0])
    assert codes(refused) == {"late"}
    with pytest.raises(NotFound):
        await announced(at(store, just), bidder, bidder.party, file.announcement)


async def test_an_unverified_organisation_uploads_nothing(store: Store, tender: Tender) -> None:
    newcomer = await a_player(store, Role.BIDDER, verified=False)
    file = a_sealed_file(tender, newcomer.party, "sheet")
    with pytest.raises(Refused) as refused:
        await announced(at(store, IN_TIME), newcomer, tender.lot_id, file.announcement)
    assert codes(refused) == {"organisation_unverified"}


async def test_a_part_torn_by_a_crash_is_found_and_can_be_sent_again(
    store: Store, tender: Tender, bidder: Player, tmp_path: Path, tick: Tick, sound: Sound
) -> None:
    now, file = at(store, IN_TIME), a_large_file(PART + 9)
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    for number, part in enumerate(file.parts):
        await sent(now, bidder, upload.id, number, part)
    last = next(path for path in stored_parts(tmp_path) if path.stat().st_size == 9)
    last.write_bytes(file.parts[1][:4])
    assert await assemble(store, upload.id) is None
    assert (await the_state(now, bidder, upload)).missing == (1,)
    await sent(now, bidder, upload.id, 1, file.parts[1])
    assert await assemble(store, upload.id) is not None
    await tick()
    await sound()


async def test_a_death_between_disk_and_row_leaves_nothing_that_a_sweep_does_not_find(
    store: Store, tender: Tender, bidder: Player, tmp_path: Path, tick: Tick, sound: Sound
) -> None:
    now, file = at(store, IN_TIME), a_large_file(PART + 9)
    upload = await announced(now, bidder, tender.lot_id, file.announcement)
    arm("blob.after_fsync=raise")
    with pytest.raises(FailpointHit):
        await sent(now, bidder, upload.id, 1, file.parts[1])
    arm("")
    assert (await the_state(now, bidder, upload)).missing == (0, 1)
    assert len(stored_parts(tmp_path)) == 1
    async with transaction(now, actor=bidder.actor) as tx:
        await uploading.discard_upload(tx, upload.id)
    arm("upload.between_sweeps=raise")
    with pytest.raises(FailpointHit):
        await uploading.sweep(store)
    arm("")
    assert await uploading.sweep(store) == 1
    assert stored_parts(tmp_path) == []
    assert await uploading.sweep(store) == 0
    await tick()
    await sound()


async def test_while_the_documents_are_copied_nothing_leaves_the_disk(
    store: Store, tender: Tender, bidder: Player, tmp_path: Path, database: Database
) -> None:
    now = at(store, IN_TIME)
    files = [a_sealed_file(tender, bidder.party, kind) for kind in ("sheet", "bid")]
    upload_ids = await uploaded(store, bidder, tender.lot_id, files)
    for upload_id in upload_ids:
        async with transaction(now, actor=bidder.actor) as tx:
            await uploading.discard_upload(tx, upload_id)
    engine = connect(database.url(OWNER), pool_size=1)
    async with engine.connect() as line:
        connection = await line.execution_options(isolation_level="AUTOCOMMIT")
        async with uploading.all_parts_kept(connection):
            assert await uploading.sweep(store) == 0
            assert len(stored_parts(tmp_path)) == 2
    await engine.dispose()
    assert await uploading.sweep(store) == 2
    assert stored_parts(tmp_path) == []


async def test_a_sweep_leaves_what_a_bid_or_another_upload_refers_to(
    store: Store, tender: Tender, bidder: Player, tmp_path: Path
) -> None:
    now = at(store, IN_TIME)
    files = [a_sealed_file(tender, bidder.party, kind) for kind in ("sheet", "bid")]
    upload_ids = await uploaded(store, bidder, tender.lot_id, files)
    second = await announced(
        now, bidder, tender.lot_id, replace(files[0].announcement, envelope="technical")
    )
    async with transaction(now, actor=bidder.actor) as tx:
        await uploading.discard_upload(tx, second.id)
    assert await uploading.sweep(store) == 1
    assert len(stored_parts(tmp_path)) == 2
    async with reception.opened(store, patience_s=0) as counter:
        await submitted(store, counter, bidder, tender, a_submission(tender, bidder, files))
    with pytest.raises(Outrun):
        async with transaction(now, actor=bidder.actor) as tx:
            await uploading.discard_upload(tx, upload_ids[0])
    with pytest.raises(DBAPIError, match="refers to stays"):
        async with store.sessions.begin() as session:
            await session.execute(text("DELETE FROM trading.upload_part"))
    with pytest.raises(DBAPIError, match="refers to stays"):
        async with store.sessions.begin() as session:
            await session.execute(text("UPDATE trading.upload_part SET size = size + 1"))


async def test_parts_lie_where_no_document_can_be_asked_for(
    store: Store, tender: Tender, bidder: Player
) -> None:
    file = a_sealed_file(tender, bidder.party, "sheet")
    await uploaded(store, bidder, tender.lot_id, [file])
    digest = file.announcement.part_digests[0]
    assert not await store.documents.has(digest)
    assert await uploading.sealed_drawer(store.documents).read(digest) == file.payload
