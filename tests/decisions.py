"""Decisions for tests: a bar and its lifting, valid by default and changed by keyword."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from blacklist import sanctioning
from kernel.crypto.digests import instant_text
from kernel.identifiers import DecisionId
from kernel.store.transaction import Store, transaction
from tests.tenders import NOW, Player, signed


def a_bar(subject: dict[str, str], /, **changes: Any) -> dict[str, Any]:
    """Collusion, barred for a year and a half from today."""
    said = {
        "v": "ebid-bar/1",
        "subject": subject,
        "authority": "江城市发展和改革委员会",
        "document_number": "江发改罚〔2026〕7号",
        "article": "《中华人民共和国招标投标法》第五十三条",
        "misconduct": "collusion",
        "reason": "与他人串通投标，情节严重",
        "acts": ["award", "registration", "submission"],
        "decided_on": "2026-03-02",
        "starts_on": "2026-03-02",
        "ends_on": "2027-09-01",
        "signed_at": instant_text(NOW),
    }
    return {**said, **changes}


async def barred(
    store: Store, supervisor: Player, subject: dict[str, str], **changes: Any
) -> DecisionId:
    async with transaction(store, actor=supervisor.actor, now=NOW) as tx:
        raw = signed(supervisor, "bar", a_bar(subject, **changes))
        return await sanctioning.bar(tx, raw)


async def lifted(
    store: Store, supervisor: Player, decision_id: UUID, *, now: datetime = NOW, **changes: Any
) -> None:
    said = {
        "v": "ebid-lift/1",
        "decision": str(decision_id),
        "authority": "江城市人民政府",
        "document_number": "江政复决〔2026〕3号",
        "reason": "行政复议决定撤销原处罚",
        "signed_at": instant_text(now),
    }
    async with transaction(store, actor=supervisor.actor, now=now) as tx:
        raw = signed(supervisor, "lift", {**said, **changes})
        await sanctioning.lift(tx, decision_id, raw)
