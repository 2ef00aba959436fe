"""Electronic Bidding Measures 27, 40: what a bidder signs, and what its next one must name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.digests import Malformed, b64u
from trading.rules.submission_statement import Submission, replacement_refusals, submission_in

PAYLOAD: dict[str, Any] = {
    "v": "ebid-submission/1",
    "project": "p",
    "lot": "l",
    "bidder": "b",
    "seq": 1,
    "policy": b64u(bytes(32)),
    "envelopes": [
        {
            "envelope": "bid",
            "head": b64u(b"h" * 32),
            "payload_size": 1_048_632,
            "payload_root": b64u(b"r" * 32),
        }
    ],
    "replaces": None,
    "signed_at": "2026-03-05T01:00:00Z",
}
FIRST = submission_in(PAYLOAD)


def codes(submission: Submission, last: int, digest: bytes | None) -> set[str]:
    return {
        one.code
        for one in replacement_refusals(submission, last_sequence=last, last_submission=digest)
    }


def test_a_first_submission_replaces_nothing() -> None:
    assert codes(FIRST, 0, None) == set()
    assert codes(replace(FIRST, replaces=b"d" * 32), 0, None) == {"wrong_previous"}


def test_a_later_submission_names_the_one_before_it() -> None:
    second = replace(FIRST, seq=2, replaces=b"d" * 32)
    assert codes(second, 1, b"d" * 32) == set()
    assert codes(second, 1, b"e" * 32) == {"wrong_previous"}
    assert codes(replace(second, replaces=None), 1, b"d" * 32) == {"wrong_previous"}


@given(st.integers(min_value=0, max_value=1000), st.integers(min_value=1, max_value=1000))
def test_no_number_is_left_out(last: int, seq: int) -> None:
    refused = "wrong_sequence" in codes(replace(FIRST, seq=seq), last, None)
    assert refused == (seq > last + 1)


def test_a_submission_without_envelopes_withdraws() -> None:
    assert not FIRST.withdraws
    assert submission_in({**PAYLOAD, "envelopes": []}).withdraws


@pytest.mark.parametrize("name", sorted(PAYLOAD))
def test_every_member_is_needed_and_no_other_is_taken(name: str) -> None:
    with pytest.raises(Malformed):
        submission_in({key: value for key, value in PAYLOAD.items() if key != name})
    with pytest.raises(Malformed):
        submission_in({**PAYLOAD, f"{name}_": PAYLOAD[name]})


def test_an_envelope_is_named_once() -> None:
    with pytest.raises(Malformed) as fault:
        submission_in({**PAYLOAD, "envelopes": PAYLOAD["envelopes"] * 2})
    assert fault.value.code == "envelope_twice"
