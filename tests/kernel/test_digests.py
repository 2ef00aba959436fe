"""Canonical bytes, labelled hashes and strict readers: RFC 8259, RFC 4648, RFC 3339."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.digests import (
    LARGEST_WHOLE_NUMBER,
    Malformed,
    b64,
    b64u,
    canonical,
    count_of,
    instant_text,
    labelled,
    list_of,
    members,
    parse_instant,
    sha256,
    strict_json,
    text_of,
    unb64,
    unb64u,
)

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST_WHOLE_NUMBER, LARGEST_WHOLE_NUMBER) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


class Colour(StrEnum):
    RED = "red"


def test_a_label_ends_in_a_zero_byte() -> None:
    assert labelled("ebid/1/meta", b"a", b"b") == hashlib.sha256(b"ebid/1/meta\0ab").digest()
    assert sha256(b"ab", b"c") == hashlib.sha256(b"abc").digest()


def test_canonical_json_sorts_names_and_keeps_chinese_as_it_is() -> None:
    text = canonical({"b": [1, None, True], "a": "项目", "c": (Colour.RED,)})
    assert text == '{"a":"项目","b":[1,null,true],"c":["red"]}'.encode()


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), {"a": [0.5]}, {1: "a"}, b"bytes", {"a"}, 2**53, "\ud800"]
)
def test_what_readers_would_not_all_read_alike_is_not_written(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)


@given(PLAIN)
def test_canonical_json_reads_back_as_it_was(value: object) -> None:
    assert strict_json(canonical(value)) == value


@given(PLAIN)
def test_writing_what_was_read_changes_nothing(value: object) -> None:
    assert canonical(strict_json(canonical(value))) == canonical(value)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b'{"x":{"a":1,"a":1}}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"-Infinity",
        b"9007199254740992",
        b"1" * 5000,
        b"",
        b"{",
        b"{} {}",
        b"[1,]",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'"\\ud800"',
        b'"\\u0000"',
        b'{"a\\u0000":1}',
        b"[" * 33 + b"]" * 33,
        b"[" * 100_000 + b"]" * 100_000,
        b"'a'",
    ],
)
def test_json_that_can_be_read_in_two_ways_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        strict_json(text)


def test_json_may_be_nested_as_deep_as_allowed_and_as_long_as_allowed() -> None:
    strict_json(b"[" * 32 + b"]" * 32)
    strict_json(b'"1234"', max_bytes=6)
    with pytest.raises(Malformed):
        strict_json(b'"1234"', max_bytes=5)


@given(st.binary(max_size=80))
def test_base64_comes_back(data: bytes) -> None:
    assert unb64(b64(data)) == data
    assert unb64u(b64u(data)) == data


@pytest.mark.parametrize("text", ["AA", "AB==", "AA==\n", "A===", "A-8=", "AAA", " AAA=", 5, None])
def test_base64_of_any_other_form_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        unb64(text)


@pytest.mark.parametrize("text", ["AA==", "AB", "A", "A/8", "A+8", "AA\n", "ＡＡ", 5, None])
def test_base64url_of_any_other_form_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        unb64u(text)


def test_a_stated_size_is_insisted_on() -> None:
    assert unb64u(b64u(b"1234"), 4) == b"1234"
    with pytest.raises(Malformed):
        unb64u(b64u(b"1234"), 5)
    with pytest.raises(Malformed):
        unb64(b64(b"1234"), 3)


@given(
    st.datetimes(
        min_value=datetime(1, 1, 3),  # noqa: DTZ001  the strategy adds the zone
        max_value=datetime(9999, 12, 29),  # noqa: DTZ001
        timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
    )
)
def test_an_instant_comes_back_in_utc(instant: datetime) -> None:
    assert parse_instant(instant_text(instant)) == instant
    assert parse_instant(instant_text(instant)).tzinfo is UTC


def test_instants_are_written_with_z_and_with_microseconds_only_where_there_are_any() -> None:
    beijing = timezone(timedelta(hours=8))
    assert instant_text(datetime(2026, 3, 2, 10, tzinfo=beijing)) == "2026-03-02T02:00:00Z"
    fraction = datetime(2026, 3, 2, 10, 0, 0, 120, tzinfo=UTC)
    assert instant_text(fraction) == "2026-03-02T10:00:00.000120Z"
    assert parse_instant("2026-03-02T10:00:00.5+08:00") == datetime(
        2026, 3, 2, 2, 0, 0, 500_000, tzinfo=UTC
    )
    with pytest.raises(ValueError, match="time zone"):
        instant_text(datetime(2026, 3, 2))  # noqa: DTZ001  the fault under test


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T10:00:00",
        "2026-03-02t10:00:00Z",
        "2026-03-02T10:00:00z",
        "2026-03-02 10:00:00Z",
        "2026-03-02T10:00Z",
        "2026-03-02T10:00:60Z",
        "2026-03-02T24:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-03-02T10:00:00.Z",
        "2026-03-02T10:00:00.1234567Z",
        "2026-03-02T10:00:00+0800",
        "2026-03-02T10:00:00+08:60",
        "2026-03-02T10:00:00+24:00",
        "2026-03-02T10:00:00-00:00",
        "２026-03-02T10:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "",
        None,
    ],
)
def test_an_instant_written_otherwise_is_refused(text: object) -> None:
    with pytest.raises(Malformed):
        parse_instant(text)


@pytest.mark.parametrize("wrong", [{}, {"a": 1, "c": 1}, [], "a", None])
def test_members_must_be_exactly_those_expected(wrong: object) -> None:
    assert members({"a": 1, "b": 2}, ("a",), optional=("b",)) == {"a": 1, "b": 2}
    with pytest.raises(Malformed):
        members(wrong, ("a",), optional=("b",))


@pytest.mark.parametrize("wrong", [True, -1, "1", None, {}, [1, 2]])
def test_values_must_have_the_expected_kind(wrong: object) -> None:
    assert (text_of("a"), count_of(0), list_of([1], at_most=1)) == ("a", 0, [1])
    with pytest.raises(Malformed):
        count_of(wrong)
    with pytest.raises(Malformed):
        list_of(wrong, at_most=1)
    with pytest.raises(Malformed):
        text_of([wrong])
