"""Whether what is stored of bid securities agrees with itself and with what was signed.

No more went back than came in; what was kept did not go back as well; a statement has no more
lines than it was answered with; and a guarantee and a decision to keep are what was signed.
"""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import b64u, sha256, strict_json
from kernel.crypto.signing import Envelope

_SUMS = text(
    "SELECT a.reference,"
    " (SELECT coalesce(sum(l.amount), 0) FROM trading.bank_line l WHERE l.reference = a.reference)"
    " AS paid,"
    " (SELECT coalesce(sum(r.principal), 0) FROM trading.security_return r"
    "  WHERE r.account_id = a.id) AS returned,"
    " (SELECT max(r.recorded_at) FROM trading.security_return r WHERE r.account_id = a.id)"
    " AS returned_at,"
    " f.decided_at AS kept_at FROM trading.security_account a"
    " LEFT JOIN trading.security_forfeiture f ON f.account_id = a.id"
)
_STATEMENTS = text(
    "SELECT s.digest, s.line_count, (SELECT count(*) FROM trading.bank_line l"
    "  WHERE l.statement_digest = s.digest) AS kept FROM trading.bank_statement s"
)
_GUARANTEES = text("SELECT digest, statement, document, amount FROM trading.guarantee")
_KEPT = text(
    "SELECT f.digest, f.statement, f.ground, a.reference FROM trading.security_forfeiture f"
    " JOIN trading.security_account a ON a.id = f.account_id"
)
PAYLOAD_MAX = 1 << 16


async def security_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of bid securities."""
    faults = []
    for row in await connection.execute(_SUMS):
        if row.returned > row.paid:
            faults.append(f"more went back under {row.reference} than came in")
        if row.kept_at and row.returned_at and row.returned_at >= row.kept_at:
            faults.append(f"what came in under {row.reference} was kept and went back")
    faults += [
        f"bank statement {row.digest.hex()} has more lines than it was answered with"
        for row in await connection.execute(_STATEMENTS)
        if row.kept > row.line_count
    ]
    for row in await connection.execute(_GUARANTEES):
        said = _said(row.statement)
        signed = (said["document"], Decimal(str(said["amount"])), sha256(row.statement))
        if signed != (b64u(row.document), row.amount, row.digest):
            faults.append(f"guarantee {row.digest.hex()} is not what was signed")
    for row in await connection.execute(_KEPT):
        said = _said(row.statement)
        signed_for = (said.get("reference"), said.get("ground"), sha256(row.statement))
        if signed_for != (row.reference, row.ground, row.digest):
            faults.append(f"the security of {row.reference} was kept otherwise than signed")
    return faults


def _said(statement: bytes) -> dict[str, object]:
    said = strict_json(Envelope.from_bytes(statement).payload, PAYLOAD_MAX)
    assert isinstance(said, dict)
    return said
