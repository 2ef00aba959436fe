"""With which number a command ends, and what that tells whoever called it.

One table for every command: its help prints it, and the README's is made from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

OK, USAGE, MISSING, AUTH, CONFLICT, UNVERIFIED, NETWORK, LATE = 0, 2, 3, 4, 5, 6, 7, 8

MEANINGS: Final[Mapping[int, str]] = {
    OK: "done",
    USAGE: "wrong usage",
    MISSING: "not found",
    AUTH: "not signed in or not permitted",
    CONFLICT: "refused or in conflict",
    UNVERIFIED: "verification failed",
    NETWORK: "network",
    LATE: "the deadline has passed",
}

EPILOG: Final = (
    "Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + "."
)

LATE_CODES: Final = frozenset({"late", "window_closed"})
"""The grounds of a refusal that say that it is too late."""


def code_of_answer(status: int, grounds: Collection[str]) -> int:
    """The exit code for what the platform answered with this HTTP status on these grounds."""
    if LATE_CODES & set(grounds):
        return LATE
    return {401: AUTH, 403: AUTH, 404: MISSING}.get(status, CONFLICT)
