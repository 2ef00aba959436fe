"""Health, readiness and metrics that leak nothing before a lot is closed.

Anybody may read the metrics, so a counter that moves when one bidder does something would tell the
others. Counted are therefore only the readings named in `COUNTED`, by the class of their status:
there is no label for a route, a lot or a role, and no gauge of bids, uploads or listeners. How long
they took says nothing that a visitor could not time with a watch of his own.
"""

import asyncio
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.clock import monotonic_s
from kernel.store.transaction import Store
from web.places import Place

router = Place()
log = structlog.get_logger()

REGISTRY: Final = CollectorRegistry()
REQUESTS: Final = Counter(
    "sunbid_http_requests",
    "Answers given to readings that are counted",
    ["status"],
    registry=REGISTRY,
)
DURATION: Final = Histogram(
    "sunbid_http_request_seconds", "How long counted readings took", registry=REGISTRY
)
READY_PATIENCE_S: Final = 2.0
COUNTED: Final = frozenset(
    {"/healthz", "/readyz", "/rules", "/api/v1/rules", "/bars", "/api/v1/decisions", "/awards"}
)
"""The paths, as their routes declare them, whose reading is counted: open to all, about no lot.

Public is not enough. Notices, openings and draws are read by those who mean to bid or wait for the
opening, so their readers would be a count of them; the log and a lot's result are asked by who has
just got a receipt; the clock by every page that is open; and sign-in by who comes to act.
"""

STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
for _one in STATUS_CLASSES:
    # A line that appears with its first request would tell of that request.
    REQUESTS.labels(_one)


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
    """Counts the answers of the routes in `COUNTED`, and of no other.

    It must be the innermost layer, for the route that answers is known only behind those that
    change the request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        began = monotonic_s()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and _template(scope) in COUNTED:
                status: int = message["status"]
                REQUESTS.labels(f"{status // 100}xx").inc()
                DURATION.observe(monotonic_s() - began)
            await send(message)

        await self._app(scope, receive, counted)


def _template(scope: Scope) -> str:
    """The path of the route that answers, as the route declares it; empty where none does."""
    path: str = getattr(scope.get("route"), "path", "")
    return path


def measure(app: FastAPI) -> None:
    """Count the answers of this app; to be called before any other layer is put around it."""
    app.add_middleware(_Measured)
