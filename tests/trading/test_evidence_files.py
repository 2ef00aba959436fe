"""Files that come with an objection or a complaint: kept, named, and read by those concerned."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kernel.access import PUBLIC, Actor, Role
from kernel.crypto.digests import Malformed, b64u, sha256
from kernel.errors import NotFound, NotPermitted, Refused, TooMuch
from kernel.store.transaction import Store, transaction
from tests.awards import objected
from tests.complaints import complained
from tests.opened_lots import Hall
from tests.sealed_bids import Tender, a_bidder
from tests.tenders import NOW, Player, a_player
from trading import evidence_files
from trading.evidence_files import FILES_MAX, EvidenceFile

LETTER = b"%PDF-1.7 a letter"
THEN = NOW + timedelta(days=1)


async def kept(
    store: Store, who: Player, lot_id: Any, *, name: str = "回函.pdf", content: bytes = LETTER
) -> bytes:
    async with transaction(store, actor=who.actor, now=THEN) as tx:
        return await evidence_files.keep_evidence(
            tx, lot_id, name, content, media_type="application/pdf"
        )


async def read(store: Store, actor: Actor, lot_id: Any, content: bytes = LETTER) -> EvidenceFile:
    async with transaction(store, actor=actor, now=THEN) as tx:
        return await evidence_files.evidence_file(tx, lot_id, sha256(content))


def naming(content: bytes = LETTER, name: str = "回函.pdf") -> list[dict[str, str]]:
    return [{"title": "业主的回函", "text": "", "name": name, "file": b64u(sha256(content))}]


async def test_a_file_is_its_senders_alone_until_an_objection_names_it(
    store: Store, tender: Tender
) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    cast, lot_id = tender.cast, tender.lot_id
    assert await kept(store, bidder, lot_id) == sha256(LETTER)
    assert await kept(store, bidder, lot_id) == sha256(LETTER), "the same again changes nothing"
    mine = await read(store, bidder.actor, lot_id)
    assert (mine.name, mine.media_type, mine.content) == ("回函.pdf", "application/pdf", LETTER)
    concerned = (cast.agency.actor, cast.tenderee.actor, cast.supervisor.actor)
    for actor in (*concerned, other.actor, PUBLIC):
        with pytest.raises(NotFound):
            await read(store, actor, lot_id)
    await objected(store, bidder, lot_id, "documents", now=THEN, evidence=naming())
    for actor in concerned:
        assert (await read(store, actor, lot_id)).content == LETTER
    for actor in (other.actor, PUBLIC, cast.staff.actor):
        with pytest.raises(NotFound):
            await read(store, actor, lot_id)


async def test_a_complaint_names_what_its_sender_has_kept_for_that_lot(
    store: Store, hall: Hall
) -> None:
    bidder, lot_id = hall.entries[0].player, hall.lot_id
    await kept(store, bidder, lot_id)
    now = hall.tender.lot.bids_due_at + timedelta(hours=1)
    said: dict[str, Any] = {"about": "conduct", "now": now, "evidence": naming()}
    await complained(store, bidder, lot_id, **said)
    assert (await read(store, hall.tender.cast.supervisor.actor, lot_id)).content == LETTER


async def test_what_was_not_sent_cannot_be_named(store: Store, tender: Tender) -> None:
    bidder, other = await a_bidder(store), await a_bidder(store)
    await kept(store, other, tender.lot_id)
    for evidence in (
        naming(),
        naming(b"another"),
        [{"title": "回函", "text": "", "name": "回函.pdf"}],
        [{"title": "回函", "text": "", "file": b64u(sha256(LETTER))}],
        [{"title": "回函", "text": "", "name": "../a", "file": b64u(sha256(LETTER))}],
    ):
        with pytest.raises(Malformed):
            await objected(store, bidder, tender.lot_id, "documents", now=THEN, evidence=evidence)


async def test_what_is_no_file_of_evidence_is_not_kept(store: Store, tender: Tender) -> None:
    bidder, newcomer = await a_bidder(store), await a_player(store, Role.BIDDER, verified=False)
    for name, content in (("../x", LETTER), (".hidden", LETTER), ("empty.pdf", b"")):
        with pytest.raises(Malformed):
            await kept(store, bidder, tender.lot_id, name=name, content=content)
    with pytest.raises(NotFound):
        await kept(store, bidder, tender.cast.agency.party)
    # Who tenders may bring evidence of its own, as an agency does against a candidate.
    await kept(store, tender.cast.agency, tender.lot_id)
    for who in (tender.cast.supervisor, tender.cast.staff):
        with pytest.raises(NotPermitted):
            await kept(store, who, tender.lot_id)
    with pytest.raises(Refused):
        await kept(store, newcomer, tender.lot_id)
    for number in range(FILES_MAX):
        await kept(store, bidder, tender.lot_id, content=b"%d" % number)
    with pytest.raises(TooMuch):
        await kept(store, bidder, tender.lot_id, content=b"one more")
