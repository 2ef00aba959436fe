"""The group's side of the talks: with one supplier at a time, until all name a last price at once.

Evaluation does these acts through the door, and says whom it has not rejected. What is put to one
supplier is read by that supplier and the group; a change of the demand goes to all who take part,
in the same words at the same moment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from kernel.access import Role, by
from kernel.crypto.digests import sha256, unb64u
from kernel.errors import NotFound, Refused
from kernel.identifiers import BidId, LotId
from kernel.randomness import random_id
from kernel.refusals import Caution
from kernel.store.database import lock_exclusive
from kernel.store.parties import organisation_names
from kernel.store.transaction import Transaction
from trading import lots
from trading.drafting import clean_text
from trading.events import BidsRead, DemandChanged, LastPricesCalled, SupplierAddressed, TalkHeld
from trading.rules.price_talks import (
    OPENING_WINDOW,
    TalkPhase,
    call_cautions,
    call_refusals,
    standstill_refusals,
    talk_cautions,
    talk_refusals,
)
from trading.tables import DemandChangeRow, LastPriceCallRow, TalkRow
from trading.talk_records import TalkFile, talk_file

WORDS_MAX: Final = 5000


@dataclass(frozen=True, slots=True)
class TalkTold:
    """One talk: what the group put to the supplier in which turn, and what it answered.

    `files` are those of its response that it handed in anew, by name and digest.
    """

    id: UUID
    turn: int
    words: str
    held_at: datetime
    answer: str | None
    answered_at: datetime | None
    files: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class SupplierTold:
    """A supplier as the group sees it; whether it handed in a last price is told from the deadline
    on, the price itself once all lie open.
    """

    bid_id: BidId
    name: str
    first_price: Decimal | None
    left_at: datetime | None
    gone: bool
    asked: bool
    handed_in: bool | None
    last_price: Decimal | None
    talks: tuple[TalkTold, ...]


@dataclass(frozen=True, slots=True)
class ChangeTold:
    """A change of the demand, as all who took part were told it."""

    number: int
    words: str
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class RefiledFile:
    """A file of a response that was handed in anew: its name and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class TalksTold:
    """The talks of a lot, as the group sees them."""

    phase: TalkPhase
    suppliers: tuple[SupplierTold, ...]
    changes: tuple[ChangeTold, ...]
    due_at: datetime | None
    window_until: datetime | None
    cautions: tuple[Caution, ...]


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def talks_of(tx: Transaction, lot_id: LotId, rejected: Collection[UUID]) -> TalksTold:
    """The talks so far, in an order that says nothing about the suppliers."""
    file = await _file(tx, lot_id)
    names = await organisation_names(tx.session, list(file.bids))
    due = file.phase not in (TalkPhase.TALKING, TalkPhase.PRICING)
    told = []
    for bidder, bid_id in sorted(file.bids.items(), key=lambda one: one[1]):
        left = file.left.get(bidder)
        told.append(
            SupplierTold(
                BidId(bid_id),
                names[bidder],
                file.first_prices[bidder],
                None if left is None else left.left_at,
                bidder in file.gone,
                bidder in file.asked,
                bidder in file.handed_in if due and bidder in file.asked else None,
                file.last_price(bidder),
                talks_with(file, bidder),
            )
        )
    return TalksTold(
        file.phase,
        tuple(told),
        changes_in(file),
        None if file.times is None else file.times.due_at,
        None if file.times is None else file.times.window_until,
        tuple(talk_cautions(file.talked(_remaining(file, rejected)))),
    )


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def refiled(tx: Transaction, lot_id: LotId, digest: str) -> RefiledFile:
    """A file that a supplier handed in anew in the talks; `NotFound` for any other."""
    file = await _file(tx, lot_id)
    wanted = unb64u(digest, 32)
    named = {
        unb64u(told["file"], 32): told["name"]
        for answer in file.answers.values()
        for told in answer.files
    }
    name = named.get(wanted)
    if name is None:
        raise NotFound("no such file in these talks")

    tx.record(BidsRead(lot_id, reader=str(tx.actor.role), file=name))

    return RefiledFile(name, await tx.documents.read(wanted))


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def talk_with(
    tx: Transaction, lot_id: LotId, bid_id: BidId, words: str, rejected: Collection[UUID]
) -> int:
    """Put something to one supplier alone; which of its turns it is."""
    await lock_exclusive(tx.session, f"talks:{lot_id}")
    file = await _file(tx, lot_id)
    bidder = next((party for party, bid in file.bids.items() if bid == bid_id), None)
    if bidder is None:
        raise NotFound("no such opened response")
    said = clean_text(words, at_most=WORDS_MAX)

    remaining = _remaining(file, rejected)
    refusals = standstill_refusals(suspended=file.lot.suspended, article=file.article)
    refusals += talk_refusals(file.phase, remains=bidder in remaining, article=file.article)
    if refusals:
        raise Refused(refusals)

    turn = file.talked(remaining)[bidder] + 1
    tx.session.add(
        TalkRow(
            id=random_id(),
            lot_id=lot_id,
            bidder_id=bidder,
            turn=turn,
            words=said,
            held_by=tx.actor.person,
            held_at=tx.now,
        )
    )

    tx.record(TalkHeld(lot_id, bid_id, turn, sha256(said.encode())))
    tx.record(SupplierAddressed(lot_id, addressee_id=bidder, about="talk", number=turn))

    return turn


@by(Role.OWNER_REPRESENTATIVE)
async def change_demand(
    tx: Transaction, lot_id: LotId, words: str, rejected: Collection[UUID]
) -> int:
    """Confirm a change of the demand for the purchaser; all who take part are told at once."""
    await lock_exclusive(tx.session, f"talks:{lot_id}")
    file = await _file(tx, lot_id)
    said = clean_text(words, at_most=WORDS_MAX)

    refusals = standstill_refusals(
        suspended=file.lot.suspended, article=file.article
    ) + talk_refusals(file.phase, remains=True, article=file.article)
    if refusals:
        raise Refused(refusals)

    number = len(file.changes) + 1
    remaining = _remaining(file, rejected)
    tx.session.add(
        DemandChangeRow(
            lot_id=lot_id,
            number=number,
            words=said,
            confirmed_by=tx.actor.person,
            confirmed_at=tx.now,
        )
    )

    tx.record(DemandChanged(lot_id, number, sha256(said.encode()), len(remaining)))
    for bidder in sorted(remaining):
        tx.record(SupplierAddressed(lot_id, addressee_id=bidder, about="change", number=number))

    return number


@by(Role.EXPERT, Role.OWNER_REPRESENTATIVE)
async def call_last_prices(
    tx: Transaction, lot_id: LotId, due_at: datetime, rejected: Collection[UUID]
) -> tuple[Caution, ...]:
    """End the talks, and ask all who are left for their last price by one deadline."""
    await lock_exclusive(tx.session, f"talks:{lot_id}")
    file = await _file(tx, lot_id)

    remaining = _remaining(file, rejected)
    talked = file.talked(remaining)
    waiting = [
        one for one in file.talks if one.bidder_id in remaining and one.id not in file.answers
    ]
    refusals = standstill_refusals(
        suspended=file.lot.suspended, article=file.article
    ) + call_refusals(
        file.phase,
        talked=talked,
        unanswered=len(waiting),
        due_in=due_at - tx.now,
        article=file.article,
    )
    if refusals:
        raise Refused(refusals)
    cautions = call_cautions(
        talked,
        ground_allows_two=file.allows_two,
        article=file.switches.quorum_article,
        not_refiled=len(file.not_refiled(remaining)),
        refiling=file.refiling_article,
    )

    window_until = due_at + OPENING_WINDOW
    entry_id = tx.record(
        LastPricesCalled(
            lot_id,
            asked=tuple(sorted(remaining)),
            due_at=due_at,
            window_until=window_until,
        )
    )
    tx.session.add(
        LastPriceCallRow(
            lot_id=lot_id,
            asked=sorted(map(str, remaining)),
            due_at=due_at,
            window_until=window_until,
            called_by=tx.actor.person,
            called_at=tx.now,
            cautions=[one.as_json() for one in cautions],
            entry_id=entry_id,
        )
    )
    for bidder in sorted(remaining):
        tx.record(
            SupplierAddressed(
                lot_id, addressee_id=bidder, about="last_price", number=1, due_at=due_at
            )
        )

    return tuple(cautions)


@by(Role.PLATFORM)
async def tell_moved_deadline(tx: Transaction, lot_id: LotId) -> None:
    """Tell who was asked for a last price by when it is due, once a suspension has moved that."""
    lot = await lots.hold(tx, lot_id)
    file = await talk_file(tx, lot)
    if file is None or file.times is None or file.phase is not TalkPhase.PRICING:
        return
    for bidder in sorted(file.asked - file.gone):
        tx.record(
            SupplierAddressed(
                lot_id,
                addressee_id=bidder,
                about="last_price",
                number=len(file.pauses) + 1,
                due_at=file.times.due_at,
            )
        )


# ── for the neighbours in this package ────────────────────────────────────────────────────────


def talks_with(file: TalkFile, bidder: UUID) -> tuple[TalkTold, ...]:
    """The talks with one supplier, the first one first."""
    told = []
    for one in file.talks:
        if one.bidder_id == bidder:
            answer = file.answers.get(one.id)
            told.append(
                TalkTold(
                    one.id,
                    one.turn,
                    one.words,
                    one.held_at,
                    None if answer is None else answer.words,
                    None if answer is None else answer.answered_at,
                    () if answer is None else tuple(answer.files),
                )
            )
    return tuple(told)


def changes_in(file: TalkFile) -> tuple[ChangeTold, ...]:
    """The changes of the demand, the first one first."""
    return tuple(ChangeTold(one.number, one.words, one.confirmed_at) for one in file.changes)


# ── what the above is made of ─────────────────────────────────────────────────────────────────


def _remaining(file: TalkFile, rejected: Collection[UUID]) -> frozenset[UUID]:
    """The suppliers who still take part: opened, not rejected, and not gone."""
    return frozenset(
        bidder
        for bidder, bid_id in file.bids.items()
        if bid_id not in rejected and bidder not in file.gone
    )


async def _file(tx: Transaction, lot_id: LotId) -> TalkFile:
    lot = await lots.hold(tx, lot_id)
    file = await talk_file(tx, lot)
    if file is None:
        raise NotFound("this lot has no talks")
    return file
