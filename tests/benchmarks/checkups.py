"""The check-up of a full tender file against the same request that is let pass unjudged.

Both requests go through the whole house over HTTP in this process: signed in, in a transaction, a
file of 300 blocks read as JSON. One judges the file by every rule, as if it stood in the draft; the
other answers at once. The texts are those of the standard file and of the flawed one, so that the
rules find what they look for.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
from fastapi import APIRouter

from kernel.access import Role
from kernel.clock import monotonic_s
from kernel.crypto.digests import canonical
from kernel.identifiers import LotId
from kernel.store.embedded_postgres import EmbeddedPostgres
from kernel.store.registering import Registered
from tests.benchmarks.submits import founded, import_tables
from tests.sign_ins import token_for
from tests.tender_files import a_file_of
from tests.tenders import a_cast, a_draft
from trading.rules.tender_file import tender_file_document
from web.app import create_app
from web.request_scope import Act, ActRoute
from web.routes.file_desk import TrialAsked

BLOCKS = 300
REQUESTS = 12

Pair = Callable[[], Awaitable[tuple[float, float]]]

passing = APIRouter(route_class=ActRoute)


@passing.post("/api/v1/lots/{lot_id}/unjudged")
async def post_unjudged(tx: Act, lot_id: UUID, asked: TrialAsked) -> dict[str, int]:
    """The same request, read and let pass."""
    assert tx.actor.party_id is not None
    return {"members": len(asked.file)}


@asynccontextmanager
async def checkups() -> AsyncIterator[Pair]:
    """A measurement of check-ups a second, and of the requests a second that are let pass."""
    import_tables()
    with tempfile.TemporaryDirectory(prefix="sunbid-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        await server.start()
        try:
            async with founded(server, Path(folder)) as (store, settings):
                cast = await a_cast(store)
                _, lot_id = await a_draft(store, cast)
                own = Registered(cast.agency.party, cast.agency.person)
                token = await token_for(store, own, Role.AGENCY)
                app = create_app(store, settings)
                app.include_router(passing)
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(app=app),
                    base_url="http://localhost",
                    headers={
                        "Authorization": f"Bearer {token}",
                        "Content-Type": "application/json",
                    },
                ) as client:

                    async def pair() -> tuple[float, float]:
                        return (
                            await _a_second(client, lot_id, "checkup"),
                            await _a_second(client, lot_id, "unjudged"),
                        )

                    yield pair
        finally:
            server.stop()


async def _a_second(client: httpx.AsyncClient, lot_id: LotId, last: str) -> float:
    file = tender_file_document(a_file_of(BLOCKS))
    body = canonical({"file": file})
    answers = []
    began = monotonic_s()
    for _ in range(REQUESTS):
        answers.append(await client.post(f"/api/v1/lots/{lot_id}/{last}", content=body))
    took = monotonic_s() - began
    for answer in answers:
        told = json.loads(answer.content)
        assert answer.status_code == 200, told
        if last == "checkup":
            assert len(told["violations"]) > 25
        else:
            assert told == {"members": len(file)}
    return REQUESTS / took
