"""A listing is suspended, resumed or ended before its time, or its result declared void.

Each order is signed, says its ground and what it stands on, and is public at once. One that ends
the listing names nobody who bid: those who meant to buy may well come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlmodel import col

from kernel.access import Role, by
from kernel.crypto.digests import Malformed, instant_text, text_of
from kernel.errors import Refused
from kernel.identifiers import ListingId
from kernel.refusals import Refusal
from kernel.store.parties import take_part, verified_statement
from kernel.store.transaction import Transaction
from trading.drafting import clean_text
from trading.entrusting import require_seller
from trading.events import ListingResumed, ListingSuspended, ListingTerminated, ListingVoided
from trading.listing import locked, terms_of, undone
from trading.rules.listing_interruption import (
    GROUND_NAMES,
    Ground,
    Order,
    OrderKind,
    Pause,
    moved,
    order_refusals,
    void_refusals,
)
from trading.rules.listing_mandate import ListingAct
from trading.rules.listing_protocol import Phase
from trading.settling_listings import admit_the_paid
from trading.tables import ListingOrderRow, ListingRow

REASON_MAX: Final = 2000
NAME_MAX: Final = 200

_KINDS: Final[Mapping[OrderKind, str]] = {
    OrderKind.SUSPEND: "listing-suspension",
    OrderKind.RESUME: "listing-resumption",
    OrderKind.TERMINATE: "listing-termination",
    OrderKind.VOID: "listing-voiding",
}


@by(Role.TENDEREE, Role.AGENCY, Role.SUPERVISOR)
async def interrupt(tx: Transaction, listing_id: ListingId, kind: OrderKind, raw: bytes) -> None:
    """Suspend, resume or end a listing; the same order again is the same order."""
    row = await locked(tx, listing_id)
    if tx.actor.role is not Role.SUPERVISOR:
        await require_seller(tx, row, ListingAct.ORDER)
    await _keep_order(tx, row, kind, raw)


@by(Role.SUPERVISOR)
async def void_result(tx: Transaction, listing_id: ListingId, raw: bytes) -> None:
    """Record a decision by which a result is void; its winner has its security back."""
    row = await locked(tx, listing_id)
    await _keep_order(tx, row, OrderKind.VOID, raw)


async def _keep_order(tx: Transaction, row: ListingRow, kind: OrderKind, raw: bytes) -> None:
    supervises = tx.actor.role is Role.SUPERVISOR
    listing_id = row.id
    statement = await verified_statement(tx, raw, _KINDS[kind], listing=listing_id)
    known = await tx.session.scalar(
        select(col(ListingOrderRow.number)).where(col(ListingOrderRow.digest) == statement.digest)
    )
    if known is not None:
        return
    order = _order_in(kind, statement.payload, by_supervisor=supervises)
    reason = clean_text(statement.payload["reason"], at_most=REASON_MAX)

    refusals = await _grounds_against(tx, row, order)
    if refusals:
        raise Refused(refusals)

    await take_part(tx, listing_id)
    number = await tx.session.scalar(
        select(func.count()).where(col(ListingOrderRow.listing_id) == listing_id)
    )
    kept = ListingOrderRow(
        listing_id=listing_id,
        number=(number or 0) + 1,
        kind=kind,
        ground="" if order.ground is None else order.ground,
        basis=order.basis,
        reason=reason,
        by_supervisor=supervises,
        party_id=tx.actor.party,
        person_id=tx.actor.person,
        digest=statement.digest,
        statement=raw,
        ordered_at=tx.now,
    )
    tx.session.add(kept)

    match kind:
        case OrderKind.SUSPEND:
            _suspend(tx, row, kept)
        case OrderKind.RESUME:
            await _resume(tx, row, kept)
        case OrderKind.TERMINATE:
            _terminate(tx, row, kept)
        case OrderKind.VOID:
            tx.record(
                ListingVoided(
                    row.id,
                    ground=kept.ground,
                    basis=kept.basis,
                    reason=reason,
                    statement_digest=kept.digest,
                )
            )


async def _grounds_against(tx: Transaction, row: ListingRow, order: Order) -> list[Refusal]:
    phase = Phase(row.phase)
    if order.kind is OrderKind.VOID:
        return void_refusals(order, phase=phase, undone=await undone(tx, row) is not None)
    last = await last_suspension(tx, row)
    return order_refusals(
        order,
        phase=phase,
        paused=row.paused_at is not None,
        paused_by_supervisor=last is not None and last.by_supervisor,
    )


async def last_suspension(tx: Transaction, row: ListingRow) -> ListingOrderRow | None:
    """The order under which a listing stands still now; None where it does not."""
    if row.paused_at is None:
        return None
    found: ListingOrderRow | None = await tx.session.scalar(
        select(ListingOrderRow)
        .where(
            col(ListingOrderRow.listing_id) == row.id,
            col(ListingOrderRow.kind) == OrderKind.SUSPEND,
        )
        .order_by(col(ListingOrderRow.number).desc())
        .limit(1)
    )
    return found


def _suspend(tx: Transaction, row: ListingRow, order: ListingOrderRow) -> None:
    row.paused_at, row.due_at = tx.now, None

    tx.record(
        ListingSuspended(
            row.id,
            ground=order.ground,
            basis=order.basis,
            reason=order.reason,
            statement_digest=order.digest,
        )
    )


async def _resume(tx: Transaction, row: ListingRow, order: ListingOrderRow) -> None:
    """Let it go on, with every moment to come as far off as it was."""
    assert row.paused_at is not None
    pause = Pause(row.paused_at, tx.now)
    assert pause.until is not None
    told = {"since": instant_text(pause.since), "until": instant_text(pause.until)}
    row.pauses, row.paused_at = [*row.pauses, told], None
    settle = timedelta(seconds=tx.settings.closer_settle_s)
    if row.phase_ends_at is None:
        row.due_at = terms_of(row).starts_at
    else:
        row.phase_ends_at = moved(row.phase_ends_at, [pause])
        row.due_at = row.phase_ends_at + settle
    await admit_the_paid(tx, row)

    tx.record(
        ListingResumed(
            row.id,
            reason=order.reason,
            ends_at=row.phase_ends_at or terms_of(row).ends_at,
            statement_digest=order.digest,
        )
    )


def _terminate(tx: Transaction, row: ListingRow, order: ListingOrderRow) -> None:
    row.phase = Phase.TERMINATED
    row.ended_at, row.due_at = tx.now, None
    row.why = GROUND_NAMES[Ground(order.ground)][0]

    tx.record(
        ListingTerminated(
            row.id,
            ground=order.ground,
            basis=order.basis,
            reason=order.reason,
            statement_digest=order.digest,
        )
    )


def _order_in(kind: OrderKind, told: Mapping[str, Any], *, by_supervisor: bool) -> Order:
    if kind is OrderKind.RESUME:
        return Order(kind, by_supervisor=by_supervisor)
    if told["ground"] not in list(Ground):
        raise Malformed(f"a ground is one of: {', '.join(Ground)}", code="ground")
    authority, document = (
        "" if told.get(name) is None else clean_text(told[name], at_most=NAME_MAX)
        for name in ("authority", "document")
    )
    return Order(kind, Ground(text_of(told["ground"])), authority, document, by_supervisor)
