"""Whether a request was made by our own pages: against forged acts and hijacked sockets.

A browser sends our cookie along with whatever another site makes it send, so an act that carries
the cookie must prove that one of our pages asked for it. Browsers say so in headers that no page
can write: `Sec-Fetch-Site` and `Origin`. Programs send neither, and no cookie; they bring a bearer
token, which no other site can know.
"""

from typing import Final

from fastapi import FastAPI, Request, WebSocket
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.settings import Settings
from web.problems import CrossSite, answer_error
from web.request_scope import COOKIE, READING

OWN_PAGES: Final = frozenset({"same-origin", "none"})
"""What `Sec-Fetch-Site` says when one of our pages, or the person alone, made the request."""


def is_foreign(connection: HTTPConnection, *, origin: str) -> bool:
    """Whether another site may have made this act or opened this socket."""
    site = connection.headers.get("sec-fetch-site")
    stated = connection.headers.get("origin")
    if site is not None and site not in OWN_PAGES:
        return True
    if stated is not None:
        return stated != origin
    vouched_for = site == "same-origin" or "authorization" in connection.headers
    return carries_cookie(connection) and not vouched_for


def carries_cookie(connection: HTTPConnection) -> bool:
    """Whether a browser's session cookie came along, in whatever form."""
    return any(COOKIE in header for header in connection.headers.getlist("cookie"))


def socket_may_connect(socket: WebSocket) -> bool:
    """Whether one of our pages, or a program without a cookie, opens this socket."""
    settings: Settings = socket.app.state.settings
    return not is_foreign(socket, origin=settings.origin)


class _SameOrigin:
    """Turns foreign acts away before anything of the request is looked at."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app = app
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if scope["method"] not in READING and is_foreign(request, origin=self._origin):
            refusal = answer_error(request, CrossSite("only this site's own pages can do this"))
            await refusal(scope, receive, send)
            return

        async def without_dead_cookie(message: Message) -> None:
            started = message["type"] == "http.response.start"
            if started and getattr(request.state, "cookie_is_dead", False):
                headers = MutableHeaders(scope=message)
                if not any(COOKIE in held for held in headers.getlist("set-cookie")):
                    headers.append("set-cookie", f"{COOKIE}=; Max-Age=0; Path=/; Secure; HttpOnly")
            await send(message)

        await self._app(scope, receive, without_dead_cookie)


def guard(app: FastAPI, settings: Settings) -> None:
    """Let no other site act through a visitor's browser."""
    app.add_middleware(_SameOrigin, origin=settings.origin)
