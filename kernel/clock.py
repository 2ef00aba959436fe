"""Clocks of this machine, for programs that have no database and for measuring.

They decide nothing on the platform: what time it is there, the database says
(`kernel/store/clocks.py`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def machine_clock() -> datetime:
    """This machine's time, for programs that have no database: witnesses and custodian clients."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Seconds of a clock that never steps, for measuring how long something took."""
    return time.monotonic()
