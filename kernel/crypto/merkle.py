"""The RFC 6962 Merkle tree: leaves, roots, inclusion and consistency proofs, tiles.

A tree is known here only through a *node getter*: `get(level, index)` gives the hash of the perfect
subtree over the leaves `index * 2**level` up to the next; level 0 is the leaf hashes. Which nodes
a function asks for depends on sizes and indexes alone, never on hashes, so a caller may run
it once to learn what to fetch. Verification follows RFC 9162, 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kernel.crypto.digests import Malformed, sha256
from kernel.errors import BrokenSeal

HASH_SIZE = 32
TILE_WIDTH = 256
TILE_HEIGHT = 8
LONGEST_PROOF = 63
EMPTY_ROOT = sha256()

NodeGetter = Callable[[int, int], bytes]
"""The hash of the perfect subtree at (level, index)."""

_TILE_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: SHA-256 of a zero byte and its data."""
    return sha256(b"\x00", data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 of a one byte and its children's hashes."""
    return sha256(b"\x01", left, right)


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes; of none, SHA-256 of nothing."""
    if not leaf_hashes:
        return EMPTY_ROOT
    peaks: list[tuple[int, bytes]] = []
    for value in leaf_hashes:
        level, grown = 0, value
        while peaks and peaks[-1][0] == level:
            grown = node_hash(peaks.pop()[1], grown)
            level += 1
        peaks.append((level, grown))
    _, whole = peaks.pop()
    while peaks:
        whole = node_hash(peaks.pop()[1], whole)
    return whole


def root_of(size: int, get: NodeGetter) -> bytes:
    """The root of the tree's first `size` leaves."""
    return EMPTY_ROOT if size == 0 else _range_hash(get, 0, size)


def inclusion_proof(get: NodeGetter, index: int, size: int) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of `size` leaves, leaf's sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _largest_power_below(high - low)
        if index < middle:
            path.append(_range_hash(get, middle, high))
            high = middle
        else:
            path.append(_range_hash(get, low, middle))
            low = middle
    return path[::-1]


def consistency_proof(get: NodeGetter, older: int, newer: int) -> list[bytes]:
    """The hashes that show the tree of `newer` leaves to begin with the tree of `older` ones."""
    if not 0 <= older <= newer:
        raise ValueError(f"{older} leaves cannot precede {newer}")
    if older in (0, newer):
        return []
    path: list[bytes] = []
    low, high, old_root_is_known = 0, newer, True
    while older != high:
        middle = low + _largest_power_below(high - low)
        if older <= middle:
            path.append(_range_hash(get, middle, high))
            high = middle
        else:
            path.append(_range_hash(get, low, middle))
            low, old_root_is_known = middle, False
    if not old_root_is_known:
        path.append(_range_hash(get, low, high))
    return path[::-1]


def root_from_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that the proof leads to from this leaf hash."""
    if not 0 <= index < size:
        raise BrokenSeal(f"no leaf {index} in a tree of {size}")
    _require_hashes(leaf, *proof)
    place, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BrokenSeal("inclusion proof too long")
        if place & 1 or place == last:
            value = node_hash(sibling, value)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise BrokenSeal("inclusion proof too short")
    return value


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """`BrokenSeal` unless the leaf hash stands at `index` of the tree with this size and root."""
    if root_from_inclusion(leaf, index=index, size=size, proof=proof) != root:
        raise BrokenSeal("inclusion proof leads to another root")


def verify_consistency(
    *, older: int, newer: int, older_root: bytes, newer_root: bytes, proof: Sequence[bytes]
) -> None:
    """`BrokenSeal` unless the tree of `newer` leaves begins with the tree of `older` leaves.

    Of an empty older tree there is nothing to prove: its proof must be empty and its root right.
    """
    if not 0 <= older <= newer:
        raise BrokenSeal(f"{older} leaves cannot precede {newer}")
    _require_hashes(older_root, newer_root, *proof)
    if older in (0, newer):
        if proof:
            raise BrokenSeal("consistency proof must be empty")
        if older_root != (EMPTY_ROOT if older == 0 else newer_root):
            raise BrokenSeal("roots of one size differ")
        return
    if not proof:
        raise BrokenSeal("consistency proof missing")
    path = list(proof) if older & (older - 1) else [older_root, *proof]
    place, last = older - 1, newer - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise BrokenSeal("consistency proof too long")
        if place & 1 or place == last:
            old_value = node_hash(sibling, old_value)
            new_value = node_hash(sibling, new_value)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new_value = node_hash(new_value, sibling)
        place, last = place >> 1, last >> 1
    if last or old_value != older_root or new_value != newer_root:
        raise BrokenSeal("consistency proof does not hold")


def new_nodes(
    size_before: int, leaf_hashes: Sequence[bytes], get: NodeGetter
) -> list[tuple[int, int, bytes]]:
    """Every perfect subtree that these leaves complete, leaves included: (level, index, hash).

    `get` is asked only for nodes of the tree as it was: at most one at each level.
    """
    nodes: list[tuple[int, int, bytes]] = []
    level, first, row = 0, size_before, list(leaf_hashes)
    while row:
        nodes.extend((level, first + offset, value) for offset, value in enumerate(row))
        if first & 1:
            row.insert(0, get(level, first - 1))
            first -= 1
        row = [node_hash(*row[pair : pair + 2]) for pair in range(0, len(row) - 1, 2)]
        level, first = level + 1, first >> 1
    return nodes


@dataclass(frozen=True, slots=True)
class Tile:
    """Up to 256 hashes in a row, or their log entries where `level` is None (C2SP tlog-tiles)."""

    level: int | None
    index: int
    width: int

    @property
    def path(self) -> str:
        """The tile's address below the log's."""
        return tile_path(self.level, self.index, self.width)


def tile_path(level: int | None, n: int, width: int = TILE_WIDTH) -> str:
    """The address of a tile; `level` None is a bundle of entries, width 256 a full tile."""
    if not (1 <= width <= TILE_WIDTH and n >= 0 and (level is None or 0 <= level <= 63)):
        raise ValueError("no such tile")
    digits = f"{n:d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    part = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{'entries' if level is None else level}/{number}{part}"


def parse_tile_path(path: str) -> Tile:
    """The tile at an address; `Malformed` where no tile is written so."""
    found = _TILE_PATH.fullmatch(path)
    if found is None:
        raise Malformed("not a tile's address")
    level = None if found[1] == "entries" else int(found[1])
    number = int(found[2].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if found[3] is None else int(found[3])
    if (found[3] is not None and width >= TILE_WIDTH) or (level or 0) > 63:
        raise Malformed("not a tile's address")
    if tile_path(level, number, width) != path:
        raise Malformed("a tile's number has no leading zeros")
    return Tile(level, number, width)


def tile_width(level: int | None, n: int, size: int) -> int:
    """How many hashes a tile has in a tree of that size: 0 where it has none, 256 where full."""
    row = size >> (TILE_HEIGHT * (level or 0))
    return max(0, min(TILE_WIDTH, row - n * TILE_WIDTH))


def tile_bytes(get: NodeGetter, tile: Tile) -> bytes:
    """The hashes of a tile in a row, 32 bytes each."""
    if tile.level is None:
        raise ValueError("a bundle of entries has no hashes")
    height = tile.level * TILE_HEIGHT
    first = tile.index * TILE_WIDTH
    return b"".join(get(height, first + offset) for offset in range(tile.width))


def bundle(entries: Sequence[bytes]) -> bytes:
    """Log entries in a row, each after its length in two bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundle(data: bytes) -> list[bytes]:
    """The log entries of a bundle; `Malformed` where it ends in the middle of one."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise Malformed("a bundle ends within an entry")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def _range_hash(get: NodeGetter, low: int, high: int) -> bytes:
    """The root over the leaves from `low` to before `high`, where the tree has such a subtree."""
    count = high - low
    if count & (count - 1) == 0 and low % count == 0:
        return get(count.bit_length() - 1, low // count)
    middle = low + _largest_power_below(count)
    return node_hash(_range_hash(get, low, middle), _range_hash(get, middle, high))


def _largest_power_below(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _require_hashes(*values: bytes) -> None:
    if len(values) > LONGEST_PROOF + 3:
        raise BrokenSeal("proof too long")
    if any(len(value) != HASH_SIZE for value in values):
        raise BrokenSeal("a hash has 32 bytes")
