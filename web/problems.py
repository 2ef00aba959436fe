"""Errors made into RFC 9457 problems; the only file that knows which status an error deserves.

422 is left to malformed requests. A well-formed request that the law refuses is a conflict with
the state of things, hence 409, and says which articles it ran into. What may not be known and what
is not there give the same answer, down to the byte but for its trace. Nothing internal is told: a
defect is a trace id, under which the server's own log has the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.errors import (
    BrokenSeal,
    NoCalendar,
    NotFound,
    NotPermitted,
    NotSignedIn,
    Outrun,
    PlatformError,
    Refused,
    TooMuch,
)
from kernel.randomness import random_bytes
from kernel.store.founding import NotFounded
from kernel.store.transaction import NotDurable
from trading.bank_statements import MalformedStatement
from web.pages import render
from web.structured_logs import mark_told
from web.visitor_choices import choices_of
from web.words import Language, say

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SOON_S: Final = 5
TRACE_HEADER: Final = "X-Trace-Id"


class BadRequest(PlatformError):
    """The request contradicts itself or asks for what the route does not know."""

    def __init__(self, message: str, *, code: str = "bad_request") -> None:
        super().__init__(message)
        self.code = code


class TooLarge(PlatformError):
    """The request's body is larger than the route takes."""


class WrongMediaType(PlatformError):
    """The request's body is not of the kind the route takes."""


class KeyReused(PlatformError):
    """An idempotency key came back with another request."""


class StillRunning(PlatformError):
    """The first request with this idempotency key has not been answered yet."""


class CrossSite(PlatformError):
    """The request was made by a page of another site."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its status, and the code under which its words are found."""

    status: int
    code: str


NOT_FOUND: Final = Kind(404, "not_found")
NOT_SIGNED_IN: Final = Kind(401, "not_signed_in")
DEFECT: Final = Kind(500, "defect")
INVALID: Final = Kind(422, "invalid")
BAD_REQUEST: Final = Kind(400, "bad_request")
UNREADABLE: Final = Kind(400, "unreadable")
REFUSED: Final = Kind(409, "refused")
OUTRUN: Final = Kind(409, "outrun")
UNAVAILABLE: Final = Kind(503, "unavailable")

KINDS: Final[Mapping[type[PlatformError], Kind]] = {
    NotFound: NOT_FOUND,
    NotSignedIn: NOT_SIGNED_IN,
    NotPermitted: Kind(403, "not_permitted"),
    Refused: REFUSED,
    Outrun: OUTRUN,
    Malformed: INVALID,
    BrokenSeal: Kind(400, "broken_seal"),
    NotDurable: Kind(503, "not_durable"),
    NotFounded: UNAVAILABLE,
    BadRequest: BAD_REQUEST,
    TooLarge: Kind(413, "too_large"),
    WrongMediaType: Kind(415, "wrong_media_type"),
    KeyReused: Kind(422, "key_reused"),
    StillRunning: Kind(409, "still_running"),
    CrossSite: Kind(403, "cross_site"),
    TooMuch: Kind(429, "too_many_requests"),
    NoCalendar: UNAVAILABLE,
}

_HTTP_KINDS: Final[Mapping[int, Kind]] = {
    401: NOT_SIGNED_IN,
    404: NOT_FOUND,
    405: Kind(405, "method_not_allowed"),
    406: Kind(406, "not_acceptable"),
    413: KINDS[TooLarge],
    415: KINDS[WrongMediaType],
    503: UNAVAILABLE,
}

_ALL_KINDS: Final = (*KINDS.values(), *_HTTP_KINDS.values(), DEFECT, UNREADABLE, Kind(400, "http"))

MENDABLE: Final = frozenset({REFUSED, OUTRUN, INVALID})
"""What whoever sent a form can mend by changing what was typed."""

UNHOLDABLE: Final = "22"
"""SQLSTATE class 22, data exceptions: U+0000 in a text, a number beyond its column's range."""

_OUTRUN_STATES: Final = frozenset({"23505", "40001", "40P01", "55P03", "57014"})
"""SQLSTATEs of two that met: unique violation, serialization, deadlock, lock and statement time."""


def kind_of(error: PlatformError) -> Kind:
    """The kind of problem an error is, by its nearest class."""
    for ancestor in type(error).__mro__:
        found = KINDS.get(ancestor)
        if found is not None:
            return found
    return DEFECT


def answer(
    request: Request,
    kind: Kind,
    *,
    detail: str = "",
    code: str = "",
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    told: str = "",
) -> Response:
    """The problem as the reader wants it: a page for people, JSON for programs.

    A page says what the code means and no `detail`, which is worded for programs and for the log;
    `told` is a sentence for whoever reads. Where the request sent a form that could be mended, the
    page is that form again.
    """
    trace_id = trace_id_of(request)
    body: dict[str, Any] = {
        "type": f"/problems/{kind.code}",
        "title": say(f"problem.{kind.code}", _language_of(request)),
        "status": kind.status,
        "detail": detail,
        "instance": request.url.path,
        "code": code or kind.code,
        **(extra or {}),
        "trace_id": trace_id,
    }
    sent = {TRACE_HEADER: trace_id, "Cache-Control": "no-store", **(headers or {})}
    if kind is NOT_SIGNED_IN:
        sent["WWW-Authenticate"] = "Bearer"
    if prefers_page(request):
        try:
            page = _page(request, kind, body, told)
        except Exception as error:
            # Whatever is wrong with the page, the problem itself must still be told.
            log.error("problem_page_failed", trace_id=trace_id, exc_info=error)
        else:
            page.headers.update(sent)
            return page
    sent["Vary"] = "Accept, Accept-Language, Cookie"
    return JSONResponse(body, kind.status, headers=sent, media_type=MEDIA_TYPE)


def keep_form(request: Request, template: str, **context: Any) -> None:
    """Should the act be turned down, show its form again with what was typed, and why."""
    request.state.kept_form = (template, context)


def _page(request: Request, kind: Kind, body: Mapping[str, Any], told: str) -> Response:
    kept = getattr(request.state, "kept_form", None)
    if kept is not None and kind in MENDABLE:
        template, context = kept
        return render(request, template, status_code=kind.status, problem=body, **context)
    return render(
        request,
        "problem.html",
        status_code=kind.status,
        problem=body,
        kind=kind.code,
        told=told,
    )


def answer_error(request: Request, error: PlatformError) -> Response:
    """The answer to an error raised on purpose."""
    kind = kind_of(error)
    code, detail = getattr(error, "code", ""), str(error)
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    told = ""
    match error:
        case Refused():
            extra["refusals"] = [one.as_json() for one in error.refusals]
            code = error.refusals[0].code if len(error.refusals) == 1 else ""
        case NotFound():
            detail, code = "", ""
        case MalformedStatement():
            extra["errors"] = [
                {"pointer": f"line {one.line}", "code": one.code, "detail": one.words}
                for one in error.wrong
            ]
        case NotPermitted() if _nobody_is_signed_in(request):
            kind = NOT_SIGNED_IN
        case TooMuch() if error.retry_after is not None:
            headers["Retry-After"] = str(ceil(error.retry_after.total_seconds()))
        case Malformed() if error.faults:
            extra["errors"] = [
                {"pointer": f"#/{member}", "code": error.code, "detail": words}
                for member, words in error.faults.items()
            ]
        case NoCalendar():
            told = detail
        case NotDurable() | NotFounded():
            detail = ""
            headers["Retry-After"] = str(RETRY_SOON_S)
    if kind is DEFECT:
        return answer_defect(request, error)
    return answer(request, kind, detail=detail, code=code, extra=extra, headers=headers, told=told)


def answer_defect(request: Request, error: Exception) -> Response:
    """The answer to a defect: nothing but a trace id, under which the log has where it was."""
    log.error(
        "defect",
        trace_id=trace_id_of(request),
        method=request.method,
        route=getattr(request.scope.get("route"), "path", ""),
        exc_info=error,
    )
    mark_told(error)
    return answer(request, DEFECT)


def answer_invalid(request: Request, error: RequestValidationError) -> Response:
    """The answer to a request whose shape is wrong, with a pointer to each fault.

    What was sent is not repeated: it may be a secret.
    """
    faults = error.errors()
    if any(fault["loc"][0] == "path" for fault in faults):
        return answer(request, NOT_FOUND)
    told = [
        {"pointer": _pointer(fault["loc"]), "code": fault["type"], "detail": fault["msg"]}
        for fault in faults
    ]
    kind = INVALID
    if any(fault["loc"][0] in ("query", "header", "cookie") for fault in faults):
        kind = BAD_REQUEST
    elif any(fault["type"] == "json_invalid" for fault in faults):
        kind = UNREADABLE
    return answer(request, kind, extra={"errors": told})


def answer_http(request: Request, error: HTTPException) -> Response:
    """The answer to what the framework refuses by itself: unknown paths, wrong methods."""
    kind = _HTTP_KINDS.get(error.status_code) or Kind(error.status_code, "http")
    detail = "" if error.status_code == 404 else str(error.detail)
    return answer(request, kind, detail=detail, headers=error.headers or {})


def answer_database(request: Request, error: DBAPIError) -> Response:
    """The answer when the database said no: a lost race, a lost line, what no column can hold.

    Anything else is a defect of ours.
    """
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in _OUTRUN_STATES:
        return answer(request, OUTRUN)
    if state.startswith(UNHOLDABLE):
        log.warning("database_refused_data", trace_id=trace_id_of(request), sqlstate=state)
        return answer(request, INVALID)
    lost = state[:2] in ("08", "53", "57") or error.connection_invalidated
    if lost or isinstance(error, InterfaceError | OperationalError):
        log.warning("database_lost", trace_id=trace_id_of(request), sqlstate=state)
        return answer(request, UNAVAILABLE, headers={"Retry-After": str(RETRY_SOON_S)})
    return answer_defect(request, error)


async def explain(request: Request, code: str) -> Response:
    """What a kind of problem means: where the `type` of every problem leads."""
    kind = next((one for one in _ALL_KINDS if one.code == code), None)
    if kind is None:
        raise NotFound("no such kind of problem")
    language = _language_of(request)
    told = {
        "code": kind.code,
        "status": kind.status,
        "title": say(f"problem.{kind.code}", language),
        "text": say(f"problem.{kind.code}.text", language),
    }
    if prefers_page(request):
        return render(request, "problem_kind.html", told=told)
    return JSONResponse(told)


def trace_id_of(request: Request) -> str:
    """The id under which this request is found in the log; the same however often it is asked."""
    if not hasattr(request.state, "trace_id"):
        request.state.trace_id = random_bytes(16).hex()
    trace_id: str = request.state.trace_id
    return trace_id


def prefers_page(request: Request) -> bool:
    """Whether the reader would rather have HTML than JSON."""
    wanted = _weights(request.headers.get("accept", ""))
    page = wanted.get("text/html", 0.0)
    json = max((wanted.get(kind, 0.0) for kind in ("application/json", MEDIA_TYPE)), default=0.0)
    return page > json


def _language_of(request: Request) -> Language:
    """The language a program asked for by header, or a person by choice; Chinese by default."""
    wanted = _weights(request.headers.get("accept-language", ""))
    best: dict[str, float] = {}
    for tag, weight in wanted.items():
        language = tag.partition("-")[0]
        best[language] = max(weight, best.get(language, 0.0))
    if prefers_page(request) or not best:
        return choices_of(request).language
    return Language.EN if best.get("en", 0.0) > best.get("zh", 0.0) else Language.ZH


def _weights(header: str) -> dict[str, float]:
    """What a reader accepts, and how gladly (RFC 9110, 12.4.2)."""
    weights = {}
    for item in header[:1000].split(","):
        name, *parameters = (part.strip() for part in item.lower().split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = min(max(float(parameter[2:]), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        if name:
            weights[name] = weight
    return weights


def _pointer(place: Sequence[int | str]) -> str:
    """The place of a fault: a JSON pointer (RFC 6901) into the body, or the parameter's name."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in place[1:]]
    return "#" + "".join(f"/{step}" for step in steps) if place[0] == "body" else ".".join(steps)


def _nobody_is_signed_in(request: Request) -> bool:
    actor = getattr(request.state, "actor", None)
    return actor is None or actor.role is Role.PUBLIC


def answer_with_problems(app: FastAPI) -> None:
    """Teach the app to answer every error with a problem."""

    async def on_platform_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, PlatformError)
        return answer_error(request, error)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer_invalid(request, error)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer_http(request, error)

    async def on_database(request: Request, error: Exception) -> Response:
        assert isinstance(error, DBAPIError)
        return answer_database(request, error)

    async def on_full_pool(request: Request, error: Exception) -> Response:
        log.warning("database_busy", trace_id=trace_id_of(request))
        return answer(request, UNAVAILABLE, headers={"Retry-After": str(RETRY_SOON_S)})

    async def on_cut_line(request: Request, error: Exception) -> Response:
        return answer(request, UNREADABLE)

    async def on_defect(request: Request, error: Exception) -> Response:
        return answer_defect(request, error)

    app.add_api_route("/problems/{code}", explain, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(PlatformError, on_platform_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(DBAPIError, on_database)
    app.add_exception_handler(PoolTimeout, on_full_pool)
    app.add_exception_handler(ConnectionError, on_full_pool)
    app.add_exception_handler(ClientDisconnect, on_cut_line)
    app.add_exception_handler(Exception, on_defect)
