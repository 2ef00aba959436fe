"""The places of a tender's last half as one small house, guarded as in the whole house."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.web.browser import served
from web import frame, live, problems, request_scope, same_origin, security_headers, visitor_choices
from web.pages import STATIC
from web.routes import (
    account_desk,
    archive_room,
    award_hall,
    complaint_desk,
    contract_hall,
    objection_desk,
    opening_hall,
    public_hall,
    sign_in_gate,
    sole_supplier_desk,
    supervision_room,
    validity_desk,
    verification_desk,
)


def award_house(store: Store, settings: Settings) -> FastAPI:
    """Results, objections, contracts and supervision, with the halls their pages point to."""

    @asynccontextmanager
    async def open_house(app: FastAPI) -> AsyncIterator[None]:
        async with live.hub_following(store) as hub:
            app.state.hub = hub
            yield

    app = FastAPI(lifespan=open_house, dependencies=[Depends(request_scope.known_parameters)])
    app.state.store, app.state.settings = store, settings
    for place in (
        archive_room,
        public_hall,
        opening_hall,
        sign_in_gate,
        objection_desk,
        complaint_desk,
        award_hall,
        account_desk,
        validity_desk,
        contract_hall,
        verification_desk,
        sole_supplier_desk,
        supervision_room,
    ):
        app.include_router(place.router)
    app.include_router(live.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.answer_with_problems(app)
    frame.put_around(app)
    visitor_choices.offer(app)
    request_scope.limit_bodies(app)
    same_origin.guard(app, settings)
    security_headers.guard(app)
    return app


@asynccontextmanager
async def open_award_house(store: Store, settings: Settings) -> AsyncIterator[str]:
    """The house on a port of its own, whose address it knows; that address."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    app = award_house(store, settings.model_copy(update={"origin": origin}))
    async with served(app, lifespan="on", listener=listener) as address:
        yield address
