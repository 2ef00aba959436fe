"""A thousand notices published back to back: the last must not be slower than the first.

Every lot is a project of its own and one tenderee's, each with its whole tender file, custodians
and signed papers; drafting and signing happen beforehand. What is measured are the requests that
publish, one after another, over HTTP in this process.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import text

from kernel.access import Role
from kernel.clock import monotonic_s
from kernel.crypto.digests import canonical
from kernel.store.embedded_postgres import EmbeddedPostgres
from kernel.store.registering import Registered
from kernel.store.transaction import Store
from tests.benchmarks.submits import founded, import_tables
from tests.sealed_bids import IN_TIME
from tests.sign_ins import token_for
from tests.tenders import Cast, a_cast, a_draft, a_plan, a_project, signed_papers
from web.app import create_app

NOTICES = 1000
HUNDRED = 100
PERCENTILE = 95
FIRST_WARM_UP = 5
"""How many are published before the counting begins, so that nothing is compiled in the first."""


@dataclass(frozen=True, slots=True)
class Flatness:
    """The 95th percentile of each hundred in turn, in milliseconds."""

    hundreds_ms: tuple[float, ...]

    @property
    def first_against_last(self) -> float:
        """How many times as long as the last hundred the first took: 1 is flat, less is slower."""
        return self.hundreds_ms[0] / self.hundreds_ms[-1]

    @property
    def spread(self) -> tuple[float, float]:
        """The same for the slowest and for the quickest of all later hundreds."""
        later = self.hundreds_ms[1:]
        return self.hundreds_ms[0] / max(later), self.hundreds_ms[0] / min(later)


async def thousand_notices() -> Flatness:
    """Publish them all, and make sure that each stands on the notice board."""
    import_tables()
    with tempfile.TemporaryDirectory(prefix="sunbid-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        await server.start()
        try:
            async with founded(server, Path(folder)) as (store, settings):
                cast = await a_cast(store)
                bodies = [await _ready(store, cast) for _ in range(FIRST_WARM_UP + NOTICES)]
                own = Registered(cast.agency.party, cast.agency.person)
                token = await token_for(store, own, Role.AGENCY)
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(app=create_app(store, settings)),
                    base_url="http://localhost",
                    headers={
                        "Authorization": f"Bearer {token}",
                        "Content-Type": "application/json",
                    },
                ) as client:
                    took = [await _publish(client, *one) for one in bodies][FIRST_WARM_UP:]
                assert await _published(store) == len(bodies)
        finally:
            server.stop()
    hundreds = [took[start : start + HUNDRED] for start in range(0, len(took), HUNDRED)]
    return Flatness(tuple(_percentile(one) * 1000 for one in hundreds))


async def _ready(store: Store, cast: Cast) -> tuple[str, bytes]:
    """A draft's id, and the request that publishes it."""
    project = await a_project(store, cast)
    _, lot_id = await a_draft(store, cast, project, plan=a_plan(IN_TIME))
    papers = await signed_papers(store, cast.agency, lot_id, now=IN_TIME)
    body = {
        "timetable": json.loads(papers.timetable),
        "opening_policy": json.loads(papers.opening_policy),
        "notice": json.loads(papers.notice),
    }
    return str(lot_id), canonical(body)


async def _publish(client: httpx.AsyncClient, lot_id: str, body: bytes) -> float:
    began = monotonic_s()
    answer = await client.post(f"/api/v1/lots/{lot_id}/publication", content=body)
    took = monotonic_s() - began
    assert answer.status_code == 201, answer.text
    return took


async def _published(store: Store) -> int:
    async with store.sessions() as session:
        counted = await session.execute(
            text("SELECT count(*) FROM trading.notice WHERE kind = 'tender'")
        )
        return int(counted.scalar_one())


def _percentile(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * PERCENTILE // 100 - 1]
