"""Licences and performances for tests: entered, and verified by the centre's staff.

Everything is valid by default and changed by keyword.
"""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any

from kernel.crypto.digests import b64u, instant_text, sha256
from kernel.identifiers import LibraryEntryId
from kernel.store.parties import organisation
from kernel.store.transaction import Store, transaction
from tests.tenders import NOW, Player, signed
from trading import library
from trading.library import Made

PAPER = b"%PDF-1.7 a scanned paper"
_serials = count(1)


def a_file(content: bytes = PAPER) -> dict[str, Any]:
    """How a statement names its scanned paper."""
    return {"name": "证书.pdf", "sha256": b64u(sha256(content)), "size": len(content)}


def licence_said(who: Player, *, now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """What is signed of a licence."""
    said = {
        "v": "ebid-licence/1",
        "organisation": str(who.party),
        "kind": "qualification",
        "title": "市政公用工程施工总承包一级",
        "number": f"D2420{next(_serials):05d}",
        "issuer": "江城市住房和城乡建设局",
        "valid_from": "2024-05-01",
        "valid_to": "2029-04-30",
        "file": a_file(),
        "signed_at": instant_text(now),
    }
    return {**said, **changes}


def performance_said(who: Player, *, now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """What is signed of a performance."""
    said = {
        "v": "ebid-performance/1",
        "organisation": str(who.party),
        "title": "东湖污水处理厂一期工程",
        "number": f"HT-2023-{next(_serials):04d}",
        "client": "东湖水务有限公司",
        "amount": "86000000.00",
        "contracted_on": "2023-02-10",
        "completed_on": "2025-06-30",
        "file": a_file(),
        "signed_at": instant_text(now),
    }
    return {**said, **changes}


async def entered(
    store: Store, who: Player, said: dict[str, Any], *, now: datetime = NOW, paper: bytes = PAPER
) -> Made:
    """The entry, with its paper sent before."""
    async with transaction(store, actor=who.actor, now=now) as tx:
        await library.keep_entry_file(tx, paper)
    licence = said["v"] == "ebid-licence/1"
    raw = signed(who, "licence" if licence else "performance", said)
    async with transaction(store, actor=who.actor, now=now) as tx:
        return await (library.enter_licence if licence else library.enter_performance)(tx, raw)


async def judged(
    store: Store,
    staff: Player,
    entry_id: LibraryEntryId,
    *,
    holds: bool = True,
    now: datetime = NOW,
    basis: str = "与发证机关公开信息一致",
) -> None:
    async with transaction(store, actor=staff.actor, now=now) as tx:
        await library.judge_entry(tx, entry_id, holds=holds, basis=basis)


async def uscc_of(store: Store, who: Player) -> str:
    """The code of the organisation for which somebody acts."""
    async with transaction(store, actor=who.actor) as tx:
        return (await organisation(tx, who.party)).uscc


async def the_head(store: Store, who: Player, name: str) -> dict[str, Any]:
    """What the register of enterprises says of who heads the organisation."""
    number = await uscc_of(store, who)
    return {"kind": "unit_head", "title": name, "number": number, "issuer": "江城市市场监督管理局"}


async def a_verified_licence(
    store: Store, who: Player, staff: Player, *, now: datetime = NOW, **changes: Any
) -> Made:
    made = await entered(store, who, licence_said(who, now=now, **changes), now=now)
    await judged(store, staff, made.id, now=now)
    return made
