"""A database that is lent to a test is as its template is, whatever the test before did to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.store.database import OWNER
from tests.kept_stores import Lines
from tests.lent_databases import LENT_MAX

TEMPLATE = "lent_template"
SCHEMA = """
CREATE SCHEMA kernel;
CREATE TABLE kernel.thing (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text UNIQUE);
CREATE TABLE kernel.part (thing bigint REFERENCES kernel.thing);
CREATE FUNCTION kernel.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE TRIGGER never BEFORE DELETE ON kernel.thing FOR EACH ROW EXECUTE FUNCTION kernel.no();
INSERT INTO kernel.thing (word) VALUES ('a'), ('b');
INSERT INTO kernel.part VALUES (1)
"""
FOUND = "SELECT id, word FROM kernel.thing ORDER BY id"


@pytest.fixture(scope="module")
async def template(role_lines: Lines) -> AsyncIterator[str]:
    await role_lines.make(TEMPLATE, template="template1")
    async with role_lines.lent(OWNER, TEMPLATE, pool_size=1) as engine:
        await did(engine, *SCHEMA.split(";\n"))
    yield TEMPLATE
    await role_lines.databases.close()
    await role_lines.drop(TEMPLATE)


async def did(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as line:
        for one in statements:
            await line.execute(text(one))


async def lent_after(lines: Lines, template: str, *statements: str) -> tuple[str, str]:
    """Two databases lent one after the other; to the first is done what the statements say."""
    await lines.databases.close()
    async with (
        lines.databases.lent(template) as first,
        lines.lent(OWNER, first, pool_size=1) as engine,
    ):
        await did(engine, *statements)
    async with (
        lines.databases.lent(template) as second,
        lines.lent(OWNER, second, pool_size=1) as engine,
        engine.begin() as line,
    ):
        assert (await line.execute(text(FOUND))).all() == [(1, "a"), (2, "b")]
        assert (await line.execute(text("SELECT thing FROM kernel.part"))).all() == [(1,)]
        added = text("INSERT INTO kernel.thing (word) VALUES ('c') RETURNING id")
        assert (await line.execute(added)).scalar_one() == 3
    return first, second


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "INSERT INTO kernel.thing (word) VALUES ('c'), ('d')",
        "UPDATE kernel.thing SET word = upper(word)",
        "UPDATE kernel.part SET thing = NULL",
        "INSERT INTO kernel.part SELECT id FROM kernel.thing",
        "DELETE FROM kernel.part",
        "SELECT nextval(pg_get_serial_sequence('kernel.thing', 'id'))",
    ],
)
async def test_rows_that_were_added_changed_and_deleted_are_as_before(
    role_lines: Lines, template: str, statement: str
) -> None:
    first, second = await lent_after(role_lines, template, statement)
    assert first == second


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE kernel.thing DISABLE TRIGGER never",
        "DROP TRIGGER never ON kernel.thing",
        "ALTER TABLE kernel.thing ADD COLUMN more text",
        "ALTER TABLE kernel.part DROP CONSTRAINT part_thing_fkey",
        "CREATE TABLE kernel.other (id bigint)",
        "CREATE OR REPLACE FUNCTION kernel.no() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN OLD; END $$",
        "GRANT SELECT ON kernel.thing TO sunbid_read",
        "TRUNCATE kernel.part",
        "SELECT pg_advisory_lock(7)",
    ],
)
async def test_a_database_of_which_more_than_rows_changed_is_not_lent_again(
    role_lines: Lines, template: str, statement: str
) -> None:
    first, second = await lent_after(role_lines, template, statement)
    assert first != second


async def test_a_database_in_which_a_transaction_is_open_is_not_lent_again(
    role_lines: Lines, template: str
) -> None:
    async with role_lines.databases.lent(template) as first:
        engine_lent = role_lines.lent(OWNER, first, pool_size=1)
        line = await (await engine_lent.__aenter__()).connect()
        await line.execute(text("INSERT INTO kernel.thing (word) VALUES ('c')"))
    async with role_lines.databases.lent(template) as second:
        assert first != second
    await line.invalidate()
    await engine_lent.__aexit__(None, None, None)


async def test_a_database_whose_connections_were_all_killed_is_not_lent_again(
    role_lines: Lines, template: str
) -> None:
    async with role_lines.databases.lent(template) as first:
        copy = role_lines.databases.copies[first]
        copy.line.terminate()
    async with role_lines.databases.lent(template) as second:
        assert first != second


async def test_a_connection_to_a_database_that_is_lent_again_is_kept(
    role_lines: Lines, template: str
) -> None:
    pids = []
    await role_lines.databases.close()
    for _ in range(2):
        async with (
            role_lines.databases.lent(template) as name,
            role_lines.lent(OWNER, name, pool_size=1) as engine,
            engine.connect() as line,
        ):
            pids.append((await line.execute(text("SELECT pg_backend_pid()"))).scalar_one())
    assert pids[0] == pids[1]


async def test_a_database_is_lent_a_number_of_times(role_lines: Lines, template: str) -> None:
    names = []
    await role_lines.databases.close()
    for _ in range(LENT_MAX + 1):
        async with role_lines.databases.lent(template) as name:
            names.append(name)
    assert len(set(names[:-1])) == 1
    assert names[-1] != names[0]
