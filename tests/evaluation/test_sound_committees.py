"""What is stored of a committee agrees with itself, and every way of spoiling it is found.

Bidding Regulation 49, 53.
"""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from evaluation.sound_committees import committee_faults
from kernel.store.database import OWNER
from tests.committees_at_work import KeptCommittees, WorkRoom

SPOILT = {
    "UPDATE evaluation.draft_score SET score = score + 1 WHERE item = 'construction'": "no chain",
    "UPDATE evaluation.draft_score SET version = version + 1": "no chain",
    "DELETE FROM evaluation.draft_score": "no chain",
    "INSERT INTO evaluation.draft_score (member_id, bid_id, item, score, version, edit_id,"
    " saved_at) SELECT id, gen_random_uuid(), 'records', 12, 1, gen_random_uuid(), now()"
    " FROM evaluation.member LIMIT 1": "came from no edit",
    "UPDATE evaluation.sheet SET nonce = decode(repeat('00', 32), 'hex')": "committed to",
    "UPDATE evaluation.sheet SET scores = jsonb_set(scores, '{marks,0,score}',"
    " '\"20\"')": "committed to",
    "UPDATE evaluation.sheet SET round = 2": "a round is missing",
    "UPDATE evaluation.report SET document = '\\x7b7d'": "its digest names",
    "UPDATE evaluation.report SET handed_back_at = NULL": "closed without a report",
    "UPDATE evaluation.committee SET phase = 'working'": "not with one",
    "UPDATE evaluation.committee SET closed_at = NULL; UPDATE evaluation.member SET seat_id ="
    " (SELECT seat_id FROM evaluation.member LIMIT 1)": "two members have seat",
    "UPDATE evaluation.report SET digest = sha256('x'), document = 'x'": "answered its report",
    "INSERT INTO evaluation.set_aside_report SELECT committee_id, 2, document, digest,"
    " 'not_adopted', compiled_at, now() FROM evaluation.report": "was set aside",
    "INSERT INTO evaluation.set_aside_report SELECT committee_id, 1, 'x', digest,"
    " 'not_adopted', compiled_at, now() FROM evaluation.report": "was set aside",
}


async def faults(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return await committee_faults(connection)


async def test_a_committee_is_sound_from_its_first_seat_to_its_last_signature(
    room: WorkRoom,
) -> None:
    engine = room.store.sessions.kw["bind"]
    assert await faults(engine) == []
    await room.sit()
    await room.reject()
    assert await faults(engine) == []
    for sitter in room.sitters:
        await room.fill_in(sitter)
        await room.commit(sitter)
    assert await faults(engine) == []
    for sitter in room.sitters:
        await room.reveal(sitter)
    digest = await room.compile()
    assert await faults(engine) == []
    for sitter in room.sitters:
        await room.sign(sitter, digest)
    assert await faults(engine) == []


@pytest.mark.parametrize("room", ["tendering, scored"], indirect=True)
async def test_whatever_is_spoilt_behind_the_platforms_back_is_found(
    room: WorkRoom, kept_committees: KeptCommittees
) -> None:
    await room.reported()
    lent = kept_committees.lines.lent(OWNER, room.database, pool_size=1)
    missed = []
    async with lent as engine:
        for statements, words in SPOILT.items():
            async with engine.connect() as connection, connection.begin() as spoiling:
                for statement in statements.split("; "):
                    await connection.execute(text(statement))
                found = " ".join(await committee_faults(connection))
                await spoiling.rollback()
            if words not in found:
                missed.append((statements, found))
    assert missed == []
