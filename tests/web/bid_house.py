"""The platform with its counter open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from kernel.settings import Settings
from kernel.store.transaction import Store
from web.app import create_app


@asynccontextmanager
async def bid_house(store: Store, settings: Settings) -> AsyncIterator[FastAPI]:
    """The platform over this store, with its lifespan running."""
    app = create_app(store, settings)
    async with app.router.lifespan_context(app):
        yield app
