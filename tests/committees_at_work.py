"""A committee at work, for tests: six opened bids, a draw, five seats at two sites.

Making one takes seconds, so each test process makes one of each kind, keeps its database as a
template, and gives every test a copy: see the fixtures `kept_committees` and `room`.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from evaluation import (
    attending,
    convening,
    qualifying,
    reporting,
    reviewing,
    scoring,
    site_keeping,
)
from evaluation.convening import CommitteeRequest
from evaluation.reviewing import Proposal
from evaluation.rules.rejection_grounds import MotionOutcome, RejectionGround
from evaluation.rules.score_commitment import Mark, ScoreSheet, commitment, sheet_document
from evaluation.rules.score_scheme import ItemKind
from evaluation.scoring import MarkEdit, SavedCell
from evaluation.tables import MemberRow, SeatRow
from kernel.access import PLATFORM, Role
from kernel.crypto.digests import b64u, canonical, instant_text, sha256
from kernel.crypto.signing import PrivateKey
from kernel.crypto.statement_kinds import payload_type
from kernel.identifiers import BidId, CommitteeId, LotId, PersonId, SeatId, SiteId
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from tests.awards import a_sheet, a_zip, handed_over, record_signed
from tests.draw_cast import EAST, HOST, SOUTH, DrawHouse, a_pool
from tests.kept_stores import Lines, Tick, founded_store, settings_in, store_over, witnessed
from tests.opened_lots import (
    Hall,
    a_hall,
    an_entry,
    everything_opened,
    released,
    window_ended,
)
from tests.sealed_bids import Tender
from tests.tenders import (
    SCHEME,
    Player,
    a_cast,
    a_player,
    a_project,
    a_published_lot,
    a_uscc,
    signed,
)
from trading import lots
from trading.handover import OpenedBid
from trading.rules.procedures import Procedure

PRICES = (
    "1186000.00",
    "1213000.00",
    "1199500.00",
    "1258000.00",
    "1172000.00",
    "1234000.00",
)
PROCUREMENT_SCHEME: Mapping[str, Any] = {
    **SCHEME,
    "method": "comprehensive_scoring",
    "price": {"points": "60"},
    "ties": ["lower_price"],
}
"""综合评分法: the lowest price earns full points, and no mark is left out."""

KINDS: Mapping[str, tuple[Procedure, Mapping[str, Any]]] = {
    "tendering": (Procedure.OPEN_TENDER_MANDATORY, SCHEME),
    "voluntary": (Procedure.OPEN_TENDER_VOLUNTARY, SCHEME),
    "procurement": (Procedure.PROCUREMENT_OPEN_TENDER, PROCUREMENT_SCHEME),
}
"""A committee for each procedure."""

REJECTED_PRICE = Decimal("1234000.00")


@dataclass(slots=True)
class Sitter:
    """A member of the committee, its seat with a key of its own, and what it keeps to itself."""

    player: Player
    seat_key: PrivateKey
    seat_id: SeatId
    site_id: SiteId
    member_id: UUID
    number: int
    counter: int = 0
    sheets: dict[int, tuple[ScoreSheet, bytes]] = field(default_factory=dict)


@dataclass(slots=True)
class WorkRoom:
    """A committee that was convened, everybody who belongs to it, and how they act."""

    store: Store
    hall: Hall
    draw: DrawHouse
    keepers: dict[SiteId, Player]
    seats: dict[SeatId, PrivateKey]
    representative: Player
    sites: tuple[SiteId, SiteId]
    spare_site: SiteId
    now: datetime
    kind: str
    database: str = ""
    committee_id: CommitteeId = field(default_factory=lambda: CommitteeId(random_id()))
    sitters: list[Sitter] = field(default_factory=list)

    @property
    def lot_id(self) -> LotId:
        return self.hall.lot_id

    @property
    def agency(self) -> Player:
        return self.hall.tender.cast.agency

    @property
    def supervisor(self) -> Player:
        return self.hall.tender.cast.supervisor

    @property
    def representative_sitter(self) -> Sitter:
        return next(one for one in self.sitters if one.player == self.representative)

    @property
    def drawn(self) -> list[Sitter]:
        """The members who came from the draw."""
        return [one for one in self.sitters if one.player != self.representative]

    async def do(
        self, who: Player, activity: Callable[..., Awaitable[Any]], *given: Any, **more: Any
    ) -> Any:
        """One act of one person in a transaction of its own."""
        async with transaction(self.store, actor=who.actor, now=self.now) as tx:
            return await activity(tx, *given, **more)

    def over(self, store: Store, tick: Tick, database: str = "") -> WorkRoom:
        """The same room in another database that was copied from its own."""
        return replace(
            self,
            database=database,
            store=store,
            hall=replace(self.hall, store=store),
            draw=replace(self.draw, store=store, tick=tick),
            sitters=[replace(one, sheets=dict(one.sheets)) for one in self.sitters],
        )

    # ── forming ──

    def request(self, **changes: Any) -> CommitteeRequest:
        given: dict[str, Any] = {
            "lot_id": self.lot_id,
            "host_site": self.sites[0],
            "placement": {HOST: self.sites[0], EAST: self.sites[1], SOUTH: self.sites[1]},
            "representatives": (PersonId(self.representative.person),),
            **changes,
        }
        return CommitteeRequest(**given)

    async def convene(self, **changes: Any) -> None:
        """Form the committee, and find out who sits where."""
        told = await self.do(self.agency, convening.convene, self.request(**changes))
        self.committee_id = told.committee_id
        await self.find_sitters()

    async def find_sitters(self) -> None:
        """Everybody who sits in the committee now, in the order of their numbers."""
        people = {self.representative.person: self.representative}
        people |= {one.player.person: one.player for one in self.draw.experts}
        known = {one.member_id: one for one in self.sitters}
        async with self.store.sessions() as session:
            rows = await session.scalars(
                select(MemberRow)
                .where(
                    MemberRow.committee_id == self.committee_id, col(MemberRow.left_at).is_(None)
                )
                .order_by(col(MemberRow.number))
            )
            self.sitters = [
                known.get(row.id)
                or Sitter(
                    people[PersonId(row.person_id)],
                    self.seats[SeatId(row.seat_id)],
                    SeatId(row.seat_id),
                    SiteId(row.site_id),
                    row.id,
                    row.number,
                )
                for row in rows
            ]

    # ── sitting ──

    async def admit(self, sitter: Sitter) -> None:
        await self.do(
            self.keepers[sitter.site_id],
            site_keeping.admit,
            sitter.site_id,
            self.committee_id,
            sitter.seat_id,
        )

    def declaration(self, sitter: Sitter, **changes: Any) -> bytes:
        """The member's statement when it sits down; unlike any other, by its instant."""
        said = {
            "v": "ebid-evaluation-sign-in/1",
            "committee": str(self.committee_id),
            "seat": str(sitter.seat_id),
            "no_conflict": True,
            "discipline": True,
            "signed_at": instant_text(self.now),
        }
        return signed(sitter.player, "evaluation-sign-in", {**said, **changes})

    def presence(
        self, sitter: Sitter, declaration: bytes, *, key: PrivateKey | None = None, **changes: Any
    ) -> bytes:
        """The seat's word that this declaration was made at it."""
        said = {
            "v": "ebid-seat-presence/1",
            "committee": str(self.committee_id),
            "seat": str(sitter.seat_id),
            "declaration": b64u(sha256(declaration)),
        }
        content = canonical({**said, **changes})
        return (key or sitter.seat_key).sign(payload_type("seat-presence"), content).to_bytes()

    async def sign_in(self, sitter: Sitter, **changes: Any) -> None:
        declaration = self.declaration(sitter, **changes)
        presence = self.presence(sitter, declaration)
        await self.do(sitter.player, attending.sign_in, self.committee_id, declaration, presence)

    def lease(self, sitter: Sitter, **changes: Any) -> bytes:
        sitter.counter += 1
        said = {
            "v": "ebid-seat-lease/1",
            "committee": str(self.committee_id),
            "seat": str(sitter.seat_id),
            "counter": sitter.counter,
        }
        content = canonical({**said, **changes})
        return sitter.seat_key.sign(payload_type("seat-lease"), content).to_bytes()

    async def renew(self, sitter: Sitter) -> datetime:
        until: datetime = await self.do(
            sitter.player, attending.renew, self.committee_id, self.lease(sitter)
        )
        return until

    async def sit(self) -> None:
        """Everybody is let in and signs in."""
        for sitter in self.sitters:
            await self.admit(sitter)
            await self.sign_in(sitter)
        await self.stay()

    async def stay(self) -> None:
        """Leases that outlast any test, so that no busy machine ends one."""
        await self._sql(
            "UPDATE evaluation.member SET lease_until = clock_timestamp() + interval '1 hour'"
            " WHERE left_at IS NULL"
        )

    async def lose_line(self, sitter: Sitter, *, ago: timedelta = timedelta(seconds=1)) -> None:
        """The lease of this member ended so long ago, as it does when its line is cut."""
        await self._sql(
            "UPDATE evaluation.member SET lease_until = clock_timestamp() - CAST(:ago AS interval)"
            " WHERE id = :member",
            member=sitter.member_id,
            ago=ago,
        )

    async def _sql(self, statement: str, **given: Any) -> None:
        async with self.store.sessions() as session, session.begin():
            await session.execute(text(statement), given)

    # ── working ──

    async def bids(self, sitter: Sitter | None = None) -> tuple[OpenedBid, ...]:
        found: tuple[OpenedBid, ...] = await self.do(
            (sitter or self.sitters[0]).player, reviewing.bids, self.committee_id
        )
        return found

    async def bid_at(self, price: Decimal) -> OpenedBid:
        return next(one for one in await self.bids() if one.price == price)

    async def propose(self, bid_id: BidId, *, by: int = 0, **changes: Any) -> UUID:
        ground = RejectionGround.NOT_RESPONSIVE
        if self.kind == "procurement":
            ground = RejectionGround.PROCUREMENT_OTHER
        given: dict[str, Any] = {
            "ground": ground,
            "page": "技术标第12页",
            "words": "工期响应与招标文件的实质性要求不符",
            **changes,
        }
        found: UUID = await self.do(
            self.sitters[by].player,
            reviewing.propose_rejection,
            self.committee_id,
            Proposal(bid_id, **given),
        )
        return found

    async def vote(self, sitter: Sitter, rejection_id: UUID, *, in_favour: bool) -> MotionOutcome:
        found: MotionOutcome = await self.do(
            sitter.player, reviewing.vote, self.committee_id, rejection_id, in_favour=in_favour
        )
        return found

    async def reject(self, price: Decimal = REJECTED_PRICE) -> BidId:
        """The bid at this price is rejected by three votes of five."""
        bid = await self.bid_at(price)
        rejection_id = await self.propose(bid.bid_id)
        for sitter in self.sitters[:3]:
            await self.vote(sitter, rejection_id, in_favour=True)
        return bid.bid_id

    async def save(
        self, sitter: Sitter, bid_id: BidId, item: str, score: str | None, **changes: Any
    ) -> SavedCell:
        given: dict[str, Any] = {"edit_id": random_id(), "base_version": 0, **changes}
        edit = MarkEdit(
            bid_id=bid_id, item=item, score=None if score is None else Decimal(score), **given
        )
        saved: SavedCell = await self.do(sitter.player, scoring.save_mark, self.committee_id, edit)
        return saved

    async def fill_in(self, sitter: Sitter) -> None:
        """Every mark that is due, different for each member where it is a matter of judgement."""
        own = await self.do(sitter.player, scoring.own_marks, self.committee_id)
        for place, bid_id in enumerate(own.bids):
            for item in own.scheme["items"]:
                mark = Decimal(12 if item["kind"] == ItemKind.OBJECTIVE else 20 + place % 3)
                if item["kind"] == ItemKind.SUBJECTIVE:
                    mark += Decimal(sitter.number) / 4
                version = next(
                    (
                        cell.version
                        for cell in own.cells
                        if (cell.bid_id, cell.item) == (bid_id, item["id"])
                    ),
                    0,
                )
                await self.save(sitter, bid_id, item["id"], f"{mark}", base_version=version)

    async def sheet_of(self, sitter: Sitter, *, round: int = 1, **marks: str) -> ScoreSheet:
        """The sheet that the member's saved marks make; `marks` change one item for all bids."""
        own = await self.do(sitter.player, scoring.own_marks, self.committee_id)
        return ScoreSheet(
            self.committee_id,
            sitter.member_id,
            round,
            tuple(
                Mark(str(cell.bid_id), cell.item, Decimal(marks.get(cell.item, f"{cell.score}")))
                for cell in own.cells
                if cell.bid_id in own.bids
            ),
        )

    def commitment_to(self, sitter: Sitter, sheet: ScoreSheet, **changes: Any) -> bytes:
        nonce = random_bytes(32)
        sitter.sheets[sheet.round] = sheet, nonce
        said = {
            "v": "ebid-scores-commit/1",
            "committee": str(self.committee_id),
            "member": str(sitter.member_id),
            "round": sheet.round,
            "commitment": b64u(commitment(sheet, nonce)),
        }
        return signed(sitter.player, "scores-commit", {**said, **changes})

    async def commit(self, sitter: Sitter, *, round: int = 1, reason: str = "") -> None:
        sheet = await self.sheet_of(sitter, round=round)
        raw = self.commitment_to(sitter, sheet, reason=reason)
        await self.do(sitter.player, scoring.commit, self.committee_id, raw)

    async def reveal(self, sitter: Sitter, *, round: int = 1) -> None:
        sheet, nonce = sitter.sheets[round]
        await self.do(
            sitter.player, scoring.reveal, self.committee_id, sheet_document(sheet), nonce
        )

    async def score(self) -> None:
        """Everybody fills in, commits and reveals."""
        for sitter in self.sitters:
            await self.fill_in(sitter)
            await self.commit(sitter)
        for sitter in self.sitters:
            await self.reveal(sitter)

    async def compile(self, *, by: int = 0, argued: str = "") -> bytes:
        digest: bytes = await self.do(
            self.sitters[by].player, reporting.compile_report, self.committee_id, argued=argued
        )
        return digest

    async def sign(
        self, sitter: Sitter, digest: bytes, *, dissent: str = "", refused: bool = False
    ) -> Any:
        said = {
            "v": "ebid-report-signature/1",
            "committee": str(self.committee_id),
            "member": str(sitter.member_id),
            "report": b64u(digest),
            "dissent": dissent,
            "refused": refused,
        }
        raw = signed(sitter.player, "report-signature", said)
        return await self.do(sitter.player, qualifying.sign, self.committee_id, raw)

    async def reported(self) -> bytes:
        """After the sheets were shown: the report, and everybody's signature under it."""
        digest = await self.compile()
        for sitter in self.sitters:
            await self.sign(sitter, digest)
        return digest


# ── making one ────────────────────────────────────────────────────────────────────────────────


async def a_room(store: Store, tick: Tick, kind: str) -> WorkRoom:
    """A lot handed over, its experts drawn while its bids were still sealed, seats at two sites."""
    procedure, scheme = KINDS[kind]
    cast = await a_cast(store)
    # State money would make a tender of this size a mandatory one.
    free = procedure is Procedure.OPEN_TENDER_VOLUNTARY
    project_id = await a_project(store, cast, procedure=procedure, state_funded=not free)
    # A budget below ten million, from which on a purchase needs a committee of seven.
    lot = await a_published_lot(
        store,
        cast,
        project_id,
        scheme=dict(scheme),
        estimate=Decimal("1300000.00"),
        ceiling_price=Decimal("1284600.00"),
        bid_security=Decimal("20000.00"),
    )
    tender = Tender(cast, lot)
    entries = [
        await an_entry(
            store,
            tender,
            price,
            sheet=a_sheet(price),
            bid=a_zip({"技术标/方案.txt": f"方案 {price}".encode(), "报价.csv": price.encode()}),
        )
        for price in PRICES
    ]
    hall = await a_hall(store, tender, entries)
    begins = await hall.window_ends_at() + timedelta(hours=1)
    draw = await _drawn(store, tick, hall, begins)
    for entry in hall.entries:
        await released(hall, entry)
    await window_ended(hall)
    await everything_opened(hall)
    await record_signed(hall)
    await handed_over(hall)
    representative = await a_player(
        store, Role.OWNER_REPRESENTATIVE, party=cast.tenderee.party, person="冯代表"
    )
    room = WorkRoom(
        store,
        hall,
        draw,
        {},
        {},
        representative,
        (SiteId(random_id()), SiteId(random_id())),
        SiteId(random_id()),
        begins + timedelta(minutes=1),
        kind,
    )
    first = await _a_site(room, "临江主场", HOST)
    second = await _a_site(room, "东湖副场", EAST)
    room.sites, room.spare_site = (first, second), await _a_site(room, "南溪副场", SOUTH)
    return room


async def _drawn(store: Store, tick: Tick, hall: Hall, begins: datetime) -> DrawHouse:
    cast = hall.tender.cast
    async with transaction(store, actor=PLATFORM) as tx:
        close_entry = await lots.entry_of(tx, hall.lot_id, "LotClosed")
    await tick()
    draw = DrawHouse(
        store,
        tick,
        cast.staff,
        {"tenderee": cast.tenderee, "agency": cast.agency, "supervisor": cast.supervisor},
        await a_pool(store, cast.staff, each=3),
        a_uscc(),
        hall.lot_id,
        close_entry,
    )
    await draw.seated(window_from=begins, window_until=begins + timedelta(hours=8))
    return draw


async def _a_site(room: WorkRoom, name: str, region: str) -> SiteId:
    """A site with six seats, and its keeper."""
    keeper = await a_player(room.store, Role.SITE_ADMINISTRATOR, organisation=f"{name}交易中心")
    site_id = SiteId(
        await room.do(keeper, site_keeping.register_site, name=name, region_code=region)
    )
    room.keepers[site_id] = keeper
    for number in range(1, 7):
        key = PrivateKey.generate()
        raw = seat_statement(site_id, number, key)
        seat_id = SeatId(await room.do(keeper, site_keeping.register_seat, site_id, raw))
        room.seats[seat_id] = key
    return site_id


def seat_statement(site_id: SiteId, number: object, key: PrivateKey, **changes: Any) -> bytes:
    """A seat's own statement of its key."""
    said = {
        "v": "ebid-seat/1",
        "site": str(site_id),
        "number": number,
        "public_key": b64u(key.public_bytes),
    }
    return key.sign(payload_type("seat"), canonical({**said, **changes})).to_bytes()


async def a_seat_of(room: WorkRoom, site_id: SiteId) -> tuple[SeatId, PrivateKey]:
    """The first seat of a site, with its key."""
    async with room.store.sessions() as session:
        rows = await session.scalars(
            select(SeatRow.id).where(SeatRow.site_id == site_id).order_by(col(SeatRow.number))
        )
        seat_id = SeatId(rows.all()[0])
    return seat_id, room.seats[seat_id]


# ── keeping one for all tests ─────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class KeptCommittees:
    """Rooms made once in this process, each in a database that is copied for every test."""

    lines: Lines
    folder: Path
    template: str
    rooms: dict[str, tuple[WorkRoom, Settings, str]] = field(default_factory=dict)

    @asynccontextmanager
    async def copied(self, kind: str) -> AsyncIterator[tuple[WorkRoom, Settings, str]]:
        """A room without a store, its settings, and a copy of its database until the block ends.

        The kind is one of `KINDS`, or one of them with `, scored` behind it: then one bid is
        rejected, the others are marked, and the sheets are shown.
        """
        if kind not in self.rooms:
            procedure, _, scored = kind.partition(", ")
            await (self._score(kind, procedure) if scored else self._make(kind))
        room, settings, source = self.rooms[kind]
        async with self.lines.databases.lent(source) as name:
            yield room, settings, name

    async def _make(self, kind: str) -> None:
        name = f"kept_{kind}"
        settings = witnessed(settings_in(self.folder / kind))
        async with founded_store(self.lines, name, self.template, settings) as (store, tick):
            room = await a_room(store, tick, kind)
            await room.convene()
            await tick()
        self.rooms[kind] = room, settings, name

    async def _score(self, kind: str, procedure: str) -> None:
        if procedure not in self.rooms:
            await self._make(procedure)
        made, settings, source = self.rooms[procedure]
        name = f"kept_{procedure}_scored"
        await self.lines.make(name, template=source)
        async with store_over(self.lines, name, settings) as (store, tick):
            room = made.over(store, tick)
            await room.sit()
            await room.reject()
            await room.score()
        self.rooms[kind] = room, settings, name


@asynccontextmanager
async def committees_kept(lines: Lines, template: str) -> AsyncIterator[KeptCommittees]:
    """What keeps rooms for a test process."""
    with tempfile.TemporaryDirectory(prefix="sunbid-rooms-") as folder:
        yield KeptCommittees(lines, Path(folder), template)
