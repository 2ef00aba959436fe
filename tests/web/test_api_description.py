"""What programs are told of every operation is whole and true: RFC 9457; OpenAPI 3.1.

That no answer says more than its example and no status is unstated is looked at by the matrix of
routes (`tests/web/told_answers.py`).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI

from kernel.access import Role
from tests.web.route_matrix import PEOPLE, ROUTES
from tests.web.told_answers import described_house
from web import api_description
from web.api_description import BESIDES, PROBLEMS, operations, roles_of
from web.problems import MEDIA_TYPE
from web.request_scope import DSSE, READING


@pytest.fixture(scope="module")
def house() -> FastAPI:
    return described_house()


@pytest.fixture(scope="module")
def told(house: FastAPI) -> dict[str, dict[str, Any]]:
    """Every operation as it is described, by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, by_method in house.openapi()["paths"].items()
        for method, operation in by_method.items()
    }


def test_everything_for_programs_is_described_and_no_page_is(
    house: FastAPI, told: dict[str, dict[str, Any]]
) -> None:
    assert set(told) == set(operations(house))
    assert {name for name in ROUTES if " /api/v1/" in name} <= set(told)
    pages = [name for name in told if name.startswith("GET ") and "/desk" in name]
    assert not pages


def test_an_operation_is_for_those_whom_the_matrix_lets_in(house: FastAPI) -> None:
    wrong = [
        f"{name}: {sorted(roles_of(name, route) ^ ROUTES[name].roles)}"
        for name, route in operations(house).items()
        if roles_of(name, route) != ROUTES[name].roles
    ]
    assert not wrong, "\n".join(wrong)


def test_every_operation_states_the_problems_it_can_meet(
    house: FastAPI, told: dict[str, dict[str, Any]]
) -> None:
    parts = house.openapi()["components"]["responses"]
    for name, operation in told.items():
        stated = {int(status) for status in operation["responses"] if status.startswith("4")}
        for status in stated:
            part = operation["responses"][str(status)]["$ref"].rpartition("/")[2]
            [example] = [one["example"] for one in parts[part]["content"].values()]
            assert example["status"] == status, name
        roles, acts = ROUTES[name].roles, name.partition(" ")[0] not in READING
        assert 400 in stated, name
        assert 401 in stated or Role.PUBLIC in roles, name
        told_off = acts or not roles >= PEOPLE or 403 in BESIDES.get(name, ())
        assert (403 in stated) == told_off, name
        assert 404 in stated or "{" not in name, name
        assert {404, 409, 422} <= stated or not acts, name


def test_a_problem_is_told_as_one_with_an_article_where_the_law_says_no(house: FastAPI) -> None:
    parts = house.openapi()["components"]["responses"]
    assert {kind.code for kind in PROBLEMS.values()} == set(parts)
    refused = parts["refused"]["content"][MEDIA_TYPE]["example"]["refusals"][0]
    assert "第36条" in refused["article"]
    assert parts["invalid"]["content"][MEDIA_TYPE]["example"]["errors"][0]["pointer"] == "#/name"


def test_every_operation_is_described_with_an_example_of_its_answer(
    told: dict[str, dict[str, Any]],
) -> None:
    for name, operation in told.items():
        assert operation.get("description"), f"{name} has no description"
        good = {status: one for status, one in operation["responses"].items() if status[0] == "2"}
        assert good, name
        if set(good) == {"204"}:
            continue
        shown = [one for answer in good.values() for one in answer.get("content", {}).items()]
        files = [kind for kind, one in shown if one.get("schema", {}).get("format") == "binary"]
        examples = [one for _, one in shown if one.keys() & {"example", "examples"}]
        assert files or examples, f"{name} shows no answer"


def test_signed_statements_are_told_as_bodies(told: dict[str, dict[str, Any]]) -> None:
    for name, line in ROUTES.items():
        if line.statement and " /api/" in name:
            assert DSSE in told[name]["requestBody"]["content"], name


def test_no_example_is_kept_of_an_operation_that_is_gone(house: FastAPI) -> None:
    kept = api_description.example_answers()
    assert set(kept) <= set(operations(house))
    assert list(kept) == sorted(kept)


def test_what_is_said_of_single_operations_is_said_of_such_as_there_are(house: FastAPI) -> None:
    routes = operations(house)
    assert routes.keys() >= BESIDES.keys()
    assert routes.keys() >= api_description.JUDGED_IN_THE_ROUTE.keys()


def test_the_description_is_json(house: FastAPI) -> None:
    assert json.loads(json.dumps(house.openapi()))["info"]["title"]
