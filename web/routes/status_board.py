"""The status board: what of the platform works right now, and which faults halted lots.

It tells of the machinery alone: whether the database answers, the log grows and is witnessed. The
log grows by the clock and is padded, so its age says nothing of what is in it; there is no count of
visitors, requests, uploads or letters, which would tell that somebody came. Faults are shown as the
centre published them.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from kernel.access import PUBLIC
from kernel.crypto.digests import instant_text
from kernel.settings import Settings
from kernel.store.transaction import Store, transaction
from trading import halting
from trading.halting import Fault
from web.pages import render
from web.places import Place

router = Place()
log = structlog.get_logger()

PATIENCE_S: Final = 2.0
LATE_S: Final = 30
"""How old the newest checkpoint may be, in ticks of a second, before the log is called late."""

UNWITNESSED_S: Final = 300
# On the platform's own clock, which a demo sets when it is founded.
_FOUNDED: Final = text(
    "SELECT founded_at + coalesce((SELECT offset_by FROM kernel.clock_jump ORDER BY id LIMIT 1),"
    " interval '0'), demo FROM kernel.platform"
)
_CHECKPOINT_AGE: Final = text(
    "SELECT extract(epoch FROM clock_timestamp() - signed_at) FROM kernel.log_checkpoint"
    " ORDER BY size DESC LIMIT 1"
)
_WITNESSED_AGE: Final = text(
    "SELECT extract(epoch FROM clock_timestamp() - signed_at) FROM kernel.log_checkpoint"
    " WHERE size = (SELECT size FROM kernel.log_cosignature"
    " GROUP BY size HAVING count(*) >= :quorum ORDER BY size DESC LIMIT 1)"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the machinery: whether it works, and how old its newest sign of life is."""

    key: str
    works: bool
    age_s: int | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """What works, since when the platform is there, and the newest faults; no faults are known
    where the database does not answer.
    """

    parts: tuple[Part, ...]
    founded_at: datetime | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def works(self) -> bool:
        """Whether all of it works."""
        return all(part.works for part in self.parts)


@router.get("/status", response_class=HTMLResponse)
async def status_page(request: Request) -> HTMLResponse:
    """The board as a page, which stands even where the database does not answer."""
    return render(request, "status_board/status.html", board=await board_of(request))


@router.get("/api/v1/status")
async def get_status(request: Request) -> JSONResponse:
    """The board for programs."""
    board = await board_of(request)
    told: dict[str, Any] = {
        "works": board.works,
        "parts": [
            {"part": part.key, "works": part.works, "age_s": part.age_s} for part in board.parts
        ],
        "founded_at": None if board.founded_at is None else instant_text(board.founded_at),
        "faults": [
            {
                "lot": str(one.lot_id),
                "name": one.lot_name,
                "mended": one.mended,
                "words": one.words,
                "told_at": instant_text(one.told_at),
            }
            for one in board.faults
        ],
    }
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


async def board_of(request: Request) -> Board:
    """What works right now, as far as the database tells."""
    store: Store = request.app.state.store
    site: Settings = request.app.state.settings
    pages = Part("pages", works=True)
    try:
        async with asyncio.timeout(PATIENCE_S), transaction(store, actor=PUBLIC) as tx:
            founded_at = await tx.session.scalar(_FOUNDED)
            signed_s = await tx.session.scalar(_CHECKPOINT_AGE)
            quorum = {"quorum": site.witness_quorum}
            witnessed_s = await tx.session.scalar(_WITNESSED_AGE, quorum)
            faults = await halting.newest_faults(tx)
    except (TimeoutError, OSError, SQLAlchemyError):
        log.warning("the status board finds no database", exc_info=True)
        return Board((pages, Part("database", works=False)))
    return Board(
        (
            pages,
            Part("database", works=founded_at is not None),
            _part("log", signed_s, late_s=max(LATE_S, LATE_S * site.log_tick_s)),
            *([_part("witnesses", witnessed_s, late_s=UNWITNESSED_S)] if site.witness_list else []),
        ),
        founded_at,
        faults,
    )


def _part(key: str, age_s: Any, *, late_s: float) -> Part:
    if age_s is None:
        return Part(key, works=False)
    return Part(key, works=age_s <= late_s, age_s=int(age_s))
