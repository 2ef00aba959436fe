"""What is stored of draws agrees with itself, and every way of spoiling it is found.

Bidding Law 37; Bidding Regulation 46; Opinions on Conduct 14.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from expert_pool.sound_draws import draw_faults
from kernel.store.database import OWNER, connect
from tests.committees_at_work import KeptCommittees, WorkRoom

PASSED = " WHERE id = (SELECT id FROM expert_pool.call WHERE outcome = 'accepted' LIMIT 1)"

SPOILT = {
    "UPDATE expert_pool.draw SET round = 2": "a round is missing",
    "INSERT INTO expert_pool.draw SELECT (jsonb_populate_record(d, jsonb_build_object('id',"
    " gen_random_uuid(), 'round', 2))).* FROM expert_pool.draw d": "two draws that count",
    "UPDATE expert_pool.draw SET review_round = 1": "for another committee than was announced",
    "UPDATE expert_pool.draw SET state = 'void'": "void without a reason",
    "UPDATE expert_pool.draw SET void_reason = 'exhausted'": "or has one and is not",
    "UPDATE expert_pool.draw SET state = 'void', void_reason = 'exhausted',"
    " voided_entry = announced_entry": "the DrawVoided of draw",
    "UPDATE expert_pool.draw SET announced_entry = completed_entry": "the DrawAnnounced of draw",
    "UPDATE expert_pool.draw SET completed_entry = NULL": "the DrawCompleted of draw",
    "UPDATE expert_pool.draw SET countersigned_entry = NULL": "the EligibilityCountersigned",
    "UPDATE expert_pool.draw SET lot_id = gen_random_uuid()": "is not in the journal",
    "UPDATE expert_pool.draw SET prk = sha256('x')": "does not follow from its nonces",
    "; ".join(
        f"DELETE FROM expert_pool.{table}"
        for table in ("call", "nonce_share", "draw_party", "draw_label", "draw_statement", "draw")
    ): "was announced and is not kept",
    "UPDATE expert_pool.draw_party SET nonce = sha256('x') WHERE name = 'agency'": (
        "revealed another nonce"
    ),
    "UPDATE expert_pool.draw_party SET nonce = NULL WHERE name = 'agency'": (
        "does not follow from its nonces"
    ),
    "UPDATE expert_pool.draw_label SET grounds = ARRAY['kin'] WHERE label IN (SELECT label FROM"
    " expert_pool.draw_label WHERE grounds = '{}' LIMIT 1)": "not the one announced",
    "DELETE FROM expert_pool.draw_label": "not the one announced",
    "DELETE FROM expert_pool.draw_statement WHERE kind = 'draw-commit'": "without a signature",
    "DELETE FROM expert_pool.draw_statement WHERE kind = 'draw-eligibility'": (
        "never countersigned"
    ),
    f"UPDATE expert_pool.call SET label = sha256('x'){PASSED}": "do not follow its order",
    f"UPDATE expert_pool.call SET place = place + 100{PASSED}": "do not follow its order",
    f"UPDATE expert_pool.call SET outcome = 'declined'{PASSED}": "do not follow its order",
    f"UPDATE expert_pool.call SET outcome = 'called'{PASSED}": "is complete with",
    f"DELETE FROM expert_pool.call{PASSED}": "do not follow its order",
}


async def found_after(connection: AsyncConnection, tampering: str) -> list[str]:
    """What is said after this was done; it is then undone."""
    undone = await connection.begin_nested()
    for table in ("draw_label", "draw_statement"):
        await connection.execute(text(f"ALTER TABLE expert_pool.{table} DISABLE TRIGGER USER"))
    for statement in tampering.split("; "):
        changed = await connection.execute(text(statement))
        assert changed.rowcount, statement
    found = await draw_faults(connection)
    await undone.rollback()
    return found


async def test_every_spoilt_draw_is_found(room: WorkRoom, kept_committees: KeptCommittees) -> None:
    engine: AsyncEngine = connect(
        kept_committees.lines.server.url(role=OWNER, database=room.database), pool_size=1
    )
    try:
        async with engine.connect() as connection:
            assert await draw_faults(connection) == []
            for tampering, said in SPOILT.items():
                found = await found_after(connection, tampering)
                assert any(said in fault for fault in found), (tampering, found)
    finally:
        await engine.dispose()
