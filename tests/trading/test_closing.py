"""Bidding Law 28, 34; Regulation 44; Electronic Bidding Measures 27, 31: the closing of a lot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from kernel.access import PLATFORM
from kernel.crypto.digests import b64u, instant_text, parse_instant, sha256, unb64u
from kernel.errors import Outrun, Refused
from kernel.events import Audience
from kernel.failpoints import FailpointHit, arm
from kernel.identifiers import LotId
from kernel.store.journal import read_view
from kernel.store.transaction import Store, transaction
from kernel.store.views import PUBLIC_FEED, room
from tests.kept_stores import Sound, Tick
from tests.newcomers import codes
from tests.sealed_bids import (
    IN_TIME,
    SealedFile,
    Tender,
    a_bidder,
    a_sealed_bid,
    a_submission,
    at,
    submitted,
    ticking,
    uploaded,
)
from tests.tenders import Player
from trading import closing, reception, uploading
from trading.closing import padded_commitments
from trading.judging import Outcome, judge_intent
from trading.reception import Reception
from trading.rules.closing_cut import cut_digest, intent_commitment, stands_in_cut
from trading.rules.lot_lifecycle import LotState
from trading.tables import LotRow

Bidding = tuple[Player, tuple[SealedFile, SealedFile], bytes]


@pytest.fixture
async def counter(store: Store) -> AsyncIterator[Reception]:
    async with reception.opened(store, patience_s=0) as opened:
        yield opened


async def bidders_with_bids(
    store: Store, counter: Reception, tender: Tender, count: int
) -> list[Bidding]:
    """Bidders whose bids were taken in, one second after another."""
    found: list[Bidding] = []
    for number in range(count):
        bidder = await a_bidder(store)
        files = a_sealed_bid(tender, bidder)
        await uploaded(store, bidder, tender.lot_id, files)
        raw = a_submission(tender, bidder, files)
        then = IN_TIME + timedelta(seconds=number)
        await submitted(store, counter, bidder, tender, raw, at=then)
        found.append((bidder, files, raw))
    return found


async def intent_only(
    store: Store, counter: Reception, tender: Tender, bidder: Player, files: Sequence[SealedFile]
) -> bytes:
    """A submission that arrived and that nobody judged: the process died right after."""
    raw = a_submission(tender, bidder, files)
    arm("submit.received=raise")
    with pytest.raises(FailpointHit):
        just = tender.due_at - timedelta(microseconds=1)
        await submitted(store, counter, bidder, tender, raw, at=just)
    arm("")
    return raw


async def closed(store: Store, tender: Tender) -> None:
    await closing.close_lot(at(store, tender.due_at), LotId(tender.lot_id))


async def the_lot(store: Store, tender: Tender) -> LotRow:
    async with store.sessions() as session:
        return await session.get_one(LotRow, tender.lot_id)


async def recorded(store: Store, kind: str) -> list[dict[str, Any]]:
    async with store.sessions() as session:
        found = await session.execute(
            text("SELECT record FROM kernel.journal WHERE kind = :kind"), {"kind": kind}
        )
        return [json.loads(record)["facts"] for (record,) in found]


async def test_a_lot_with_three_bidders_closes_with_their_list_and_opens(
    store: Store, tender: Tender, counter: Reception
) -> None:
    bidders = await bidders_with_bids(store, counter, tender, 3)
    await closed(store, tender)
    lot = await the_lot(store, tender)
    assert lot.state == LotState.OPENING
    assert lot.release_until == tender.due_at + timedelta(seconds=lot.release_window_s)
    assert lot.due_at == lot.release_until
    [facts] = await recorded(store, "LotClosed")
    assert [(bid["bidder"], bid["name"], bid["seq"]) for bid in facts["bids"]] == [
        (str(bidder.party), bidder.organisation, 1) for bidder, _, _ in bidders
    ]
    assert [
        (one["envelope"], one["head"], one["payload_root"], one["payload_size"])
        for one in facts["bids"][0]["envelopes"]
    ] == [
        (file.kind, b64u(file.head), b64u(file.root), len(file.payload)) for file in bidders[0][1]
    ]
    assert facts["timetable_digest"] == b64u(sha256(tender.lot.timetable))
    assert facts["timetable_version"] == 1
    assert facts["policy_digest"] == b64u(tender.lot.policy_hash)


async def test_a_lot_with_two_bidders_fails_with_the_article(
    store: Store, tender: Tender, counter: Reception
) -> None:
    await bidders_with_bids(store, counter, tender, 2)
    await closed(store, tender)
    lot = await the_lot(store, tender)
    assert (lot.state, lot.due_at, lot.release_until) == (LotState.FAILED, None, None)
    [facts] = await recorded(store, "LotFailed")
    assert facts["code"] == "too_few_bidders"
    assert "第44条" in facts["article"]


async def test_a_withdrawn_bid_counts_for_nobody(
    store: Store, tender: Tender, counter: Reception
) -> None:
    bidders = await bidders_with_bids(store, counter, tender, 3)
    bidder, _, raw = bidders[1]
    withdrawal = a_submission(tender, bidder, (), seq=2, replaces=sha256(raw))
    await submitted(store, counter, bidder, tender, withdrawal)
    await closed(store, tender)
    [facts] = await recorded(store, "LotClosed")
    assert str(bidder.party) not in {bid["bidder"] for bid in facts["bids"]}
    assert (await the_lot(store, tender)).state == LotState.FAILED


async def test_nothing_closes_before_the_deadline_has_settled(
    store: Store, tender: Tender, counter: Reception
) -> None:
    early = at(store, tender.due_at - timedelta(microseconds=1))
    await closing.close_lot(early, LotId(tender.lot_id))
    patient = replace(
        at(store, tender.due_at + timedelta(seconds=1.999)),
        settings=store.settings.model_copy(update={"closer_settle_s": 2.0}),
    )
    await closing.close_lot(patient, LotId(tender.lot_id))
    assert (await the_lot(store, tender)).state == LotState.OPEN
    await closing.close_lot(
        replace(patient, clock=at(store, tender.due_at + timedelta(seconds=2)).clock),
        LotId(tender.lot_id),
    )
    assert (await the_lot(store, tender)).state == LotState.FAILED


async def test_a_submission_nobody_judged_is_judged_by_the_closing(
    store: Store, tender: Tender, counter: Reception, tick: Tick
) -> None:
    await bidders_with_bids(store, counter, tender, 2)
    bidder = await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    raw = await intent_only(store, counter, tender, bidder, files)
    await closed(store, tender)
    [facts] = await recorded(store, "LotClosed")
    assert facts["bids"][-1]["bidder"] == str(bidder.party)
    late = tender.due_at + timedelta(hours=1)
    async with ticking(tick), reception.opened(store, patience_s=30) as patient:
        answer = await submitted(store, patient, bidder, tender, raw, at=late)
    assert answer.receipt
    assert answer.received_at == tender.due_at - timedelta(microseconds=1)


async def test_the_cut_is_committed_to_before_it_is_opened(
    store: Store, tender: Tender, counter: Reception, tick: Tick
) -> None:
    await bidders_with_bids(store, counter, tender, 3)
    await closed(store, tender)
    await tick()
    async with store.sessions() as session:
        public = await read_view(session, room(tender.lot_id, Audience.PUBLIC), after=0)
    kinds = [entry.kind for entry in public]
    assert kinds.index("LotClosing") < kinds.index("LotClosed")
    [cut] = await recorded(store, "LotClosing")
    [opened] = await recorded(store, "LotClosed")
    commitments = [unb64u(one) for one in opened["cut_commitments"]]
    assert len(commitments) == 8
    assert unb64u(cut["cut_digest"]) == cut_digest(unb64u(opened["cut_salt"]), commitments)
    for facts in await recorded(store, "BidSubmitted"):
        commitment = intent_commitment(
            unb64u(facts["nonce"]),
            unb64u(facts["submission"]),
            parse_instant(facts["received_at"]),
        )
        opening = {"salt": unb64u(opened["cut_salt"]), "digest": unb64u(cut["cut_digest"])}
        assert stands_in_cut(commitment, commitments=commitments, **opening)
        assert not stands_in_cut(bytes(32), commitments=commitments, **opening)
        assert not stands_in_cut(commitment, commitments=[commitment], **opening)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70, unique=True))
def test_the_number_of_commitments_in_a_cut_tells_only_a_power_of_eight(
    commitments: list[bytes],
) -> None:
    filled = padded_commitments(commitments)
    assert set(commitments) <= set(filled)
    assert filled == sorted(filled)
    assert len(filled) in (8, 64, 512)


async def test_what_is_sealed_is_seen_by_supervisors_only_after_the_close(
    store: Store, tender: Tender, counter: Reception, tick: Tick
) -> None:
    bidders = await bidders_with_bids(store, counter, tender, 3)
    bidder = bidders[0][0]
    with pytest.raises(Refused):
        other = a_submission(tender, bidder, (), seq=2, replaces=bytes(32))
        await submitted(store, counter, bidder, tender, other)
    await tick()

    async def kinds_for(audience: Audience) -> list[str]:
        async with store.sessions() as session:
            entries = await read_view(session, room(tender.lot_id, audience), after=0)
        return [entry.kind for entry in entries]

    sealed = {"BidSubmitted", "BidRefused"}
    assert not sealed & set(await kinds_for(Audience.SUPERVISORS))
    await closed(store, tender)
    await tick()
    after = await kinds_for(Audience.SUPERVISORS)
    assert after.count("BidSubmitted") == 3
    assert after.count("BidRefused") == 1
    assert not sealed & set(await kinds_for(Audience.PUBLIC))
    async with store.sessions() as session:
        feed = await read_view(session, PUBLIC_FEED, after=0)
    assert not sealed & {entry.kind for entry in feed}


async def test_two_closers_at_once_are_one_closing(
    store: Store, tender: Tender, counter: Reception
) -> None:
    await bidders_with_bids(store, counter, tender, 3)
    await asyncio.gather(*(closed(store, tender) for _ in range(4)))
    for kind in ("LotClosing", "LotClosed"):
        assert len(await recorded(store, kind)) == 1


STEPS = (
    "closing.locked",
    "closing.cut",
    "judge.locked",
    "judge.kept",
    "db.before_commit",
    "db.after_commit",
    "closing.drained",
    "closing.listed",
    "closing.closed",
)


@pytest.mark.parametrize(
    ("step", "passage"),
    [*((step, 1) for step in STEPS), ("db.before_commit", 2), ("db.after_commit", 2)],
)
async def test_a_closing_that_dies_anywhere_is_finished_with_the_same_cut(
    store: Store,
    tender: Tender,
    counter: Reception,
    tick: Tick,
    sound: Sound,
    step: str,
    passage: int,
) -> None:
    bidders = await bidders_with_bids(store, counter, tender, 2)
    last = await a_bidder(store)
    files = a_sealed_bid(tender, last)
    await uploaded(store, last, tender.lot_id, files)
    await intent_only(store, counter, tender, last, files)
    arm(f"{step}=raise@{passage}")
    with pytest.raises(FailpointHit):
        await closed(store, tender)
    arm("")
    await closed(store, tender)
    await closed(store, tender)
    [facts] = await recorded(store, "LotClosed")
    assert [bid["bidder"] for bid in facts["bids"]] == [
        str(player.party) for player in (*(one for one, _, _ in bidders), last)
    ]
    [cut] = await recorded(store, "LotClosing")
    assert cut["cut_digest"] == facts["cut_digest"]
    assert (await the_lot(store, tender)).state == LotState.OPENING
    assert len(await recorded(store, "BidSubmitted")) == 3
    await tick()
    await sound()


async def test_what_cannot_be_judged_in_the_bound_is_the_platform_s_fault_with_evidence(
    store: Store, tender: Tender, counter: Reception
) -> None:
    await bidders_with_bids(store, counter, tender, 3)
    bidder = await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    raw = await intent_only(store, counter, tender, bidder, files)
    hurried = replace(
        at(store, tender.due_at),
        settings=store.settings.model_copy(update={"drain_bound_s": 0.0}),
    )
    await closing.close_lot(hurried, LotId(tender.lot_id))
    [fault] = await recorded(store, "SubmissionFailedByPlatform")
    assert fault["submission"] == b64u(sha256(raw))
    assert fault["deadline"] == instant_text(tender.due_at)
    [facts] = await recorded(store, "LotClosed")
    assert str(bidder.party) not in {bid["bidder"] for bid in facts["bids"]}
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw, at=tender.due_at)
    assert codes(refused) == {"platform_failure"}
    assert len(await recorded(store, "BidSubmitted")) == 3


async def test_a_closing_waits_for_submissions_that_are_still_being_judged(
    store: Store, tender: Tender, counter: Reception
) -> None:
    bidder = await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    await intent_only(store, counter, tender, bidder, files)
    now = at(store, tender.due_at)
    async with transaction(now, actor=PLATFORM) as tx:
        assert await closing.begin_closing(tx, LotId(tender.lot_id))
    with pytest.raises(Outrun):
        async with transaction(now, actor=PLATFORM) as tx:
            await closing.finish_closing(tx, LotId(tender.lot_id))
    await closing.drain(now, LotId(tender.lot_id))
    async with transaction(now, actor=PLATFORM) as tx:
        await closing.finish_closing(tx, LotId(tender.lot_id))
    assert (await the_lot(store, tender)).state == LotState.FAILED


async def test_a_closing_an_outage_delayed_does_not_eat_the_window(
    store: Store, tender: Tender, counter: Reception
) -> None:
    await bidders_with_bids(store, counter, tender, 3)
    late = tender.due_at + timedelta(hours=5)
    await closing.close_lot(at(store, late), LotId(tender.lot_id))
    lot = await the_lot(store, tender)
    assert lot.release_until == late + timedelta(seconds=lot.release_window_s)


async def test_time_alone_closes_a_lot(store: Store, tender: Tender, counter: Reception) -> None:
    from trading import due_lots

    await bidders_with_bids(store, counter, tender, 3)
    assert await due_lots.wake(at(store, tender.due_at - timedelta(microseconds=1))) == 0
    assert await due_lots.wake(at(store, tender.due_at)) == 1
    assert (await the_lot(store, tender)).state == LotState.OPENING


async def test_uploads_that_led_to_no_bid_are_gone_after_the_close(
    store: Store, tender: Tender, counter: Reception
) -> None:
    bidder = await a_bidder(store)
    files = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, files)
    await closed(store, tender)
    drawer = uploading.sealed_drawer(store.documents)
    for file in files:
        assert not await drawer.has(file.announcement.part_digests[0])


async def test_nobody_can_judge_a_submission_a_second_time(
    store: Store, tender: Tender, counter: Reception
) -> None:
    [(bidder, _, raw)] = await bidders_with_bids(store, counter, tender, 1)
    answer = await submitted(store, counter, bidder, tender, raw)
    await closed(store, tender)
    again = await judge_intent(store, answer.intent_id)
    assert again == answer.judgement
    assert again.outcome is Outcome.ACCEPTED
