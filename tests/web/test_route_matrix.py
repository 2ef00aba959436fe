"""Every role at every route, with things that are not there: no is said politely, and to the role.

A capacity that may not use a route is told so whatever it asks for, 401 to the public and 403 to
everybody else; one that may is never told so, but that there is no such thing. So no status pleases
both, and a wrong line is seen whichever way it is wrong, as is an activity that asks for no
capacity. A route that is not in the matrix fails, and so does a line of the matrix without a route.
OWASP ASVS 4.1 (who may call what); RFC 9110 (which status says so).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext
from sqlalchemy import text

from kernel.access import Role
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store
from tests.newcomers import signed
from tests.web.every_route import Cast, a_cast, path_of, routes_of
from tests.web.route_matrix import EVERYBODY, ROUTES, Line
from tests.web.told_answers import untold
from web import request_scope
from web.problems import MEDIA_TYPE
from web.request_scope import READING, ActRoute

PATIENCE_S = 20
NOT_FOR_YOU = frozenset({401, 403})
NEVER_FOR_THE_ALLOWED = NOT_FOR_YOU | {405}
NOT_HERE = {403, 404}
ENDS_SESSIONS = ("DELETE /api/v1/sessions/current", "DELETE /api/v1/sessions", "POST /sign-out")


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is told of defects as everybody is: by a status, not by an exception."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
async def cast(store: Store) -> Cast:
    return await a_cast(store)


async def asked(
    http: httpx.AsyncClient, cast: Cast, name: str, context: RouteContext, line: Line, role: Role
) -> httpx.Response:
    method = name.partition(" ")[0]
    headers = await cast.headers(role)
    sent: dict[str, Any] = {}
    if line.statement:
        sent["content"] = signed(cast.key, line.statement, {})
        headers["Content-Type"] = request_scope.DSSE
    elif line.body is not None:
        sent["json"] = dict(line.body)
    elif line.form is not None:
        sent["data"] = dict(line.form)
    async with asyncio.timeout(PATIENCE_S):
        answer = await http.request(method, path_of(context), headers=headers, **sent)
    if name in ENDS_SESSIONS:
        cast.tokens.clear()
    return answer


def wrongs(line: Line, role: Role, status: int) -> list[str]:
    """What is wrong with answering this role so, at a route that has this line."""
    if status >= 500:
        return ["is a defect"]
    if role in line.roles:
        never = NEVER_FOR_THE_ALLOWED - ({401} if line.ticket else set())
        return ["though this role may"] if status in never else []
    if line.hidden_because:
        return [] if status == 404 else ["though for this role there is nothing"]
    if status != (401 if role is Role.PUBLIC else 403):
        return ["though this role may not"]
    return []


@pytest.mark.parametrize(
    "status", [200, 201, 204, 303, 400, 401, 403, 404, 405, 409, 413, 415, 422]
)
def test_no_status_pleases_a_line_and_its_opposite(status: int) -> None:
    for role in EVERYBODY:
        assert wrongs(Line(EVERYBODY), role, status) or wrongs(Line(frozenset()), role, status)


def test_every_route_has_a_line_and_every_line_a_route(app: FastAPI) -> None:
    found = set(routes_of(app))
    wrong = [f"{name} has no line in the matrix" for name in sorted(found - set(ROUTES))]
    wrong += [f"{name} is no route" for name in sorted(set(ROUTES) - found)]
    assert not wrong, "\n".join(wrong)


def test_every_act_can_keep_its_answer(app: FastAPI) -> None:
    for name, context in routes_of(app).items():
        route = context.original_route
        if not isinstance(route, APIRoute) or (context.methods or set()) <= READING:
            continue
        if _needs(route.dependant, request_scope._act):
            assert isinstance(route, ActRoute), f"{name}: APIRouter(route_class=ActRoute)"


def _needs(dependant: Dependant, call: object) -> bool:
    return dependant.call is call or any(_needs(inner, call) for inner in dependant.dependencies)


@pytest.mark.timeout(300)
async def test_each_role_at_each_route_is_let_in_or_politely_turned_away(
    app: FastAPI, visitor: httpx.AsyncClient, cast: Cast
) -> None:
    wrong: list[str] = []
    for name, context in routes_of(app).items():
        line = ROUTES.get(name)
        if line is None or name.startswith("WS "):
            continue
        for role in sorted(EVERYBODY):
            answer = await asked(visitor, cast, name, context, line, role)
            status = answer.status_code
            here = f"{name} as {role}: {status}"
            wrong += [f"{here}, {one}" for one in wrongs(line, role, status)]
            told = answer.headers.get("content-type", "")
            untold_of = untold(name.partition(" ")[0], path_of(context), answer)
            wrong += [f"{here}, {untold_of}"] if untold_of else []
            form_again = status == 422 and "/api/" not in name and told.startswith("text/html")
            if status >= 400 and not (told.startswith(MEDIA_TYPE) or form_again):
                wrong.append(f"{here} is no problem document")
    assert not wrong, "\n".join(wrong)


async def test_an_ended_session_opens_nothing(
    app: FastAPI, visitor: httpx.AsyncClient, cast: Cast
) -> None:
    headers = await cast.headers(Role.BIDDER)
    assert (await visitor.delete("/api/v1/sessions/current", headers=headers)).status_code == 204
    for name, context in routes_of(app).items():
        line = ROUTES.get(name)
        if line is None or name.startswith("WS ") or Role.PUBLIC in line.roles:
            continue
        answer = await visitor.request(name.partition(" ")[0], path_of(context), headers=headers)
        assert answer.status_code in (400, 401, 413, 415, 422), name
        if name.startswith("GET "):
            assert answer.status_code == 401, name


async def test_what_is_for_demonstrations_is_nowhere_else(
    app: FastAPI, visitor: httpx.AsyncClient, cast: Cast, database: Any
) -> None:
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE kernel.platform DISABLE TRIGGER no_rewrite"))
        await connection.execute(text("UPDATE kernel.platform SET demo = false"))
    await owner.dispose()
    for name, context in routes_of(app).items():
        line = ROUTES.get(name)
        if line is None or not line.demo_only:
            continue
        for role in sorted(EVERYBODY):
            answer = await asked(visitor, cast, name, context, line, role)
            expected = NOT_HERE if role in line.roles else NOT_FOR_YOU
            assert answer.status_code in expected, f"{name} as {role}: {answer.status_code}"
