"""Electronic Bidding Measures 27: a receipt once given holds, whoever is killed in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill_story import BACKGROUND, SERVE, a_platform, play

DEATHS = [
    (SERVE, "submit.received=kill@3"),
    (SERVE, "judge.kept=kill@5"),
    (BACKGROUND, "log.after_integration=kill@3"),
]


@pytest.mark.timeout(300)
async def test_no_receipt_is_lost_when_the_server_the_log_or_postgres_is_killed(
    tmp_path: Path,
) -> None:
    async with a_platform(tmp_path) as place:
        assert await play(place, DEATHS, bidders=4, kill_postgres=1) > 10
