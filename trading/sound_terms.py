"""Whether the terms that the platform reckons with are those of the signed notices.

Ceiling price, bid security, opening sheet and evaluation scheme are stated by the first notice, and
each clarification states anew what it changes of them; the lot follows the last word.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import Malformed
from trading.rules.changed_terms import Terms, stated_terms, terms_in
from trading.rules.procedures import SecurityForm

_STATED: Final = text(
    "SELECT lot_id, kind, body FROM trading.notice WHERE kind = 'tender'"
    " OR kind = 'clarification' AND body ? 'terms' ORDER BY lot_id, number"
)
_FOLLOWED: Final = text(
    "SELECT id, ceiling_price, bid_security, security_forms, sheet_fields, scheme_digest"
    " FROM trading.lot WHERE published_at IS NOT NULL"
)


async def term_faults(connection: AsyncConnection) -> list[str]:
    """Every published lot that follows other terms than its notices state."""
    stated: dict[UUID, Terms] = {}
    faults = []
    for row in await connection.execute(_STATED):
        try:
            stated[row.lot_id] = (
                stated_terms(row.body)
                if row.kind == "tender"
                else terms_in(row.body["terms"], stated[row.lot_id])
            )
        except (Malformed, KeyError):
            faults.append(f"a notice of lot {row.lot_id} states no terms that can be followed")
    for lot in await connection.execute(_FOLLOWED):
        followed = Terms(
            lot.ceiling_price,
            lot.bid_security,
            tuple(SecurityForm(form) for form in lot.security_forms),
            tuple(lot.sheet_fields),
            lot.scheme_digest,
        )
        if stated.get(lot.id) != followed:
            faults.append(f"lot {lot.id} follows other terms than its notices state")
    return faults
