"""The Merkle tree of RFC 6962 against the vectors of transparency-dev/merkle, and tlog-tiles."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.crypto import merkle
from kernel.crypto.digests import Malformed, sha256
from kernel.errors import BrokenSeal

VECTORS = Path(__file__).parents[1] / "vectors" / "rfc6962-merkle"
REFERENCE = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    bytes(range(0x60, 0x70)),
]
REFERENCE_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


class Forest:
    """Every perfect subtree of some leaves, as a log would keep them."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.grow(0, self.hashes)

    def grow(self, size_before: int, hashes: list[bytes]) -> list[tuple[int, int, bytes]]:
        new = merkle.new_nodes(size_before, hashes, self.get)
        for level, index, value in new:
            assert (level, index) not in self.nodes
            self.nodes[level, index] = value
        return new

    def get(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]


LEAVES = [bytes([i]) * 3 for i in range(70)]
FOREST = Forest(LEAVES)


def slow_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256()
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return merkle.node_hash(slow_root(hashes[:k]), slow_root(hashes[k:]))


def _cases(kind: str) -> list[Any]:
    return [
        pytest.param(json.loads(path.read_text()), id=str(path.relative_to(VECTORS)))
        for path in sorted(VECTORS.glob(f"{kind}/**/*.json"))
    ]


def _bytes(value: str | None) -> bytes:
    return base64.b64decode(value or "")


@pytest.mark.parametrize("case", _cases("inclusion"))
def test_inclusion_vectors(case: dict[str, Any]) -> None:
    def check() -> None:
        merkle.verify_inclusion(
            _bytes(case["leafHash"]),
            index=case["leafIdx"],
            size=case["treeSize"],
            root=_bytes(case["root"]),
            proof=[_bytes(one) for one in case["proof"] or []],
        )

    if case["wantErr"]:
        with pytest.raises(BrokenSeal):
            check()
    else:
        check()


@pytest.mark.parametrize("case", _cases("consistency"))
def test_consistency_vectors(case: dict[str, Any]) -> None:
    def check() -> None:
        merkle.verify_consistency(
            older=case["size1"],
            newer=case["size2"],
            older_root=_bytes(case["root1"]),
            newer_root=_bytes(case["root2"]),
            proof=[_bytes(one) for one in case["proof"] or []],
        )

    if case["wantErr"]:
        with pytest.raises(BrokenSeal):
            check()
    else:
        check()


def test_all_vectors_were_found() -> None:
    assert (len(_cases("inclusion")), len(_cases("consistency"))) == (49, 43)


def test_the_reference_tree_has_its_published_root() -> None:
    forest = Forest(REFERENCE)
    assert merkle.root(forest.hashes).hex() == REFERENCE_ROOT
    assert merkle.root_of(8, forest.get).hex() == REFERENCE_ROOT
    assert merkle.root([]) == merkle.root_of(0, forest.get) == merkle.EMPTY_ROOT


@given(st.integers(0, 70))
def test_roots_from_leaves_and_from_stored_nodes_are_the_same(size: int) -> None:
    expected = slow_root(FOREST.hashes[:size])
    assert merkle.root(FOREST.hashes[:size]) == merkle.root_of(size, FOREST.get) == expected


@given(st.data())
def test_every_inclusion_proof_holds_and_no_mutant_of_it_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(FOREST.get, index, size)
    root, leaf = merkle.root_of(size, FOREST.get), FOREST.hashes[index]

    merkle.verify_inclusion(leaf, index=index, size=size, root=root, proof=proof)

    mutants: list[tuple[bytes, int, list[bytes]]] = [
        (sha256(b"other"), index, proof),
        (leaf, index, [*proof, bytes(32)]),
        (leaf, index, [bytes(32), *proof]),
        (leaf, size, proof),
        (leaf, -1, proof),
        (leaf, index, [*proof, b"short"]),
    ]
    mutants += [(leaf, other, proof) for other in range(size) if other != index]
    mutants += [(leaf, index, proof[:n] + proof[n + 1 :]) for n in range(len(proof))]
    mutants += [(leaf, index, [*proof[: n + 1], *proof[n:]]) for n in range(len(proof))]
    mutants += [
        (leaf, index, [*proof[:n], bytes([proof[n][0] ^ 1]) + proof[n][1:], *proof[n + 1 :]])
        for n in range(len(proof))
    ]
    for wrong_leaf, wrong_index, wrong_proof in mutants:
        with pytest.raises(BrokenSeal):
            merkle.verify_inclusion(
                wrong_leaf, index=wrong_index, size=size, root=root, proof=wrong_proof
            )


@given(st.data())
def test_every_consistency_proof_holds_and_no_mutant_of_it_does(data: st.DataObject) -> None:
    newer = data.draw(st.integers(0, 70))
    older = data.draw(st.integers(0, newer))
    proof = merkle.consistency_proof(FOREST.get, older, newer)
    old_root, new_root = merkle.root_of(older, FOREST.get), merkle.root_of(newer, FOREST.get)

    def check(path: list[bytes], first: bytes = old_root, second: bytes = new_root) -> None:
        merkle.verify_consistency(
            older=older, newer=newer, older_root=first, newer_root=second, proof=path
        )

    check(proof)

    mutants = [[*proof, bytes(32)], *(proof[:n] + proof[n + 1 :] for n in range(len(proof)))]
    mutants += [[*proof[: n + 1], *proof[n:]] for n in range(len(proof))]
    mutants += [
        [*proof[:n], proof[n + 1], proof[n], *proof[n + 2 :]] for n in range(len(proof) - 1)
    ]
    for mutant in mutants:
        with pytest.raises(BrokenSeal):
            check(mutant)
    with pytest.raises(BrokenSeal):
        check(proof, first=sha256(b"other"))
    if older:
        with pytest.raises(BrokenSeal):
            check(proof, second=sha256(b"other"))


@settings(max_examples=60)
@given(st.lists(st.integers(0, 20), max_size=8))
def test_a_tree_grown_in_batches_has_the_nodes_of_one_built_at_once(batches: list[int]) -> None:
    grown, size = Forest([]), 0
    leaves = [merkle.leaf_hash(n.to_bytes(2, "big")) for n in range(sum(batches))]
    for count in batches:
        grown.grow(size, leaves[size : size + count])
        size += count
    whole = Forest([n.to_bytes(2, "big") for n in range(size)])
    assert grown.nodes == whole.nodes


@given(st.integers(0, 60), st.integers(0, 60))
def test_which_nodes_are_asked_for_does_not_depend_on_hashes(older: int, more: int) -> None:
    newer = older + more
    asked: list[set[tuple[int, int]]] = []
    for answer in (bytes(32), sha256(b"x")):
        wanted: set[tuple[int, int]] = set()

        def get(
            level: int, index: int, wanted: set[tuple[int, int]] = wanted, answer: bytes = answer
        ) -> bytes:
            wanted.add((level, index))
            return answer

        merkle.consistency_proof(get, older, newer)
        merkle.root_of(newer, get)
        merkle.new_nodes(older, [answer] * more, get)
        if older:
            merkle.inclusion_proof(get, older - 1, newer)
        asked.append(wanted)
    assert asked[0] == asked[1]


def test_a_proof_is_asked_for_within_the_tree_only() -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(FOREST.get, 3, 3)
    with pytest.raises(ValueError, match="cannot precede"):
        merkle.consistency_proof(FOREST.get, 4, 3)
    with pytest.raises(BrokenSeal):
        merkle.verify_consistency(
            older=4, newer=3, older_root=bytes(32), newer_root=bytes(32), proof=[]
        )


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 0, 8, "tile/0/000.p/8"),
        (3, 1_234_067, 256, "tile/3/x001/x234/067"),
        (None, 1000, 255, "tile/entries/x001/000.p/255"),
        (1, 999, 1, "tile/1/999.p/1"),
        (63, 0, 256, "tile/63/000"),
    ],
)
def test_tiles_have_the_addresses_of_the_specification(
    level: int | None, number: int, width: int, path: str
) -> None:
    assert merkle.tile_path(level, number, width) == path
    assert merkle.parse_tile_path(path) == merkle.Tile(level, number, width)
    assert merkle.parse_tile_path(path).path == path


@given(st.none() | st.integers(0, 63), st.integers(0, 2**40), st.integers(1, 256))
def test_tile_addresses_come_back(level: int | None, number: int, width: int) -> None:
    path = merkle.tile_path(level, number, width)
    assert merkle.parse_tile_path(path) == merkle.Tile(level, number, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/08",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/000\n",
        "tile/data/000",
        "",
    ],
)
def test_any_other_address_is_refused(path: str) -> None:
    with pytest.raises(Malformed):
        merkle.parse_tile_path(path)


@pytest.mark.parametrize(("n", "width"), [(-1, 256), (0, 0), (0, 257)])
def test_a_tile_that_cannot_be_has_no_address(n: int, width: int) -> None:
    with pytest.raises(ValueError, match="no such tile"):
        merkle.tile_path(0, n, width)


def test_tiles_hold_the_tree() -> None:
    forest = Forest([n.to_bytes(2, "big") for n in range(600)])
    assert merkle.tile_width(0, 0, 600) == 256
    assert merkle.tile_width(0, 2, 600) == 88
    assert merkle.tile_width(0, 3, 600) == 0
    assert merkle.tile_width(1, 0, 600) == 2
    assert merkle.tile_width(None, 2, 600) == 88
    data = merkle.tile_bytes(forest.get, merkle.Tile(1, 0, 2))
    assert data == merkle.root(forest.hashes[:256]) + merkle.root(forest.hashes[256:512])
    first = merkle.tile_bytes(forest.get, merkle.Tile(0, 0, 256))
    assert first == b"".join(forest.hashes[:256])
    with pytest.raises(ValueError, match="no hashes"):
        merkle.tile_bytes(forest.get, merkle.Tile(None, 0, 1))


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_bundles_come_back(entries: list[bytes]) -> None:
    assert merkle.unbundle(merkle.bundle(entries)) == entries


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x05abc", b"\x00\x01a\x00"])
def test_a_bundle_that_ends_within_an_entry_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        merkle.unbundle(data)
