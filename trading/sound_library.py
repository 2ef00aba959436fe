"""Whether what is stored of libraries and letters is what was signed, verified and recorded.

An entry repeats its statement, and the journal tells of each as of each verdict; nobody verified
what he entered. What was erased says nothing more, and its digests still stand.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.crypto.digests import b64u, sha256
from kernel.crypto.signing import Envelope
from kernel.store.journal import records_of_kinds
from trading.rules.library_entries import EntryKind

_ENTRIES = text("SELECT * FROM trading.library_entry ORDER BY id")
_VERDICTS = text(
    "SELECT v.entry_id, v.holds, v.judged_by, e.entered_by, e.party_id"
    " FROM trading.library_verdict v JOIN trading.library_entry e ON e.id = v.entry_id"
)
_LETTERS = text(
    "SELECT digest, statement FROM trading.authority_letter UNION ALL"
    " SELECT digest, statement FROM trading.authority_end"
)
_TOLD = ("LibraryEntryMade", "LibraryEntryJudged")


async def library_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of entries, their verdicts and letters of authorisation."""
    made: list[tuple[str, ...]] = []
    judged: list[tuple[str, ...]] = []
    for record in (await records_of_kinds(connection, _TOLD)).values():
        entry = json.loads(record)
        facts = entry["facts"]
        if entry["kind"] == "LibraryEntryMade":
            digests = facts["statement_digest"], facts["file_digest"]
            made.append((entry["subject"], facts["addressee_id"], facts["kind"], *digests))
        else:
            judged.append((entry["subject"], facts["addressee_id"], str(facts["holds"])))
    faults = []
    kept = []
    for row in (await connection.execute(_ENTRIES)).mappings():
        digests = b64u(row["digest"]), b64u(row["file_digest"])
        kept.append((str(row["id"]), str(row["party_id"]), row["kind"], *digests))
        faults += _entry_faults(row)
    verdicts = []
    for row in (await connection.execute(_VERDICTS)).mappings():
        verdicts.append((str(row["entry_id"]), str(row["party_id"]), str(row["holds"])))
        if row["judged_by"] == row["entered_by"]:
            faults.append(f"library entry {row['entry_id']} was verified by who entered it")
    for what, rows, told in (("entries", kept, made), ("verdicts", verdicts, judged)):
        if Counter(rows) != Counter(told):
            faults.append(f"the journal tells the {what} of libraries otherwise")
    for digest, statement in await connection.execute(_LETTERS):
        if sha256(statement) != digest:
            faults.append(f"the letter {digest.hex()} is not what was signed")
    return faults


def _entry_faults(row: RowMapping) -> list[str]:
    name = f"library entry {row['id']}"
    if row["erased_at"] is not None:
        empty = not any(row[member] for member in ("title", "number", "issuer", "statement"))
        return [] if empty else [f"{name} was erased and says something still"]
    if sha256(row["statement"]) != row["digest"]:
        return [f"{name} is not what was signed"]
    said: dict[str, Any] = json.loads(Envelope.from_bytes(row["statement"]).payload)
    licence = EntryKind(row["kind"]).is_licence
    issuer, begins, ends = (
        ("issuer", "valid_from", "valid_to")
        if licence
        else ("client", "contracted_on", "completed_on")
    )
    last = row["ends_on"]
    repeated = {
        "organisation": str(row["party_id"]),
        "number": row["number"],
        issuer: row["issuer"],
        begins: row["begins_on"].isoformat(),
        ends: None if last is None else last.isoformat(),
        **({} if licence else {"amount": f"{row['amount']:.2f}"}),
    }
    if any(said.get(member) != value for member, value in repeated.items()):
        return [f"{name} repeats its statement otherwise"]
    return []
