"""Files kept by their digest; cannot tell plaintext from ciphertext, and need not.

The store behind it is a folder by default; a URL may name any other that `obstore` speaks to, such
as an S3-compatible service, of which no test here knows anything. A file's name is its SHA-256, so
a file is written once and the same bytes twice are one file. On a folder the bytes and the folder
entry are on the disk before `keep` returns.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, from_url

from kernel.errors import BrokenSeal, NotFound
from kernel.failpoints import failpoint

PART = 8 * 1024 * 1024


class Documents:
    """The files of the platform, by digest."""

    def __init__(self, url: str, *, folder: Path) -> None:
        self._drawer = ""
        self._folder: Path | None = None
        if url:
            self._store: Any = from_url(url)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self._folder = folder.resolve()
            self._store = LocalStore(str(self._folder), mkdir=True)

    def drawer(self, name: str) -> Documents:
        """A part of the same store with files of its own.

        What lies in a drawer cannot be found, overwritten or discarded from outside it, even by
        whoever knows its digest.
        """
        inner = copy(self)
        inner._drawer = f"{self._drawer}{name}/"
        return inner

    async def keep(self, content: bytes) -> bytes:
        """Keep the bytes durably; their SHA-256 digest."""
        digest = await asyncio.to_thread(lambda: hashlib.sha256(content).digest())
        path = self._path(digest)
        with suppress(AlreadyExistsError):
            await obstore.put_async(self._store, path, content, mode="create")
        if self._folder is not None:
            await asyncio.to_thread(_sync_to_disk, self._folder / path, self._folder)
        await failpoint("blob.after_fsync")
        return digest

    async def read(self, digest: bytes) -> bytes:
        """The bytes of a file, checked against its digest.

        `NotFound` where there is no such file; `BrokenSeal` where the stored bytes are not the ones
        that were kept.
        """
        try:
            answer = await obstore.get_async(self._store, self._path(digest))
        except FileNotFoundError:
            raise NotFound(f"document {digest.hex()}") from None
        content = bytes(await answer.bytes_async())
        actual = await asyncio.to_thread(lambda: hashlib.sha256(content).digest())
        if actual != digest:
            raise BrokenSeal(f"document {digest.hex()} is damaged")
        return content

    async def has(self, digest: bytes) -> bool:
        """Whether the file is there."""
        try:
            await obstore.head_async(self._store, self._path(digest))
        except FileNotFoundError:
            return False
        return True

    async def stream(self, digests: list[bytes]) -> AsyncIterator[bytes]:
        """Several files as one stream of bytes, each checked before it is handed on."""
        for digest in digests:
            yield await self.read(digest)

    async def discard(self, digest: bytes) -> None:
        """Forget a file that nothing refers to."""
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, self._path(digest))

    def _path(self, digest: bytes) -> str:
        name = digest.hex()
        return f"{self._drawer}{name[:2]}/{name}"


def _sync_to_disk(path: Path, root: Path) -> None:
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    for target in (path, *folders):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
