"""Whether what is stored of committees agrees with itself.

Every edit of a mark that was acknowledged is an ancestor of the mark as it stands; every sheet that
was shown is the one committed to; votes and signatures are members' own; a report is the one that
its digest names, is handed back exactly where its committee is closed, and where it came to nothing
is kept as it was.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from evaluation.rules.score_commitment import check_reveal, parse_sheet
from kernel.crypto.digests import Malformed, sha256
from kernel.errors import BrokenSeal

_CHAINS = text(
    "SELECT e.member_id, e.bid_id, e.item, count(*) AS edits,"
    " count(DISTINCT e.base_version) AS versions, max(e.base_version) AS newest, d.version,"
    " d.score IS NOT DISTINCT FROM (SELECT l.score FROM evaluation.score_edit l"
    "  WHERE l.member_id = e.member_id AND l.bid_id = e.bid_id AND l.item = e.item"
    "  ORDER BY l.base_version DESC LIMIT 1) AS stands"
    " FROM evaluation.score_edit e LEFT JOIN evaluation.draft_score d"
    " ON d.member_id = e.member_id AND d.bid_id = e.bid_id AND d.item = e.item"
    " GROUP BY e.member_id, e.bid_id, e.item, d.version, d.score"
)
_LOOSE = text(
    "SELECT d.member_id, d.item FROM evaluation.draft_score d WHERE NOT EXISTS"
    " (SELECT 1 FROM evaluation.score_edit e WHERE e.member_id = d.member_id"
    "  AND e.bid_id = d.bid_id AND e.item = d.item)"
)
_SHEETS = text(
    "SELECT s.member_id, s.round, s.commitment, s.nonce, s.scores, s.revealed_at, m.committee_id,"
    " row_number() OVER (PARTITION BY s.member_id ORDER BY s.round) AS place"
    " FROM evaluation.sheet s JOIN evaluation.member m ON m.id = s.member_id"
)
_VOTES = text(
    "SELECT v.member_id FROM evaluation.vote v JOIN evaluation.rejection r"
    " ON r.id = v.rejection_id JOIN evaluation.member m ON m.id = v.member_id"
    " WHERE m.committee_id <> r.committee_id"
)
_REPORTS = text(
    "SELECT c.id, c.phase, r.document, r.digest, r.handed_back_at,"
    " (SELECT count(*) FROM evaluation.member m WHERE m.committee_id = c.id"
    "  AND m.left_at IS NULL) AS members,"
    " (SELECT count(*) FROM evaluation.signature s JOIN evaluation.member m"
    "  ON m.id = s.member_id AND m.committee_id = c.id AND m.left_at IS NULL"
    "  WHERE s.committee_id = c.id AND s.report_digest = r.digest) AS signed"
    " FROM evaluation.committee c LEFT JOIN evaluation.report r ON r.committee_id = c.id"
)
_SET_ASIDE = text(
    "SELECT s.committee_id, s.version, s.document, s.digest,"
    " row_number() OVER (PARTITION BY s.committee_id ORDER BY s.version) AS place"
    " FROM evaluation.set_aside_report s"
)
_SEATS = text(
    "SELECT one.seat_id FROM evaluation.member one"
    " JOIN evaluation.committee a ON a.id = one.committee_id AND a.closed_at IS NULL"
    " JOIN evaluation.member other ON other.seat_id = one.seat_id AND other.id > one.id"
    " JOIN evaluation.committee b ON b.id = other.committee_id AND b.closed_at IS NULL"
    " WHERE one.left_at IS NULL AND other.left_at IS NULL"
    " AND a.window_from < b.window_until AND b.window_from < a.window_until"
)


async def committee_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of committees, their marks, votes and reports."""
    return [
        *await _chains(connection),
        *await _sheets(connection),
        *await _others(connection),
        *await _reports(connection),
    ]


async def _chains(connection: AsyncConnection) -> list[str]:
    faults = []
    for row in await connection.execute(_CHAINS):
        unbroken = row.edits == row.versions == row.newest + 1 == row.version
        if not unbroken or not row.stands:
            faults.append(f"the edits of {row.item} by member {row.member_id} make no chain")
    for row in await connection.execute(_LOOSE):
        faults.append(f"a mark for {row.item} by member {row.member_id} came from no edit")
    return faults


async def _sheets(connection: AsyncConnection) -> list[str]:
    faults = []
    for row in await connection.execute(_SHEETS):
        if row.round != row.place:
            faults.append(f"a round is missing before round {row.round} of {row.member_id}")
        if row.revealed_at is None:
            continue
        try:
            sheet = parse_sheet(row.scores)
            check_reveal(sheet, row.nonce or b"", row.commitment)
            own = (sheet.committee, sheet.expert, sheet.round)
        except (BrokenSeal, Malformed):
            own = None
        if own != (row.committee_id, row.member_id, row.round):
            faults.append(f"round {row.round} of {row.member_id} is not what was committed to")
    return faults


async def _others(connection: AsyncConnection) -> list[str]:
    votes = await connection.execute(_VOTES)
    faults = [f"{row.member_id} voted in a committee it does not sit in" for row in votes]
    seats = await connection.execute(_SEATS)
    return faults + [f"two members have seat {row.seat_id} at one time" for row in seats]


async def _reports(connection: AsyncConnection) -> list[str]:
    faults = []
    for row in await connection.execute(_REPORTS):
        back = row.handed_back_at is not None
        if row.document is not None and sha256(row.document) != row.digest:
            faults.append(f"the report of committee {row.id} is not the one its digest names")
        if back != (row.phase == "closed"):
            faults.append(f"committee {row.id} is closed without a report, or not with one")
        if back and row.signed != row.members:
            faults.append(f"not every member of committee {row.id} answered its report")
    for row in await connection.execute(_SET_ASIDE):
        told = f"version {row.version} of a report of committee {row.committee_id}"
        if row.version != row.place or sha256(row.document) != row.digest:
            faults.append(f"{told} is not the one that was set aside")
    return faults
