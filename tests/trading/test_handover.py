"""Bidding Law 22, 28, 37, 40, 42, 57; Regulation 44, 53; Electronic Bidding Measures 31, 32."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kernel.access import PLATFORM, Actor, Role
from kernel.crypto.digests import sha256
from kernel.errors import BrokenSeal, NotFound, NotPermitted, Refused, TooMuch
from kernel.identifiers import BidId, LotId, PartyId, PersonId
from kernel.randomness import random_bytes, random_id
from kernel.store.transaction import Store, transaction
from tests.awards import (
    GROUND,
    PRICES,
    Evaluated,
    a_recorded_lot,
    a_report,
    a_sheet,
    a_zip,
    an_evaluated_lot,
    handed_over,
    opened_bids,
    record_signed,
    report_taken,
    with_report,
)
from tests.newcomers import codes
from tests.opened_lots import (
    Hall,
    a_hall,
    an_entry,
    an_opened_lot,
    everything_opened,
    released,
    window_ended,
)
from tests.sealed_bids import IN_TIME, Tender, a_tender
from tests.tenders import a_player, cancelled
from trading import handover, lots, opening, sealed_archives
from trading.handover import SignedReport


async def rows(store: Store, query: str, **values: Any) -> list[Any]:
    async with store.sessions() as session:
        return list((await session.execute(text(query), values)).mappings())


async def recorded(store: Store, kind: str) -> list[dict[str, Any]]:
    query = "SELECT record FROM kernel.journal WHERE kind = :kind ORDER BY recorded_at"
    return [json.loads(row["record"]) for row in await rows(store, query, kind=kind)]


async def state_of(store: Store, lot_id: LotId) -> str:
    async with transaction(store, actor=PLATFORM) as tx:
        return str((await lots.hold(tx, lot_id)).state)


def an_expert() -> Actor:
    return Actor(Role.EXPERT, PersonId(random_id()), PartyId(random_id()))


# ── before the close, and who is concerned ────────────────────────────────────────────────────


async def test_nobody_learns_who_bids_before_the_close(store: Store, tender: Tender) -> None:
    await an_entry(store, tender, PRICES[0])
    for who in (tender.cast.tenderee.actor, tender.cast.agency.actor, PLATFORM):
        for ask in (handover.interested, handover.lot_brief, handover.opened_bids):
            with pytest.raises(Refused) as refused:
                async with transaction(store, actor=who) as tx:
                    await ask(tx, LotId(tender.lot_id))
            assert codes(refused) <= {"not_closed", "not_opened"}


async def test_nobody_ever_learns_who_bid_for_a_lot_that_ended_before_its_close(
    store: Store, tender: Tender
) -> None:
    await an_entry(store, tender, PRICES[0])
    await cancelled(store, tender.cast, tender.lot, now=IN_TIME)
    for who in (tender.cast.tenderee.actor, tender.cast.agency.actor, PLATFORM):
        for ask in (handover.interested, handover.lot_brief, handover.opened_bids):
            with pytest.raises(Refused) as refused:
                async with transaction(store, actor=who) as tx:
                    await ask(tx, LotId(tender.lot_id))
            assert codes(refused) <= {"not_closed", "not_opened"}


async def test_all_who_are_concerned_are_named_once_for_recusal(
    store: Store, recorded_hall: Hall
) -> None:
    cast = recorded_hall.tender.cast
    async with transaction(store, actor=PLATFORM) as tx:
        found = await handover.interested(tx, recorded_hall.lot_id)
    assert len(found) == 6
    assert {(one.organisation_id, one.capacity) for one in found} == {
        (cast.tenderee.party, "tenderee"),
        (cast.agency.party, "agency"),
        *((entry.player.party, "bidder") for entry in recorded_hall.entries),
    }
    assert all(len(one.uscc) == 18 and one.name for one in found)


async def test_a_brief_says_what_was_published(store: Store, recorded_hall: Hall) -> None:
    async with transaction(store, actor=PLATFORM) as tx:
        brief = await handover.lot_brief(tx, recorded_hall.lot_id)
        close_entry = await lots.entry_of(tx, recorded_hall.lot_id, "LotClosed")
    assert (brief.lot_id, brief.project_id) == (
        recorded_hall.lot_id,
        recorded_hall.tender.lot.project_id,
    )
    assert brief.tenderee_id == recorded_hall.tender.cast.tenderee.party
    assert brief.agency_id == recorded_hall.tender.cast.agency.party
    assert brief.scheme["method"].startswith("comprehensive")
    assert brief.close_entry == close_entry
    assert (brief.ceiling_price, brief.estimate) == (Decimal("128460000"), Decimal("130000000"))


# ── handing over ──────────────────────────────────────────────────────────────────────────────


async def test_bids_are_handed_over_once_the_record_is_signed(store: Store, tender: Tender) -> None:
    hall = await an_opened_lot(store, tender, PRICES[:3])
    with pytest.raises(Refused) as refused:
        await handed_over(hall)
    assert codes(refused) == {"record_unsigned"}

    await record_signed(hall)
    await handed_over(hall)

    assert await state_of(store, hall.lot_id) == "in_evaluation"
    moved = (await recorded(store, "LotMoved"))[-1]["facts"]
    assert (moved["came_from"], moved["went_to"]) == ("opened", "in_evaluation")


async def test_an_objection_on_the_spot_is_answered_before_bids_are_handed_over(
    store: Store,
) -> None:
    hall = await an_opened_lot(store, await a_tender(store), list(PRICES[:3]))
    bidder = hall.entries[0].player
    async with transaction(store, actor=bidder.actor) as tx:
        await opening.object_on_the_spot(tx, hall.lot_id, "唱标内容有误")
    with pytest.raises(Refused) as refused:
        await handed_over(hall)
    assert codes(refused) == {"record_unsigned", "objection_open"}
    assert await state_of(store, hall.lot_id) == "opened"


async def test_only_the_lots_owners_and_the_centre_hand_over(store: Store) -> None:
    hall = await a_recorded_lot(store, PRICES[:3])
    stranger = await a_player(store, Role.AGENCY)
    with pytest.raises(NotPermitted):
        async with transaction(store, actor=stranger.actor) as tx:
            await handover.hand_over(tx, hall.lot_id)
    with pytest.raises(NotPermitted):
        async with transaction(store, actor=hall.entries[0].player.actor) as tx:
            await handover.hand_over(tx, hall.lot_id)
    async with transaction(store, actor=hall.tender.cast.staff.actor) as tx:
        await handover.hand_over(tx, hall.lot_id)
    assert await state_of(store, hall.lot_id) == "in_evaluation"
    with pytest.raises(Refused) as refused:
        await handed_over(hall)
    assert codes(refused) == {"no_such_move"}


async def test_bids_lost_by_the_platform_fail_a_lot_that_has_too_few_left(
    store: Store, tender: Tender, settings: Any
) -> None:
    entries = [await an_entry(store, tender, price) for price in PRICES[:3]]
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    damaged = sha256(entries[0].files[1].payload).hex()
    [stored] = [path for path in settings.data.rglob(damaged) if path.is_file()]
    stored.write_bytes(b"not what was kept")
    await window_ended(hall)
    await everything_opened(hall)
    await record_signed(hall)

    await handed_over(hall)

    assert await state_of(store, hall.lot_id) == "failed"
    [failed] = await recorded(store, "LotFailed")
    assert failed["facts"]["code"] == "too_few_bidders"
    assert "第44条" in failed["facts"]["article"]


# ── looking at bids ───────────────────────────────────────────────────────────────────────────


async def test_readers_get_the_bids_under_codes_and_each_look_is_recorded(store: Store) -> None:
    hall = await a_recorded_lot(store, PRICES, silent=1)
    seen = []
    for _ in range(2):
        async with transaction(store, actor=an_expert()) as tx:
            seen.append(await handover.opened_bids(tx, hall.lot_id))
    assert seen[0] == seen[1]
    assert [one.code for one in seen[0]] == ["标001", "标002", "标003"]
    assert {(one.bidder_id, str(one.price)) for one in seen[0]} == {
        (entry.player.party, price)
        for entry, price in zip(hall.entries[:3], PRICES[:3], strict=True)
    }
    assert all(one.sheet["quality"] == "合格" for one in seen[0])
    looks = await rows(store, "SELECT audience, record FROM kernel.journal WHERE kind = 'BidsRead'")
    assert [look["audience"] for look in looks] == ["supervisors"] * 2
    assert json.loads(looks[0]["record"])["facts"]["reader"] == "expert"


async def test_a_bids_files_are_listed_and_read_one_by_one(store: Store) -> None:
    hall = await a_recorded_lot(store, PRICES[:3])
    bid = (await opened_bids(hall))[hall.entries[0].player.party]
    async with transaction(store, actor=an_expert()) as tx:
        files = await handover.bid_files(tx, hall.lot_id, bid.bid_id)
        content = await handover.bid_file(tx, hall.lot_id, bid.bid_id, "技术标/方案.txt")
    assert [name for name, _ in files] == ["技术标/方案.txt", "报价.csv"]
    assert content.decode() == f"方案 {PRICES[0]}"
    assert dict(files)["技术标/方案.txt"] == len(content)
    told = [one["facts"] for one in await recorded(store, "BidsRead") if one["facts"]["bid_id"]]
    assert [(one["bid_id"], one["file"]) for one in told] == [
        (str(bid.bid_id), None),
        (str(bid.bid_id), "技术标/方案.txt"),
    ]


async def test_a_file_is_found_in_a_bid_that_lies_in_several_parts(
    store: Store, tender: Tender
) -> None:
    large = random_bytes(9 << 20)
    files = {"封面.txt": b"first", "图纸.bin": large, "末页.txt": b"last"}
    entries = [
        await an_entry(store, tender, PRICES[0], sheet=a_sheet(PRICES[0]), bid=a_zip(files)),
        *[await an_entry(store, tender, price) for price in PRICES[1:3]],
    ]
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    bid = (await opened_bids(hall))[entries[0].player.party]
    async with transaction(store, actor=an_expert()) as tx:
        for name, content in files.items():
            assert await handover.bid_file(tx, hall.lot_id, bid.bid_id, name) == content


async def test_what_is_not_there_or_no_archive_is_said_clearly(
    store: Store, tender: Tender
) -> None:
    hall = await an_opened_lot(store, tender, PRICES[:3])  # their bids are no archives
    bids = await opened_bids(hall)
    first = next(iter(bids.values()))
    expert = an_expert()
    for bid_id, name, error in (
        (first.bid_id, "a.txt", BrokenSeal),
        (BidId(random_id()), "a.txt", NotFound),
    ):
        with pytest.raises(error):
            async with transaction(store, actor=expert) as tx:
                await handover.bid_file(tx, hall.lot_id, bid_id, name)
    with pytest.raises(BrokenSeal):
        async with transaction(store, actor=expert) as tx:
            await handover.bid_files(tx, hall.lot_id, first.bid_id)


async def test_names_in_an_archive_are_only_names(store: Store, tender: Tender) -> None:
    tricky = {"../../etc/passwd": b"x", "/abs": b"y"}
    entries = [
        await an_entry(store, tender, PRICES[0], bid=a_zip(tricky)),
        *[await an_entry(store, tender, price) for price in PRICES[1:3]],
    ]
    hall = await a_hall(store, tender, entries)
    for entry in entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    bid = (await opened_bids(hall))[entries[0].player.party]
    async with transaction(store, actor=an_expert()) as tx:
        assert await handover.bid_file(tx, hall.lot_id, bid.bid_id, "../../etc/passwd") == b"x"
    for name in ("etc/passwd", "/etc/passwd", ""):
        with pytest.raises(NotFound):
            async with transaction(store, actor=an_expert()) as tx:
                await handover.bid_file(tx, hall.lot_id, bid.bid_id, name)


async def test_a_file_that_would_fill_the_memory_is_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = await a_recorded_lot(store, PRICES[:3])
    bid = (await opened_bids(hall))[hall.entries[0].player.party]
    monkeypatch.setattr(sealed_archives, "FILE_MAX", 4)
    with pytest.raises(TooMuch):
        async with transaction(store, actor=an_expert()) as tx:
            await handover.bid_file(tx, hall.lot_id, bid.bid_id, "报价.csv")


async def test_bidders_and_the_public_read_no_bids(store: Store) -> None:
    hall = await a_recorded_lot(store, PRICES[:3])
    for actor in (hall.entries[0].player.actor, Actor(Role.PUBLIC), hall.tender.cast.staff.actor):
        with pytest.raises(NotPermitted):
            async with transaction(store, actor=actor) as tx:
                await handover.opened_bids(tx, hall.lot_id)
    for actor in (hall.tender.cast.agency.actor, hall.tender.cast.supervisor.actor):
        with pytest.raises(NotPermitted):
            async with transaction(store, actor=actor) as tx:
                await handover.bid_file(tx, hall.lot_id, BidId(random_id()), "x")


# ── the report ────────────────────────────────────────────────────────────────────────────────


async def test_the_report_moves_the_lot_in_one_transaction(
    store: Store, evaluated: Evaluated
) -> None:
    lot_id = evaluated.hall.lot_id
    assert await state_of(store, lot_id) == "evaluated"
    [taken] = await rows(store, "SELECT * FROM trading.taken_report")
    assert (taken["round"], taken["report_digest"]) == (1, evaluated.report.report_digest)
    ranked = await rows(store, "SELECT * FROM trading.ranked_bid ORDER BY rank")
    assert [(row["rank"], row["bidder_id"], row["candidate"]) for row in ranked] == [
        (place, entry.player.party, True) for place, entry in enumerate(evaluated.ranked[:3], 1)
    ]
    assert ranked[0]["total"] == Decimal("94.50")
    assert ranked[0]["parts"][0] == {"label": "技术标", "points": "40.00"}
    [rejected] = await rows(store, "SELECT * FROM trading.rejected_bid")
    assert (rejected["bidder_id"], rejected["ground"]) == (evaluated.ranked[3].player.party, GROUND)
    entries = await rows(
        store,
        "SELECT kind, audience, recorded_at FROM kernel.journal WHERE kind = 'ReportTaken'"
        " OR (kind = 'LotMoved' AND recorded_at = :at)",
        at=evaluated.reported_at,
    )
    assert {(row["kind"], row["audience"]) for row in entries} == {
        ("ReportTaken", "supervisors"),
        ("LotMoved", "public"),
    }
    async with transaction(store, actor=PLATFORM) as tx:
        assert await tx.documents.read(taken["report_digest"]) == evaluated.report.report


async def test_a_report_that_fails_to_commit_leaves_the_lot_where_it_was(
    store: Store, recorded_hall: Hall
) -> None:
    await handed_over(recorded_hall)
    report = await a_report(recorded_hall)
    with pytest.raises(ZeroDivisionError):
        async with transaction(store, actor=PLATFORM) as tx:
            await handover.take_report(tx, report)
            raise ZeroDivisionError
    assert await state_of(store, recorded_hall.lot_id) == "in_evaluation"
    assert await rows(store, "SELECT * FROM trading.taken_report") == []
    assert await recorded(store, "ReportTaken") == []


async def test_a_report_is_taken_once_and_only_in_evaluation(
    store: Store, recorded_hall: Hall
) -> None:
    report = await a_report(recorded_hall)
    now = await recorded_hall.window_ends_at() + timedelta(hours=6)
    with pytest.raises(Refused) as refused:
        await report_taken(store, report, now=now)
    assert codes(refused) == {"no_such_move"}
    await handed_over(recorded_hall)
    await report_taken(store, report, now=now)
    with pytest.raises(Refused):
        await report_taken(store, report, now=now)


async def test_where_all_bids_are_rejected_the_lot_fails(store: Store, recorded_hall: Hall) -> None:
    await handed_over(recorded_hall)
    report = await a_report(recorded_hall, rejected=4)
    await report_taken(store, report, now=await recorded_hall.window_ends_at() + timedelta(hours=6))
    assert await state_of(store, recorded_hall.lot_id) == "failed"
    [failed] = await recorded(store, "LotFailed")
    assert (failed["facts"]["code"], "第42条" in failed["facts"]["article"]) == (
        "all_rejected",
        True,
    )
    assert (await rows(store, "SELECT all_rejected FROM trading.taken_report"))[0]["all_rejected"]


def _with_rank(report: SignedReport, place: int, rank: int) -> SignedReport:
    ranking = list(report.ranking)
    ranking[place] = replace(ranking[place], rank=rank)
    return with_report(report, ranking=tuple(ranking))


async def test_a_report_that_does_not_add_up_is_not_taken(
    store: Store, recorded_hall: Hall
) -> None:
    await handed_over(recorded_hall)
    good = await a_report(recorded_hall)
    first, second = good.ranking[0], good.ranking[1]
    stranger = replace(first, bid_id=BidId(random_id()))
    wrong = {
        "another digest": with_report(good, report_digest=sha256(b"other")),
        "a bid left out": with_report(good, ranking=good.ranking[:-1]),
        "a bid twice": with_report(good, ranking=(*good.ranking, replace(first, rank=4))),
        "a bid both ranked and rejected": with_report(
            good, rejected=(*good.rejected, replace(good.rejected[0], bid_id=first.bid_id))
        ),
        "a bid that was never opened": with_report(good, ranking=(stranger, *good.ranking[1:])),
        "another's bid": with_report(
            good,
            ranking=(replace(first, bidder_id=second.bidder_id), *good.ranking[1:]),
        ),
        "another price": with_report(
            good, ranking=(replace(first, price=first.price - 1), *good.ranking[1:])
        ),
        "a gap in the ranks": _with_rank(good, 2, 4),
        "a rank twice": _with_rank(good, 1, 1),
        "candidates out of order": with_report(good, candidates=good.candidates[::-1]),
        "nobody recommended": with_report(good, candidates=()),
        "all rejected, it says": with_report(good, all_rejected=True),
    }
    now = await recorded_hall.window_ends_at() + timedelta(hours=6)
    for what, report in wrong.items():
        with pytest.raises((BrokenSeal, Refused)):
            await report_taken(store, report, now=now)
            pytest.fail(what)
    assert await rows(store, "SELECT * FROM trading.taken_report") == []
    await report_taken(store, good, now=now)


async def test_nobody_rewrites_a_report(store: Store) -> None:
    await an_evaluated_lot(store)
    for query in (
        "UPDATE trading.ranked_bid SET rank = rank + 10",
        "DELETE FROM trading.rejected_bid",
        "UPDATE trading.taken_report SET all_rejected = true",
    ):
        with pytest.raises(DBAPIError):
            async with store.sessions() as session, session.begin():
                await session.execute(text(query))
