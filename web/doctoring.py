"""Looking at an installation: what is right, what is wrong, and how to mend it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import asyncpg
import obstore.exceptions
from rich.console import Console
from rich.progress import track
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.clock import machine_clock
from kernel.errors import PlatformError
from kernel.settings import Settings
from kernel.store import founding
from kernel.store.clocks import platform_clock, unshifted_clock
from kernel.store.database import connect, is_trusted_release
from kernel.store.registering import is_installed
from kernel.working_days import beijing_day
from web.carriers import carriers_of
from web.premises import documents_of, reached
from web.soundness import faults_of
from web.terminal_words import shown

AHEAD = timedelta(days=45)
"""The longest period the law counts, thirty days, and the rest days it may end on."""
SPACE_MIN = 2 * 1024**3
SKEW_MAX_S = 0.5
DONE, UNWELL = 0, 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    well: bool
    found: str
    remedy: str = ""


async def examine(settings: Settings, *, as_json: bool, talk: Console) -> int:
    """Look at everything, print it, and leave with 5 where something is wrong."""
    findings = [_space(settings.data), _keys(settings), _cryptography(), _ways_out(settings)]
    if settings.database_url or (settings.data / "postgres").exists():
        findings += await _database(settings, talk)
    else:
        # Looking must not make one.
        findings.append(Finding("database", True, "none yet; `sunbid up` makes it"))
    if as_json:
        print(json.dumps([_plain(one) for one in findings], ensure_ascii=False))
    else:
        for one in findings:
            mark = "[green]✓[/]" if one.well else "[red]✗[/]"
            talk.print(f"{mark} {one.what}: {shown(one.found)}")
            if not one.well and one.remedy:
                talk.print(f"    → {shown(one.remedy)}")
    return DONE if all(one.well for one in findings) else UNWELL


async def _database(settings: Settings, talk: Console) -> list[Finding]:
    findings: list[Finding] = []
    try:
        async with reached(settings) as place:
            engine = connect(place.owner_url, role=place.role, pool_size=1)
            try:
                # The invariants read every row and document there is.
                for look in track(LOOKS, "Looking", console=talk, transient=True):
                    findings.append(await look(engine, settings))
            finally:
                await engine.dispose()
    except (PlatformError, OSError, SQLAlchemyError, asyncpg.PostgresError) as error:
        remedy = "start it, or set SUNBID_DATABASE_URL"
        findings.append(Finding("database", False, str(error).splitlines()[0], remedy))
    return findings


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "what": finding.what,
        "well": finding.well,
        "found": finding.found,
        "remedy": finding.remedy,
    }


def _space(folder: Path) -> Finding:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding(
        "disk space",
        free >= SPACE_MIN,
        f"{free / 1024**3:.1f} GiB free",
        "free at least 2 GiB: a full disk refuses bids",
    )


def _keys(settings: Settings) -> Finding:
    path = settings.data / "keys" / "platform.json"
    if not path.exists():
        return Finding("platform keys", True, "none yet; founding makes them")
    try:
        founding.read_keys(settings)
    except founding.NotFounded:
        return Finding("platform keys", False, "not readable", "restore them from a backup")
    mode = path.stat().st_mode & 0o777
    return Finding(
        "platform keys",
        mode == 0o600 and path.stat().st_uid == os.getuid(),
        f"mode {mode:o}",
        f"chmod 600 {path}",
    )


def _cryptography() -> Finding:
    return Finding("cryptography", True, version("cryptography"))


def _ways_out(settings: Settings) -> Finding:
    """Notices that must arrive stay in the inbox where nothing carries them out of the house."""
    try:
        ways = sorted(carriers_of(settings, demo=False))
    except (OSError, ValueError) as error:
        remedy = "SUNBID_MAIL_PASSWORD_FILE and SUNBID_GATEWAY_SECRET_FILE name files to be read"
        return Finding("mail and texts", False, type(error).__name__, remedy)
    return Finding("mail and texts", True, ", ".join(ways) or "none; notices stay in the inbox")


async def _server(engine: AsyncEngine, _: Settings) -> Finding:
    async with engine.connect() as connection:
        number = int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
    major, minor = divmod(number, 10_000)
    well = is_trusted_release(major, minor)
    return Finding("database server", well, f"PostgreSQL {major}.{minor}", "update the server")


async def _clock(engine: AsyncEngine, _: Settings) -> Finding:
    async with engine.connect() as connection:
        skew = abs((await unshifted_clock(connection) - machine_clock()).total_seconds())
    return Finding(
        "clock of the database against this machine",
        skew <= SKEW_MAX_S,
        f"{skew * 1000:.0f} ms apart",
        "synchronise both machines by NTP",
    )


async def _founded(engine: AsyncEngine, settings: Settings) -> Finding:
    if not await founding.is_founded(engine):
        return Finding("platform", True, "not founded yet; `sunbid up` does it")
    async with engine.connect() as connection:
        row = (await connection.execute(text("SELECT demo, log_vkey FROM kernel.platform"))).one()
    try:
        same = founding.read_keys(settings).log_signer.vkey == row.log_vkey
    except founding.NotFounded:
        same = False
    return Finding(
        "platform",
        same,
        "a demo" if row.demo else "a real one",
        "the keys in the data folder are not this database's: restore them",
    )


async def _centre(engine: AsyncEngine, _: Settings) -> Finding:
    if not await founding.is_founded(engine):
        return Finding("trading centre", True, "none yet")
    async with engine.connect() as connection:
        there = await is_installed(connection)
    found = "installed" if there else "none yet, so nobody can be let in; `sunbid install` does it"
    return Finding("trading centre", True, found)


async def _calendar(engine: AsyncEngine, settings: Settings) -> Finding:
    """Whether the days of every period that begins today can be counted."""
    if not await founding.is_founded(engine):
        return Finding("calendar", True, "nothing to count yet")
    async with engine.connect() as connection:
        today = beijing_day(await platform_clock(connection))
    year = (today + AHEAD).year
    return Finding(
        "calendar",
        settings.calendar.knows(year),
        f"the State Council's days off of {year}",
        f"name a file with the notice for {year} in SUNBID_CALENDAR",
    )


async def _sound(engine: AsyncEngine, settings: Settings) -> Finding:
    if not await founding.is_founded(engine):
        return Finding("invariants", True, "nothing to check yet")
    try:
        broken = await faults_of(engine, documents_of(settings))
    except obstore.exceptions.BaseError as error:
        found = f"the documents cannot be read: {str(error).splitlines()[0]}"
        return Finding("invariants", False, found, "see that the service in SUNBID_BLOB_URL runs")
    return Finding(
        "invariants",
        not broken,
        "all hold" if not broken else "; ".join(broken[:3]),
        "stop accepting bids and compare with a witnessed checkpoint",
    )


LOOKS: tuple[Callable[[AsyncEngine, Settings], Awaitable[Finding]], ...] = (
    _server,
    _clock,
    _founded,
    _centre,
    _calendar,
    _sound,
)
