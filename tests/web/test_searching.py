"""A search of all that the platform keeps finds a secret wherever it stands, and in which form."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from kernel.crypto.digests import b64, b64u
from kernel.randomness import random_id
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store
from tests.conftest import Database
from tests.log_story import Uttered, enter
from web.rehearsal.searching import files_that_hold, forms_of, tables_that_hold

PRICE = "118990000.00"


@given(before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_a_secret_is_found_in_any_base_64_that_has_it_in_the_middle(
    before: bytes, after: bytes
) -> None:
    for secret in (PRICE, "11899000000", "专家07"):
        content = before + secret.encode() + after
        for packed in (b64(content), b64u(content)):
            assert any(form in packed for form in forms_of(secret)), (packed, forms_of(secret))


def test_a_secret_is_found_in_json_that_escapes_it() -> None:
    assert any(form in json.dumps({"name": "专家07"}) for form in forms_of("专家07"))


def test_what_is_not_there_is_not_found() -> None:
    packed = base64.b64encode(b"price 118990001.00 and 1189900.00").decode()
    assert not any(form in packed for form in forms_of(PRICE))


@pytest.mark.parametrize("wrap", [str.encode, lambda told: b64(b"x" + told.encode()).encode()])
def test_every_file_at_any_depth_is_searched(tmp_path: Path, wrap: object) -> None:
    assert callable(wrap)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "part").write_bytes(b"\0\1" + wrap(f'{{"price":"{PRICE}"}}'))
    (tmp_path / "clean.jsonl").write_text("nothing to see\n")
    assert files_that_hold(tmp_path, [PRICE]) == ["part"]
    assert files_that_hold(tmp_path, ["120000000.00"]) == []


async def test_every_table_is_searched_in_text_and_in_bytes(
    store: Store, database: Database
) -> None:
    engine = connect(database.url(OWNER), pool_size=1)
    try:
        assert await tables_that_hold(engine, [PRICE, "专家07"]) == []
        # A record is bytes, which stand in a row as hexadecimal digits.
        await enter(store, Uttered(random_id(), f"the price is {PRICE}"))
        assert await tables_that_hold(engine, [PRICE]) == ["kernel.journal"]
        await enter(store, Uttered(random_id(), b64('{"name":"专家07"}'.encode())))
        assert await tables_that_hold(engine, ["专家07"]) == ["kernel.journal"]
        async with engine.begin() as line:
            await line.execute(text("CREATE TABLE kernel.scratch (words text)"))
            await line.execute(
                text("INSERT INTO kernel.scratch VALUES (:words)"), {"words": f"={PRICE}="}
            )
        assert await tables_that_hold(engine, [PRICE]) == ["kernel.journal", "kernel.scratch"]
    finally:
        await engine.dispose()
