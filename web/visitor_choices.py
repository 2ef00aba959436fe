"""How a visitor wants pages shown: language, size of type, colours.

Choices are kept in cookies and work without JavaScript and without signing in. A link such as
`?display=large` is answered with the same address without it and the cookie; `/en/notices` is the
page `/notices` with an English frame. No route ever sees either: the prefix becomes the root path
that ASGI applications are mounted under.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.words import Language

ENGLISH: Final = "/en"
YEAR_S: Final = 365 * 24 * 3600
MACHINES: Final = ("/api", "/static", "/log", "/live", "/healthz", "/readyz", "/metrics")
"""Where programs go, who choose nothing."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "lang": ("zh-CN", "en"),
    "display": ("normal", "large"),
    "theme": ("auto", "light", "dark"),
}
"""What can be chosen by a link, with its values, the first of which is the default."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How one visitor wants to see pages."""

    language: Language = Language.ZH
    display: str = "normal"
    theme: str = "auto"


def choices_of(connection: HTTPConnection) -> Choices:
    """What this visitor chose; the address decides the language before the cookie does."""
    kept = _kept(connection)
    english = connection.scope.get("root_path") == ENGLISH or kept["lang"] == "en"
    return Choices(
        Language.EN if english else Language.ZH, display=kept["display"], theme=kept["theme"]
    )


def _kept(connection: HTTPConnection) -> dict[str, str]:
    """The choices that the cookies hold; whatever is not one of ours counts as the default."""
    jar: SimpleCookie = SimpleCookie()
    for header in connection.headers.getlist("cookie"):
        for pair in header.split(";"):
            if pair.strip().startswith("sunbid-"):
                try:
                    jar.load(pair.strip())
                except CookieError:
                    continue
    kept = {}
    for name, values in CHOICES.items():
        held = jar.get(f"sunbid-{name}")
        kept[name] = held.value if held is not None and held.value in values else values[0]
    return kept


def chosen_in(query: str) -> tuple[dict[str, str], str]:
    """The choices a query string makes, and what is left of it."""
    pairs = parse_qsl(query, keep_blank_values=True)
    chosen = {name: value for name, value in pairs if value in CHOICES.get(name, ())}
    rest = [(name, value) for name, value in pairs if name not in chosen]
    return chosen, urlencode(rest)


def _cookie(name: str, value: str, *, secure: bool) -> str:
    end = "; Secure" if secure else ""
    return f"sunbid-{name}={value}; Path=/; Max-Age={YEAR_S}; SameSite=Lax; HttpOnly{end}"


class _Chosen:
    """Takes the choices out of the address before anything else looks at it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(MACHINES):
            await self._app(scope, receive, send)
            return
        secure = scope.get("scheme") == "https"
        path: str = scope["path"]
        chosen, rest = chosen_in(scope["query_string"].decode("latin-1"))
        if chosen and scope["method"] in ("GET", "HEAD"):
            answer = RedirectResponse(_same_place(path, rest, chosen), status_code=303)
            for name, value in chosen.items():
                answer.headers.append("set-cookie", _cookie(name, value, secure=secure))
            answer.headers["cache-control"] = "no-store"
            await answer(scope, receive, send)
            return
        if path != ENGLISH and not path.startswith(f"{ENGLISH}/"):
            await self._app(scope, receive, send)
            return
        inside = dict(scope, root_path=ENGLISH, path=path if path != ENGLISH else f"{ENGLISH}/")

        async def remembered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", _cookie("lang", "en", secure=secure))
            await send(message)

        await self._app(inside, receive, remembered)


def _same_place(path: str, query: str, chosen: Mapping[str, str]) -> str:
    """Where the visitor is, without the choice; choosing Chinese also leaves the prefix."""
    if chosen.get("lang") == Language.ZH and path.startswith(f"{ENGLISH}/"):
        path = path.removeprefix(ENGLISH)
    # A path that began with two slashes would name another host.
    place = quote("/" + path.lstrip("/\\"))
    return f"{place}?{query}" if query else place


def offer(app: FastAPI) -> None:
    """Let every page be read in either language, at either size, in light or dark."""
    app.add_middleware(_Chosen)
