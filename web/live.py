"""The rooms: follows the journal's views and tells each listener what its circle may know.

A socket carries news one way, from us to the browser; acts come in over HTTP, where they are
judged, recorded and can be repeated safely. A message is an entry of one view with its number in
that view, so a browser that lost its line asks for what came after the last number it saw and
misses nothing, and no gap in the numbers tells of anything else.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import structlog
from fastapi import Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from evaluation import committees
from kernel.access import Actor, Role
from kernel.clock import monotonic_s
from kernel.crypto.digests import instant_text
from kernel.errors import NotFound, NotSignedIn
from kernel.events import Audience
from kernel.store.journal import BELL, Entry, read_view
from kernel.store.transaction import Store
from kernel.store.views import PUBLIC_FEED, SUPERVISORS_FEED, own_acts
from web import same_origin
from web.places import Place
from web.request_scope import actor_of, session_lives

router = Place()
log = structlog.get_logger()

PAGE: Final = 200
BELL_PATIENCE_S: Final = 1.0
SEND_PATIENCE_S: Final = 3.0
CLOSE_PATIENCE_S: Final = 1.0
CHECK_S: Final = 2.5
"""How often an open socket is asked again whether it may stay.

With the bell's patience and one slow answer, the socket of an ended session, or of a member who
has left the committee, is gone within 5 s.
"""

After = Annotated[int, Query(ge=0, lt=2**63)]
"""The number last seen; whatever a view's numbers can be."""

NOT_SIGNED_IN, NOT_YOURS, TOO_SLOW, TRY_AGAIN = 4401, 4403, 4429, 1013
GONE: Final = (WebSocketDisconnect, RuntimeError)
"""What sending to, or hearing from, a socket that is closed raises."""


class Hub:
    """One ear for the bell, for all the sockets of this process."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._rung = asyncio.Event()

    async def wait(self) -> None:
        """Return when the bell rang, or a second later in case it was missed."""
        rung = self._rung
        with suppress(TimeoutError):
            await asyncio.wait_for(rung.wait(), BELL_PATIENCE_S)

    def ring(self) -> None:
        """Wake everyone who waits now; those who come later wait for the next one."""
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def listen(self) -> None:
        """Keep one connection that listens; a lost line is taken up again."""
        engine = self.store.sessions.kw["bind"]
        assert isinstance(engine, AsyncEngine)
        url = make_url(engine.url)
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                line = await asyncpg.connect(
                    host=str(url.query.get("host") or url.host),
                    port=url.port or 5432,
                    user=url.username,
                    password=url.password,
                    database=url.database,
                )
                try:
                    await line.add_listener(BELL, lambda *_: self.ring())
                    while not line.is_closed():
                        await asyncio.sleep(BELL_PATIENCE_S)
                finally:
                    with suppress(Exception):
                        await line.close()
            await asyncio.sleep(BELL_PATIENCE_S)


@asynccontextmanager
async def hub_following(store: Store) -> AsyncIterator[Hub]:
    """A hub that listens for as long as the block runs."""
    hub = Hub(store)
    ear = asyncio.create_task(hub.listen())
    try:
        yield hub
    finally:
        ear.cancel()
        with suppress(asyncio.CancelledError):
            await ear


def message(view: str, entry: Entry) -> dict[str, Any]:
    """One entry as sockets and pollers receive it."""
    return {
        "v": 1,
        "view": view,
        "seq": entry.number,
        "at": instant_text(entry.recorded_at),
        "kind": entry.kind,
        "subject": str(entry.subject_id),
        "data": entry.facts,
    }


async def may_watch(session: AsyncSession, actor: Actor, view: str) -> bool:
    """Whether this actor belongs to the audience of the view."""
    if view == PUBLIC_FEED:
        return True
    if view == SUPERVISORS_FEED:
        return actor.role is Role.SUPERVISOR
    if actor.party_id is not None and view == own_acts(actor.party_id):
        # An expert's party is the pool's keeper, whose acts are not the expert's to know.
        return actor.role is not Role.EXPERT
    subject, _, audience = view.partition("/")
    try:
        subject_id = UUID(subject)
    except ValueError:
        return False
    match audience:
        case Audience.PUBLIC:
            return True
        case Audience.SUPERVISORS:
            return actor.role is Role.SUPERVISOR
        case Audience.PARTICIPANTS:
            # A site's staff are not told for which lot somebody sits at their site.
            return actor.role is not Role.SITE_ADMINISTRATOR and await _takes_part(
                session, actor, subject_id
            )
        case Audience.COMMITTEE:
            # What a person once did for a lot stays recorded; a seat can be lost.
            return await committees.sits_in(session, actor, subject_id)
    return False


async def _takes_part(session: AsyncSession, actor: Actor, subject_id: UUID) -> bool:
    found = await session.execute(
        text(
            "SELECT 1 FROM kernel.capacity WHERE subject_id = :subject"
            " AND person_id = :person AND role = :role"
        ),
        {"subject": subject_id, "person": actor.person_id, "role": str(actor.role)},
    )
    return found.first() is not None


@router.get("/api/v1/views/{view:path}/entries")
async def entries(request: Request, view: str, after: After = 0) -> JSONResponse:
    """The next entries of a view; what the socket sends, for those whose sockets are blocked."""
    store: Store = request.app.state.store
    actor = await actor_of(request)
    async with store.sessions() as session:
        found = await read_view(session, view, after=after, limit=PAGE)
        if not await may_watch(session, actor, view):
            raise NotFound("no such view")
    return JSONResponse(
        {"entries": [message(view, entry) for entry in found]},
        headers={"Cache-Control": "no-store"},
    )


@router.websocket("/live")
async def live(socket: WebSocket, view: str, after: After = 0) -> None:
    """Follow one view from the number last seen."""
    if not same_origin.socket_may_connect(socket):
        await socket.close(NOT_YOURS)
        return
    try:
        actor = await actor_of(socket)
    except NotSignedIn:
        await socket.close(NOT_SIGNED_IN)
        return
    store: Store = socket.app.state.store
    async with store.sessions() as session:
        allowed = await may_watch(session, actor, view)
    if not allowed:
        await socket.close(NOT_YOURS)
        return
    await socket.accept()
    tasks = [
        asyncio.create_task(_send(socket, actor, view, after)),
        asyncio.create_task(_hear(socket)),
    ]
    try:
        # Whoever ends first ends both: a listener who went, or news that cannot be sent any more.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [one for one in ended if isinstance(one, Exception) and not isinstance(one, GONE)]
    if broken:
        # The browser must not sit before a silent line: it comes again, and resumes.
        log.error("a socket's news broke off", exc_info=broken[0])
        await _close(socket, TRY_AGAIN)


async def _hear(socket: WebSocket) -> None:
    """Ignore whatever a client says here, until it goes: acts come over HTTP."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(socket: WebSocket, code: int) -> None:
    """Say why, if the other side still takes anything; it may not."""
    with suppress(TimeoutError, *GONE):
        await asyncio.wait_for(socket.close(code), CLOSE_PATIENCE_S)


async def _send(socket: WebSocket, actor: Actor, view: str, seen: int) -> None:
    hub: Hub = socket.app.state.hub
    checked = monotonic_s()
    while True:
        async with hub.store.sessions() as session:
            page = await read_view(session, view, after=seen, limit=PAGE)
            # Asked after reading: what was recorded once a member had left is not sent to it.
            allowed = not page or await may_watch(session, actor, view)
        if not allowed:
            await _close(socket, NOT_YOURS)
            return
        for entry in (*page, None):
            if actor.session_id is not None and monotonic_s() - checked > CHECK_S:
                checked = monotonic_s()
                if not await session_lives(hub.store, actor.session_id):
                    await _close(socket, NOT_SIGNED_IN)
                    return
                async with hub.store.sessions() as session:
                    allowed = await may_watch(session, actor, view)
                if not allowed:
                    await _close(socket, NOT_YOURS)
                    return
            if entry is None:
                break
            try:
                await asyncio.wait_for(
                    socket.send_text(json.dumps(message(view, entry), ensure_ascii=False)),
                    SEND_PATIENCE_S,
                )
            except TimeoutError:
                await _close(socket, TOO_SLOW)
                return
            seen = entry.number
        if len(page) < PAGE:
            await hub.wait()
