"""What every page's frame shows: the platform's time, whether it is a demonstration, who runs it.

The time is the database's, asked at most once a second by each process and carried on in between
by a clock that never steps. Where the database cannot be reached a page still stands, without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from fastapi import FastAPI, Request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from kernel.access import Actor, Role
from kernel.clock import monotonic_s
from kernel.crypto.digests import b64u, sha256
from kernel.settings import Settings
from kernel.store.clocks import platform_clock
from kernel.store.transaction import Store
from web.visitor_choices import ENGLISH, MACHINES, Choices, choices_of
from web.words import Language

FRESH_S: Final = 1.0
PATIENCE_S: Final = 1.0
DRAFTS_NAME: Final = 16

DESKS: Final[Mapping[Role, tuple[str, str]]] = MappingProxyType(
    {
        Role.TENDEREE: ("/desk", "desk.tender"),
        Role.AGENCY: ("/desk", "desk.tender"),
        Role.BIDDER: ("/bids", "desk.bid"),
        Role.EXPERT: ("/experts", "desk.expert"),
        Role.OWNER_REPRESENTATIVE: ("/evaluation", "desk.evaluation"),
        Role.CUSTODIAN: ("/custodian", "desk.custodian"),
        Role.CENTRE_STAFF: ("/centre", "desk.centre"),
        Role.SITE_ADMINISTRATOR: ("/sites", "desk.site"),
        Role.SUPERVISOR: ("/supervision", "desk.supervision"),
        Role.WITNESS: ("/transparency", "desk.log"),
    }
)
"""Where whoever acts in a capacity finds what waits for him, and what that place is called."""

_LAST_JUMP: Final = text(
    "SELECT p.demo, p.founded_at, j.offset_by, j.reason, j.jumped_at FROM kernel.platform p"
    " LEFT JOIN (SELECT * FROM kernel.clock_jump ORDER BY id DESC LIMIT 1) j ON true"
)


@dataclass(frozen=True, slots=True)
class Jump:
    """The last time a demonstration's clock was moved forward: to when, and why."""

    to: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Moment:
    """The platform's time, and in a demonstration how far it runs from the world's."""

    now: datetime
    demo: bool = False
    offset: timedelta = timedelta(0)
    jump: Jump | None = None


Look = Callable[[], Awaitable[Moment]]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame of one page says."""

    language: Language
    display: str
    theme: str
    path: str
    """The page's path without the language's prefix, and with its query."""
    origin: str
    moment: Moment | None
    role: Role
    site: Settings
    unread: int = 0
    """How much waits in the reader's own inbox."""
    drafts_of: str = ""
    """For whom and in which capacity this browser keeps what is typed; empty for the public."""

    @property
    def site_name(self) -> str:
        """The site's name in the reader's language."""
        return self.site.site_name_en if self.language is Language.EN else self.site.site_name

    @property
    def signed_in(self) -> bool:
        """Whether anybody in particular is looking."""
        return self.role is not Role.PUBLIC

    @property
    def desk(self) -> tuple[str, str] | None:
        """The path of the reader's own desk and the key of its name; None for the public."""
        return DESKS.get(self.role)

    @property
    def idle_s(self) -> int:
        """The seconds after which a session ends in which nothing is done."""
        return self.site.session_idle_min * 60

    def here_with(self, choice: str, value: str) -> str:
        """This very page, chosen to be shown otherwise."""
        prefix = ENGLISH if self.language is Language.EN and choice != "lang" else ""
        return f"{prefix}{self.path}{'&' if '?' in self.path else '?'}{choice}={value}"


def frame_of(request: Request, *, now: datetime | None = None) -> Frame:
    """The frame of the page that answers this request, with the route's own instant if given."""
    choices: Choices = choices_of(request)
    settings = getattr(request.app.state, "settings", None) or Settings()
    moment: Moment | None = getattr(request.state, "moment", None)
    if moment is not None and now is not None:
        moment = replace(moment, now=now)
    elif now is not None:
        moment = Moment(now)
    actor = getattr(request.state, "actor", None)
    path = request.url.path.removeprefix(request.scope.get("root_path", "")) or "/"
    query = request.url.query
    return Frame(
        choices.language,
        choices.display,
        choices.theme,
        path=f"{path}?{query}" if query else path,
        origin=settings.origin,
        moment=moment,
        role=actor.role if isinstance(actor, Actor) else Role.PUBLIC,
        site=settings,
        unread=getattr(request.state, "unread", 0),
        drafts_of=_drafts_of(actor) if isinstance(actor, Actor) else "",
    )


def _drafts_of(actor: Actor) -> str:
    """Names that tell two people, and two capacities of one, apart, and nothing else of them."""
    if actor.person_id is None or actor.party_id is None:
        return ""
    person, capacity = actor.person_id.bytes, f"{actor.party_id} {actor.role}".encode()
    names = sha256(b"drafts", person), sha256(b"drafts", person, capacity)
    return ".".join(b64u(one)[:DRAFTS_NAME] for one in names)


def moment_of(connection: HTTPConnection) -> Moment | None:
    """The platform's time as this request's page will show it, or None where it is not known."""
    return getattr(connection.state, "moment", None)


async def look(store: Store) -> Moment:
    """Ask the database what time it is, and whether this is a demonstration."""
    async with store.sessions() as session:
        now = await platform_clock(session)
        row = (await session.execute(_LAST_JUMP)).one_or_none()
    if row is None or not row.demo:
        return Moment(now)
    if row.offset_by is None:
        return Moment(now, demo=True)
    jump = None
    if row.jumped_at != row.founded_at:  # else it is the start the demonstration was given
        jump = Jump(row.jumped_at + row.offset_by, row.reason)
    return Moment(now, demo=True, offset=row.offset_by, jump=jump)


class _Framed:
    """Finds out the time before a page is made, and keeps it for a second."""

    def __init__(self, app: ASGIApp, look: Look | None, seconds: Callable[[], float]) -> None:
        self._app = app
        self._look = look
        self._seconds = seconds
        self._kept: tuple[float, Moment] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(MACHINES):
            request = Request(scope)
            if "text/html" in request.headers.get("accept", ""):
                request.state.moment = await self._moment(request)
        await self._app(scope, receive, send)

    async def _moment(self, request: Request) -> Moment | None:
        asked_s = self._seconds()
        if self._kept is not None:
            at_s, known = self._kept
            if asked_s - at_s < FRESH_S:
                return replace(known, now=known.now + timedelta(seconds=asked_s - at_s))
        ask = self._look
        if ask is None:
            store: Store = request.app.state.store

            async def ask() -> Moment:
                return await look(store)

        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await ask()
        except (TimeoutError, OSError, SQLAlchemyError):
            return None
        self._kept = self._seconds(), found
        return found


def put_around(
    app: FastAPI, *, look: Look | None = None, seconds: Callable[[], float] = monotonic_s
) -> None:
    """Let every page know the platform's time; `look` is how to ask, the app's store by default.

    `seconds` tells how old an answer is.
    """
    app.add_middleware(_Framed, look=look, seconds=seconds)
