"""Where the platform's own entropy comes from, and nowhere else.

Pure code is handed its random bytes, so that a test can hold them in its hand. Libraries that
need fresh randomness within one operation (HPKE, ECDSA, chunked encryption) draw their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from uuid import UUID

Entropy = Callable[[int], bytes]
"""Gives that many fresh random bytes at each call."""


def random_bytes(count: int) -> bytes:
    """That many bytes nobody can predict."""
    return secrets.token_bytes(count)


def random_id() -> UUID:
    """A version 4 UUID: it tells neither when it was made nor how many came before it."""
    return UUID(bytes=secrets.token_bytes(16), version=4)


def random_order(count: int) -> list[int]:
    """The numbers below `count` in an order in which every permutation is equally likely."""
    order = list(range(count))
    for place in range(count - 1, 0, -1):
        other = secrets.randbelow(place + 1)
        order[place], order[other] = order[other], order[place]
    return order
