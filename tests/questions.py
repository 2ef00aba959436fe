"""Questions and clarifications for tests, as programs send them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from kernel.crypto.digests import instant_text
from kernel.identifiers import LotId
from kernel.store.transaction import Store, transaction
from tests.tenders import Player, signed
from trading import questioning
from web.client import Client

WORDS = "招标文件第三章3.2.1条的业绩年限从何时起算？"


def a_question(who: Player, lot_id: UUID, *, now: datetime, words: str = WORDS) -> bytes:
    """The signed statement that asks."""
    said = {
        "v": "ebid-question/1",
        "lot": str(lot_id),
        "words": words,
        "signed_at": instant_text(now),
    }
    return signed(who, "question", said)


async def asked(
    store: Store, who: Player, lot_id: UUID, *, now: datetime, words: str = WORDS, raw: bytes = b""
) -> UUID:
    """The question of a potential bidder; its id."""
    raw = raw or a_question(who, lot_id, now=now, words=words)
    async with transaction(store, actor=who.actor, now=now) as tx:
        done = await questioning.ask_question(tx, LotId(lot_id), raw)
    return done.id


async def ask(client: Client, lot_id: UUID, words: str = WORDS) -> str:
    """The question of a potential bidder over HTTP; its id."""
    path = f"/api/v1/lots/{lot_id}/questions"
    told = await client.post_statement(path, "question", {"lot": str(lot_id), "words": words})
    return str(told["id"])


async def clarify(
    client: Client,
    lot_id: UUID,
    *,
    due_at: str = "",
    questions: Sequence[Sequence[str]] = (),
    scheme: dict[str, Any] | None = None,
    **changes: Any,
) -> int:
    """A clarification over HTTP, with a timetable that moves the deadline where one is given.

    The `scheme` goes beside it; its digest is for the caller to state.
    """
    lot = await client.get(f"/api/v1/lots/{lot_id}")
    said = {
        "project": lot["project"],
        "lot": str(lot_id),
        "number": len(lot["notices"]) + 1,
        "title": f"第{len(lot['notices'])}号澄清",
        "text": "对招标文件作如下澄清和修改。",
        "may_affect_bids": True,
        **changes,
    }
    body: dict[str, Any] = {"clarification": json.loads(client.statement("clarification", said))}
    body["questions"] = [list(one) for one in questions]
    body["scheme"] = scheme
    if due_at:
        times = lot["timetable"]
        moved = {
            **{key: times[key] for key in times if key not in ("hash", "recorded_at")},
            "project": lot["project"],
            "lot": str(lot_id),
            "version": times["version"] + 1,
            "previous": times["hash"],
            "bids_due_at": due_at,
        }
        body["timetable"] = json.loads(client.statement("timetable", moved))
    done = await client.post(f"/api/v1/lots/{lot_id}/clarifications", body)
    return int(done["number"])
