"""What a request carries: who acts, the transaction, the body as it was signed.

An act is committed before its answer is sent. FastAPI leaves dependencies of the scope "function"
once the answer is made and before its first byte goes out, so a commit that fails becomes the
answer. The answer to a request with an `Idempotency-Key` is kept in that same transaction: either
both the act and its answer exist, or neither.
"""

import ipaddress
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from expert_pool import enrolling
from kernel.access import Actor, Role
from kernel.crypto.digests import Malformed, sha256
from kernel.errors import NotSignedIn
from kernel.store import outbox, signing_in
from kernel.store.clocks import unshifted_clock
from kernel.store.database import lock_key
from kernel.store.tables import RequestRow
from kernel.store.transaction import Store, Transaction, transaction
from web.problems import BadRequest, KeyReused, StillRunning, TooLarge, WrongMediaType, answer_error

session_lives = signing_in.session_lives

COOKIE: Final = "__Host-sunbid"
DSSE: Final = "application/vnd.dsse+json"
JSON_MAX: Final = 1 << 20
STATEMENT_MAX: Final = 8 << 20
BODY_MAX: Final = 9 << 20
"""The largest body of most requests: a part of 8 MiB and what surrounds it."""
FORM_MAX: Final = 72 << 20
"""The largest form: eight files of 8 MiB, which the framework lays on disk as they come."""

CONSENTS: Final = "/me/consents"
"""Where a person says what his sensitive data may be used for."""

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}")
_BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9_-]+)")


# ── who acts ──────────────────────────────────────────────────────────────────────────────────


def store_of(connection: HTTPConnection) -> Store:
    """The store this app was made over."""
    store: Store = connection.app.state.store
    return store


StoreDep = Annotated[Store, Depends(store_of)]


def address_of(connection: HTTPConnection) -> str:
    """The address the request came from; headers can claim anything and are not asked."""
    return "" if connection.client is None else connection.client.host


def neighbourhood_of(address: str) -> str:
    """What counts as one address when requests are counted: for IPv6 the network of 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def bearer_of(connection: HTTPConnection) -> str | None:
    """The token a program sends, or None where it sends none; `NotSignedIn` where it is garbled."""
    header = connection.headers.get("authorization")
    if header is None:
        return None
    found = _BEARER.fullmatch(header.strip())
    if found is None:
        raise NotSignedIn("the Authorization header holds no bearer token")
    return found[1]


def cookie_of(connection: HTTPConnection) -> str | None:
    """The token a browser sends; none where two are sent, for only one of them can be ours."""
    found = []
    for header in connection.headers.getlist("cookie"):
        for pair in header.split(";"):
            try:
                jar = SimpleCookie(pair.strip())
            except CookieError:
                continue
            if COOKIE in jar:
                found.append(jar[COOKIE].value)
    return found[0] if len(found) == 1 else None


async def actor_of(connection: HTTPConnection) -> Actor:
    """The signed-in actor, or the public.

    A program's token that does not hold is `NotSignedIn`. A browser's cookie that does not hold is
    that too for an act; for looking, the visitor is simply the public again, and the cookie goes.
    """
    present = getattr(connection.state, "actor", None)
    if isinstance(present, Actor):
        return present
    address = address_of(connection)
    bearer, cookie = bearer_of(connection), cookie_of(connection)
    token = bearer or cookie
    actor = Actor(Role.PUBLIC, address=address)
    if token is not None:
        found = await signing_in.actor_behind(store_of(connection), token, address=address)
        if found is not None:
            actor = found
            await _count_unread(connection, actor)
        elif bearer is not None or connection.scope.get("method", "GET") not in READING:
            raise NotSignedIn("the session has ended")
        else:
            connection.state.cookie_is_dead = True
    connection.state.actor = actor
    return actor


async def _count_unread(connection: HTTPConnection, actor: Actor) -> None:
    """Let the frame of a page say how much waits for its reader; programs ask for themselves."""
    if "text/html" in connection.headers.get("accept", ""):
        async with store_of(connection).sessions() as session:
            connection.state.unread = await outbox.unread(session, actor)


ActorDep = Annotated[Actor, Depends(actor_of)]


# ── the transaction ───────────────────────────────────────────────────────────────────────────


class AnsweredBefore(Exception):
    """This very request was answered already; here is that answer."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


@dataclass(frozen=True, slots=True)
class RepeatKey:
    """An idempotency key of one person, and what the request under it is.

    `body_digest` is of the request and of the capacity it was made in.
    """

    key: str
    body_digest: bytes


class ConsentFirst(Exception):
    """The reader is asked for a consent before he is shown anything else."""


class ActRoute(APIRoute):
    """A route whose answer can be kept under an idempotency key.

    Every router with acts is made with it: `APIRouter(route_class=ActRoute)`. A test looks.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            try:
                response = await handle(request)
            except AnsweredBefore as before:
                return before.response
            except ConsentFirst:
                language = request.scope.get("root_path", "")
                return RedirectResponse(f"{language}{CONSENTS}", 303)
            request.state.response = response
            return response

        return handle_once


async def _act(request: Request, store: StoreDep) -> AsyncIterator[Transaction]:
    actor = await actor_of(request)
    key = await _repeat_key(request, actor)
    async with transaction(store, actor=actor) as tx:
        if key is not None:
            await _answered_before(tx, key)
        if _looks_at_another_page(request):
            await _ask_for_consent(tx)
        yield tx
        if key is not None:
            await _keep_answer(tx, key, getattr(request.state, "response", None))


def _looks_at_another_page(request: Request) -> bool:
    """Whether a page is looked at that is not the register of consents."""
    here = request.url.path.removeprefix(request.scope.get("root_path", ""))
    reads = request.method in READING and "text/html" in request.headers.get("accept", "")
    return reads and here != CONSENTS


async def _ask_for_consent(tx: Transaction) -> None:
    """Show an expert nothing before he was asked for a consent that he never could give."""
    if tx.actor.role is Role.EXPERT and await enrolling.owes_consent(tx):
        raise ConsentFirst


async def _visit(request: Request, store: StoreDep) -> AsyncIterator[Transaction]:
    visitor = Actor(Role.PUBLIC, address=address_of(request))
    async with transaction(store, actor=visitor) as tx:
        yield tx


Act = Annotated[Transaction, Depends(_act, scope="function")]
"""A transaction of the signed-in actor or the public, committed before the answer is sent."""

Visit = Annotated[Transaction, Depends(_visit, scope="function")]
"""A transaction of the public, whoever may be signed in: for coming in."""


async def _repeat_key(request: Request, actor: Actor) -> RepeatKey | None:
    key = request.headers.get("idempotency-key")
    if key is None or request.method in READING:
        return None
    if not _KEY.fullmatch(key):
        raise BadRequest("an Idempotency-Key has 1 to 128 visible characters", code="key")
    if actor.person_id is None:
        return None
    if not isinstance(request.scope.get("route"), ActRoute):
        raise BadRequest("this route takes no Idempotency-Key", code="key")
    body = await read_body(request, max_bytes=BODY_MAX)
    line = f"{request.method} {request.url.path}?{request.url.query}\n"
    capacity = f"{actor.role} {actor.party_id}\n"
    return RepeatKey(key, sha256(line.encode(), capacity.encode(), body))


async def _answered_before(tx: Transaction, key: RepeatKey) -> None:
    person = tx.actor.person
    free = await tx.session.scalar(
        text("SELECT pg_try_advisory_xact_lock(:key)"),
        {"key": lock_key(f"request:{person}:{key.key}")},
    )
    if not free:
        raise StillRunning("the first request with this key is not answered yet")
    row = await tx.session.get(RequestRow, (person, key.key))
    if row is None:
        return
    if row.body_digest != key.body_digest:
        raise KeyReused("this key belongs to another request")
    raise AnsweredBefore(Response(row.answer, row.status, media_type=row.media_type))


async def _keep_answer(tx: Transaction, key: RepeatKey, response: Response | None) -> None:
    if response is None or response.status_code >= 400:
        return
    body = getattr(response, "body", None)
    if not isinstance(body, bytes):
        raise TypeError("an answer that is streamed cannot be kept under an idempotency key")
    tx.session.add(
        RequestRow(
            person_id=tx.actor.person,
            key=key.key,
            body_digest=key.body_digest,
            status=response.status_code,
            media_type=response.headers.get("content-type", "application/json"),
            answer=body,
            answered_at=await unshifted_clock(tx.session),
        )
    )


# ── the body ──────────────────────────────────────────────────────────────────────────────────


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """The whole body, read once and never beyond the bound.

    `TooLarge` as soon as it is known to be; `Malformed` where the announced length is a lie.
    """
    announced = _announced_length(request)
    if announced is not None and announced > max_bytes:
        raise TooLarge(f"at most {max_bytes} bytes")
    kept = getattr(request.state, "raw_body", None)
    if kept is None:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > max_bytes:
                raise TooLarge(f"at most {max_bytes} bytes")
            parts.append(part)
        kept = b"".join(parts)
        request.state.raw_body = kept
        # Whoever reads the form or the body after us finds it where the framework keeps it.
        request._body = kept
    if len(kept) > max_bytes:
        raise TooLarge(f"at most {max_bytes} bytes")
    if announced is not None and announced != len(kept):
        raise Malformed("the body is not as long as its Content-Length says", code="length")
    body: bytes = kept
    return body


def _announced_length(request: HTTPConnection) -> int | None:
    header = request.headers.get("content-length")
    if header is None:
        return None
    if not header.isascii() or not header.isdigit() or len(header) > 15:
        raise Malformed("Content-Length is no number", code="length")
    return int(header)


async def _signed_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != DSSE:
        raise WrongMediaType(f"send the signed statement as {DSSE}")
    return await read_body(request, max_bytes=STATEMENT_MAX)


Signed = Annotated[bytes, Depends(_signed_body)]
"""The bytes of a DSSE envelope, exactly as they were sent."""


# ── what every request must keep to ───────────────────────────────────────────────────────────


async def known_parameters(connection: HTTPConnection) -> None:
    """`BadRequest` for a query parameter the route has not: a misspelt one is never ignored."""
    route = connection.scope.get("route")
    if connection.scope["type"] != "http" or not isinstance(route, APIRoute):
        return
    names = _query_names(route)
    strange = sorted(set(connection.query_params.keys()) - names)
    if strange:
        shown = ", ".join(name[:40] for name in strange[:5])
        raise BadRequest(f"unknown query parameters: {shown}", code="unknown_parameter")


def _query_names(route: APIRoute) -> frozenset[str]:
    kept = getattr(route, "sunbid_query_names", None)
    if isinstance(kept, frozenset):
        return kept
    found = frozenset(_query_names_of(route.dependant))
    route.sunbid_query_names = found  # type: ignore[attr-defined]  # kept beside what it is made of
    return found


def _query_names_of(dependant: Dependant) -> set[str]:
    names: set[str] = set()
    for field in dependant.query_params:
        shape: Any = field.field_info.annotation
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            names |= {inner.alias or name for name, inner in shape.model_fields.items()}
        else:
            names.add(field.alias)
    for inner_dependant in dependant.dependencies:
        names |= _query_names_of(inner_dependant)
    return names


class _BodyLimit:
    """Stops reading where no route would read on, before the framework has it all in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        limit = _limit_of(request.headers.get("content-type", ""))
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                # The framework wraps any other error met while it reads a body.
                raise HTTPException(413, f"at most {limit} bytes")
            return message

        try:
            announced = _announced_length(request)
            if announced is not None and announced > limit:
                raise TooLarge(f"at most {limit} bytes")
        except (TooLarge, Malformed) as error:
            await answer_error(request, error)(scope, receive, send)
            return
        await self._app(scope, counted, send)


def _limit_of(content_type: str) -> int:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("", "application/json", "application/x-www-form-urlencoded"):
        return JSON_MAX
    return FORM_MAX if kind == "multipart/form-data" else BODY_MAX


def limit_bodies(app: FastAPI) -> None:
    """Refuse bodies larger than any route takes."""
    app.add_middleware(_BodyLimit)
