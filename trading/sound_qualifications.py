"""Whether what is stored of prequalifications agrees with itself.

No application was opened but in its window; nobody was judged whose application did not lie open; a
review says enough where three passed and only there; and in a lot whose bidders were qualified
beforehand nobody bids who did not pass.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from trading.rules.prequalification import QUALIFIED_MIN

_FAULTS: Final = (
    (
        "application {} was opened outside its window",
        "SELECT a.id FROM trading.application_release r"
        " JOIN trading.application a ON a.id = r.application_id"
        " JOIN trading.prequalification p ON (p.lot_id, p.round) = (a.lot_id, a.round)"
        " WHERE r.released_at < p.applications_due_at OR r.released_at >= p.window_until",
    ),
    (
        "application {} was judged and did not lie open",
        "SELECT q.application_id FROM trading.qualification q WHERE NOT EXISTS"
        " (SELECT 1 FROM trading.application_release r WHERE r.application_id = q.application_id)",
    ),
    (
        "the review of lot {} does not say how many passed",
        "SELECT v.lot_id FROM trading.prequalification_review v WHERE v.enough <>"
        " ((SELECT count(*) FROM trading.qualification q WHERE q.passed"
        f" AND (q.lot_id, q.round) = (v.lot_id, v.round)) >= {QUALIFIED_MIN})",
    ),
    (
        "bid {} is by one who did not pass",
        "SELECT b.id FROM trading.bid b JOIN trading.lot l ON l.id = b.lot_id"
        " WHERE l.prequalified AND NOT b.withdrawn AND NOT EXISTS"
        " (SELECT 1 FROM trading.qualification q WHERE q.lot_id = b.lot_id AND q.passed"
        " AND q.applicant_id = b.bidder_id AND q.round ="
        " (SELECT max(p.round) FROM trading.prequalification p WHERE p.lot_id = b.lot_id))",
    ),
)


async def qualification_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of applications, reviews and results."""
    return [
        words.format(found)
        for words, query in _FAULTS
        for found in sorted(map(str, (await connection.execute(text(query))).scalars()))
    ]
