"""What programs are told of each operation: for whom it is, what it takes, answers and refuses.

The framework reads parameters, bodies and descriptions off the routes. What it cannot see there is
added here: who may (that is written on the activities, `@by`), signed statements, the problems an
operation can meet, and an example of its answer. Pages are not described; they describe themselves.
"""

from __future__ import annotations

import dis
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute, iter_route_contexts

from kernel.access import ROLES_BY_ACTIVITY, Role
from kernel.errors import NotPermitted
from kernel.refusals import Refusal
from kernel.statute import BIDDING_REGULATION
from web import request_scope
from web.problems import (
    BAD_REQUEST,
    INVALID,
    KINDS,
    MEDIA_TYPE,
    NOT_FOUND,
    NOT_SIGNED_IN,
    REFUSED,
    Kind,
    TooLarge,
    WrongMediaType,
)
from web.request_scope import DSSE, READING, ActRoute
from web.words import Language, say

PEOPLE: Final = frozenset(Role) - {Role.PLATFORM, Role.PUBLIC}
EVERYBODY: Final = PEOPLE | {Role.PUBLIC}
OWNERS: Final = frozenset({Role.TENDEREE, Role.AGENCY})

JUDGED_IN_THE_ROUTE: Final[Mapping[str, frozenset[Role]]] = {
    "GET /api/v1/credentials": PEOPLE,
    "GET /api/v1/sessions/current": PEOPLE,
    "GET /api/v1/sessions/current/time-left": PEOPLE,
    "GET /api/v1/lots/{lot_id}/tender-file": EVERYBODY,
    "POST /api/v1/lots/{lot_id}/bids": frozenset({Role.BIDDER}),
    "GET /api/v1/committees": OWNERS | {Role.SUPERVISOR},
    "POST /api/v1/listings/{listing_id}/quotes": frozenset({Role.BIDDER}),
}
"""Who may, where a route asks different activities for different people, or none."""

ASKS_WHO: Final = frozenset({"_act", "actor_of"})
TAKES_STATEMENTS: Final = frozenset({"_signed_body", "_arrived"})
TAKES_BYTES: Final = "read_body"
"""By which functions a route asks who is there, takes a signed statement, or takes bytes."""

READ_WHEN_LAWFUL: Final = (
    "/api/v1/committees/{committee_id}/bids",
    "/api/v1/committees/{committee_id}/bids/{bid_id}/file",
    "/api/v1/committees/{committee_id}/bids/{bid_id}/files",
    "/api/v1/committees/{committee_id}/consortia",
    "/api/v1/committees/{committee_id}/talks",
    "/api/v1/listings/{listing_id}/securities",
    "/api/v1/lots/{lot_id}/applications",
    "/api/v1/lots/{lot_id}/archive",
    "/api/v1/lots/{lot_id}/award-report/draft",
    "/api/v1/lots/{lot_id}/candidates/draft",
    "/api/v1/lots/{lot_id}/committee-members",
    "/api/v1/lots/{lot_id}/contract/draft",
    "/api/v1/lots/{lot_id}/documents",
    "/api/v1/lots/{lot_id}/documents/{name}",
    "/api/v1/lots/{lot_id}/evaluation-record",
    "/api/v1/lots/{lot_id}/opening-record/draft",
    "/api/v1/lots/{lot_id}/prequalification/draft",
    "/api/v1/lots/{lot_id}/publication",
    "/api/v1/lots/{lot_id}/securities",
)
"""What is only looked at, and yet refused while the law or the state of things is against it."""

BESIDES: Final[Mapping[str, frozenset[int]]] = {
    **{f"GET {path}": frozenset({409}) for path in READ_WHEN_LAWFUL},
    "GET /api/v1/calls/mine": frozenset({404}),
    "GET /api/v1/log/manifest": frozenset({404}),
    "GET /api/v1/organisations": frozenset({403}),
    "GET /api/v1/verification": frozenset({404}),
    "GET /log/checkpoint": frozenset({404}),
    "POST /api/v1/passkeys/choices": frozenset({401}),
    "POST /api/v1/passkeys/sign-ins": frozenset({401}),
    "POST /api/v1/sessions": frozenset({401}),
}
"""What single operations can meet besides what follows from their kind."""

PROBLEMS: Final[Mapping[int, Kind]] = {
    kind.status: kind
    for kind in (
        BAD_REQUEST,
        NOT_SIGNED_IN,
        KINDS[NotPermitted],
        NOT_FOUND,
        REFUSED,
        KINDS[TooLarge],
        KINDS[WrongMediaType],
        INVALID,
    )
}
"""One kind of problem for each status that operations state; the others are told in passing."""

_CONVERTER: Final = re.compile(r":[a-z]+\}")
_ANSWERS: Final = Path(__file__).parent / "example_answers.json"
_LOADED_FROM_MODULE: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


def describe(app: FastAPI) -> None:
    """Complete what the app says of itself, once it is asked."""
    framework = app.openapi

    def described() -> dict[str, Any]:
        if not app.openapi_schema:
            _complete(framework(), operations(app))
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # as the framework says to do it


def operations(app: FastAPI) -> dict[str, APIRoute]:
    """The routes that are described, each by its method and path."""
    found = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        if route.response_class is HTMLResponse:
            continue
        path = _CONVERTER.sub("}", context.path or "")
        for method in (context.methods or set()) - {"HEAD", "OPTIONS"}:
            found[f"{method} {path}"] = route
    return found


def roles_of(name: str, route: APIRoute) -> frozenset[Role]:
    """The capacities in which an operation can succeed at all."""
    if name in JUDGED_IN_THE_ROUTE:
        return JUDGED_IN_THE_ROUTE[name]
    may = EVERYBODY
    if _needs(route.dependant, request_scope._visit):
        return may
    for activity in _called(route.endpoint):
        may &= ROLES_BY_ACTIVITY.get(activity, may)
    return may


def problems_of(name: str, route: APIRoute) -> frozenset[int]:
    """The statuses of the problems that an operation can meet, but for those of passing troubles.

    A query or header that is malformed is 400, a path that leads nowhere 404, and a body 422, as is
    a name in the path that could not be one.
    """
    method = name.partition(" ")[0]
    may, acts = roles_of(name, route), method not in READING
    met = frozenset({400})
    if may != EVERYBODY or _asks(route) & ASKS_WHO:
        met |= {401}
    if acts or not may >= PEOPLE:
        met |= {403}
    if acts or "{" in name:
        met |= {404}
    if acts:
        met |= {409, 413, 422}
    if any(one.field_info.annotation is str for one in route.dependant.path_params):
        met |= {422}
    if _takes_statement(route):
        met |= {415}
    return met | BESIDES.get(name, frozenset())


@cache
def example_answers() -> Mapping[str, Mapping[str, Any]]:
    """Examples of what each operation answers, as answers were given, cut short.

    One is enough but where an answer has several shapes; what is no text has none.
    """
    kept: dict[str, dict[str, Any]] = json.loads(_ANSWERS.read_text("utf-8"))
    return kept


# ── the description ───────────────────────────────────────────────────────────────────────────


def _complete(schema: dict[str, Any], described: Mapping[str, APIRoute]) -> None:
    parts = schema.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = _PROBLEM
    parts["responses"] = {kind.code: _problem_told(kind) for kind in PROBLEMS.values()}
    for path, by_method in list(schema["paths"].items()):
        for method in list(by_method):
            name = f"{method.upper()} {path}"
            if name in described:
                _complete_one(by_method[method], name, described[name])
            else:
                del by_method[method]
        if not by_method:
            del schema["paths"][path]


def _complete_one(told: dict[str, Any], name: str, route: APIRoute) -> None:
    told["tags"] = [route.endpoint.__module__.rpartition(".")[2]]
    told["x-roles"] = sorted(roles_of(name, route))
    for status in [one for one in told["responses"] if not one.startswith("2")]:
        del told["responses"][status]
    if _takes_statement(route):
        told["requestBody"] = _STATEMENT
    elif TAKES_BYTES in _asks(route):
        told["requestBody"] = _BYTES
    if isinstance(route, ActRoute) and name.partition(" ")[0] not in READING:
        told.setdefault("parameters", []).append(_REPEAT_KEY)
    answer = example_answers().get(name)
    if answer is not None:
        _tell_answer(told["responses"], answer)
    for status in sorted(problems_of(name, route)):
        part = PROBLEMS[status].code
        told["responses"][str(status)] = {"$ref": f"#/components/responses/{part}"}


def _tell_answer(responses: dict[str, Any], answer: Mapping[str, Any]) -> None:
    status = str(answer["status"])
    told = responses.setdefault(status, {"description": "Successful Response"})
    content: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
    if "examples" in answer:
        first, *others = answer["examples"]
        content = {"schema": {"type": _kind_of(first)}, "example": first}
        if others:
            del content["example"]
            shown = enumerate((first, *others), 1)
            content["examples"] = {str(number): {"value": one} for number, one in shown}
    told["content"] = {answer["media_type"]: content}


def _kind_of(example: object) -> str:
    if isinstance(example, dict):
        return "object"
    return "array" if isinstance(example, list) else "string"


def _problem_told(kind: Kind) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": f"/problems/{kind.code}",
        "title": say(f"problem.{kind.code}", Language.ZH),
        "status": kind.status,
        "detail": "",
        "instance": "/api/v1/lots",
        "code": kind.code,
        "trace_id": "0" * 32,
    }
    if kind is REFUSED:
        refusal = Refusal("late", BIDDING_REGULATION[36], "投标文件逾期送达")
        example |= {"code": refusal.code, "refusals": [refusal.as_json()]}
    if kind is INVALID:
        fault = {"pointer": "#/name", "code": "missing", "detail": "Field required"}
        example["errors"] = [fault]
    words = (say(f"problem.{kind.code}", language) for language in (Language.ZH, Language.EN))
    return {
        "description": " · ".join(words),
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }


_TEXT: Final = {"type": "string"}
_PROBLEM: Final[Mapping[str, Any]] = {
    "title": "Problem",
    "description": "A problem as RFC 9457 tells it; `refusals` name the articles run into.",
    "type": "object",
    "required": ["type", "title", "status", "instance", "code", "trace_id"],
    "properties": {
        "type": {**_TEXT, "description": "Leads to what this kind of problem means."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": _TEXT,
        "code": {**_TEXT, "description": "Stable; what a program looks at."},
        "trace_id": {**_TEXT, "description": "Under this the platform's log has the rest."},
        "refusals": {
            "type": "array",
            "description": "Every ground on which the law says no.",
            "items": {
                "type": "object",
                "properties": {name: _TEXT for name in ("code", "article", "reason")},
            },
        },
        "errors": {
            "type": "array",
            "description": "Every fault of what was sent, with a pointer (RFC 6901) to its place.",
            "items": {
                "type": "object",
                "properties": {name: _TEXT for name in ("pointer", "code", "detail")},
            },
        },
    },
}
_STATEMENT: Final[Mapping[str, Any]] = {
    "required": True,
    "description": "A statement signed by one's own key (DSSE).",
    "content": {
        DSSE: {
            "schema": {
                "type": "object",
                "required": ["payloadType", "payload", "signatures"],
                "properties": {
                    "payloadType": _TEXT,
                    "payload": {**_TEXT, "contentEncoding": "base64"},
                    "signatures": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}
_BYTES: Final[Mapping[str, Any]] = {
    "required": True,
    "description": "The file, as it is.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_REPEAT_KEY: Final[Mapping[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "One's own key for this act; sent again, it is answered as the first time.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}


# ── what the routes ask ───────────────────────────────────────────────────────────────────────


def _asks(route: APIRoute) -> frozenset[str]:
    """What a route and its dependencies call, by bare names."""
    called = {_name_of(one) for one in _dependencies(route.dependant)} | _called(route.endpoint)
    return frozenset(one.rpartition(".")[2] for one in called)


def _takes_statement(route: APIRoute) -> bool:
    return bool(_asks(route) & TAKES_STATEMENTS)


@cache
def _called(endpoint: Callable[..., Any]) -> frozenset[str]:
    """What an endpoint calls by name, and what the functions of `web` do that it calls."""
    found: set[str] = set()
    waiting, seen = [endpoint], {endpoint}
    while waiting:
        function = waiting.pop()
        if not isinstance(function, FunctionType):
            continue
        for one in _named_in(function):
            found.add(_name_of(one))
            if one not in seen and getattr(one, "__module__", "").startswith("web."):
                seen.add(one)
                waiting.append(one)
    return frozenset(found)


def _named_in(function: FunctionType) -> list[Callable[..., Any]]:
    """The functions that a function's code names, of its own module or as `module.function`."""
    found: list[Callable[..., Any]] = []
    named: object = None
    for step in _steps_of(function.__code__):
        if step.opname == "LOAD_GLOBAL":
            named = function.__globals__.get(step.argval)
        elif step.opname in _LOADED_FROM_MODULE and isinstance(named, ModuleType):
            named = getattr(named, step.argval, None)
        else:
            continue
        if isinstance(named, FunctionType):
            found.append(named)
    return found


def _steps_of(code: CodeType) -> Iterator[dis.Instruction]:
    """The steps of a function, those of its comprehensions too, whichever Python compiles them."""
    yield from dis.get_instructions(code)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _steps_of(inner)


def _name_of(one: Callable[..., Any]) -> str:
    return f"{one.__module__}.{getattr(one, '__name__', '')}"


def _dependencies(dependant: Dependant) -> list[Callable[..., Any]]:
    calls = [] if dependant.call is None else [dependant.call]
    return [*calls, *(one for inner in dependant.dependencies for one in _dependencies(inner))]


def _needs(dependant: Dependant, call: Callable[..., Any]) -> bool:
    return call in _dependencies(dependant)
