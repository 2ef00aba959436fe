"""How a database becomes a platform: its tables, its keys, and what it is for ever.

Founding happens once. The platform's keys lie in the data folder, readable by the server's user
alone: the log's Ed25519 key, the platform's own P-256 key, and the pepper that hides identity
numbers. Whether the database is a demo is fixed here; only a demo's clock can ever be moved.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.access import PLATFORM
from kernel.crypto.digests import b64u, unb64u
from kernel.crypto.notes import LogSigner
from kernel.crypto.signing import PrivateKey
from kernel.errors import BrokenSeal, PlatformError
from kernel.identifiers import EntryId
from kernel.randomness import random_bytes, random_id
from kernel.settings import Settings
from kernel.store import journal
from kernel.store.clocks import unshifted_clock
from kernel.store.database import create_all
from kernel.store.events import PLATFORM_ITSELF, PlatformFounded


class NotFounded(PlatformError):
    """The database has no platform in it yet, or its keys are not in the data folder."""


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """The secrets of one platform."""

    log_signer: LogSigner
    platform_key: PrivateKey
    pepper: bytes


def _key_file(settings: Settings) -> Path:
    return settings.data / "keys" / "platform.json"


def make_keys(settings: Settings) -> PlatformKeys:
    """New keys, written where only this user can read them; the present ones where they exist."""
    path = _key_file(settings)
    if path.exists():
        return read_keys(settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    secrets = {
        "log_origin": settings.log_origin,
        "log": b64u(random_bytes(32)),
        "platform": PrivateKey.generate().to_pem().decode(),
        "pepper": b64u(random_bytes(32)),
    }
    making = path.with_name(f".{random_id()}")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(secrets, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        # The name appears with all that belongs under it, and never replaces another's keys.
        with suppress(FileExistsError):
            os.link(making, path)
    finally:
        making.unlink()
    return read_keys(settings)


def read_keys(settings: Settings) -> PlatformKeys:
    """The platform's keys; `NotFounded` where the data folder has none that can be read."""
    try:
        secrets = json.loads(_key_file(settings).read_text())
        return PlatformKeys(
            LogSigner(secrets["log_origin"], unb64u(secrets["log"])),
            PrivateKey.from_pem(secrets["platform"].encode()),
            unb64u(secrets["pepper"]),
        )
    except FileNotFoundError:
        raise NotFounded("the data folder holds no platform keys") from None
    except (BrokenSeal, AttributeError, LookupError, TypeError, ValueError):
        raise NotFounded("the platform keys in the data folder are damaged") from None


async def make_tables(owner: AsyncEngine) -> None:
    """Every table, function, trigger and grant, in an empty database."""
    async with owner.begin() as connection:
        await create_all(connection)


async def is_founded(owner: AsyncEngine) -> bool:
    """Whether this database is a platform already."""
    async with owner.connect() as connection:
        present = await connection.execute(text("SELECT to_regclass('kernel.platform')"))
        if present.scalar_one() is None:
            return False
        row = await connection.execute(text("SELECT 1 FROM kernel.platform"))
        return row.first() is not None


async def found(
    owner: AsyncEngine,
    settings: Settings,
    keys: PlatformKeys,
    *,
    demo: bool,
    start: datetime | None = None,
) -> None:
    """Make this database a platform; a demo may start its clock at any instant."""
    if demo and not settings.log_origin.startswith("demo."):
        raise ValueError("a demo log's origin begins with 'demo.'")
    async with owner.begin() as connection:
        now = await unshifted_clock(connection)
        await connection.execute(
            text(
                "INSERT INTO kernel.platform (only_one, demo, log_origin, platform_key, log_vkey,"
                " founded_at) VALUES (true, :demo, :origin, :key, :vkey, :now)"
            ),
            {
                "demo": demo,
                "origin": settings.log_origin,
                "key": keys.platform_key.public_bytes,
                "vkey": keys.log_signer.vkey,
                "now": now,
            },
        )
        if start is not None:
            await connection.execute(
                text(
                    "INSERT INTO kernel.clock_jump (offset_by, reason, jumped_at)"
                    " VALUES (CAST(:start AS timestamptz) - :now, 'founding', :now)"
                ),
                {"start": start, "now": now},
            )
        event = PlatformFounded(
            PLATFORM_ITSELF, demo=demo, log_vkey=keys.log_signer.vkey, start=start or now
        )
        await journal.append(
            connection, [(EntryId(random_id()), event)], actor=PLATFORM, at=start or now
        )
