"""Bidding Law 28: a thousand submits at once before the deadline, and no receipt is lost.

Far more than one process can take in the last seconds: what came in time and was not taken is told
to be the platform's fault, and what was taken counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from kernel.store.transaction import Store
from tests.journeys.test_deadline_race import race_the_closers
from tests.sealed_bids import Tick

pytestmark = pytest.mark.soak


async def test_a_thousand_submits_race_the_closers_and_every_receipt_counts(
    store: Store,
    tick: Tick,
    clock_to: Callable[[datetime], Awaitable[None]],
    sound: Callable[[], Awaitable[None]],
) -> None:
    refused = await race_the_closers(store, tick, clock_to, count=170)
    assert refused <= {"late", "platform_failure"}
    await sound()
