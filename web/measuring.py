"""Health, readiness and metrics that leak nothing before a lot is closed.

Only requests that read a place open to all are counted, by the class of their status. There is no
label for a route, a lot or a role, and no gauge of bids, uploads or listeners: a counter that moves
when one bidder submits would tell the others.
"""

import asyncio
from typing import Any, Final

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.clock import monotonic_s
from kernel.store.transaction import Store

router = APIRouter()
log = structlog.get_logger()

REGISTRY: Final = CollectorRegistry()
REQUESTS: Final = Counter(
    "sunbid_http_requests", "Answers given to reading requests", ["status"], registry=REGISTRY
)
DURATION: Final = Histogram(
    "sunbid_http_request_seconds", "How long reading requests took", registry=REGISTRY
)
READY_PATIENCE_S: Final = 2.0
READING: Final = frozenset({"GET", "HEAD"})
OPEN_TO_ALL: Final = (
    "/notices",
    "/openings",
    "/awards",
    "/bars",
    "/transparency",
    "/log",
    "/rules",
)


@router.get("/healthz", include_in_schema=False)
async def healthz() -> PlainTextResponse:
    """The process lives."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", include_in_schema=False)
async def readyz(request: Request) -> JSONResponse:
    """The database answers and is a platform; 503 otherwise."""
    store: Store = request.app.state.store
    try:
        async with asyncio.timeout(READY_PATIENCE_S), store.sessions() as session:
            founded = await session.execute(text("SELECT only_one FROM kernel.platform"))
            ready = founded.first() is not None
    except Exception:
        # Whatever the reason, the balancer must stop sending.
        log.warning("not ready", exc_info=True)
        ready = False
    return JSONResponse({"ready": ready}, status_code=200 if ready else 503)


@router.get("/metrics", include_in_schema=False)
async def metrics() -> Response:
    """Prometheus metrics of this process."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


class _Measured:
    """Counts answers to requests that anyone may make; acts and private desks are not counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] not in READING
            or not scope["path"].startswith(OPEN_TO_ALL)
        ):
            await self._app(scope, receive, send)
            return
        began = monotonic_s()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                status: Any = message["status"]
                REQUESTS.labels(f"{status // 100}xx").inc()
                DURATION.observe(monotonic_s() - began)
            await send(message)

        await self._app(scope, receive, counted)


def measure(app: FastAPI) -> None:
    """Count the answers of this app."""
    app.add_middleware(_Measured)
