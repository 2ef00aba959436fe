"""The bid desk among its neighbours as one small house, with its counter open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from kernel.settings import Settings
from kernel.store.transaction import Store
from web import frame, problems, request_scope, same_origin, security_headers, visitor_choices
from web.routes import (
    bid_desk,
    blacklist_register,
    opening_hall,
    prequalification_desk,
    public_hall,
    sign_in_gate,
    tender_desk,
    transparency_window,
)

PLACES = (
    public_hall,
    sign_in_gate,
    tender_desk,
    bid_desk,
    prequalification_desk,
    opening_hall,
    blacklist_register,
    transparency_window,
)


@asynccontextmanager
async def bid_house(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    """The places of a tender up to its opening, guarded as in the whole house."""
    app = FastAPI(dependencies=[Depends(request_scope.known_parameters)])
    app.state.store, app.state.settings = store, settings
    for place in PLACES:
        app.include_router(place.router)
    problems.answer_with_problems(app)
    frame.put_around(app)
    visitor_choices.offer(app)
    request_scope.limit_bodies(app)
    same_origin.guard(app, settings)
    security_headers.guard(app)
    async with app.router.lifespan_context(app):
        yield app
