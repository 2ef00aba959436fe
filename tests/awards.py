"""Lots on their way from opened bids to the award, for tests: recorded, evaluated, published."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from kernel.access import PLATFORM
from kernel.crypto.digests import canonical, instant_text, sha256
from kernel.crypto.signing import Envelope
from kernel.crypto.statement_kinds import payload_type
from kernel.identifiers import BidId, LotId, PartyId
from kernel.store import outbox
from kernel.store.transaction import Store, transaction
from tests.libraries import a_verified_licence
from tests.opened_lots import (
    Entry,
    Hall,
    a_hall,
    an_entry,
    everything_opened,
    released,
    window_ended,
)
from tests.prequalifications import an_agreement
from tests.sealed_bids import Tender, a_bidder, at
from tests.tenders import Player, a_cast, a_project, a_published_lot, signed
from trading import awarding, handover, objecting, opening
from trading.awarding import Award, Publication
from trading.handover import OpenedBid, RankedBid, RejectedBid, SignedReport
from trading.library_views import reference_of
from trading.objecting import Answered, Raised
from trading.rules.consortium_agreement import FILE as AGREEMENT
from trading.rules.procedures import Procedure

PRICES = ("118600000.00", "121300000.00", "119950000.00", "125800000.00")
UNKNOWN_REFERENCE = "0000000000000000"
GROUND = "不符合招标文件的实质性要求"
REPORT = b'{"v":"ebid-report/1"}'


def a_sheet(price: str, **changes: Any) -> bytes:
    """What a bidder's sheet says; valid for a notice of candidates."""
    said = {
        "v": "ebid-sheet/1",
        "price": price,
        "currency": "CNY",
        "duration_days": 540,
        "quality": "合格",
        "manager": "赵工（一级建造师，苏132060700123）",
    }
    return canonical({**said, **changes})


def a_zip(files: dict[str, bytes]) -> bytes:
    """An archive of these files."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


@dataclass(slots=True)
class Evaluated:
    """A lot with a report, and who bid for it in the order of their ranks, the rejected last."""

    hall: Hall
    report: SignedReport
    ranked: tuple[Entry, ...]
    reported_at: datetime

    @property
    def store(self) -> Store:
        return self.hall.store

    @property
    def tenderee(self) -> Player:
        return self.hall.tender.cast.tenderee

    @property
    def agency(self) -> Player:
        return self.hall.tender.cast.agency


async def a_recorded_lot(
    store: Store,
    prices: Sequence[str] = PRICES,
    *,
    silent: int = 0,
    state_funded: bool = True,
    procedure: Procedure = Procedure.OPEN_TENDER_MANDATORY,
    member: Player | None = None,
    **terms: Any,
) -> Hall:
    """A lot whose bids lie open and whose opening record is signed; `silent` bidders of the last
    never release. The first bid refers to a verified licence, and to what its library has not; it
    is that of a consortium where there is another `member`, who has signed nothing."""
    cast = await a_cast(store)
    project_id = await a_project(store, cast, state_funded=state_funded, procedure=procedure)
    tender = Tender(cast, await a_published_lot(store, cast, project_id, **terms))
    first = await a_bidder(store)
    licence = await a_verified_licence(store, first, cast.staff)
    async with transaction(store, actor=first.actor) as tx:
        await outbox.mark_read(tx)
    together = {}
    if member is not None:
        lot = tender.lot
        raw = an_agreement(lot.project_id, lot.lot_id, [first, member], signers=[first])
        together = {AGREEMENT: raw}
    told = {"library": f"{reference_of(licence.digest)} {UNKNOWN_REFERENCE}"}
    entries = [
        await an_entry(
            store,
            tender,
            price,
            sheet=a_sheet(price, **(told if place == 0 else {})),
            bid=a_zip(
                {
                    "技术标/方案.txt": f"方案 {price}".encode(),
                    "报价.csv": price.encode(),
                    **(together if place == 0 else {}),
                }
            ),
            player=first if place == 0 else None,
        )
        for place, price in enumerate(prices)
    ]
    hall = await a_hall(store, tender, entries)
    for entry in entries[: len(entries) - silent]:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    await record_signed(hall)
    return hall


async def record_signed(hall: Hall) -> None:
    """The agency signs the opening record."""
    agency = hall.tender.cast.agency
    now = await hall.window_ends_at() + timedelta(minutes=10)
    async with transaction(hall.store, actor=agency.actor, now=now) as tx:
        content = await opening.draft_record(tx, hall.lot_id)
    raw = agency.key.sign(payload_type("opening-record"), content).to_bytes()
    async with transaction(hall.store, actor=agency.actor, now=now) as tx:
        await opening.sign_record(tx, hall.lot_id, raw)


async def handed_over(hall: Hall) -> None:
    agency = hall.tender.cast.agency
    now = await hall.window_ends_at() + timedelta(minutes=20)
    async with transaction(hall.store, actor=agency.actor, now=now) as tx:
        await handover.hand_over(tx, hall.lot_id)


async def opened_bids(hall: Hall) -> dict[PartyId, OpenedBid]:
    return await bids_of(hall.store, hall.lot_id)


async def bids_of(store: Store, lot_id: LotId) -> dict[PartyId, OpenedBid]:
    async with transaction(store, actor=PLATFORM) as tx:
        return {one.bidder_id: one for one in await handover.opened_bids(tx, lot_id)}


async def a_report(hall: Hall, *, rejected: int = 1, report: bytes = REPORT) -> SignedReport:
    """A report that ranks by price and rejects the dearest bids."""
    return await report_on(hall.store, hall.lot_id, rejected=rejected, report=report)


async def report_on(
    store: Store, lot_id: LotId, *, rejected: int = 1, report: bytes = REPORT
) -> SignedReport:
    """The same of a lot that was opened however it came to be."""
    bids = sorted((await bids_of(store, lot_id)).values(), key=lambda one: one.price)
    kept = len(bids) - rejected
    ranking = tuple(
        RankedBid(
            bid.bid_id,
            bid.bidder_id,
            bid.name,
            rank,
            Decimal("95.50") - rank,
            bid.price,
            (("技术标", Decimal("40.00")), ("报价", Decimal("55.50") - rank)),
        )
        for rank, bid in enumerate(bids[:kept], start=1)
    )
    return SignedReport(
        lot_id=lot_id,
        report_digest=sha256(report),
        report=report,
        ranking=ranking,
        rejected=tuple(
            RejectedBid(
                BidId(bid.bid_id),
                bid.bidder_id,
                bid.name,
                GROUND,
                "《中华人民共和国招标投标法实施条例》第51条第（六）项",
                "技术标第12页",
            )
            for bid in bids[kept:]
        ),
        candidates=tuple(one.bidder_id for one in ranking[:3]),
        all_rejected=not ranking,
    )


async def report_taken(store: Store, report: SignedReport, *, now: datetime) -> None:
    async with transaction(store, actor=PLATFORM, now=now) as tx:
        await handover.take_report(tx, report)


async def an_evaluated_lot(
    store: Store, prices: Sequence[str] = PRICES, *, rejected: int = 1, **terms: Any
) -> Evaluated:
    """A lot whose committee has reported, on the evening of the opening."""
    hall = await a_recorded_lot(store, prices, **terms)
    await handed_over(hall)
    report = await a_report(hall, rejected=rejected)
    now = await hall.window_ends_at() + timedelta(hours=6)
    await report_taken(store, report, now=now)
    by_party = {entry.player.party: entry for entry in hall.entries}
    order = [one.bidder_id for one in report.ranking] + [one.bidder_id for one in report.rejected]
    return Evaluated(hall, report, tuple(by_party[party] for party in order), now)


async def candidates_statement(
    evaluated: Evaluated, who: Player | None = None, **changes: Any
) -> bytes:
    """The notice of candidates as the platform proposes it, signed; changed by keyword."""
    who = who or evaluated.agency
    async with transaction(evaluated.store, actor=who.actor) as tx:
        proposed = await awarding.candidates_notice(tx, evaluated.hall.lot_id)
    said = {**proposed, "signed_at": instant_text(evaluated.reported_at), **changes}
    return signed(who, "candidates", said)


async def candidates_published(
    evaluated: Evaluated, *, now: datetime | None = None, raw: bytes | None = None
) -> Publication:
    raw = raw or await candidates_statement(evaluated)
    now = now or evaluated.reported_at + timedelta(hours=1)
    async with transaction(evaluated.store, actor=evaluated.agency.actor, now=now) as tx:
        return await awarding.publish_candidates(tx, evaluated.hall.lot_id, raw)


async def standstill_ended(evaluated: Evaluated, until: datetime) -> None:
    await awarding.end_standstill(at(evaluated.store, until), evaluated.hall.lot_id)


def objection_statement(
    who: Player, lot_id: object, about: str, *, now: datetime, **changes: Any
) -> bytes:
    said = {
        "v": "ebid-objection/1",
        "lot": str(lot_id),
        "about": about,
        "request": "请核实第一中标候选人的业绩。",
        "grounds": "第一中标候选人的业绩证明材料与公示内容不一致。",
        "evidence": [{"title": "公示页截图", "text": "业绩名称与证明材料不一致"}],
        "signed_at": instant_text(now),
    }
    return signed(who, "objection", {**said, **changes})


async def objected(
    store: Store, who: Player, lot_id: Any, about: str, *, now: datetime, **changes: Any
) -> Raised:
    raw = objection_statement(who, lot_id, about, now=now, **changes)
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await objecting.raise_objection(tx, lot_id, raw)


async def answered(
    store: Store, who: Player, lot_id: Any, raised: Raised, *, now: datetime, **changes: Any
) -> Answered:
    said = {
        "v": "ebid-answer/1",
        "lot": str(lot_id),
        "objection": str(raised.id),
        "outcome": "rejected",
        "remedy": "nothing",
        "words": "经核查，业绩证明材料与公示内容一致，异议不成立。",
        "signed_at": instant_text(now),
    }
    raw = signed(who, "answer", {**said, **changes})
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await objecting.answer_objection(tx, lot_id, raised.id, raw)


def award_statement(
    evaluated: Evaluated, winner: Entry, /, *, now: datetime, **changes: Any
) -> bytes:
    said = {
        "v": "ebid-award/1",
        "lot": str(evaluated.hall.lot_id),
        "winner": str(winner.player.party),
        "signed_at": instant_text(now),
    }
    return signed(evaluated.tenderee, "award", {**said, **changes})


async def awarded(
    evaluated: Evaluated, winner: Entry, /, *, now: datetime, **changes: Any
) -> Award:
    raw = award_statement(evaluated, winner, now=now, **changes)
    async with transaction(evaluated.store, actor=evaluated.tenderee.actor, now=now) as tx:
        return await awarding.award(tx, evaluated.hall.lot_id, raw)


def payload_of(raw: bytes) -> bytes:
    """What a statement says, byte for byte."""
    return Envelope.from_bytes(raw).payload


def with_report(report: SignedReport, **changes: Any) -> SignedReport:
    """The report, changed by keyword."""
    return replace(report, **changes)
