"""Bidding Law 28, 29; Regulation 35, 36; Electronic Bidding Measures 23, 26, 27, 31."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from blacklist.tables import BarRow, DecisionRow
from kernel.access import Actor, Role
from kernel.crypto import sealing
from kernel.crypto.digests import (
    Malformed,
    b64,
    b64u,
    canonical,
    instant_text,
    sha256,
    unb64,
)
from kernel.crypto.receipts import verify_proof
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused
from kernel.events import Audience
from kernel.failpoints import FailpointHit, arm, watched
from kernel.identifiers import LotId
from kernel.randomness import random_bytes, random_id
from kernel.store import founding
from kernel.store.database import APP, OWNER, connect
from kernel.store.journal import read_view
from kernel.store.transaction import NotDurable, Store, transaction
from kernel.store.views import own_acts, room
from tests.conftest import Database
from tests.kept_stores import Sound, Tick
from tests.libraries import a_verified_licence, uscc_of
from tests.newcomers import codes
from tests.sealed_bids import (
    IN_TIME,
    SealedFile,
    Tender,
    a_bidder,
    a_sealed_bid,
    a_sealed_file,
    a_submission,
    announced,
    at,
    header_sent,
    sent,
    submitted,
    ticking,
    uploaded,
)
from tests.tenders import Player, a_player, signed
from trading import bidding, closing, lots, reception
from trading.counted_bids import counted_bids
from trading.judging import Outcome
from trading.reception import Reception
from trading.rules.lot_lifecycle import LotMove
from trading.rules.opening_policy import policy_keys

Files = tuple[SealedFile, SealedFile]


@pytest.fixture
async def bidder(store: Store) -> Player:
    return await a_bidder(store)


@pytest.fixture
async def counter(store: Store) -> AsyncIterator[Reception]:
    """A counter at which nobody waits for receipts."""
    async with reception.opened(store, patience_s=0) as opened:
        yield opened


@pytest.fixture
async def patient(store: Store) -> AsyncIterator[Reception]:
    """A counter at which everybody waits for receipts."""
    async with reception.opened(store, patience_s=30) as opened:
        yield opened


@pytest.fixture
async def files(store: Store, tender: Tender, bidder: Player) -> Files:
    sealed = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, sealed)
    return sealed


async def rows(store: Store, query: str, **values: Any) -> list[Any]:
    async with store.sessions() as session:
        return list((await session.execute(text(query), values)).mappings())


async def recorded(store: Store, kind: str) -> list[dict[str, Any]]:
    query = "SELECT record FROM kernel.journal WHERE kind = :kind ORDER BY recorded_at"
    found = await rows(store, query, kind=kind)
    return [json.loads(row["record"]) for row in found]


async def test_a_bid_in_time_gets_a_receipt_that_verifies_offline(
    store: Store, tender: Tender, bidder: Player, patient: Reception, files: Files, tick: Tick
) -> None:
    raw = a_submission(tender, bidder, files)
    async with ticking(tick):
        answer = await submitted(store, patient, bidder, tender, raw)
    assert answer.receipt is not None
    log_vkey = founding.read_keys(store.settings).log_signer.vkey
    record = json.loads(verify_proof(answer.receipt, log_vkey=log_vkey, witness_vkeys=()).record)
    facts = record["facts"]
    assert record["kind"] == "BidSubmitted"
    assert (record["at"], facts["received_at"]) == (instant_text(IN_TIME),) * 2
    assert facts["submission"] == b64u(sha256(raw))
    assert facts["deadline"] == instant_text(tender.due_at)
    assert {one["envelope"]: one["payload_sha256"] for one in facts["envelopes"]} == {
        file.kind: b64u(sha256(file.payload)) for file in files
    }
    [bid] = await rows(store, "SELECT * FROM trading.bid")
    assert (bid["seq"], bid["received_at"], bid["withdrawn"]) == (1, IN_TIME, False)
    async with store.sessions() as session:
        [counted] = await counted_bids(session, tender.lot_id)
    assert [(one.kind, one.header, one.payload_root) for one in counted.envelopes] == [
        (file.kind, file.header, file.root) for file in files
    ]
    assert not counted.escrowed


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(late_by=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2)))
async def test_no_submission_at_or_after_the_deadline_is_ever_received(
    store: Store,
    tender: Tender,
    bidder: Player,
    counter: Reception,
    files: Files,
    late_by: timedelta,
) -> None:
    raw = a_submission(tender, bidder, files)
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw, at=tender.due_at + late_by)
    assert codes(refused) == {"late"}
    assert await rows(store, "SELECT 1 FROM trading.intent") == []


@pytest.mark.parametrize(
    ("early_by", "taken"),
    [
        (timedelta(milliseconds=1), True),
        (timedelta(microseconds=1), True),
        (timedelta(0), False),
        (timedelta(microseconds=-1), False),
    ],
)
async def test_the_deadline_is_exact_to_the_microsecond(
    store: Store,
    tender: Tender,
    bidder: Player,
    counter: Reception,
    files: Files,
    early_by: timedelta,
    taken: bool,
) -> None:
    raw = a_submission(tender, bidder, files)
    at = tender.due_at - early_by
    if taken:
        answer = await submitted(store, counter, bidder, tender, raw, at=at)
        assert answer.judgement is not None
        assert (answer.judgement.outcome, answer.received_at) == (Outcome.ACCEPTED, at)
        return
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw, at=at)
    [refusal] = refused.value.refusals
    assert refusal.facts["received_at"] == at.isoformat()
    assert refusal.facts["bids_due_at"] == tender.due_at.isoformat()
    assert refusal.facts["statement_bytes"] == str(len(raw))
    assert refusal.facts["envelope_bytes_received"] == str(
        sum(len(file.header) + len(file.payload) for file in files)
    )


async def test_a_late_submission_is_on_record_for_its_author_alone(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files, tick: Tick
) -> None:
    raw = a_submission(tender, bidder, files)
    with pytest.raises(Refused):
        await submitted(store, counter, bidder, tender, raw, at=tender.due_at)
    await tick()
    [record] = await recorded(store, "BidRefused")
    assert record["facts"]["grounds"][0]["code"] == "late"
    async with store.sessions() as session:
        mine = await read_view(session, own_acts(bidder.party), after=0)
        others = await read_view(session, room(tender.lot_id, Audience.SUPERVISORS), after=0)
    assert "BidRefused" in {entry.kind for entry in mine}
    assert "BidRefused" not in {entry.kind for entry in others}


async def test_the_same_submission_twice_gives_the_same_receipt_byte_for_byte(
    store: Store, tender: Tender, bidder: Player, patient: Reception, files: Files, tick: Tick
) -> None:
    raw = a_submission(tender, bidder, files)
    async with ticking(tick):
        first = await submitted(store, patient, bidder, tender, raw, key="a")
        again = await submitted(store, patient, bidder, tender, raw, key="a")
        other_key = await submitted(store, patient, bidder, tender, raw, key="b")
        after_the_end = await submitted(
            store, patient, bidder, tender, raw, key="c", at=tender.due_at + timedelta(days=1)
        )
    receipts = {one.receipt for one in (first, again, other_key, after_the_end)}
    assert len(receipts) == 1
    assert first.receipt
    assert len(await rows(store, "SELECT 1 FROM trading.intent")) == 1


async def test_many_tasks_with_one_key_have_one_effect(
    store: Store, tender: Tender, bidder: Player, patient: Reception, files: Files, tick: Tick
) -> None:
    raw = a_submission(tender, bidder, files)
    async with ticking(tick):
        answers = await asyncio.gather(
            *(submitted(store, patient, bidder, tender, raw, key="a") for _ in range(32))
        )
    assert len({answer.receipt for answer in answers}) == 1
    assert None not in {answer.receipt for answer in answers}
    assert len(await rows(store, "SELECT 1 FROM trading.intent")) == 1
    assert len(await recorded(store, "BidSubmitted")) == 1


async def test_the_same_bytes_under_many_keys_are_one_bid(
    store: Store, tender: Tender, bidder: Player, patient: Reception, files: Files, tick: Tick
) -> None:
    raw = a_submission(tender, bidder, files)
    async with ticking(tick):
        answers = await asyncio.gather(
            *(submitted(store, patient, bidder, tender, raw, key=str(n)) for n in range(8))
        )
    assert len({answer.receipt for answer in answers}) == 1
    assert len(await rows(store, "SELECT 1 FROM trading.bid")) == 1
    assert len(await recorded(store, "BidSubmitted")) == 1


async def test_a_key_belongs_to_one_submission(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    await submitted(store, counter, bidder, tender, a_submission(tender, bidder, files), key="a")
    with pytest.raises(Malformed) as fault:
        other = a_submission(tender, bidder, files, seq=2)
        await submitted(store, counter, bidder, tender, other, key="a")
    assert fault.value.code == "key_reused"


async def test_the_last_submission_counts_and_each_keeps_its_receipt(
    store: Store, tender: Tender, bidder: Player, patient: Reception, files: Files, tick: Tick
) -> None:
    first = a_submission(tender, bidder, files)
    withdrawal = a_submission(tender, bidder, (), seq=2, replaces=sha256(first))
    better = a_sealed_bid(tender, bidder, escrow=True)
    await uploaded(store, bidder, tender.lot_id, better)
    last = a_submission(tender, bidder, better, seq=3, replaces=sha256(withdrawal))
    async with ticking(tick):
        answers = [
            await submitted(store, patient, bidder, tender, raw) for raw in (first, withdrawal)
        ]
        async with store.sessions() as session:
            assert await counted_bids(session, tender.lot_id) == ()
        answers.append(await submitted(store, patient, bidder, tender, last))
    assert len({answer.receipt for answer in answers} - {None}) == 3
    assert [one.judgement.outcome for one in answers if one.judgement] == [
        Outcome.ACCEPTED,
        Outcome.WITHDRAWN,
        Outcome.ACCEPTED,
    ]
    async with store.sessions() as session:
        [counted] = await counted_bids(session, tender.lot_id)
    assert (counted.seq, counted.escrowed) == (3, True)
    async with transaction(store, actor=bidder.actor) as tx:
        mine = await bidding.own_bids(tx, tender.lot_id)
    assert [(one.seq, one.withdrawn) for one in mine] == [(1, False), (2, True), (3, False)]
    assert [one.receipt for one in mine] == [answer.receipt for answer in answers]


@pytest.mark.parametrize(
    ("seq", "replaces", "code"),
    [
        (1, "first", "outdated_sequence"),
        (2, None, "wrong_previous"),
        (2, "other", "wrong_previous"),
        (3, "first", "wrong_sequence"),
    ],
)
async def test_a_replacement_names_what_it_replaces_and_comes_after_it(
    store: Store,
    tender: Tender,
    bidder: Player,
    counter: Reception,
    files: Files,
    seq: int,
    replaces: str | None,
    code: str,
) -> None:
    first = a_submission(tender, bidder, files)
    await submitted(store, counter, bidder, tender, first)
    previous = {"first": sha256(first), "other": bytes(32), None: None}[replaces]
    raw = a_submission(tender, bidder, files, seq=seq, replaces=previous)
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw)
    assert codes(refused) == {code}


async def test_there_is_nothing_to_withdraw_before_a_bid(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, a_submission(tender, bidder, ()))
    assert codes(refused) == {"nothing_to_withdraw"}


async def test_a_missing_part_is_named_and_may_be_sent_after_all(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    sheet, bid = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, [sheet])
    now, raw = at(store, IN_TIME), a_submission(tender, bidder, (sheet, bid))
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw, key="a")
    assert codes(refused) == {"incomplete"}
    assert "bid" in refused.value.refusals[0].facts["missing"]
    upload = await announced(now, bidder, tender.lot_id, bid.announcement)
    await header_sent(now, bidder, upload.id, bid.header)
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw, key="b")
    assert refused.value.refusals[0].facts["missing"] == "bid 第0块"
    await sent(now, bidder, upload.id, 0, bid.parts[0])
    with pytest.raises(Refused) as same:
        await submitted(store, counter, bidder, tender, raw, key="b")
    assert same.value.refusals == refused.value.refusals
    answer = await submitted(store, counter, bidder, tender, raw, key="c")
    assert answer.judgement is not None
    assert answer.judgement.outcome is Outcome.ACCEPTED


async def refusal_of(
    store: Store,
    counter: Reception,
    tender: Tender,
    bidder: Player,
    files: tuple[SealedFile, ...],
    **changes: Any,
) -> Refused:
    await uploaded(store, bidder, tender.lot_id, files)
    raw = a_submission(tender, bidder, files, **changes)
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw)
    assert await rows(store, "SELECT 1 FROM trading.bid") == []
    return refused.value


async def test_an_envelope_for_other_custodians_is_refused(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    policy = policy_keys(tender.lot.policy)
    assert policy.officials is not None
    strangers = tuple(PrivateKey.generate().public_bytes for _ in policy.officials.keys)
    other = replace(policy, officials=policy.officials._replace(keys=strangers))
    sheet = a_sealed_file(tender, bidder.party, "sheet", policy=other)
    bid = a_sealed_file(tender, bidder.party, "bid")
    refused = await refusal_of(store, counter, tender, bidder, (sheet, bid))
    assert {one.code for one in refused.refusals} == {"not_sealed"}
    assert any("密钥保管人" in one.reason for one in refused.refusals)


async def test_an_envelope_copied_under_another_name_is_refused(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    rival = await a_bidder(store)
    copied = a_sealed_bid(tender, rival)
    refused = await refusal_of(store, counter, tender, bidder, copied)
    assert {one.code for one in refused.refusals} == {"wrong_bidder"}


async def test_an_envelope_for_another_lot_is_refused(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    sheet = a_sealed_file(tender, bidder.party, "sheet", lot_id=random_id())
    bid = a_sealed_file(tender, bidder.party, "bid")
    refused = await refusal_of(store, counter, tender, bidder, (sheet, bid))
    assert {one.code for one in refused.refusals} == {"wrong_lot"}


async def test_one_envelope_without_the_other_is_refused(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    bid = a_sealed_file(tender, bidder.party, "bid")
    refused = await refusal_of(store, counter, tender, bidder, (bid,))
    assert {one.code for one in refused.refusals} == {"not_sealed"}


@pytest.mark.parametrize("change", ["payload_root", "payload_size"])
async def test_a_statement_that_does_not_fit_what_was_sent_is_refused(
    store: Store, tender: Tender, bidder: Player, counter: Reception, change: str
) -> None:
    sheet, bid = a_sealed_bid(tender, bidder)
    await uploaded(store, bidder, tender.lot_id, (sheet, bid))
    lied = (
        replace(bid, root=random_bytes(32))
        if change == "payload_root"
        else replace(bid, payload=bid.payload + b"x")
    )
    with pytest.raises(Refused) as refused:
        raw = a_submission(tender, bidder, (sheet, lied))
        await submitted(store, counter, bidder, tender, raw)
    assert codes(refused) == {"not_sealed"}


async def test_a_payload_of_an_impossible_size_is_refused(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    sheet, bid = a_sealed_bid(tender, bidder)
    cut = bid.payload[:-1]
    digest = sealing.PayloadDigest()
    digest.update(cut)
    refused = await refusal_of(
        store, counter, tender, bidder, (sheet, replace(bid, payload=cut, root=digest.root))
    )
    assert {one.code for one in refused.refusals} == {"not_sealed"}


async def test_a_statement_under_another_policy_is_refused(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    refused = await refusal_of(
        store, counter, tender, bidder, a_sealed_bid(tender, bidder), policy=b64u(bytes(32))
    )
    assert {one.code for one in refused.refusals} == {"not_sealed"}


async def test_a_barred_bidder_is_refused_with_the_decision_cited(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    decision_id = random_id()
    async with store.sessions.begin() as session:
        session.add(
            DecisionRow(
                id=decision_id,
                organisation_id=bidder.party,
                authority="江城市公共资源交易监督管理局",
                document_number="江公管罚〔2026〕3号",
                article="《中华人民共和国招标投标法》第53条",
                misconduct="collusion",
                reason="串通投标",
                decided_on=IN_TIME.date() - timedelta(days=9),
                statement=b"{}",
                recorded_by=tender.cast.supervisor.person,
                recorded_at=IN_TIME - timedelta(days=9),
            )
        )
        await session.flush()
        session.add(
            BarRow(
                decision_id=decision_id,
                act="submission",
                starts_on=IN_TIME.date() - timedelta(days=9),
                ends_on=IN_TIME.date() + timedelta(days=300),
            )
        )
    with pytest.raises(Refused) as refused:
        raw = a_submission(tender, bidder, files)
        await submitted(store, counter, bidder, tender, raw)
    assert codes(refused) == {"barred"}
    assert "江公管罚〔2026〕3号" in refused.value.refusals[0].reason


async def test_whoever_keeps_a_key_of_the_lot_cannot_bid_for_it(
    store: Store, tender: Tender, counter: Reception
) -> None:
    custodian = tender.cast.custodians[0]
    actor = Actor(Role.BIDDER, custodian.person, custodian.party)
    player = replace(custodian, actor=actor)
    sheet = a_sealed_file(tender, player.party, "sheet")
    with pytest.raises(Refused) as refused:
        await uploaded(store, player, tender.lot_id, (sheet,))
    assert "conflicting_capacity" in codes(refused)


async def test_the_operator_cannot_bid_on_its_own_platform(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    async with store.sessions.begin() as session:
        await session.execute(
            text("UPDATE kernel.organisation SET roles = '{bidder,centre_staff}' WHERE id = :id"),
            {"id": bidder.party},
        )
    with pytest.raises(Refused) as refused:
        raw = a_submission(tender, bidder, files)
        await submitted(store, counter, bidder, tender, raw)
    assert codes(refused) == {"operator_bids"}


@pytest.mark.refuses("BI-06")
async def test_whom_the_tenderee_holds_is_turned_away_as_the_register_says(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    staff = await a_player(store, Role.CENTRE_STAFF)
    owner = await uscc_of(store, tender.cast.tenderee)
    await a_verified_licence(
        *(store, bidder, staff), kind="direct_holder", title="江城水务集团", number=owner
    )
    with pytest.raises(Refused) as refused:
        raw = a_submission(tender, bidder, files)
        await submitted(store, counter, bidder, tender, raw)
    assert codes(refused) == {"tied_to_tenderee"}


async def test_every_ground_is_given_at_once(
    store: Store, tender: Tender, bidder: Player, counter: Reception
) -> None:
    sheet = a_sealed_file(tender, random_id(), "sheet")
    await uploaded(store, bidder, tender.lot_id, (sheet,))
    bid = a_sealed_file(tender, bidder.party, "bid")
    with pytest.raises(Refused) as refused:
        raw = a_submission(tender, bidder, (sheet, bid), replaces=bytes(32))
        await submitted(store, counter, bidder, tender, raw)
    assert codes(refused) == {"wrong_bidder", "incomplete", "wrong_previous"}
    assert all(one.article for one in refused.value.refusals)


async def test_a_forged_or_foreign_signature_leaves_no_intent(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    raw = a_submission(tender, bidder, files)
    stranger = PrivateKey.generate()
    envelope = json.loads(raw)
    forged = [
        raw.replace(b'"sig":"', b'"sig":"AA'),
        canonical({**envelope, "payload": b64(unb64(envelope["payload"]).replace(b":1,", b":2,"))}),
        stranger.sign(payload_type("submission"), b'{"v":"ebid-submission/1"}').to_bytes(),
        signed(bidder, "release", {"v": "ebid-release/1"}),
        a_submission(tender, await a_bidder(store), files),
        b"",
        b"{",
        b'{"payload":1}',
        b"[" * 100_000,
    ]
    for one in forged:
        with pytest.raises(BrokenSeal):
            await submitted(store, counter, bidder, tender, one)
    assert await rows(store, "SELECT 1 FROM trading.intent") == []


WRONG_SHAPES: list[dict[str, Any]] = [
    {"lot": "00000000-0000-4000-8000-000000000000"},
    {"bidder": "00000000-0000-4000-8000-000000000000"},
    {"seq": 0},
    {"seq": -1},
    {"seq": True},
    {"seq": "1"},
    {"seq": 1 << 31},
    {"policy": "short"},
    {"envelopes": {}},
    {"envelopes": [1]},
    {"envelopes": [{"envelope": "bid"}]},
    {"signed_at": "yesterday"},
    {"price": "1.00"},
]


async def test_a_statement_of_the_wrong_shape_leaves_no_intent(
    store: Store,
    tender: Tender,
    bidder: Player,
    counter: Reception,
    files: Files,
) -> None:
    for change in WRONG_SHAPES:
        raw = a_submission(tender, bidder, files, **change)
        with pytest.raises(Malformed):
            await submitted(store, counter, bidder, tender, raw)
    assert await rows(store, "SELECT 1 FROM trading.intent") == []


async def test_only_bidders_submit_and_only_to_published_lots(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    raw = a_submission(tender, bidder, files)
    for role in set(Role) - {Role.BIDDER}:
        other = replace(bidder, actor=Actor(role, bidder.person, bidder.party))
        with pytest.raises(NotPermitted):
            await submitted(store, counter, other, tender, raw)
    nowhere = random_id()
    with pytest.raises(NotFound):
        await bidding.submit(
            store,
            counter,
            bidder.actor,
            nowhere,
            a_submission(tender, bidder, files, lot=str(nowhere)),
            key="k",
            received_at=IN_TIME,
        )


async def test_a_suspended_lot_takes_no_bid_and_says_so(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    async with transaction(at(store, IN_TIME), actor=tender.cast.supervisor.actor) as tx:
        lot = await lots.lock(tx, tender.lot_id)
        lots.suspend(tx, lot, cause=random_id(), reason="投诉处理")
    with pytest.raises(Refused) as refused:
        raw = a_submission(tender, bidder, files)
        await submitted(store, counter, bidder, tender, raw)
    assert codes(refused) == {"lot_suspended"}


async def test_a_submission_sent_twice_at_once_has_one_answer_though_the_closing_comes_between(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    raw, just = a_submission(tender, bidder, files), tender.due_at - timedelta(microseconds=1)
    async with transaction(store, actor=bidder.actor, now=just) as tx:
        lot = await lots.lock(tx, tender.lot_id)
        second = asyncio.create_task(
            submitted(store, counter, bidder, tender, raw, key="twice", at=just)
        )
        while not await tx.session.scalar(
            text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        ):
            assert not second.done()
            await asyncio.sleep(0.01)
        first = await bidding.receive(tx, tender.lot_id, raw, key="twice")
        lots.move(tx, lot, LotMove.BEGIN_CLOSING)
    answer = await second
    assert answer.intent_id == first
    assert answer.judgement is not None


async def test_a_bid_in_time_that_finds_the_closing_begun_is_the_platform_s_fault(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files, tick: Tick
) -> None:
    async with transaction(at(store, tender.due_at), actor=Actor(Role.PLATFORM)) as tx:
        lots.move(tx, await lots.lock(tx, tender.lot_id), LotMove.BEGIN_CLOSING)
    raw, just = a_submission(tender, bidder, files), tender.due_at - timedelta(microseconds=1)
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw, at=just)
    assert codes(refused) == {"platform_failure"}
    [record] = await recorded(store, "SubmissionFailedByPlatform")
    assert record["facts"]["received_at"] == instant_text(just)
    assert record["facts"]["lot_state"] == "closing"
    with pytest.raises(DBAPIError, match="takes no submission"):
        async with store.sessions.begin() as session:
            await session.execute(
                text(
                    "INSERT INTO trading.intent (id, lot_id, bidder_id, person_id, key, address,"
                    " statement_digest, statement, nonce, received_at) VALUES (gen_random_uuid(),"
                    " :lot, :bidder, :person, 'x', '', '', '', '', :at)"
                ),
                {"lot": tender.lot_id, "bidder": bidder.party, "person": bidder.person, "at": just},
            )


async def test_a_lot_that_failed_for_want_of_a_bid_in_time_does_not_blame_its_bidder(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files, tick: Tick
) -> None:
    await closing.close_lot(at(store, tender.due_at + timedelta(seconds=3)), LotId(tender.lot_id))
    raw, just = a_submission(tender, bidder, files), tender.due_at - timedelta(microseconds=1)
    with pytest.raises(Refused) as refused:
        await submitted(store, counter, bidder, tender, raw, at=just)
    assert codes(refused) == {"platform_failure"}
    [record] = await recorded(store, "SubmissionFailedByPlatform")
    assert record["facts"]["lot_state"] == "failed"
    assert await recorded(store, "BidRefused") == []


STEPS = (
    "submit.arrived",
    "receive.judged",
    "receive.written",
    "db.before_commit",
    "db.after_commit",
    "submit.received",
    "judge.read_through",
    "judge.locked",
    "judge.kept",
    "submit.judged",
    "upload.before_whole",
)


@pytest.mark.parametrize(
    ("step", "passage"),
    [*((step, 1) for step in STEPS), ("db.before_commit", 3), ("db.after_commit", 3)],
)
async def test_a_failure_at_any_step_leaves_one_bid_and_one_receipt_after_a_retry(
    store: Store,
    tender: Tender,
    bidder: Player,
    patient: Reception,
    files: Files,
    tick: Tick,
    sound: Sound,
    step: str,
    passage: int,
) -> None:
    raw = a_submission(tender, bidder, files)
    async with ticking(tick):
        arm(f"{step}=raise@{passage}")
        failed = False
        try:
            await submitted(store, patient, bidder, tender, raw, key="a")
        except FailpointHit:
            failed = True
        finally:
            arm("")
        if not failed and passage == 1:
            pytest.fail(f"{step} was never passed")
        answer = await submitted(store, patient, bidder, tender, raw, key="a")
    assert answer.receipt
    assert len(await rows(store, "SELECT 1 FROM trading.intent")) == 1
    assert len(await rows(store, "SELECT 1 FROM trading.bid")) == 1
    assert len(await recorded(store, "BidSubmitted")) == 1
    await sound()


@pytest.mark.parametrize("step", ["receive.written", "db.before_commit", "db.after_commit"])
@pytest.mark.parametrize("passage", [1, 2])
async def test_a_line_that_breaks_under_a_submit_is_taken_up_again_and_one_bid_counts(
    store: Store,
    database: Database,
    tender: Tender,
    bidder: Player,
    patient: Reception,
    files: Files,
    tick: Tick,
    sound: Sound,
    step: str,
    passage: int,
) -> None:
    """The bidder notices nothing, whether the intake's commit was heard of or not."""
    raw = a_submission(tender, bidder, files)
    own_line = connect(database.url(APP), pool_size=1)
    passed = 0

    async def break_lines(name: str) -> None:
        nonlocal passed
        passed += name == step
        if name == step and passed == passage:
            async with own_line.connect() as connection:
                await connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND usename = current_user"
                        " AND pid <> pg_backend_pid()"
                    )
                )

    async with ticking(tick):
        with watched(break_lines):
            answer = await submitted(store, patient, bidder, tender, raw, key="a")
        again = await submitted(store, patient, bidder, tender, raw, key="a")
    await own_line.dispose()
    assert passed >= passage or step == "receive.written"
    assert again.receipt
    assert answer.receipt in (None, again.receipt)
    assert len(await rows(store, "SELECT 1 FROM trading.intent")) == 1
    assert len(await rows(store, "SELECT 1 FROM trading.bid")) == 1
    assert len(await recorded(store, "BidSubmitted")) == 1
    await sound()


async def test_without_the_log_the_answer_is_a_promise_that_is_kept_later(
    store: Store,
    tender: Tender,
    bidder: Player,
    counter: Reception,
    patient: Reception,
    files: Files,
    tick: Tick,
) -> None:
    raw = a_submission(tender, bidder, files)
    promised = await submitted(store, counter, bidder, tender, raw)
    assert promised.receipt is None
    assert promised.judgement is not None
    async with ticking(tick):
        kept = await bidding.answer_of(store, patient, promised.intent_id)
    assert kept.receipt
    assert (kept.received_at, kept.submission) == (promised.received_at, sha256(raw))


async def test_a_receipt_is_handed_to_its_author_alone(
    store: Store, tender: Tender, bidder: Player, patient: Reception, files: Files, tick: Tick
) -> None:
    async with ticking(tick):
        raw = a_submission(tender, bidder, files)
        answer = await submitted(store, patient, bidder, tender, raw)
    assert answer.judgement is not None
    entry_id: UUID = answer.judgement.entry_id
    async with transaction(store, actor=bidder.actor) as tx:
        assert await bidding.own_receipt(tx, entry_id) == answer.receipt
        assert await bidding.own_receipt(tx, entry_id, witnessed=True) is None
        assert await bidding.own_intent(tx, tender.lot_id, answer.intent_id) == answer.intent_id
    rival = await a_bidder(store)
    async with transaction(store, actor=rival.actor) as tx:
        with pytest.raises(NotFound):
            await bidding.own_receipt(tx, entry_id)
    colleague = replace(bidder.actor, role=Role.EXPERT)
    for actor in (tender.cast.supervisor.actor, tender.cast.agency.actor, colleague):
        async with transaction(store, actor=actor) as tx:
            with pytest.raises(NotPermitted):
                await bidding.own_receipt(tx, entry_id)
    async with transaction(store, actor=rival.actor) as tx:
        with pytest.raises(NotFound):
            await bidding.own_intent(tx, tender.lot_id, answer.intent_id)
        assert await bidding.own_bids(tx, tender.lot_id) == []
        assert await bidding.lots_bid_for(tx) == []


async def test_the_counter_reads_the_clock_after_the_arrival_and_once_for_a_crowd(
    store: Store, database: Database
) -> None:
    readings = 0

    async def counted(line: Any) -> Any:
        nonlocal readings
        readings += 1
        return await store.clock(line)

    async with reception.opened(replace(store, clock=counted)) as counter:
        async with store.sessions() as session:
            before = await store.clock(session)
        stamps = await asyncio.gather(*(counter.clock.stamp() for _ in range(200)))
        async with store.sessions() as session:
            after = await store.clock(session)
    assert readings <= 3
    assert all(before <= stamp <= after for stamp in stamps)


async def test_a_clock_that_fails_fails_those_who_waited_and_nobody_after(store: Store) -> None:
    broken = True

    async def sometimes(line: Any) -> Any:
        if broken:
            raise OSError("no line")
        return await store.clock(line)

    async with reception.opened(replace(store, clock=sometimes)) as counter:
        answers = await asyncio.gather(
            *(counter.clock.stamp() for _ in range(3)), return_exceptions=True
        )
        assert [type(one) for one in answers] == [OSError] * 3
        broken = False
        await counter.clock.stamp()


async def test_a_submission_waits_for_whoever_locks_the_lot_and_keeps_its_instant(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    locked, release = asyncio.Event(), asyncio.Event()

    async def amend() -> None:
        async with transaction(store, actor=Actor(Role.PLATFORM)) as tx:
            await lots.lock(tx, tender.lot_id)
            locked.set()
            await release.wait()

    amending = asyncio.create_task(amend())
    await locked.wait()
    asyncio.get_running_loop().call_later(0.8, release.set)
    raw = a_submission(tender, bidder, files)
    answer = await submitted(store, counter, bidder, tender, raw)
    assert answer.received_at == IN_TIME
    await amending


async def test_a_lot_that_stays_locked_promises_nothing_and_a_retry_succeeds(
    store: Store, tender: Tender, bidder: Player, counter: Reception, files: Files
) -> None:
    raw = a_submission(tender, bidder, files)
    async with transaction(store, actor=Actor(Role.PLATFORM)) as tx:
        await lots.lock(tx, tender.lot_id)
        with pytest.raises(NotDurable):
            await submitted(store, counter, bidder, tender, raw)
    assert await rows(store, "SELECT 1 FROM trading.intent") == []
    answer = await submitted(store, counter, bidder, tender, raw)
    assert answer.judgement is not None
    assert answer.judgement.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("table", ["intent", "bid"])
async def test_a_warning_on_commit_means_no_receipt_until_it_is_sent_again(
    store: Store,
    database: Database,
    tender: Tender,
    bidder: Player,
    patient: Reception,
    files: Files,
    tick: Tick,
    table: str,
) -> None:
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.begin() as line:
        await line.exec_driver_sql(
            "CREATE FUNCTION trading.warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE WARNING 'no standby has it' USING ERRCODE = '01000'; RETURN NULL; END $$"
        )
        await line.exec_driver_sql(
            f"CREATE CONSTRAINT TRIGGER warns AFTER INSERT ON trading.{table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trading.warn()"
        )
    await owner.dispose()
    raw = a_submission(tender, bidder, files)
    with pytest.raises(NotDurable):
        await submitted(store, patient, bidder, tender, raw, key="a")
    async with ticking(tick):
        answer = await submitted(store, patient, bidder, tender, raw, key="a")
    assert answer.receipt
    assert len(await rows(store, "SELECT 1 FROM trading.bid")) == 1
