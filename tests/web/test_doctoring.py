"""The doctor finds what is wrong with an installation and says how to mend it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import text

from kernel.crypto.digests import b64u
from kernel.randomness import random_bytes
from kernel.settings import Settings
from kernel.store.database import OWNER, connect
from kernel.store.transaction import Store
from kernel.working_days import STATE_CALENDAR, Calendar, YearNotice
from tests.conftest import Database
from tests.log_story import Tick, utter
from tests.sealed_bids import Tender, a_tender
from web import doctoring
from web.doctoring import examine

FORESEEN = Calendar(
    {year: YearNotice(year, frozenset(), frozenset()) for year in range(2026, 2050)}
)
"""What a doctor's finding must not depend on: the day on which this test runs."""


@pytest.fixture
def here(database: Database, settings: Settings) -> Settings:
    """This installation as its operator would name it."""
    return settings.model_copy(
        update={"database_url": database.url(OWNER), "take_roles": False, "calendar": FORESEEN}
    )


async def seen(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, str]]:
    """The exit code, and what was found unwell, by name."""
    code = await examine(settings, as_json=True, talk=Console(file=StringIO()))
    told = json.loads(capsys.readouterr().out)
    assert all(set(one) == {"what", "well", "found", "remedy"} for one in told)
    return code, {one["what"]: one["found"] for one in told if not one["well"]}


async def test_a_sound_installation_is_well(
    store: Store, tick: Tick, here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await utter(store, 3)
    await tick()
    assert await seen(here, capsys) == (0, {})


async def test_an_installation_that_is_none_yet_is_well_and_stays_none(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = settings.model_copy(update={"data": tmp_path / "nowhere"})
    assert await seen(nowhere, capsys) == (0, {})
    assert not nowhere.data.exists()


async def test_an_empty_database_is_not_founded_yet(
    database: Database, here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await seen(here, capsys) == (0, {})


async def test_keys_that_others_can_read_are_found(
    store: Store, here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.data / "keys" / "platform.json").chmod(0o644)
    assert await seen(here, capsys) == (5, {"platform keys": "mode 644"})


async def test_the_keys_of_another_platform_are_found(
    store: Store, here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    path = here.data / "keys" / "platform.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "log": b64u(random_bytes(32))}))
    assert await seen(here, capsys) == (5, {"platform": "a demo"})
    path.unlink()
    assert await seen(here, capsys) == (5, {"platform": "a demo"})


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"log_origin": 1}'])
async def test_keys_that_cannot_be_read_are_found(
    store: Store, here: Settings, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (here.data / "keys" / "platform.json").write_text(content)
    code, unwell = await seen(here, capsys)
    assert code == 5
    assert unwell["platform keys"] == "not readable"


async def test_a_gateway_whose_secret_cannot_be_read_is_found(
    store: Store, tmp_path: Path, here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"gateway_url": "https://gateway.example.cn/", "gateway_secret_file": tmp_path / "no"}
    code, unwell = await seen(here.model_copy(update=named), capsys)
    assert (code, unwell) == (5, {"mail and texts": "FileNotFoundError"})


async def test_a_broken_invariant_is_found(
    store: Store,
    tick: Tick,
    here: Settings,
    database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await utter(store, 3)
    await tick()
    owner = connect(database.url(OWNER), pool_size=1)
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE kernel.journal DISABLE TRIGGER USER"))
        await connection.execute(
            text("UPDATE kernel.journal SET record = record || ' ' WHERE kind = 'Uttered'")
        )
    await owner.dispose()
    code, unwell = await seen(here, capsys)
    assert code == 5
    assert "is not what leaf" in unwell["invariants"]


async def test_a_document_that_is_gone_is_found(
    store: Store, tender: Tender, tick: Tick, here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await tick()
    async with store.sessions() as session:
        digests = await session.scalars(
            text("SELECT digest FROM trading.tender_document WHERE lot_id = :lot"),
            {"lot": tender.lot_id},
        )
        (digest, *_) = digests.all()
    assert await seen(here, capsys) == (0, {})
    await store.documents.discard(digest)
    fault = f"document {digest.hex()} is named and missing"
    assert await seen(here, capsys) == (5, {"invariants": fault})


async def test_a_year_whose_days_off_are_not_known_is_found_in_time(
    store: Store,
    here: Settings,
    clock_to: Callable[[datetime], Awaitable[None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Civil Code 203: what cannot be counted stops every award, so it is told before."""
    unread = here.model_copy(update={"calendar": STATE_CALENDAR})
    await clock_to(datetime(2026, 11, 16, 15, tzinfo=UTC))
    assert await seen(unread, capsys) == (0, {})
    await clock_to(datetime(2026, 11, 17, 15, tzinfo=UTC))
    assert set((await seen(unread, capsys))[1]) == {"calendar"}
    assert await seen(here, capsys) == (0, {})


async def test_documents_in_a_service_out_of_reach_are_found(
    store: Store, here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await a_tender(store)
    nowhere = here.model_copy(update={"blob_url": "nonsense://nowhere"})
    code, unwell = await seen(nowhere, capsys)
    assert (code, set(unwell)) == (5, {"invariants"})
    assert "cannot be read" in unwell["invariants"]


async def test_a_database_out_of_reach_and_a_full_disk_are_found(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctoring, "SPACE_MIN", 1 << 80)
    url = "postgresql+asyncpg://nobody@127.0.0.1:9/nothing"
    code, unwell = await seen(settings.model_copy(update={"database_url": url}), capsys)
    assert code == 5
    assert set(unwell) == {"disk space", "database"}


async def test_a_login_that_does_not_exist_is_found(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    url = database.url("nobody_at_all")
    code, unwell = await seen(settings.model_copy(update={"database_url": url}), capsys)
    assert (code, set(unwell)) == (5, {"database"})


async def test_people_are_told_what_to_do(store: Store, here: Settings) -> None:
    (here.data / "keys" / "platform.json").chmod(0o644)
    heard = StringIO()
    await examine(here, as_json=False, talk=Console(file=heard, width=300))
    assert "→ chmod 600" in heard.getvalue()
