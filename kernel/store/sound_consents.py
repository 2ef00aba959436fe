"""Whether what is stored of consents agrees with the journal.

Each consent was given in the words that the journal names, and one use has one consent at a time;
no mobile number is kept of anybody who withdrew his consent to calls.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.consents import Purpose
from kernel.crypto.digests import b64u
from kernel.store.journal import records_of_kinds

_CONSENTS: Final = text(
    "SELECT person_id, purpose, text_digest, withdrawn_at IS NULL AS stands FROM kernel.consent"
)
_KEPT_NUMBERS: Final = text(
    "SELECT DISTINCT c.person_id FROM kernel.contact c WHERE c.kind IN ('mobile', 'second_mobile')"
    " AND c.sealed <> ''"
    " AND EXISTS (SELECT 1 FROM kernel.consent k WHERE k.person_id = c.person_id"
    "  AND k.purpose = :calls)"
    " AND NOT EXISTS (SELECT 1 FROM kernel.consent k WHERE k.person_id = c.person_id"
    "  AND k.purpose = :calls AND k.withdrawn_at IS NULL)"
)


async def consent_faults(connection: AsyncConnection) -> list[str]:
    """Everything that does not hold of consents."""
    told = Counter(
        (UUID(entry["subject"]), entry["facts"]["purpose"], entry["facts"]["text_digest"])
        for entry in map(
            json.loads, (await records_of_kinds(connection, ["ConsentGiven"])).values()
        )
    )
    rows = (await connection.execute(_CONSENTS)).all()
    kept = Counter((row.person_id, row.purpose, b64u(row.text_digest)) for row in rows)
    faults = [
        f"person {person} is said to consent to {purpose}, and the journal does not know it"
        for person, purpose, _ in (kept - told)
    ]
    standing = Counter((row.person_id, row.purpose) for row in rows if row.stands)
    faults += [
        f"person {person} consents to {purpose} twice at once"
        for (person, purpose), count in standing.items()
        if count > 1
    ]
    numbers = await connection.execute(_KEPT_NUMBERS, {"calls": str(Purpose.CALLS)})
    faults += [
        f"a mobile number of person {row.person_id} is kept without consent" for row in numbers
    ]
    return faults
