"""What the processes say: lines of JSON, and never a row, a value or a text of an exception.

招标投标法 22: who bids, and how many, is told to nobody before the opening; nor by a log.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from asyncpg.exceptions import CheckViolationError, UndefinedTableError
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from kernel.errors import PlatformError
from kernel.settings import Settings
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.log_story import Tick
from tests.sealed_bids import a_bidder, a_tender
from tests.web.tender_house import token_of
from tests.web.test_premises import PATIENCE_S, ROOT, free_port, serving
from web import structured_logs

SECRET = "91350100M000100Y43 bid 12345678.90"

KINDS = (
    ValueError,
    KeyError,
    lambda words: FileNotFoundError(2, "No such file or directory", words),
    PlatformError,
    lambda words: UnicodeDecodeError("utf-8", words.encode(), 0, 1, words),
    lambda words: DBAPIError("INSERT", {"price": words}, Exception(words), hide_parameters=True),
    lambda words: ExceptionGroup(words, [ValueError(words), KeyError(words)]),
)


def raised(error: BaseException, *, by: BaseException | None, hidden: bool) -> BaseException:
    try:
        if by is not None and hidden:
            raise error from by
        try:
            if by is not None:
                raise by
        finally:
            raise error
    except BaseException as caught:
        return caught


@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
def test_no_text_of_an_exception_is_ever_told(kinds: list[Any], hidden: bool, more: str) -> None:
    error: BaseException | None = None
    for kind in kinds:
        error = raised(kind(f"<{SECRET}>{more}"), by=error, hidden=hidden)
        error.add_note(SECRET)
    assert error is not None
    told = structured_logs.told(error)
    assert SECRET not in json.dumps(told, ensure_ascii=False)
    assert len(told) == len(kinds)
    assert any("test_structured_logs.py" in frame for frame in told[0]["frames"])


def test_an_exception_that_leads_to_itself_is_told_once() -> None:
    one, other = ValueError(SECRET), KeyError(SECRET)
    one.__cause__, other.__cause__ = other, one
    assert [link["kind"] for link in structured_logs.told(one)] == ["ValueError", "KeyError"]


def test_of_a_refused_row_the_constraint_is_told_and_of_a_missing_table_the_name() -> None:
    refused = CheckViolationError("new row for relation violates a check")
    refused.sqlstate, refused.constraint_name = "23514", "price_positive"
    refused.detail = refused.message = f"Failing row contains ({SECRET})."
    (told,) = structured_logs.told(refused)
    assert told == {
        "kind": "asyncpg.exceptions.CheckViolationError",
        "sqlstate": "23514",
        "constraint_name": "price_positive",
        "frames": [],
    }
    missing = UndefinedTableError("")
    missing.sqlstate, missing.message = "42P01", 'relation "trading.bid" does not exist\nDETAIL: x'
    assert structured_logs.told(missing)[0]["message"] == 'relation "trading.bid" does not exist'


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            "Task exception was never retrieved\nfuture: <Task x>",
            "Task exception was never retrieved",
        ),
        (f"it failed\nDETAIL:  Failing row contains ({SECRET}).", "it failed"),
        (
            f"IntegrityError('it failed\\nDETAIL:  Key (uscc)=({SECRET})",
            "IntegrityError('it failed",
        ),
    ],
)
def test_of_what_a_library_says_the_first_line_is_kept(said: str, kept: str) -> None:
    assert structured_logs.first_line(said) == kept


def lines_of(said: bytes) -> list[dict[str, Any]]:
    """What a process said, each line parsed; fails on a line that is no JSON object."""
    found = []
    for line in said.decode().splitlines():
        one = json.loads(line)
        assert isinstance(one, dict), line
        assert one["event"]
        assert one["level"]
        found.append(one)
    return found


EVERY_WAY = """
    import asyncio, gc, logging, threading, warnings
    import structlog
    from apscheduler.events import EVENT_JOB_ERROR
    from apscheduler.schedulers.asyncio import AsyncIOScheduler
    from fastapi import FastAPI
    import httpx, uvicorn
    from web import problems, structured_logs

    SECRET = {secret!r}
    structured_logs.write_as_json()
    log = structlog.get_logger()

    class Falling:
        def __del__(self):
            raise ValueError(SECRET)

    def fall():
        raise ValueError(SECRET)

    async def fall_later():
        fall()

    async def job():
        fall()

    app = FastAPI()
    problems.answer_with_problems(app)

    @app.get("/defect")
    async def defect():
        fall()

    async def main():
        server = uvicorn.Server(
            uvicorn.Config(app, port={port}, log_config=None, log_level="warning",
                           access_log=False, ws="websockets-sansio", lifespan="off")
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient() as client:
            answer = await client.get("http://127.0.0.1:{port}/defect")
            assert answer.status_code == 500, answer
        server.should_exit = True
        await serving
        lost = asyncio.create_task(fall_later())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del lost
        gc.collect()
        fallen = asyncio.Event()
        metronome = AsyncIOScheduler()
        metronome.add_listener(lambda _: fallen.set(), EVENT_JOB_ERROR)
        metronome.add_job(job)
        metronome.start()
        await fallen.wait()
        metronome.shutdown(wait=False)

    asyncio.run(main())
    try:
        fall()
    except ValueError:
        log.exception("it failed", lot="known")
    log.info("all is well")
    Falling()
    thread = threading.Thread(target=fall)
    thread.start()
    thread.join()
    warnings.warn("beware\\n" + SECRET)
    logging.getLogger("some.library").error("bad arguments %s %s", "one")
    logging.getLogger("some.library").info("too small to be told")
    fall()
"""


async def test_whatever_goes_wrong_in_a_process_is_a_line_of_json_without_its_values(
    tmp_path: Path,
) -> None:
    program = tmp_path / "every_way.py"
    program.write_text(textwrap.dedent(EVERY_WAY.format(secret=SECRET, port=free_port())))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(program)),
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, said = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert SECRET.encode() not in said
    lines = lines_of(said)
    events = [line["event"] for line in lines]
    assert events[0] == "defect"
    assert lines[0]["trace_id"]
    assert "Exception in ASGI application" not in events
    for expected in (
        "Task exception was never retrieved",
        "it failed",
        "all is well",
        "an error could not be raised",
        "a thread died of a defect",
        "a line could not be written",
        "the process dies of a defect",
    ):
        assert events.count(expected) == 1, expected
    assert [line["library"] for line in lines if "library" in line] == [
        "asyncio",
        "apscheduler.executors.default",
        "py.warnings",
    ]
    for line in lines:
        if "failed" in line["event"] or "died" in line["event"]:
            assert line["exception"][0]["kind"] == "ValueError"


async def test_a_row_that_the_database_refuses_is_not_in_the_log_of_the_server(
    store: Store, tick: Tick, database: Database, settings: Settings
) -> None:
    tender, bidder = await a_tender(store), await a_bidder(store)
    await tick()
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.begin() as line:
        await line.execute(
            text(
                "ALTER TABLE trading.upload ADD CONSTRAINT no_more CHECK (lot_id IS NULL) NOT VALID"
            )
        )
    await owner.dispose()
    token = await token_of(store, bidder)
    port = free_port()
    own = settings.model_copy(update={"port": port, "origin": f"http://localhost:{port}"})
    headers = {"Authorization": f"Bearer {token}"}
    path = f"{own.origin}/api/v1/lots/{tender.lot_id}/uploads"
    asked = {"envelope": "bid", "size": 1, "parts": ["5e" * 32]}
    async with serving(database, own) as process, httpx.AsyncClient() as client:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(httpx.TransportError):
                    if (await client.get(f"{own.origin}/readyz")).status_code == 200:
                        break
                assert process.returncode is None
                await asyncio.sleep(0.05)
        answer = await client.post(path, headers=headers, json=asked)
        assert answer.status_code == 500, answer.text
        process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            _, said = await process.communicate()
    (defect,) = [line for line in lines_of(said) if line["event"] == "defect"]
    assert defect["trace_id"] == answer.json()["trace_id"]
    assert defect["route"] == "/api/v1/lots/{lot_id}/uploads"
    assert defect["exception"][0]["kind"] == f"{IntegrityError.__module__}.IntegrityError"
    root = defect["exception"][-1]
    assert (root["sqlstate"], root["constraint_name"]) == ("23514", "no_more")
    for sealed in (str(tender.lot_id), str(bidder.party), str(bidder.person), "5e5e5e", token):
        assert sealed.encode() not in said
    assert b"DETAIL" not in said
    assert b"Failing row" not in said
