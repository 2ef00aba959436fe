"""Where notices are published: Bidding Regulation 15; Electronic Bidding Measures 17; and, from
memory, Notice Measures 10.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trading.rules.publication_media import media_refusals, medium_cautions

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
TWELVE = timedelta(hours=12)


@pytest.mark.accepts("NO-01")
def test_media_that_say_the_same_for_nothing_are_lawful() -> None:
    assert media_refusals(b"a", {"公共服务平台": b"a"}, mandatory=True, charged=False) == []
    assert media_refusals(b"a", {}, mandatory=False, charged=True) == []


@pytest.mark.refuses("NO-01")
def test_other_words_and_a_charge_are_refused() -> None:
    found = media_refusals(b"a", {"公共服务平台": b"b"}, mandatory=True, charged=True)
    assert [one.code for one in found] == ["media_differ", "notice_charged"]


@pytest.mark.accepts("NO-03")
def test_a_signed_notice_shown_in_twelve_hours_is_in_time() -> None:
    for shown in (NOON + TWELVE, None):
        found = medium_cautions(signed=True, handed_over_at=NOON, shown_at=shown, now=NOON + TWELVE)
        assert found == []


@pytest.mark.refuses("NO-03")
def test_an_unsigned_notice_and_a_slow_medium_are_warned_of() -> None:
    found = medium_cautions(
        signed=False, handed_over_at=NOON, shown_at=None, now=NOON + TWELVE + timedelta(seconds=1)
    )
    assert [one.code for one in found] == ["notice_unsigned", "medium_late"]
