"""The platform as those see it who tender and bid, and clients to visit it."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from playwright.async_api import Browser, Page

from kernel.access import Role
from kernel.crypto.digests import b64u
from kernel.crypto.signing import PrivateKey
from kernel.settings import Settings
from kernel.store.registering import Registered
from kernel.store.transaction import Store
from tests.sign_ins import token_for
from tests.tenders import Player
from tests.web.browser import open_page, served
from web.app import create_app
from web.client import Client

HTML = {"Accept": "text/html"}


@asynccontextmanager
async def open_tender_house(store: Store, settings: Settings) -> AsyncIterator[str]:
    """The house on a port of its own, whose address it knows; that address."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://localhost:{listener.getsockname()[1]}"
    app = create_app(store, settings.model_copy(update={"origin": origin}))
    async with served(app, lifespan="on", listener=listener) as address:
        yield address


async def token_of(store: Store, who: Player) -> str:
    """A session of this player's."""
    registered = Registered(who.party, who.person)
    return await token_for(store, registered, Role(who.actor.role))


async def client_of(app: FastAPI, who: Player | None = None) -> Client:
    """A program's line to the house, signed in as the player or as nobody."""
    client = Client(
        "http://localhost", None if who is None else who.key, transport=httpx.ASGITransport(app=app)
    )
    if who is not None:
        client.token = await token_of(app.state.store, who)
    return client


async def page(app: FastAPI, path: str, who: Player | None = None, status: int = 200) -> str:
    """The page at a path as this player sees it."""
    headers = dict(HTML)
    if who is not None:
        headers["Authorization"] = f"Bearer {await token_of(app.state.store, who)}"
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        answer = await visitor.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.text


async def submitted(
    app: FastAPI, path: str, who: Player, data: Mapping[str, object], **more: object
) -> httpx.Response:
    """A form sent as a browser sends it."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as visitor:
        return await visitor.post(
            path,
            data=dict(data),
            headers={**HTML, "Authorization": f"Bearer {await token_of(app.state.store, who)}"},
            **more,  # type: ignore[arg-type]  # httpx's own keywords, such as `files`
        )


@asynccontextmanager
async def signed_in(
    store: Store, browser: Browser, address: str, who: Player, *, expected: str = ""
) -> AsyncIterator[Page]:
    """A page whose browser holds the player's key and session."""
    async with open_page(browser, f"{address}/register", expected=expected) as shown:
        await shown.evaluate(_key_script(who.key))
        token = await token_of(store, who)
        await shown.set_extra_http_headers({"Authorization": f"Bearer {token}"})
        yield shown


def _key_script(key: PrivateKey) -> str:
    """Puts a player's key into the browser's own store, as signing in there would have."""
    numbers = key.key_handle.private_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "d": b64u(numbers.private_value.to_bytes(32, "big")),
        "x": b64u(key.public_bytes[1:33]),
        "y": b64u(key.public_bytes[33:]),
    }
    return f"""async () => {{
      const {{ keepKey }} = await import("/static/passkey.js");
      const privateKey = await crypto.subtle.importKey(
        "jwk", {json.dumps(jwk)}, {{ name: "ECDSA", namedCurve: "P-256" }}, false, ["sign"]);
      await keepKey({{ keyid: "{key.keyid}", privateKey, publicKey: "", capacities: [] }});
    }}"""
