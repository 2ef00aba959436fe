"""Reading single files out of a sealed archive that was opened, without decrypting the rest.

What bidders and applicants seal is a ZIP file whose members are stored as they are. Its payload
lies in the sealed drawer in parts; only those are fetched in which something is that is read.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from kernel.crypto import sealing
from kernel.crypto.zip_faults import UNREADABLE
from kernel.errors import BrokenSeal, NotFound, TooMuch
from kernel.store.documents import Documents
from trading.uploading import sealed_drawer

FILE_MAX: Final = 256 << 20
FILES_MAX: Final = 10_000
FETCH_PATIENCE_S: Final = 60.0
PARTS_KEPT: Final = 2

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class SealedArchive:
    """Where a sealed archive lies: its header, its payload's size, and the digests of its parts."""

    header: bytes
    payload_size: int
    parts: Sequence[bytes]


async def from_archive(
    documents: Documents,
    sealed: SealedArchive,
    secrets: Mapping[str, bytes],
    read: Callable[[zipfile.ZipFile], Found],
) -> Found:
    """What `read` finds in the archive, in a thread of its own; parts come as they are needed.

    `secrets` are those of every component. `BrokenSeal` where they are not the archive's, or it is
    none that can be read.
    """
    drawer = sealed_drawer(documents)
    header = sealing.parse_header(sealed.header)
    key = sealing.file_key(header, secrets)
    loop = asyncio.get_running_loop()

    def wait_for(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(FETCH_PATIENCE_S)

    def open_and_read() -> Found:
        source = PartedFile(
            sealed.payload_size, lambda number: wait_for(drawer.read(sealed.parts[number]))
        )
        content = sealing.random_access(io.BufferedReader(source), header, key)
        try:
            with zipfile.ZipFile(content) as archive:
                return read(archive)
        except UNREADABLE as fault:
            raise BrokenSeal("the bid is no archive that can be read") from fault
        except RuntimeError as fault:
            # `zipfile` answers so where a file in the archive has a password of its own.
            raise BrokenSeal("a file of the bid is locked by a password") from fault

    return await asyncio.to_thread(open_and_read)


def list_files(archive: zipfile.ZipFile) -> list[tuple[str, int]]:
    """The files, as (name, size in bytes), in the order of the archive."""
    files = [(one.filename, one.file_size) for one in archive.infolist() if not one.is_dir()]
    if len(files) > FILES_MAX:
        raise TooMuch(f"a bid has at most {FILES_MAX} files")
    return files


def read_file(archive: zipfile.ZipFile, name: str) -> bytes:
    """One file; `NotFound` where there is none of this name, `TooMuch` where it is too large."""
    try:
        told = archive.getinfo(name)
    except KeyError:
        raise NotFound("the bid has no such file") from None
    if told.is_dir() or told.file_size > FILE_MAX:
        raise TooMuch(f"a file of a bid has at most {FILE_MAX} bytes")
    return archive.read(told)


class PartedFile(io.RawIOBase):
    """A payload that lies in parts, as one file; a part is fetched when a byte of it is read."""

    def __init__(self, size: int, fetch: Callable[[int], bytes]) -> None:
        self._size, self._fetch, self._position = size, fetch, 0
        self._kept: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the beginning")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        number, start = divmod(self._position, sealing.PART_SIZE)
        wanted = min(len(view), sealing.PART_SIZE - start, self._size - self._position)
        if wanted <= 0:
            return 0
        view[:wanted] = self._part(number)[start : start + wanted]
        self._position += wanted
        return wanted

    def _part(self, number: int) -> bytes:
        if number not in self._kept:
            if len(self._kept) >= PARTS_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[number] = self._fetch(number)
        return self._kept[number]
