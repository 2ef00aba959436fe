"""The platform under an address of its own, for the last half of a tender."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kernel.settings import Settings
from kernel.store.transaction import Store
from tests.web.browser import served
from web.app import create_app


@asynccontextmanager
async def open_award_house(store: Store, settings: Settings) -> AsyncIterator[str]:
    """The house on a port of its own, whose address it knows; that address."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    app = create_app(store, settings.model_copy(update={"origin": origin}))
    async with served(app, lifespan="on", listener=listener) as address:
        yield address
