"""The entries of a view opened for its readers, and the log's word on which they are.

A view's numbers follow the order in which its entries became visible. Where a tree ends, so does a
view: its entries in that tree are those before the first that stands in it no more or not yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kernel.crypto.digests import b64, b64u
from kernel.crypto.notes import LogSigner
from kernel.crypto.view_manifest import ViewManifest, entries_digest
from kernel.errors import NotFound
from kernel.settings import Settings
from kernel.store.transparency_log import Line

PAGE = 500

_OPENED = text(
    "SELECT v.number, j.id, j.record, j.salt, p.index FROM kernel.view_entry v"
    " JOIN kernel.journal j ON j.id = v.entry_id"
    " LEFT JOIN kernel.log_place p ON p.entry_id = j.id"
    " WHERE v.view = :view AND v.number > :after ORDER BY v.number LIMIT :limit"
)
_PLACES = text(
    "SELECT v.number, p.index, v.entry_id FROM kernel.view_entry v"
    " LEFT JOIN kernel.log_place p ON p.entry_id = v.entry_id"
    " WHERE v.view = :view AND v.number <= :last ORDER BY v.number"
)
_PUBLISHED = text("SELECT 1 FROM kernel.log_checkpoint WHERE size = :size")


def entry_told(
    number: int, entry_id: UUID, record: bytes, salt: bytes, index: int | None
) -> dict[str, Any]:
    """One entry with what opens its leaf, as routes and exports tell it."""
    return {
        "number": number,
        "id": str(entry_id),
        "record": b64(record),
        "salt": b64u(salt),
        "index": index,
    }


async def opened_entries(line: Line, view: str, *, after: int) -> list[dict[str, Any]]:
    """The next entries of a view; the index is None while an entry is not integrated."""
    rows = await line.execute(_OPENED, {"view": view, "after": after, "limit": PAGE})
    return [entry_told(*row) for row in rows]


def vouchers(settings: Settings) -> tuple[tuple[str, ...], int]:
    """The witnesses whom this platform names, and how many of them it waits for."""
    witnesses = tuple(vkey for vkey, _ in settings.witness_list)
    return witnesses, min(settings.witness_quorum, len(witnesses))


async def manifest_of(
    line: Line, view: str, *, size: int, entries: int, signer: LogSigner, settings: Settings
) -> str:
    """The log's signed word that a view has exactly so many entries in the tree of that size.

    `NotFound` where it has more or fewer, or where no such tree was published.
    """
    rows = (await line.execute(_PLACES, {"view": view, "last": entries + 1})).all()
    inside = [index is not None and index < size for _, index, _ in rows]
    published = (await line.execute(_PUBLISHED, {"size": size})).first()
    if published is None or inside not in ([True] * entries, [True] * entries + [False]):
        raise NotFound("no such view of the log")
    return signed_manifest(
        view,
        [(number, index, str(entry_id)) for number, index, entry_id in rows[:entries]],
        size=size,
        whole_until=0,
        signer=signer,
        settings=settings,
    )


def signed_manifest(
    view: str,
    entries: Sequence[tuple[int, int, str]],
    *,
    size: int,
    whole_until: int,
    signer: LogSigner,
    settings: Settings,
) -> str:
    """A manifest of these entries, each as (number, index, id), signed by the log."""
    witnesses, quorum = vouchers(settings)
    return ViewManifest(
        origin=signer.name,
        view=view,
        size=size,
        entries=len(entries),
        digest=entries_digest(entries),
        whole_until=whole_until,
        witnesses=witnesses,
        quorum=quorum,
    ).signed(signer)
