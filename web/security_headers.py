"""What every answer tells the browser: load nothing from elsewhere, frame nothing, keep no secrets.

Nothing inline is allowed, neither script nor style, so what somebody smuggles into a page stays
text. A route that knows better sets a header itself and is left alone, but for the policy.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.pages import static_version
from web.same_origin import carries_cookie

POLICY: Final = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "object-src": "'none'",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"
TWO_YEARS_S: Final = 2 * 365 * 24 * 3600

ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(),"
        " microphone=(), midi=(), payment=(), usb=(),"
        " publickey-credentials-create=(self), publickey-credentials-get=(self)"
    ),
}


def content_policy(origin: str) -> str:
    """The policy for pages of this origin.

    Its sockets are named: Firefox 91 and Safari 14.1 do not count them as `'self'`.
    """
    scheme, _, host = origin.partition("://")
    sockets = f"{'wss' if scheme == 'https' else 'ws'}://{host}"
    directives = POLICY | ({"connect-src": f"'self' {sockets}"} if host else {})
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def cache_rule(connection: HTTPConnection) -> str:
    """How long an answer may be kept that does not say so itself.

    A static file asked for by its content's name may be kept for ever. What is answered to somebody
    in particular is kept nowhere; all else is asked for again.
    """
    path = connection.url.path
    if path.startswith("/static/"):
        named = parse_qs(connection.url.query).get("v", [""])[0]
        return FOR_EVER if named and named == _version_of(path) else "no-cache"
    private = carries_cookie(connection) or "authorization" in connection.headers
    return "no-store" if private else "no-cache"


def _version_of(path: str) -> str:
    try:
        return static_version(path.removeprefix("/static/"))
    except LookupError:
        return ""


class _Guarded:
    """Puts the headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = getattr(scope["app"].state, "settings", None)
        origin: str = "" if settings is None else settings.origin
        connection = HTTPConnection(scope)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = content_policy(origin)
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
                if origin.startswith("https://"):
                    headers.setdefault("Strict-Transport-Security", f"max-age={TWO_YEARS_S}")
                good = message["status"] < 400
                headers.setdefault("Cache-Control", cache_rule(connection) if good else "no-store")
            await send(message)

        await self._app(scope, receive, guarded)


def guard(app: FastAPI) -> None:
    """Put the headers on every answer of this app, those to defects among them.

    The framework answers a defect outside of all middleware, so this goes around the whole stack.
    """
    build = app.build_middleware_stack

    def guarded_stack() -> ASGIApp:
        return _Guarded(build())

    app.build_middleware_stack = guarded_stack  # type: ignore[method-assign]  # the only way around
