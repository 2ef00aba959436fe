"""Named places at which a test may make the process fail.

A failpoint does nothing unless `arm` was called, which `web/command_settings.py` and the tests do
from `SUNBID_FAILPOINTS`; a start that is not a test refuses the setting. The text is a
comma-separated list of `name=action` or `name=action@n`, where the action is `kill`, `raise` or
`sleep:SECONDS` and `n` is the passage at which it happens (the first by default). A test that
decides who goes on when watches every passage with `watched`.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class FailpointHit(RuntimeError):
    """The failure a test asked for at a named place."""


@dataclass(slots=True)
class _Armed:
    action: str
    passage: int
    passed: int = 0


_ITEM = re.compile(r"([\w.]+)=([a-z]+(?::[0-9.]+)?)(?:@([1-9][0-9]*))?")

_armed: dict[str, _Armed] = {}
_watchers: list[Callable[[str], Awaitable[None]]] = []


def arm(text: str) -> None:
    """Arm the named failpoints; an empty text disarms all. `ValueError` where it makes no sense."""
    _armed.clear()
    for item in filter(None, (part.strip() for part in text.split(","))):
        found = _ITEM.fullmatch(item)
        if found is None:
            raise ValueError(f"not a failpoint: {item!r}")
        _armed[found[1]] = _Armed(found[2], int(found[3] or 1))


@contextmanager
def watched(watcher: Callable[[str], Awaitable[None]]) -> Iterator[None]:
    """Let `watcher` hold every passage, by its name, for as long as it likes."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


async def failpoint(name: str) -> None:
    """Fail here if a test asked for it."""
    for watcher in _watchers:
        await watcher(name)
    armed = _armed.get(name)
    if armed is None:
        return
    armed.passed += 1
    if armed.passed != armed.passage:
        return
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif armed.action == "raise":
        raise FailpointHit(name)
    elif armed.action.startswith("sleep:"):
        await asyncio.sleep(float(armed.action.removeprefix("sleep:")))
    else:
        raise ValueError(f"unknown failpoint action {armed.action!r}")
