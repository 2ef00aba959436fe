"""Talks and last prices: Government Procurement Law 3, 38; and, from memory, Non-tender Procurement
Measures 31, 32, 33, Competitive Consultation Measures 20, 21.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.crypto.digests import Malformed
from kernel.statute import NON_TENDER_MEASURES, PROCUREMENT_LAW, Provenance
from trading.rules.price_talks import (
    OPENING_WINDOW,
    SALT_SIZE,
    SETTLING,
    TIME_TO_PRICE_MIN,
    Pause,
    PriceCall,
    TalkPhase,
    after_pauses,
    call_cautions,
    call_refusals,
    evaluation_waits,
    hand_in_refusals,
    holds_talks,
    leave_refusals,
    lie_open,
    open_refusals,
    phase_of,
    price_commitment,
    prices_are_read_out,
    refiling_refusals,
    reply_refusals,
    standstill_refusals,
    talk_cautions,
    talk_refusals,
    talks_article,
)
from trading.rules.procedures import TALKED, Procedure, switches_of

A, B, C = (UUID(int=number) for number in (1, 2, 3))
DUE = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
CALL = PriceCall(DUE, DUE + OPENING_WINDOW, frozenset({A, B, C}))
ARTICLE = PROCUREMENT_LAW[38]
BRIEF = timedelta(microseconds=1)
TALKING = TalkPhase.TALKING
VECTOR = "b406364551bb3e9f67acc2552b0c2ce8354a4742fa85ab0a127e805a5ea890ca"
PRICED = (TalkPhase.PRICING, TalkPhase.OPENING, TalkPhase.OPEN)


def phase_at(
    now: datetime, *, handed_in: Collection[UUID] = (), opened: Collection[UUID] = ()
) -> TalkPhase:
    return phase_of(
        now, in_evaluation=True, reported=True, call=CALL, handed_in=handed_in, opened=opened
    )


@given(st.timedeltas(timedelta(seconds=-90), OPENING_WINDOW + timedelta(seconds=90)))
def test_prices_lie_open_at_no_instant_before_the_window_is_over(after: timedelta) -> None:
    found = phase_at(DUE + after, handed_in={A, B}, opened={A})
    due = timedelta(0) <= after < OPENING_WINDOW
    assert found is (
        TalkPhase.OPENING if due else TalkPhase.PRICING if after < timedelta(0) else TalkPhase.OPEN
    )


def test_they_lie_open_sooner_where_nobody_is_waited_for() -> None:
    both = {A, B}
    assert phase_at(DUE - BRIEF, handed_in=both, opened=both) is TalkPhase.PRICING
    assert phase_at(DUE + SETTLING - BRIEF, handed_in=both, opened=both) is TalkPhase.OPENING
    assert phase_at(DUE + SETTLING, handed_in=both, opened=both) is TalkPhase.OPEN
    assert phase_at(DUE + SETTLING, handed_in=both, opened={A}) is TalkPhase.OPENING


def test_talks_are_held_while_the_group_evaluates() -> None:
    for reported, outside in ((False, TalkPhase.NOT_BEGUN), (True, TalkPhase.OVER)):
        facts = {"reported": reported, "call": None, "handed_in": (), "opened": ()}
        assert phase_of(DUE, in_evaluation=False, **facts) is outside  # type: ignore[arg-type]  # facts of several kinds
        assert phase_of(DUE, in_evaluation=True, **facts) is TALKING  # type: ignore[arg-type]  # as above
    assert [one for one in TalkPhase if lie_open(one)] == [TalkPhase.OPEN, TalkPhase.OVER]


def test_what_is_refused_rests_on_a_text_that_was_read() -> None:
    for procedure in Procedure:
        switches = switches_of(procedure, on=date(2026, 3, 1))
        assert holds_talks(switches) is (procedure in TALKED)
        assert prices_are_read_out(switches) is (procedure not in TALKED)
        assert talks_article(switches).provenance is not Provenance.MEMORY


@given(
    st.binary(min_size=SALT_SIZE, max_size=SALT_SIZE),
    st.integers(1, 10**12).map(lambda fen: Decimal(fen) / 100),
    st.integers(1, 10**12).map(lambda fen: Decimal(fen) / 100),
)
def test_a_commitment_fits_one_price_of_one_supplier_of_one_lot(
    salt: bytes, price: Decimal, other: Decimal
) -> None:
    found = price_commitment(A, B, salt, price)
    assert (price_commitment(A, B, salt, other) == found) is (other == price)
    assert price_commitment(A, C, salt, price) != found != price_commitment(C, B, salt, price)
    with pytest.raises(Malformed):
        price_commitment(A, B, salt[1:], price)


def test_browsers_reckon_the_same_commitment() -> None:
    """Government Procurement Law 38: the vector that `last_price.js` is held to as well."""
    found = price_commitment(A, B, bytes(range(32)), Decimal(473000))
    assert found.hex() == VECTOR


@pytest.mark.accepts("NB-10")
def test_the_group_talks_with_who_is_left_while_talks_go_on() -> None:
    assert talk_refusals(TALKING, remains=True, article=ARTICLE) == []
    assert reply_refusals(TALKING, answered=False, article=ARTICLE) == []
    for phase in (TALKING, TalkPhase.PRICING):
        assert leave_refusals(phase, left=False, article=ARTICLE) == []


@pytest.mark.refuses("NB-10")
@pytest.mark.parametrize("phase", [one for one in TalkPhase if one is not TALKING])
def test_nobody_is_talked_with_once_last_prices_are_asked_for(phase: TalkPhase) -> None:
    for found in (
        talk_refusals(phase, remains=True, article=ARTICLE),
        reply_refusals(phase, answered=False, article=ARTICLE),
    ):
        assert [(one.code, one.article) for one in found] == [("not_talking", ARTICLE)]
    if phase is not TalkPhase.PRICING:
        (refusal,) = leave_refusals(phase, left=False, article=ARTICLE)
        assert refusal.code == "too_late_to_leave"


@pytest.mark.refuses("NB-10")
def test_who_left_or_answered_is_out_of_the_talks() -> None:
    (gone,) = talk_refusals(TALKING, remains=False, article=ARTICLE)
    (twice,) = reply_refusals(TALKING, answered=True, article=ARTICLE)
    (left,) = leave_refusals(TALKING, left=True, article=ARTICLE)
    (late,) = hand_in_refusals(TalkPhase.PRICING, left=True, article=ARTICLE)
    assert [one.code for one in (gone, twice, left, late)] == [
        "not_in_talks",
        "answered",
        "left",
        "left",
    ]


def at_minute(number: int) -> datetime:
    return DUE + timedelta(minutes=number)


@pytest.mark.accepts("NB-10")
def test_a_suspension_stops_the_clock_of_what_lies_before_it_and_of_nothing_else() -> None:
    before, inside = Pause(at_minute(-10), at_minute(20)), Pause(at_minute(40), at_minute(45))
    now = at_minute(50)
    once = after_pauses(CALL, [before], now=now)
    assert once.due_at == at_minute(30)
    assert once.window_until == at_minute(30) + OPENING_WINDOW
    twice = after_pauses(CALL, [before, inside], now=now)
    assert (twice.due_at, twice.window_until) == (at_minute(30), at_minute(65))
    assert after_pauses(CALL, [Pause(CALL.window_until, now)], now=now) == CALL


@given(st.timedeltas(timedelta(0), timedelta(days=3)))
def test_while_it_lasts_as_much_time_is_left_as_when_it_began(after: timedelta) -> None:
    begun = at_minute(-10)
    for now in (begun + after, begun + after + BRIEF):
        left = after_pauses(CALL, [Pause(begun, None)], now=now).due_at - now
        assert left == DUE - begun
    assert standstill_refusals(suspended=False, article=ARTICLE) == []


@pytest.mark.refuses("NB-10")
def test_nobody_talks_or_prices_while_the_lot_stands_still() -> None:
    (refusal,) = standstill_refusals(suspended=True, article=ARTICLE)
    assert (refusal.code, refusal.article) == ("lot_suspended", ARTICLE)


@pytest.mark.refuses("NB-10")
def test_a_response_comes_anew_only_where_the_demand_was_changed() -> None:
    for files, changes in ((0, 0), (0, 1), (2, 1)):
        assert refiling_refusals(files=files, changes=changes, article=ARTICLE) == []
    (refusal,) = refiling_refusals(files=1, changes=0, article=ARTICLE)
    assert refusal.code == "nothing_changed"


def called(phase: TalkPhase = TALKING, **changes: object) -> list[str]:
    facts: dict[str, object] = {
        "talked": {A: 1, B: 1, C: 1},
        "unanswered": 0,
        "due_in": TIME_TO_PRICE_MIN,
        "article": ARTICLE,
        **changes,
    }
    return [one.code for one in call_refusals(phase, **facts)]  # type: ignore[arg-type]  # changed by name


@pytest.mark.accepts("NB-04")
@pytest.mark.accepts("NB-10")
def test_last_prices_are_asked_for_once_everybody_was_talked_with() -> None:
    assert called() == []


@pytest.mark.refuses("NB-10")
def test_last_prices_are_asked_for_once_and_with_time_to_name_them() -> None:
    assert called(talked={A: 1, B: 0}) == ["not_talked_with"]
    assert called(talked={}) == ["nobody_left"]
    assert called(unanswered=1) == ["talks_unanswered"]
    assert called(due_in=TIME_TO_PRICE_MIN - BRIEF) == ["no_time_to_price"]
    for phase in PRICED:
        assert called(phase) == ["price_named"]
    assert called(TalkPhase.NOT_BEGUN) == called(TalkPhase.OVER) == ["not_talking"]


@pytest.mark.refuses("NB-10")
@pytest.mark.parametrize("phase", [one for one in TalkPhase if one is not TalkPhase.PRICING])
def test_a_last_price_is_handed_in_before_its_deadline_and_at_no_other_time(
    phase: TalkPhase,
) -> None:
    assert hand_in_refusals(TalkPhase.PRICING, left=False, article=ARTICLE) == []
    (refusal,) = hand_in_refusals(phase, left=False, article=ARTICLE)
    early = phase in (TalkPhase.NOT_BEGUN, TALKING)
    assert refusal.code == ("not_called" if early else "late")


@pytest.mark.accepts("NB-10")
@pytest.mark.refuses("NB-10")
@pytest.mark.parametrize("phase", TalkPhase)
def test_it_is_opened_inside_the_window_and_is_the_one_that_was_sealed(phase: TalkPhase) -> None:
    found = [one.code for one in open_refusals(phase, fits=True, article=ARTICLE)]
    early = phase in (TalkPhase.NOT_BEGUN, TALKING, TalkPhase.PRICING)
    inside = phase is TalkPhase.OPENING
    assert found == ([] if inside else ["too_early" if early else "window_closed"])
    (other,) = open_refusals(TalkPhase.OPENING, fits=False, article=ARTICLE)
    assert other.code == "another_price"


@pytest.mark.refuses("NB-10")
@pytest.mark.parametrize("phase", TalkPhase)
def test_nothing_is_scored_before_last_prices_lie_open(phase: TalkPhase) -> None:
    waits = [one.code for one in evaluation_waits(phase, article=ARTICLE)]
    assert waits == ([] if lie_open(phase) else ["last_prices_due"])


@pytest.mark.accepts("NB-11")
def test_three_with_equal_chances_are_not_warned_of() -> None:
    equal = {A: 2, B: 2, C: 2}
    assert talk_cautions(equal) == []
    assert call_cautions(equal, ground_allows_two=False, article=ARTICLE) == []
    assert call_cautions({A: 1, B: 1}, ground_allows_two=True, article=ARTICLE) == []


@pytest.mark.refuses("NB-11")
def test_unequal_chances_and_too_few_last_prices_are_warned_of() -> None:
    (unequal,) = talk_cautions({A: 2, B: 1})
    assert (unequal.code, unequal.article) == ("unequal_chances", NON_TENDER_MEASURES[31])
    for talked, two in (({A: 1, B: 1}, False), ({A: 1}, True)):
        (few,) = call_cautions(talked, ground_allows_two=two, article=ARTICLE)
        assert few.code == "too_few_last_prices"
    equal = dict.fromkeys((A, B, C), 1)
    (waits,) = call_cautions(equal, ground_allows_two=False, article=ARTICLE, not_refiled=2)
    assert (waits.code, waits.article) == ("not_refiled", NON_TENDER_MEASURES[32])
