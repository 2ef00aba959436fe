"""Electronic Bidding Measures 27: SIGKILL at every step of a submission, and of the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill_story import BACKGROUND, SERVE, a_platform, play

STEPS = (
    "submit.arrived",
    "receive.judged",
    "receive.written",
    "db.before_commit",
    "db.after_commit",
    "submit.received",
    "judge.read_through",
    "judge.locked",
    "judge.kept",
    "submit.judged",
)
LOG_STEPS = (
    "sequencer.before_delete",
    "sequencer.after_commit",
    "log.before_commit",
    "log.after_integration",
    "log.after_publication",
)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_no_receipt_is_lost_at_any_step(tmp_path: Path) -> None:
    deaths = [
        *((SERVE, f"{step}=kill@{passage}") for step in STEPS for passage in (2, 7)),
        *((BACKGROUND, f"{step}=kill@4") for step in LOG_STEPS),
    ]
    async with a_platform(tmp_path) as place:
        assert await play(place, deaths, bidders=6, kill_postgres=6) > 60
