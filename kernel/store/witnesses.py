"""Asking the witnesses: others, with clocks of their own, who sign what they have seen.

A witness is sent each new checkpoint with a proof that it extends the last one that witness signed
(C2SP tlog-witness, `add-checkpoint`). It refuses a tree that does not extend the one it knows,
which is how a split view or a rolled-back database is found from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.crypto import merkle
from kernel.crypto.notes import (
    Checkpoint,
    SignedNote,
    parse_vkey,
    read_cosignatures,
    write_offer,
)
from kernel.errors import BrokenSeal
from kernel.store.transparency_log import keep_cosignature, with_nodes
from kernel.store.trusted_authorities import trusted_authorities

log = structlog.get_logger()

PATIENCE_S = 5.0


def line_to_witnesses() -> httpx.AsyncClient:
    """A client to ask witnesses with, which keeps its connections."""
    return httpx.AsyncClient(timeout=PATIENCE_S, verify=trusted_authorities())


async def ask_all(
    engine: AsyncEngine,
    witnesses: Sequence[tuple[str, str]],
    *,
    quorum: int,
    client: httpx.AsyncClient | None = None,
) -> None:
    """Ask every witness for the newest checkpoint it has not signed yet."""
    if not witnesses:
        return
    if client is None:
        async with line_to_witnesses() as own:
            await ask_all(engine, witnesses, quorum=quorum, client=own)
        return
    await asyncio.gather(
        *(_ask(engine, client, vkey, url, quorum=quorum) for vkey, url in witnesses)
    )


async def _ask(
    engine: AsyncEngine, client: httpx.AsyncClient, vkey: str, url: str, *, quorum: int
) -> None:
    name = parse_vkey(vkey).name
    try:
        async with engine.connect() as connection:
            newest = await _newest(connection)
            old = await _last_signed(connection, name)
            if newest is None or newest[0] == old:
                return
            size, note = newest
            answer = await _send(connection, client, url, old=old, size=size, note=note)
            if answer.status_code == httpx.codes.CONFLICT:
                old = int(answer.text.strip())
                answer = await _send(connection, client, url, old=old, size=size, note=note)
            answer.raise_for_status()
            signed = read_cosignatures(
                answer.content,
                checkpoint=Checkpoint.parse(SignedNote.parse(note).text),
                witness_vkeys=(vkey,),
            )
            if not signed:
                raise BrokenSeal("the answer carries no signature of this witness")
            await connection.rollback()
            await keep_cosignature(
                connection,
                size=size,
                witness=name,
                line=signed[0].line,
                at_unix=signed[0].at_unix,
                quorum=quorum,
            )
    except (httpx.HTTPError, BrokenSeal, ValueError) as error:
        log.warning("a witness did not sign", witness=name, error=str(error))


async def _newest(connection: AsyncConnection) -> tuple[int, str] | None:
    row = (
        await connection.execute(
            text("SELECT size, note FROM kernel.log_checkpoint ORDER BY size DESC LIMIT 1")
        )
    ).first()
    return None if row is None else (int(row[0]), str(row[1]))


async def _last_signed(connection: AsyncConnection, name: str) -> int:
    row = await connection.execute(
        text("SELECT coalesce(max(size), 0) FROM kernel.log_cosignature WHERE witness = :name"),
        {"name": name},
    )
    return int(row.scalar_one())


async def _send(
    connection: AsyncConnection,
    client: httpx.AsyncClient,
    url: str,
    *,
    old: int,
    size: int,
    note: str,
) -> httpx.Response:
    proof = (
        await with_nodes(connection, lambda get: merkle.consistency_proof(get, old, size))
        if old
        else []
    )
    await connection.rollback()
    return await client.post(
        f"{url.rstrip('/')}/add-checkpoint",
        content=write_offer(old, proof, note),
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )
