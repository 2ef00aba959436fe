"""Which documents trading names, and in what drawer they lie: what a backup must not lose."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from trading.depositing import DRAWER as GUARANTEES
from trading.library import DRAWER as LIBRARY
from trading.uploading import DRAWER

NAMED = (
    "SELECT '', digest FROM trading.tender_document",
    "SELECT '', scheme_digest FROM trading.lot WHERE scheme_digest IS NOT NULL",
    # Every version of a scheme that was ever in force, for a bid may be made by an old one.
    "SELECT '', decode(translate(said->>'scheme', '-_', '+/') || '=', 'base64')"
    " FROM (SELECT CASE kind WHEN 'tender' THEN body ELSE body->'terms' END AS said"
    "  FROM trading.notice WHERE kind IN ('tender', 'clarification')) n"
    " WHERE said->>'scheme' IS NOT NULL",
    "SELECT '', digest FROM trading.evidence_file",
    "SELECT '', report_digest FROM trading.taken_report",
    "SELECT '', decode(translate(d->>'sha256', '-_', '+/') || '=', 'base64')"
    " FROM trading.prequalification, jsonb_array_elements(documents) d",
    "SELECT '', decode(translate(d->>'sha256', '-_', '+/') || '=', 'base64')"
    " FROM trading.prequalification_addendum, jsonb_array_elements(documents) d",
    f"SELECT '{DRAWER}/', unnest(parts) FROM trading.bid_envelope",
    f"SELECT '{DRAWER}/', unnest(parts) FROM trading.application",
    f"SELECT '{GUARANTEES}/', document FROM trading.guarantee",
    f"SELECT '{GUARANTEES}/', digest FROM trading.guarantee_file",
    f"SELECT '{LIBRARY}/' || party_id || '/', file_digest FROM trading.library_entry"
    " WHERE erased_at IS NULL",
)


async def documents_named(connection: AsyncConnection) -> set[tuple[str, bytes]]:
    """Every document a row refers to, as (drawer, digest)."""
    return {
        (drawer, digest)
        for query in NAMED
        for drawer, digest in await connection.execute(text(query))
    }
