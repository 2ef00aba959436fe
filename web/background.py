"""The other process: the metronome, the log, the witnesses, the reactions and the deliveries.

Everything here may die at any moment and be started again: what is due stands in the database,
positions are kept with the effects they stand for, and leadership is a lock of the connection that
does the work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evaluation import attending
from expert_pool import drawing
from kernel.crypto.notes import LogSigner
from kernel.settings import Settings
from kernel.store.journal import BELL
from kernel.store.sequencer import lead, sequence_once
from kernel.store.transaction import Store
from kernel.store.transparency_log import disclose_fillers, integrate_once, publish_once
from kernel.store.witnesses import ask_all, line_to_witnesses
from trading import alarming, depositing, due_listings, due_lots, expiring, reminding, uploading
from web import delivering, reactions

log = structlog.get_logger()

PATIENCE_S = 1.0
OVERDUE_DRAWS_EVERY_S = 5
ALARMS_EVERY_S = 10
REMINDERS_EVERY_S = 5
SWEEP_EVERY_S = 600
EXPIRIES_EVERY_S = 60


BEATS: Final[tuple[tuple[Callable[[Store], Awaitable[int]], int, int], ...]] = (
    # A lot whose bids take long to read keeps no other from its moment: who works on a lot has
    # claimed it, and whoever wakes next passes it by.
    (due_lots.wake, 1, 3),
    (due_listings.wake, 1, 1),
    (attending.note_absences, 1, 1),
    (drawing.void_overdue, OVERDUE_DRAWS_EVERY_S, 1),
    (alarming.ring, ALARMS_EVERY_S, 1),
    (reminding.remind, REMINDERS_EVERY_S, 1),
    (expiring.announce, EXPIRIES_EVERY_S, 1),
    (uploading.sweep, SWEEP_EVERY_S, 1),
    (depositing.sweep_papers, SWEEP_EVERY_S, 1),
)
"""What is done again and again: the act, every how many seconds, and by how many at once."""


async def run(
    store: Store, *, log_engine: AsyncEngine, signer: LogSigner, settings: Settings
) -> None:
    """Keep everything going until cancelled."""
    metronome = AsyncIOScheduler(job_defaults={"coalesce": True, "misfire_grace_time": None})
    for act, seconds, at_once in BEATS:
        metronome.add_job(
            _woken(partial(act, store)), "interval", seconds=seconds, max_instances=at_once
        )
    metronome.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_keep_log(log_engine, signer, settings))
            tasks.create_task(_keep_witnessed(log_engine, settings))
            tasks.create_task(reactions.follow(store))
            tasks.create_task(delivering.deliver(store))
    finally:
        metronome.shutdown(wait=False)


def _woken(act: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[None]]:
    async def job() -> None:
        try:
            await act()
        except Exception:
            # The act stays due, so the next second tries again; a silent stop would be worse.
            log.exception("a due act failed")

    return job


async def _keep_log(engine: AsyncEngine, signer: LogSigner, settings: Settings) -> None:
    while True:
        try:
            async with engine.connect() as connection:
                if await lead(connection):
                    log.info("this process keeps the log")
                    await _lead_log(connection, signer, settings)
        except (DBAPIError, OSError):
            log.exception("the log lost its line")
        await asyncio.sleep(PATIENCE_S)


async def _lead_log(connection: AsyncConnection, signer: LogSigner, settings: Settings) -> None:
    epoch_length = timedelta(seconds=settings.filler_epoch_s)
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        while await sequence_once(connection):
            await _ring(connection)
        await integrate_once(connection, epoch_length=epoch_length)
        await publish_once(connection, signer)
        await disclose_fillers(connection)
        await _ring(connection)
        # Between two ticks new entries still get their positions at once, so that live rooms do
        # not wait for the log.
        while (left := settings.log_tick_s - (loop.time() - began)) > 0:
            await asyncio.sleep(min(left, settings.sequencer_nap_s))
            if await sequence_once(connection):
                await _ring(connection)


async def _ring(connection: AsyncConnection) -> None:
    async with connection.begin():
        await connection.execute(text(f"NOTIFY {BELL}"))


async def _keep_witnessed(engine: AsyncEngine, settings: Settings) -> None:
    async with line_to_witnesses() as client:
        while True:
            with contextlib.suppress(DBAPIError, OSError):
                await ask_all(
                    engine, settings.witness_list, quorum=settings.witness_quorum, client=client
                )
            await asyncio.sleep(settings.log_tick_s)
