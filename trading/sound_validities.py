"""Whether what is stored of bids' validity agrees with what was signed and with the journal.

Requests are numbered from one and each asks for longer than the one before; what is stored of a
request or an answer is what was signed, and is told in the journal; nobody answered who did not
bid, or when the time to answer was over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import b64u, instant_text, sha256, strict_json
from kernel.crypto.signing import Envelope
from kernel.store.journal import records_of_kinds
from trading.petitions import words_in

ASKED: Final = "ValidityExtensionAsked"
ANSWERED: Final = "ValidityExtensionAnswered"

_REQUESTS: Final = text(
    "SELECT r.lot_id, r.number, r.validity_days, r.answer_by, r.reason, r.digest, r.statement,"
    " coalesce(lag(r.number) OVER (PARTITION BY r.lot_id ORDER BY r.number), 0) AS last_number,"
    " coalesce(lag(r.validity_days) OVER (PARTITION BY r.lot_id ORDER BY r.number),"
    " l.validity_days) AS last_days"
    " FROM trading.validity_request r JOIN trading.lot l ON l.id = r.lot_id"
    " ORDER BY r.lot_id, r.number"
)
_ANSWERS: Final = text(
    "SELECT a.lot_id, a.number, a.bidder_id, a.agreed, a.digest, a.statement,"
    " coalesce(a.answered_at < r.answer_by, false) AS in_time,"
    " EXISTS (SELECT 1 FROM trading.bid b WHERE b.lot_id = a.lot_id"
    "  AND b.bidder_id = a.bidder_id) AS bids"
    " FROM trading.validity_answer a"
    " LEFT JOIN trading.validity_request r ON (r.lot_id, r.number) = (a.lot_id, a.number)"
    " ORDER BY a.lot_id, a.number, a.bidder_id"
)


async def validity_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of requests to stay bound longer, and of their answers."""
    requests = (await connection.execute(_REQUESTS)).all()
    answers = (await connection.execute(_ANSWERS)).all()
    records = await records_of_kinds(connection, [ASKED, ANSWERED])
    told = [json.loads(record) for record in records.values()]
    return [
        *(fault for row in requests for fault in _request_faults(row)),
        *(fault for row in answers for fault in _answer_faults(row)),
        *_untold(ASKED, requests, told),
        *_untold(ANSWERED, answers, told),
    ]


def _request_faults(row: Any) -> list[str]:
    what = f"request {row.number} to extend the validity of lot {row.lot_id}"
    faults = []
    if row.number != row.last_number + 1 or row.validity_days <= row.last_days:
        faults.append(f"{what} does not follow the one before")
    signed = {
        "lot": str(row.lot_id),
        "number": row.number,
        "validity_days": row.validity_days,
        "answer_by": instant_text(row.answer_by),
    }
    reason = words_in(_payload_of(row)["reason"])
    if not _was_signed(row, signed) or reason != row.reason:
        faults.append(f"{what} is not what was signed")
    return faults


def _answer_faults(row: Any) -> list[str]:
    what = f"the answer of {row.bidder_id} to request {row.number} of lot {row.lot_id}"
    faults = []
    if not row.bids:
        faults.append(f"{what} is by one who does not bid")
    if not row.in_time:
        faults.append(f"{what} answers nothing that was open")
    signed = {"lot": str(row.lot_id), "number": row.number, "agreed": row.agreed}
    if not _was_signed(row, signed):
        faults.append(f"{what} is not what was signed")
    return faults


def _was_signed(row: Any, said: dict[str, object]) -> bool:
    return row.digest == sha256(row.statement) and said.items() <= _payload_of(row).items()


def _payload_of(row: Any) -> dict[str, Any]:
    payload = strict_json(Envelope.from_bytes(row.statement).payload)
    assert isinstance(payload, dict)
    return payload


def _untold(kind: str, rows: Iterable[Any], told: list[Any]) -> list[str]:
    """Rows of which the journal does not tell as they are, and entries without a row."""
    stored = {
        (str(row.lot_id), row.number, b64u(row.digest), getattr(row, "agreed", None))
        for row in rows
    }
    entered = {
        (
            one["subject"],
            one["facts"]["number"],
            one["facts"]["statement_digest"],
            one["facts"].get("agreed"),
        )
        for one in told
        if one["kind"] == kind
    }
    return [
        f"the journal tells otherwise of {kind} {number} of lot {lot}"
        for lot, number, *_ in sorted(stored ^ entered, key=str)
    ]
