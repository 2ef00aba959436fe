"""The first person of a platform is let in by its operator, once, and can then let others in.

Electronic Bidding Measures 14 (who registers on a platform); the centre itself comes before.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from kernel.access import Role
from kernel.crypto.digests import Malformed
from kernel.crypto.signing import PrivateKey
from kernel.errors import NotPermitted
from kernel.randomness import random_id
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.database import APP, OWNER
from kernel.store.embedded_postgres import EmbeddedPostgres
from tests.newcomers import registered
from web.app import create_app
from web.client import Client
from web.command_line import main
from web.installing import Centre, install
from web.premises import opened, store_over

CENTRE = Centre(
    uscc="12100000400000000X",
    name="江城市公共资源交易中心",
    region_code="420100",
    responsible_person="赵主任",
    person="李中心",
    identity_document="420103197001010033",
    roles=(Role.SITE_ADMINISTRATOR,),
)


@pytest.fixture
async def here(postgres: EmbeddedPostgres, settings: Settings) -> AsyncIterator[Settings]:
    """An installation that was never started, over an outside database that is empty."""
    name = f"install_{random_id().hex}"
    await postgres.create_database(name)
    yield settings.model_copy(
        update={
            "database_url": postgres.url(role=OWNER, database=name),
            "app_database_url": postgres.url(role=APP, database=name),
            "take_roles": False,
            "log_origin": "sunbid.test/log",
        }
    )
    await postgres.drop_database(name)


def centre(**changes: object) -> Centre:
    return replace(CENTRE, **changes)  # type: ignore[arg-type]  # names as the fields have them


async def test_the_first_person_signs_in_and_verifies_an_organisation(
    here: Settings, tmp_path: Path
) -> None:
    key_file = tmp_path / "office" / "staff.pem"
    async with opened(here) as place:
        assert not await place.has_centre()
    told = await install(here, CENTRE, key_file)
    assert key_file.stat().st_mode & 0o777 == 0o600

    async with opened(here) as place:
        assert await place.has_centre()
        engine = place.lines.engine("app", pool_size=3)
        store = store_over(engine, here)
        newcomer = await registered(store, PrivateKey.generate())
        transport = httpx.ASGITransport(app=create_app(store, here))
        async with Client(
            here.origin, PrivateKey.from_pem(key_file.read_bytes()), transport=transport
        ) as client:
            await client.sign_in(Role.CENTRE_STAFF, str(told.organisation_id))
            organisation = f"/api/v1/organisations/{newcomer.organisation_id}"
            await client.post(f"{organisation}/verification", {"basis": "营业执照原件"})
            assert (await client.get(organisation))["verified"]
        await engine.dispose()


async def test_a_platform_has_one_installation_alone(here: Settings, tmp_path: Path) -> None:
    await install(here, CENTRE, tmp_path / "staff.pem")
    with pytest.raises(NotPermitted, match="a centre already"):
        await install(here, CENTRE, tmp_path / "staff.pem")


@pytest.mark.parametrize(
    "changes",
    [{"name": " "}, {"region_code": "4201"}, {"identity_document": "1"}, {"person": "\u202e"}],
    ids=lambda changes: next(iter(changes)),
)
async def test_what_is_no_name_or_number_makes_neither_key_nor_platform(
    here: Settings, tmp_path: Path, changes: dict[str, str]
) -> None:
    with pytest.raises(Malformed):
        await install(here, centre(**changes), tmp_path / "staff.pem")
    assert not (tmp_path / "staff.pem").exists()
    with pytest.raises(founding.NotFounded):
        founding.read_keys(here)


def test_the_command_asks_for_the_identity_number_and_never_shows_it(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SUNBID_DATABASE_URL": here.database_url,
        "SUNBID_APP_DATABASE_URL": here.app_database_url,
        "SUNBID_TAKE_ROLES": "0",
        "SUNBID_DATA": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(name, value)
    words = ["install", "--name", CENTRE.name, "--uscc", CENTRE.uscc, "--region", "420100"]
    words += ["--person", CENTRE.person, "--key", str(tmp_path / "staff.pem")]
    done = CliRunner().invoke(main, [*words, "--json"], input=f"{CENTRE.identity_document}\n")
    assert done.exit_code == 0, done.output
    assert CENTRE.identity_document not in done.output
    assert "centre_staff" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1]).keys() == {"organisation", "person", "key"}
    again = CliRunner().invoke(main, [*words, "--identity-document", CENTRE.identity_document])
    assert again.exit_code == 4
    assert "a centre already" in again.stderr
    wrong = CliRunner().invoke(main, [*words[:-2], "--key", __file__], input="420103197001010033")
    assert wrong.exit_code == 2
    assert "Traceback" not in wrong.output
