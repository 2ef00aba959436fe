"""What becomes of a bid at the opening: Electronic Bidding Measures 30, 31."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import pytest

from kernel.statute import E_BIDDING_MEASURES
from trading.rules.decryption_outcome import (
    Decryption,
    DecryptionFacts,
    decryption_outcome,
)

GOOD = DecryptionFacts(
    released=True,
    escrow_chosen=False,
    fallback_agreed=False,
    platform_incident=False,
    bytes_intact=True,
    badly_dealt=False,
    payload_opens=True,
    shares_sufficient=True,
)
ABSENT = replace(GOOD, released=False)
ESCROWED = replace(ABSENT, escrow_chosen=True, fallback_agreed=True)

EVERYTHING = [
    DecryptionFacts(*values)
    for values in itertools.product([True, False], repeat=len(fields(DecryptionFacts)))
]


def became(facts: DecryptionFacts) -> Decryption:
    return decryption_outcome(facts).decryption


@pytest.mark.accepts("OP-02", "OP-03")
def test_a_released_bid_with_enough_shares_is_opened() -> None:
    assert became(GOOD) is Decryption.OPENED


def test_an_absent_bidder_who_chose_escrow_is_opened_by_custodians() -> None:
    assert became(ESCROWED) is Decryption.OPENED_BY_CUSTODIANS


@pytest.mark.refuses("OP-02", "OP-03")
def test_an_absent_bidder_without_escrow_is_revoked() -> None:
    outcome = decryption_outcome(ABSENT)
    assert outcome.decryption is Decryption.REVOKED
    assert outcome.article == E_BIDDING_MEASURES[31]
    assert "视为撤销" in outcome.reason


def test_an_absent_bidder_during_an_incident_is_withdrawn() -> None:
    outcome = decryption_outcome(replace(ABSENT, platform_incident=True))
    assert outcome.decryption is Decryption.WITHDRAWN
    assert "视为撤回" in outcome.reason


@pytest.mark.parametrize("facts", [replace(ESCROWED, fallback_agreed=False)])
def test_escrow_waits_for_both_signatures(facts: DecryptionFacts) -> None:
    assert became(facts) is Decryption.WAITING


def test_an_opening_without_enough_shares_waits_and_revokes_nobody() -> None:
    assert became(replace(GOOD, shares_sufficient=False)) is Decryption.WAITING
    assert became(replace(ESCROWED, shares_sufficient=False)) is Decryption.WAITING


@pytest.mark.parametrize("start", [GOOD, ESCROWED])
def test_what_the_bidder_dealt_or_sealed_badly_is_revoked(start: DecryptionFacts) -> None:
    assert became(replace(start, badly_dealt=True)) is Decryption.REVOKED
    assert became(replace(start, payload_opens=False)) is Decryption.REVOKED


@pytest.mark.parametrize("facts", [one for one in EVERYTHING if not one.bytes_intact])
def test_bytes_the_platform_lost_are_never_the_bidders_fault(facts: DecryptionFacts) -> None:
    assert became(facts) is Decryption.WITHDRAWN


@pytest.mark.parametrize("facts", EVERYTHING)
def test_what_is_readable_was_intact_shared_and_really_decrypted(facts: DecryptionFacts) -> None:
    outcome = decryption_outcome(facts)
    if outcome.readable:
        assert facts.bytes_intact
        assert facts.shares_sufficient
        assert facts.payload_opens
        assert not facts.badly_dealt
        assert facts.released or (facts.escrow_chosen and facts.fallback_agreed)
    assert outcome.reason


@pytest.mark.parametrize("facts", EVERYTHING)
def test_only_an_absent_or_faulty_bidder_is_revoked(facts: DecryptionFacts) -> None:
    if became(facts) is Decryption.REVOKED:
        absent = not facts.released and not facts.escrow_chosen and not facts.platform_incident
        assert absent or facts.badly_dealt or not facts.payload_opens
