"""The payload of a sealed envelope: padded, encrypted in chunks, counted in parts.

Encryption is C2SP chunked-encryption, instance Cobblestone-256: 24 bytes of salt, 32 bytes that
commit to the key, then chunks of 16 KiB under AES-256-GCM, the last one always shorter. Any byte
can be read without the rest; a wrong key fails before anything is read.

The plaintext is padded as ISO/IEC 7816-4 does: one byte 0x80, then zeros up to a multiple of the
unit of its kind (64 KiB for an opening sheet, 1 MiB for all else), at least one byte, so that the
size tells next to nothing. What follows the last byte that is not zero is never content, so the
padding comes off without knowing what it is around, and a ZIP file within keeps its places.

Upload parts are 8 MiB of ciphertext; the payload's root is the RFC 6962 root over the parts.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from kernel.crypto import merkle
from kernel.crypto.digests import Malformed
from kernel.errors import BrokenSeal

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_SIZE = 8_388_608
CHUNK_SIZE = 16_384
TAG_SIZE = 16
KEY_SIZE = 32
PREAMBLE_SIZE = 24 + 32
PADDING_MAX = 8 << 20
PADDING_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "sheet": 64 << 10,
        "bid": 1 << 20,
        "technical": 1 << 20,
        "price": 1 << 20,
        "application": 1 << 20,
    }
)
"""The kinds of envelopes, and to a multiple of how many bytes each is padded."""

_BLOCK = 64 << 10
_MARK = b"\x80"


def payload_size_of(plaintext_size: int) -> int:
    """The size of the ciphertext of that many bytes, padding included among them."""
    return PREAMBLE_SIZE + plaintext_size + TAG_SIZE * (plaintext_size // CHUNK_SIZE + 1)


def plaintext_size_of(payload_size: int) -> int | None:
    """How many bytes, padding included, a ciphertext of that size holds; None where none can."""
    full, tail = divmod(payload_size - PREAMBLE_SIZE, CHUNK_SIZE + TAG_SIZE)
    if full < 0 or tail < TAG_SIZE:
        return None
    return full * CHUNK_SIZE + tail - TAG_SIZE


def plausible_payload_size(payload_size: int) -> bool:
    """Whether a ciphertext can have that size at all."""
    return plaintext_size_of(payload_size) is not None


def padded_size(plaintext_size: int, unit: int) -> int:
    """The next multiple of `unit` that leaves room for at least one byte of padding."""
    return (plaintext_size // unit + 1) * unit


def payload_context(bind: bytes) -> bytes:
    """What the payload's encryption is bound to."""
    return b"ebid/1/payload\0" + bind


@dataclass(frozen=True, slots=True)
class PayloadKey:
    """The key of one payload, what it is bound to, and the kind that says how it is padded."""

    file_key: bytes = field(repr=False)
    bind: bytes
    kind: str

    def __post_init__(self) -> None:
        if len(self.file_key) != KEY_SIZE:
            raise Malformed("a payload's key has 32 bytes")

    @property
    def context(self) -> bytes:
        """What the payload's encryption is bound to."""
        return payload_context(self.bind)


class PayloadDigest:
    """Counts and digests a payload's bytes as they pass, in constant memory."""

    def __init__(self) -> None:
        self.size = 0
        self._whole = hashlib.sha256()
        self._part = hashlib.sha256(b"\x00")
        self._part_size = 0
        self._leaves: list[bytes] = []

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the payload."""
        self._whole.update(data)
        view = memoryview(data)
        while view:
            taken = view[: PART_SIZE - self._part_size]
            self._part.update(taken)
            self._part_size += len(taken)
            self.size += len(taken)
            view = view[len(taken) :]
            if self._part_size == PART_SIZE:
                self._leaves.append(self._part.digest())
                self._part, self._part_size = hashlib.sha256(b"\x00"), 0

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the bytes so far."""
        return self._whole.digest()

    @property
    def part_leaves(self) -> list[bytes]:
        """The leaf hashes of the parts so far, the last one perhaps short."""
        return [*self._leaves, self._part.digest()] if self._part_size else list(self._leaves)

    @property
    def root(self) -> bytes:
        """The RFC 6962 root over the parts so far."""
        return merkle.root(self.part_leaves)


def encrypted(source: BinaryIO, key: PayloadKey, *, pad_to: int) -> Iterator[tuple[bytes, int]]:
    """The ciphertext piece by piece, each with how many bytes of content are in it by then."""
    encryptor = Cobblestone256Encryptor(key.file_key, key.context)
    done = 0
    while block := source.read(_BLOCK):
        done += len(block)
        yield encryptor.update(block), done
    padding = padded_size(done, pad_to) - done
    yield encryptor.update(_MARK), done
    for start in range(1, padding, _BLOCK):
        yield encryptor.update(bytes(min(_BLOCK, padding - start))), done
    yield encryptor.finalize(), done


class PayloadOpener:
    """Decrypts a payload as its bytes arrive; memory stays constant whatever is in it.

    Nothing it gives may be acted upon before `finish` has returned: only then is it known that
    no byte is missing.
    """

    def __init__(self, key: PayloadKey, *, padded: bool = True) -> None:
        self._decryptor = Cobblestone256Decryptor(key.file_key, key.context)
        self._unit = PADDING_UNITS[key.kind]
        self._padded = padded
        self._size = 0
        self._held = 0

    def update(self, data: bytes) -> bytes:
        """What these bytes of ciphertext add to the content; `BrokenSeal` where they are wrong."""
        try:
            plain = self._decryptor.update(data)
        except (InvalidTag, ValueError):
            raise BrokenSeal("the payload does not open with this key") from None
        return self._content(plain)

    def finish(self) -> bytes:
        """The last of the content; `BrokenSeal` where the payload is cut short or not padded."""
        try:
            content = self._content(self._decryptor.finalize())
        except (InvalidTag, ValueError):
            raise BrokenSeal("the payload is incomplete or altered") from None
        if self._padded and (not self._held or self._size % self._unit):
            raise BrokenSeal("the payload is not padded")
        return content

    def _content(self, plain: bytes) -> bytes:
        """All but what may turn out to be padding: a mark, and zeros that run to the end.

        Only how many bytes are held back is kept, so that no payload can make this slow.
        """
        if not self._padded:
            return plain
        self._size += len(plain)
        content = plain.rstrip(b"\0")
        zeros = len(plain) - len(content)
        if self._held and not content and self._held + zeros <= PADDING_MAX:
            self._held += zeros
            return b""
        earlier = _MARK + bytes(self._held - 1) if self._held else b""
        self._held = 0
        if not content.endswith(_MARK) or zeros >= PADDING_MAX:
            return earlier + plain
        self._held = 1 + zeros
        return earlier + content[:-1]


def opened(pieces: Iterable[bytes], key: PayloadKey, *, padded: bool = True) -> Iterator[bytes]:
    """The content of a payload that comes in pieces of any size.

    Act on nothing before the iterator is exhausted: only then is the payload known to be whole.
    """
    opener = PayloadOpener(key, padded=padded)
    for piece in pieces:
        if content := opener.update(piece):
            yield content
    if content := opener.finish():
        yield content


class RandomAccess(io.RawIOBase):
    """A payload's content as a file one can seek in: each read decrypts only the chunks it needs.

    For `zipfile.ZipFile(io.BufferedReader(...))`. The key, the length and the padding are proved
    at the start, each chunk when it is read; `BrokenSeal` wherever one is wrong.
    """

    def __init__(
        self, source: BinaryIO, key: PayloadKey, *, offset: int = 0, padded: bool = True
    ) -> None:
        self._source, self._offset, self._position = source, offset, 0
        source.seek(offset)
        preamble = source.read(PREAMBLE_SIZE)
        info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + preamble[:24] + key.context
        derived = HKDFExpand(hashes.SHA512(), 32 + 12 + 32, info).derive(key.file_key)
        if derived[44:] != preamble[24:]:
            raise BrokenSeal("the payload does not open with this key")
        self._cipher = AESGCM(derived[:32])
        self._nonce = int.from_bytes(derived[32:44], "big")
        size = plaintext_size_of(source.seek(0, io.SEEK_END) - offset)
        if size is None:
            raise BrokenSeal("the payload is incomplete")
        self._cached: tuple[int, bytes] = (-1, b"")
        self._chunk(size // CHUNK_SIZE)
        self._size = self._content_size(size, PADDING_UNITS[key.kind]) if padded else size

    @property
    def size(self) -> int:
        """How many bytes of content there are."""
        return self._size

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

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and self._position < self._size:
            number, start = divmod(self._position, CHUNK_SIZE)
            wanted = min(len(view) - filled, self._size - self._position)
            piece = self._chunk(number)[start : start + wanted]
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._position += len(piece)
        return filled

    def _chunk(self, number: int) -> bytes:
        if self._cached[0] != number:
            place = number * (CHUNK_SIZE + TAG_SIZE)
            self._source.seek(self._offset + PREAMBLE_SIZE + place)
            sealed = self._source.read(CHUNK_SIZE + TAG_SIZE)
            nonce = (self._nonce ^ number).to_bytes(12, "big")
            try:
                self._cached = number, self._cipher.decrypt(nonce, sealed, None)
            except (InvalidTag, ValueError):
                raise BrokenSeal("the payload is incomplete or altered") from None
        return self._cached[1]

    def _content_size(self, size: int, unit: int) -> int:
        if size == 0 or size % unit:
            raise BrokenSeal("the payload is not padded")
        last = size // CHUNK_SIZE
        for number in range(last, max(-1, last - PADDING_MAX // CHUNK_SIZE - 1), -1):
            content = self._chunk(number).rstrip(b"\0")
            if content.endswith(_MARK):
                return number * CHUNK_SIZE + len(content) - 1
            if content:
                break
        raise BrokenSeal("the payload is not padded")
