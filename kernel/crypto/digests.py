"""Canonical bytes, labelled hashes, and readers that refuse what is not exactly right.

Every hash of ours begins with a label that ends in a zero byte, so that a digest made for one
purpose never equals one made for another. What we sign is bytes; JSON is written canonically once
and afterwards only read, never written again and compared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import NoReturn

from kernel.errors import BrokenSeal

LARGEST_WHOLE_NUMBER = 2**53 - 1
"""The largest whole number that every JSON reader keeps exactly."""

DEEPEST_NESTING = 32

_B64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_B64U = re.compile(r"[A-Za-z0-9_-]*")
_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)


class Malformed(BrokenSeal):
    """Bytes that do not have the form they must have; `code` names the fault for programs.

    `faults` says, where it is known, which members are wrong and how.
    """

    def __init__(
        self, message: str, *, code: str = "malformed", faults: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.faults = dict(faults or {})


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the parts one after another."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def labelled(label: str, *parts: bytes) -> bytes:
    """SHA-256 of the label, a zero byte, and the parts; parts of varying length need delimiters."""
    return sha256(label.encode(), b"\0", *parts)


def canonical(value: object) -> bytes:
    """The one JSON text of a value: UTF-8, sorted keys, no spaces.

    Only what every reader reads alike may stand in it: text, whole numbers up to 2^53 - 1, true,
    false, null, lists and objects with text keys. Anything else, fractions above all, is a
    `TypeError` or `ValueError`: a defect of the caller's, not an input's.
    """
    _require_plain(value)
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def strict_json(data: bytes, max_bytes: int = 1 << 20) -> object:
    """The value of a JSON text in UTF-8, or `Malformed`.

    Refused: more than `max_bytes`, names given twice, fractions and exponents, NaN and infinities,
    whole numbers beyond 2^53 - 1, nesting deeper than 32, unpaired surrogates, and U+0000, which no
    text of a database can hold.
    """
    if len(data) > max_bytes:
        raise Malformed(f"JSON of {len(data)} bytes, at most {max_bytes} allowed")
    try:
        value: object = json.loads(
            data.decode(),
            object_pairs_hook=_each_name_once,
            parse_int=_whole_number,
            parse_float=_refused_number,
            parse_constant=_refused_number,
        )
        _require_plain(value)
    except RecursionError:
        raise Malformed("JSON nested too deeply") from None
    except (ValueError, TypeError) as fault:
        raise Malformed(f"not acceptable JSON: {fault}") from None
    return value


def members(
    value: object, required: Collection[str], *, optional: Collection[str] = ()
) -> dict[str, object]:
    """A JSON object that has all required members and none but them and the optional ones."""
    if not isinstance(value, dict):
        raise Malformed("a JSON object was expected")
    if not (value.keys() >= set(required) and value.keys() <= {*required, *optional}):
        missing = sorted(set(required) - value.keys())
        strange = sorted(value.keys() - set(required) - set(optional))
        raise Malformed(f"members missing: {missing}; members unknown: {strange}")
    return value


def text_of(value: object) -> str:
    """A JSON text, or `Malformed`."""
    if not isinstance(value, str):
        raise Malformed("a JSON text was expected")
    return value


def list_of(value: object, *, at_most: int) -> list[object]:
    """A JSON list of bounded length, or `Malformed`."""
    if not isinstance(value, list) or len(value) > at_most:
        raise Malformed(f"a JSON list of at most {at_most} items was expected")
    return value


def count_of(value: object) -> int:
    """A JSON whole number that is not negative, or `Malformed`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed("a whole number was expected")
    return value


def b64(data: bytes) -> str:
    """Base 64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode()


def unb64(text: object, size: int | None = None) -> bytes:
    """The bytes of a base 64 text that has exactly the form `b64` writes."""
    if not isinstance(text, str) or not _B64.fullmatch(text):
        raise Malformed("not base 64")
    data = base64.b64decode(text)
    if b64(data) != text:
        raise Malformed("base 64 with stray bits at its end")
    return _of_size(data, size)


def b64u(data: bytes) -> str:
    """Base 64 for addresses, without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text: object, size: int | None = None) -> bytes:
    """The bytes of an unpadded base64url text that has exactly the form `b64u` writes."""
    if not isinstance(text, str) or not _B64U.fullmatch(text) or len(text) % 4 == 1:
        raise Malformed("not unpadded base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise Malformed("not unpadded base64url") from None
    if b64u(data) != text:
        raise Malformed("base64url with stray bits at its end")
    return _of_size(data, size)


def instant_text(instant: datetime) -> str:
    """An instant as RFC 3339 in UTC with a final Z; six decimals where it has any."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def parse_instant(text: object) -> datetime:
    """The instant of an RFC 3339 text, in UTC.

    Refused: lower-case letters, leap seconds, the unknown offset -00:00, and decimals beyond
    microseconds, which could not be kept exactly.
    """
    found = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Malformed("not an RFC 3339 instant")
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    micros = int((found[7] or "").ljust(6, "0"))
    try:
        offset = _offset(found[8], found[9], found[10])
        local = datetime(year, month, day, hour, minute, second, micros, timezone(offset))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed("not an RFC 3339 instant") from None


def _offset(sign: str | None, hours: str, minutes: str) -> timedelta:
    if sign is None:
        return timedelta(0)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if int(minutes) > 59 or (sign == "-" and not offset):
        raise ValueError("offset")
    return offset if sign == "+" else -offset


def _of_size(data: bytes, size: int | None) -> bytes:
    if size is not None and len(data) != size:
        raise Malformed(f"{len(data)} bytes where {size} were expected")
    return data


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name given twice")
    return found


def _whole_number(digits: str) -> int:
    if len(digits) > 17:
        raise ValueError("a number too large")
    return int(digits)


def _refused_number(digits: str) -> NoReturn:
    raise ValueError(f"the number {digits[:20]} is not whole")


def _require_plain(value: object) -> None:
    """Walk the value with a stack of our own, so that no depth can exhaust the interpreter's."""
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        match item:
            case None | bool():
                continue
            case int():
                if abs(item) > LARGEST_WHOLE_NUMBER:
                    raise ValueError("a number too large")
            case str():
                if "\0" in item:
                    raise ValueError("U+0000 in a text")
                item.encode()
            case dict() | list() | tuple():
                if depth >= DEEPEST_NESTING:
                    raise ValueError("nested too deeply")
                if isinstance(item, dict):
                    if not all(isinstance(name, str) for name in item):
                        raise TypeError("names must be text")
                    stack.extend((name, depth + 1) for name in item)
                    stack.extend((member, depth + 1) for member in item.values())
                else:
                    stack.extend((member, depth + 1) for member in item)
            case _:
                raise TypeError(f"{type(item).__name__} has no canonical JSON")
