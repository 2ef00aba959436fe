"""Bid securities for tests: numbers to pay under, a bank's statements, guarantees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from kernel.crypto.digests import b64u, instant_text, sha256
from kernel.identifiers import LotId
from kernel.randomness import random_bytes, random_id
from kernel.store.transaction import Store, transaction
from kernel.working_days import BEIJING
from tests.tenders import NOW, Cast, Player, PublishedLot, a_published_lot, signed
from trading import depositing, returning
from trading.bank_statements import HEAD, CsvFile
from trading.depositing import Filed, Taken
from trading.payment_references import new_reference
from trading.returning import GivenBack, Payment
from trading.rules.procedures import SecurityForm
from trading.tables import SecurityAccountRow

ASKED = Decimal("800000.00")
PAPER = b"%PDF-1.7 guarantee"
PAID_AT = NOW + timedelta(days=2)


async def a_lot_that_takes_money(store: Store, cast: Cast) -> PublishedLot:
    """A lot open for bids whose security may be paid or guaranteed."""
    forms = (SecurityForm.TRANSFER, SecurityForm.BANK_GUARANTEE)
    return await a_published_lot(store, cast, security_forms=forms)


async def reference_of(store: Store, who: Player, lot_id: UUID, *, now: datetime = NOW) -> str:
    """The number under which this bidder pays for the lot."""
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await depositing.payment_reference(tx, LotId(lot_id))


async def an_account(store: Store, who: Player, lot_id: UUID) -> str:
    """A number that was given while the lot was open, of a lot whose story goes on after that."""
    reference = new_reference(random_bytes(8))
    async with store.sessions() as session, session.begin():
        session.add(
            SecurityAccountRow(
                id=random_id(),
                lot_id=lot_id,
                bidder_id=who.party,
                reference=reference,
                given_to=who.person,
                given_at=NOW,
            )
        )
    return reference


def line(serial: str, reference: str, amount: Decimal = ASKED, at: datetime = PAID_AT) -> str:
    """One payment in the bank's file."""
    return f"{serial},{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S},{amount},{reference}"


def a_file(lines: Sequence[str]) -> bytes:
    """The bank's file with these payments."""
    return "\n".join((",".join(HEAD), *lines, "")).encode()


async def statement_taken(
    store: Store, staff: Player, *lines: str, now: datetime = PAID_AT
) -> Taken:
    async with transaction(store, actor=staff.actor, now=now) as tx:
        return await depositing.take_statement(tx, CsvFile(a_file(lines)))


def guarantee_statement(who: Player, lot_id: UUID, *, now: datetime, **changes: Any) -> bytes:
    said = {
        "v": "ebid-guarantee/1",
        "lot": str(lot_id),
        "form": "bank_guarantee",
        "guarantor": "江城银行滨江支行",
        "number": "BH2026-0001",
        "amount": "800000.00",
        "valid_until": "2026-06-30",
        "document": b64u(sha256(PAPER)),
        "signed_at": instant_text(now),
    }
    return signed(who, "guarantee", {**said, **changes})


async def guarantee_filed(
    store: Store, who: Player, lot_id: UUID, *, now: datetime = PAID_AT, **changes: Any
) -> Filed:
    async with transaction(store, actor=who.actor, now=now) as tx:
        await depositing.keep_guarantee_file(tx, LotId(lot_id), PAPER)
        raw = guarantee_statement(who, lot_id, now=now, **changes)
        return await depositing.file_guarantee(tx, LotId(lot_id), raw)


async def given_back(
    store: Store, staff: Player, reference: str, *, now: datetime, rate: str = "0.36"
) -> GivenBack:
    async with transaction(store, actor=staff.actor, now=now) as tx:
        payment = Payment(now, Decimal(rate), "TK0001")
        return await returning.give_back(tx, reference, payment)
