"""Which test files go to the same worker: those whose tests go on with the same story.

A story is told once in each process that asks for it (`kept_stories`, `committees_at_work`), and
the longest take as long as a dozen tests. Files that ask for the same one are handed out together,
the biggest heaps first, so that what is left at the end is small and evens the workers out.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT: Final = Path(__file__).parents[1]

ALONE: Final = ("tests/journeys/test_rehearsal.py", "tests/journeys/test_receipts_survive_kills.py")
"""Files of one long test, which are begun before all others."""

HEAPS: Final = ("room", "evaluated", "recorded_hall", "hall", "draw_house", "called_lot", "tender")
"""The fixtures that stand for a story, the costliest first: a file belongs to the first it asks."""


def test_modules() -> list[str]:
    """The names of all modules with tests that belong to every change."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    dotted = [".".join(one.relative_to(ROOT).with_suffix("").parts) for one in files]
    return [one for one in dotted if not one.startswith("tests.soak.")]


@functools.cache
def heap_of(file: str) -> str:
    """What is handed out together with this file: its heap, or the file alone."""
    path = ROOT / file
    if file in ALONE or not path.is_file():
        return file
    source = path.read_text()
    return next((one for one in HEAPS if re.search(rf"\b{one}: [A-Z]", source)), file)


def _rank(item: pytest.Item) -> int:
    file = item.nodeid.split("::", 1)[0]
    if file in ALONE:
        return ALONE.index(file)
    heap = heap_of(file)
    return len(ALONE) + (HEAPS.index(heap) if heap in HEAPS else len(HEAPS))


def ranked(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which they are handed out; those of a file stay together."""
    return sorted(items, key=_rank)


class ByHeap(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out heaps in place of files."""

    def _split_scope(self, nodeid: str) -> str:
        return heap_of(nodeid.split("::", 1)[0])
