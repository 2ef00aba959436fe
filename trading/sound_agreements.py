"""Whether what is stored of purchases from a single supplier agrees with itself.

Nobody but the supplier of the notice bid; the price that was taken for the lot's report is that of
the newest record, and everybody whom it names has signed its very words, and so has the supplier.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import sha256
from kernel.crypto.signing import Envelope

_SUPPLIERS: Final = text(
    "SELECT s.lot_id, s.supplier_id::text AS supplier,"
    " n.body #>> '{sole_supplier,supplier,id}' AS published,"
    " (SELECT array_agg(DISTINCT b.bidder_id::text) FROM trading.bid b WHERE b.lot_id = s.lot_id)"
    " AS bidders FROM trading.sole_supplier s"
    " JOIN trading.notice n ON n.lot_id = s.lot_id AND n.number = 1"
)
_REPORTS: Final = text(
    "SELECT r.lot_id, a.number, a.digest, a.members, a.price AS agreed, b.price AS reported"
    " FROM trading.sole_supplier s JOIN trading.taken_report r ON r.lot_id = s.lot_id"
    " LEFT JOIN trading.ranked_bid b ON b.lot_id = r.lot_id AND b.round = r.round"
    "  AND b.bidder_id = s.supplier_id"
    " LEFT JOIN trading.price_agreement a ON a.lot_id = r.lot_id AND a.number ="
    "  (SELECT max(number) FROM trading.price_agreement m WHERE m.lot_id = r.lot_id)"
)
_SIGNATURES: Final = text(
    "SELECT person_id::text AS person, for_supplier, statement FROM trading.price_signature"
    " WHERE lot_id = :lot AND number = :number"
)


async def agreement_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of purchases from a single supplier."""
    faults = []
    for row in await connection.execute(_SUPPLIERS):
        if row.published != row.supplier:
            faults.append(f"lot {row.lot_id} is put to another supplier than its notice names")
        if set(row.bidders or []) - {row.supplier}:
            faults.append(f"somebody else than its only supplier bid for lot {row.lot_id}")
    for row in (await connection.execute(_REPORTS)).all():
        faults += await _report_faults(connection, row)
    return faults


async def _report_faults(connection: AsyncConnection, row: Any) -> list[str]:
    if row.number is None or row.agreed != row.reported:
        return [f"the report of lot {row.lot_id} is not the price that was agreed"]
    signatures = (
        await connection.execute(_SIGNATURES, {"lot": row.lot_id, "number": row.number})
    ).all()
    faults = []
    named = {one.person for one in signatures if not one.for_supplier}
    if named != set(row.members) or not any(one.for_supplier for one in signatures):
        faults.append(f"the price of lot {row.lot_id} is not signed by all whom it names")
    if any(sha256(Envelope.from_bytes(one.statement).payload) != row.digest for one in signatures):
        faults.append(f"the price of lot {row.lot_id} was signed in other words")
    return faults
