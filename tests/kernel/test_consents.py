"""Separate consents: Personal Information Law 28, 29."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernel import consents
from kernel.consents import TEXTS, Consent, Purpose, consent_refusals, text_digest


@pytest.mark.accepts("PL-14")
def test_a_separate_consent_with_purpose_and_necessity_is_enough() -> None:
    assert consent_refusals(Consent("签到核验身份", True, True)) == []


@pytest.mark.refuses("PL-14")
@pytest.mark.parametrize(
    ("consent", "code"),
    [
        (None, "no_separate_consent"),
        (Consent("签到核验身份", True, False), "no_separate_consent"),
        (Consent("签到核验身份", True, True, withdrawn=True), "consent_withdrawn"),
        (Consent(" ", True, True), "purpose_unclear"),
        (Consent("签到核验身份", False, True), "purpose_unclear"),
    ],
)
def test_anything_less_is_not(consent: Consent | None, code: str) -> None:
    assert [one.code for one in consent_refusals(consent)] == [code]


def test_every_use_has_a_text_that_tells_all_in_both_languages() -> None:
    assert set(TEXTS) == set(Purpose)
    for text in TEXTS.values():
        pairs = (text.name, text.data, text.purpose, text.necessity, text.refusing)
        assert all(len(pair) == 2 and all(words.strip() for words in pair) for pair in pairs)
        assert text.tells_necessity


def test_each_text_has_a_digest_of_its_own_that_changes_with_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digests = [text_digest(one) for one in Purpose]
    assert len(set(digests)) == len(digests)
    text = TEXTS[Purpose.CALLS]
    changed = {**TEXTS, Purpose.CALLS: replace(text, necessity=("另有必要", text.necessity[1]))}
    monkeypatch.setattr(consents, "TEXTS", changed)
    assert text_digest(Purpose.CALLS) != digests[list(Purpose).index(Purpose.CALLS)]
    assert text_digest(Purpose.EXPERT_HEALTH) in digests
