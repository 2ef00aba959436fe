"""Whether what is stored of prequalifications agrees with itself.

No application was opened but in its window, and no addendum shortened the time for them; nobody was
judged whose application did not lie open; a review says enough where three passed and only there;
in a lot whose bidders were qualified beforehand nobody bids who did not pass; and the lot repeats
the deadline in force.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from trading.rules.prequalification import QUALIFIED_MIN

_NEWEST: Final = (
    "SELECT n.applications_due_at, n.window_until FROM trading.prequalification_addendum n"
    " WHERE (n.lot_id, n.round) = (a.lot_id, a.round) ORDER BY n.number DESC LIMIT 1"
)
_HELD: Final = (
    "SELECT o.lot_id, CASE WHEN o.waits THEN o.raised_at ELSE s.answered_at END AS from_at,"
    " CASE WHEN s.remedy <> 'nothing' THEN m.carried_out_at"
    "  ELSE coalesce(s.answered_at, w.withdrawn_at) END AS until_at"
    " FROM trading.objection o LEFT JOIN trading.objection_answer s ON s.objection_id = o.id"
    " LEFT JOIN trading.objection_remedy m ON m.objection_id = o.id"
    " LEFT JOIN trading.objection_withdrawal w ON w.objection_id = o.id"
    " WHERE o.waits OR s.remedy <> 'nothing'"
    " UNION ALL SELECT c.lot_id, b.ordered_at, (SELECT min(n.ordered_at)"
    "  FROM trading.complaint_brake n WHERE n.complaint_id = b.complaint_id"
    "  AND n.number > b.number) FROM trading.complaint_brake b"
    " JOIN trading.complaint c ON c.id = b.complaint_id WHERE b.suspended"
    " UNION ALL SELECT h.lot_id, h.ordered_at, (SELECT min(n.ordered_at) FROM trading.lot_halt n"
    "  WHERE (n.lot_id, n.ground) = (h.lot_id, h.ground) AND n.number > h.number"
    "  AND NOT n.suspended) FROM trading.lot_halt h WHERE h.suspended"
)
"""Since when and until when a lot was held: by an objection, or by an order of an authority."""

_FAULTS: Final = (
    (
        "application {} was opened outside its window",
        "SELECT a.id FROM trading.application_release r"
        " JOIN trading.application a ON a.id = r.application_id"
        " JOIN trading.prequalification p ON (p.lot_id, p.round) = (a.lot_id, a.round)"
        f" LEFT JOIN LATERAL ({_NEWEST}) d ON true"
        " WHERE r.released_at < coalesce(d.applications_due_at, p.applications_due_at)"
        " OR r.released_at >= coalesce(d.window_until, p.window_until)",
    ),
    (
        "an addendum of lot {} came after the deadline, or moved it to an earlier one",
        "SELECT d.lot_id FROM (SELECT a.*, coalesce(lag(a.applications_due_at) OVER"
        " (PARTITION BY a.lot_id, a.round ORDER BY a.number), p.applications_due_at) AS due_before"
        " FROM trading.prequalification_addendum a"
        " JOIN trading.prequalification p ON (p.lot_id, p.round) = (a.lot_id, a.round)) d"
        " WHERE (d.published_at >= d.due_before AND NOT EXISTS"
        # While the lot stood still the deadline could pass, and be moved before it went on.
        f" (SELECT 1 FROM ({_HELD}) h WHERE h.lot_id = d.lot_id AND h.from_at < d.due_before"
        "  AND coalesce(h.until_at, 'infinity') >= d.published_at))"
        " OR d.applications_due_at < d.due_before",
    ),
    (
        "lot {} repeats another deadline of its applications",
        "SELECT l.id FROM trading.lot l LEFT JOIN LATERAL (SELECT a.* FROM"
        " trading.prequalification a WHERE a.lot_id = l.id ORDER BY a.round DESC LIMIT 1) a ON true"
        f" LEFT JOIN LATERAL ({_NEWEST}) d ON true WHERE l.applications_due_at IS DISTINCT FROM"
        " coalesce(d.applications_due_at, a.applications_due_at)",
    ),
    (
        "the addenda of lot {} are not numbered one by one",
        "SELECT a.lot_id FROM trading.prequalification_addendum a GROUP BY a.lot_id, a.round"
        " HAVING max(a.number) <> count(*)",
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
