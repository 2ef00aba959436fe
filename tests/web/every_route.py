"""Every route of the house as it is built, and somebody for every capacity who knocks at it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts

from kernel.access import Role
from kernel.crypto.signing import PrivateKey
from kernel.store.registering import MEMBERS, Registered
from kernel.store.transaction import Store
from tests.newcomers import GOOD_USCC, the_centre, verified
from tests.sign_ins import token_for

CONVERTER = re.compile(r":[a-z]+\}")


def contexts(app: FastAPI) -> Iterator[RouteContext]:
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute | APIWebSocketRoute):
            yield context


def names_of(context: RouteContext) -> list[str]:
    path = CONVERTER.sub("}", context.path or "")
    if isinstance(context.original_route, APIWebSocketRoute):
        return [f"WS {path}"]
    methods = (context.methods or set()) - {"HEAD", "OPTIONS"}
    return [f"{method} {path}" for method in sorted(methods)]


def routes_of(app: FastAPI) -> dict[str, RouteContext]:
    return {name: context for context in contexts(app) for name in names_of(context)}


@dataclass
class Cast:
    """Somebody for every capacity, each with a session until a route ends it."""

    store: Store
    key: PrivateKey
    everything: Registered
    centre: Registered
    tokens: dict[Role, str] = field(default_factory=dict)

    async def headers(self, role: Role) -> dict[str, str]:
        if role is Role.PUBLIC:
            return {}
        if role not in self.tokens:
            who = self.centre if role is Role.CENTRE_STAFF else self.everything
            self.tokens[role] = await token_for(self.store, who, role)
        return {"Authorization": f"Bearer {self.tokens[role]}"}


async def a_cast(store: Store) -> Cast:
    """One person for every capacity but the centre's, and the centre's first."""
    key = PrivateKey.generate()
    staff = await the_centre(store, PrivateKey.generate())
    roles = [str(role) for role in MEMBERS if role is not Role.CENTRE_STAFF]
    everything = await verified(store, staff, key, uscc=GOOD_USCC[1], roles=roles)
    return Cast(store, key, everything, Registered(staff.party, staff.person))


def path_of(context: RouteContext, **told: str) -> str:
    """The route's path with things in it that nobody has, but for what is told."""
    path = CONVERTER.sub("}", context.path or "")
    route = context.original_route
    assert isinstance(route, APIRoute)
    kinds = {one.alias: one.field_info.annotation for one in _path_params(route.dependant)}

    def example(found: re.Match[str]) -> str:
        if found[1] in told:
            return told[found[1]]
        kind: Any = kinds.get(found[1])
        if isinstance(kind, type) and issubclass(kind, int):
            return "7"
        if isinstance(kind, type) and issubclass(kind, Role):
            return str(Role.BIDDER)
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return str(next(iter(kind)))
        return "nothing" if kind is str else str(uuid4())

    return re.sub(r"\{([a-z_]+)\}", example, path)


def path_names(context: RouteContext) -> list[str]:
    """The names of the things in the route's path."""
    return re.findall(r"\{([a-z_]+)\}", CONVERTER.sub("}", context.path or ""))


def query_names(context: RouteContext) -> list[str]:
    """The names of what may be asked behind the route's path."""
    route = context.original_route
    assert isinstance(route, APIRoute)
    return sorted({one.alias for one in _query_params(route.dependant)})


def _query_params(dependant: Dependant) -> list[Any]:
    return [
        *dependant.query_params,
        *(one for inner in dependant.dependencies for one in _query_params(inner)),
    ]


def _path_params(dependant: Dependant) -> list[Any]:
    return [
        *dependant.path_params,
        *(one for inner in dependant.dependencies for one in _path_params(inner)),
    ]
