"""Damaged archives: every way in which one cannot be read is told apart from a defect."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from kernel.crypto.zip_faults import UNREADABLE
from kernel.errors import BrokenSeal
from web.verifying.archive_package import read_package

WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)


@pytest.mark.parametrize("way", WAYS)
def test_an_archive_that_is_damaged_anywhere_is_read_right_or_called_unreadable(
    way: int, tmp_path: Path
) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", way) as archive:
        archive.writestr("a.txt", "hello world " * 20)
    raised = set()
    for place in range(30, 30 + 60):
        damaged = bytearray(whole.getvalue())
        damaged[place] ^= 0xFF
        try:
            with zipfile.ZipFile(io.BytesIO(damaged)) as archive:
                archive.read("a.txt")
        except UNREADABLE as fault:
            raised.add(type(fault))
            path = tmp_path / "damaged.zip"
            path.write_bytes(damaged)
            with pytest.raises(BrokenSeal):
                read_package(path)
    assert raised
