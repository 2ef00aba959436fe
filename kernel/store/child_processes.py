"""Processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def ending_with_us(number: signal.Signals) -> Callable[[], None] | None:
    """What a child does before its program begins: on Linux, ask for this signal when we are gone.

    Linux counts the thread that starts the child, so that must be one that lives as long as we do.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # we were gone before it asked
            os._exit(1)

    return ask
