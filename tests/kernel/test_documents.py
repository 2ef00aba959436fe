"""Files by their digest: the same bytes are one file, and a changed one is not handed out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.digests import sha256
from kernel.errors import BrokenSeal, NotFound
from kernel.store.documents import Documents


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    return Documents("", folder=tmp_path / "shelf")


async def test_what_is_kept_is_read_again_under_its_digest(documents: Documents) -> None:
    digest = await documents.keep(b"paper")
    assert digest == sha256(b"paper")
    assert await documents.keep(b"paper") == digest
    assert await documents.read(digest) == b"paper"
    assert await documents.has(digest)
    empty = await documents.keep(b"")
    assert await documents.read(empty) == b""
    assert [part async for part in documents.stream([digest, empty])] == [b"paper", b""]


async def test_what_was_never_kept_is_not_found(documents: Documents) -> None:
    digest = sha256(b"unknown")
    assert not await documents.has(digest)
    with pytest.raises(NotFound):
        await documents.read(digest)
    await documents.discard(digest)


async def test_a_file_changed_on_the_disk_is_not_handed_out(
    documents: Documents, tmp_path: Path
) -> None:
    digest = await documents.keep(b"paper")
    path = tmp_path / "shelf" / digest.hex()[:2] / digest.hex()
    path.write_bytes(b"pap3r")
    with pytest.raises(BrokenSeal):
        await documents.read(digest)
    with pytest.raises(BrokenSeal):
        _ = [part async for part in documents.stream([digest])]


async def test_a_drawer_has_files_of_its_own(documents: Documents) -> None:
    drawer, other = documents.drawer("sealed"), documents.drawer("other")
    inner = drawer.drawer("deeper")
    outside, inside = await documents.keep(b"same"), await drawer.keep(b"same")
    assert outside == inside
    assert not await other.has(inside)
    assert not await inner.has(inside)
    await documents.discard(outside)
    assert not await documents.has(outside)
    assert await drawer.read(inside) == b"same"
    await drawer.discard(inside)
    with pytest.raises(NotFound):
        await drawer.read(inside)


async def test_another_store_is_taken_by_its_url(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    far = Documents(f"file://{tmp_path / 'far'}", folder=tmp_path / "near")
    digest = await far.keep(b"paper")
    assert await far.read(digest) == b"paper"
    assert not (tmp_path / "near").exists()


@given(st.lists(st.binary(max_size=200), max_size=6))
async def test_any_files_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    documents = Documents("", folder=tmp_path_factory.mktemp("shelf"))
    digests = [await documents.keep(content) for content in contents]
    assert [part async for part in documents.stream(digests)] == contents
