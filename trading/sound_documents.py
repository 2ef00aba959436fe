"""Whether every file that a row names is kept, and is what the row says it is.

Every sealed envelope ever submitted is read through, part by part: each part has its digest and the
size that its place gives it, and together they digest to the payload that was receipted. What
bidders have sent and not yet submitted is there; so is every other document by its digest.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto import sealing
from kernel.errors import BrokenSeal, NotFound
from kernel.store.documents import Documents
from trading.named_documents import documents_named
from trading.uploading import DRAWER, part_count, part_size, sealed_drawer


async def document_faults(connection: AsyncConnection, documents: Documents) -> list[str]:
    """Everything that is named and not kept as it is named.

    Reads every file once, one part in memory at a time. The connection must see what is committed
    meanwhile: uploads are given up, and their parts swept, while this runs.
    """
    return [
        *await _envelopes(connection, documents),
        *await _others(connection, documents),
        *await _waiting_parts(connection, documents),
    ]


async def _envelopes(connection: AsyncConnection, documents: Documents) -> list[str]:
    rows = await connection.execute(
        text(
            "SELECT parts, payload_size, payload_root, payload_sha256,"
            " min('the ' || envelope || ' of bid ' || bid_id) AS whose FROM trading.bid_envelope"
            " GROUP BY parts, payload_size, payload_root, payload_sha256"
            " UNION ALL SELECT parts, payload_size, payload_root, payload_sha256,"
            " 'application ' || id FROM trading.application WHERE NOT withdrawn"
        )
    )
    drawer = sealed_drawer(documents)
    faults = []
    for row in rows:
        whose = row.whose
        if len(row.parts) != part_count(row.payload_size):
            faults.append(f"{whose} has {len(row.parts)} parts, which its size does not give")
            continue
        digest = sealing.PayloadDigest()
        spoilt = []
        for number, part in enumerate(row.parts):
            try:
                content = await drawer.read(part)
            except NotFound:
                spoilt.append(f"part {number} of {whose} is missing")
                continue
            except BrokenSeal:
                spoilt.append(f"part {number} of {whose} is damaged")
                continue
            if len(content) != part_size(row.payload_size, number):
                spoilt.append(f"part {number} of {whose} has another size than was receipted")
            await asyncio.to_thread(digest.update, content)
        if not spoilt and (digest.size, digest.root, digest.sha256) != (
            row.payload_size,
            row.payload_root,
            row.payload_sha256,
        ):
            spoilt.append(f"{whose} is not the payload that was receipted")
        faults += spoilt
    return faults


async def _others(connection: AsyncConnection, documents: Documents) -> list[str]:
    faults = []
    for drawer, digest in sorted(await documents_named(connection)):
        if drawer == f"{DRAWER}/":
            continue
        shelf = documents.drawer(drawer.rstrip("/")) if drawer else documents
        try:
            await shelf.read(digest)
        except NotFound:
            faults.append(f"document {digest.hex()} is named and missing")
        except BrokenSeal:
            faults.append(f"document {digest.hex()} is named and damaged")
    return faults


async def _waiting_parts(connection: AsyncConnection, documents: Documents) -> list[str]:
    """Parts that no bid refers to yet, and that are not where their row says.

    A part may be swept between a look at its row and one at the drawer; then its row went first.
    """
    rows = await connection.execute(
        text(
            "SELECT DISTINCT digest FROM trading.upload_part EXCEPT"
            " SELECT unnest(parts) FROM trading.bid_envelope EXCEPT"
            " SELECT unnest(parts) FROM trading.application"
        )
    )
    drawer = sealed_drawer(documents)
    faults = []
    for (digest,) in rows.all():
        if await drawer.has(digest):
            continue
        named = await connection.execute(
            text("SELECT 1 FROM trading.upload_part WHERE digest = :digest"), {"digest": digest}
        )
        if named.first() is not None and not await drawer.has(digest):
            faults.append(f"part {digest.hex()} was sent and is missing")
    return faults
