"""Requests to stay bound longer, and answers, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from kernel.crypto.digests import instant_text
from kernel.identifiers import LotId
from kernel.store.transaction import Store, transaction
from tests.tenders import Player, signed
from trading import extending
from trading.extending import Asked
from trading.rules.validity_extension import Reply

ANSWER_BY = datetime(2026, 5, 20, 1, 0, tzinfo=UTC)


def extension_statement(who: Player, lot_id: UUID, **changes: Any) -> bytes:
    said = {
        "v": "ebid-validity-extension/1",
        "lot": str(lot_id),
        "number": 1,
        "validity_days": 120,
        "answer_by": instant_text(ANSWER_BY),
        "reason": "投诉处理尚未结束。",
        "signed_at": "2026-04-01T01:00:00Z",
    }
    return signed(who, "validity-extension", {**said, **changes})


async def extension_asked(
    store: Store, who: Player, lot_id: LotId, *, now: datetime, **changes: Any
) -> Asked:
    async with transaction(store, actor=who.actor, now=now) as tx:
        raw = extension_statement(who, lot_id, **changes)
        return await extending.ask_extension(tx, lot_id, raw)


async def extension_answered(
    store: Store, who: Player, lot_id: LotId, *, agreed: bool, now: datetime, number: int = 1
) -> Reply:
    said = {
        "v": "ebid-validity-answer/1",
        "lot": str(lot_id),
        "number": number,
        "agreed": agreed,
        "signed_at": instant_text(now),
    }
    async with transaction(store, actor=who.actor, now=now) as tx:
        raw = signed(who, "validity-answer", said)
        return await extending.answer_extension(tx, lot_id, number, raw)
