"""What `zipfile` raises of bytes that are no archive it can read."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from typing import Final

UNREADABLE: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
)
"""The last is its answer to a way of packing that it does not know, those before to a damaged one.
A password is wanted by a plain `RuntimeError`, which is not among them.
"""
