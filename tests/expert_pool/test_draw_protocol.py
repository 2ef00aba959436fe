"""Bidding Law 37; Committee Provisions 8; Opinions on Conduct 14."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expert_pool.rules.draw_protocol import (
    AcceptSeat,
    AnnouncementWitnessed,
    BeginCalling,
    Commit,
    CommitmentsWitnessed,
    Confirm,
    Countersign,
    Deal,
    Draw,
    DrawAct,
    DrawState,
    Recover,
    Reveal,
    ShowMisdealt,
    VacateSeat,
    VoidReason,
    act_refusals,
    after_waiting,
    announcement_cautions,
    announcement_refusals,
    parties_refusals,
    step,
)
from kernel.errors import Refused
from kernel.statute import BIDDING_LAW, COMMITTEE_PROVISIONS, CONDUCT_OPINIONS

S = DrawState
T0 = datetime(2026, 3, 23, 1, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PARTIES = ("agency", "bidder", "supervisor", "tenderee")
PAIRS = [(holder, dealer) for holder in PARTIES for dealer in PARTIES if holder != dealer]
ANNOUNCED = Draw(
    parties=frozenset(PARTIES),
    supervisor="supervisor",
    threshold=2,
    commit_by=T0 + 10 * MINUTE,
    confirm_by=T0 + 20 * MINUTE,
    reveal_by=T0 + 30 * MINUTE,
    recover_by=T0 + 40 * MINUTE,
)


def played(draw: Draw, *acts: DrawAct, at: datetime = T0) -> Draw:
    for act in acts:
        draw = step(draw, act, at=at)
    return draw


COMMITTING = played(ANNOUNCED, AnnouncementWitnessed())
COMMITTED = played(COMMITTING, *map(Commit, PARTIES), CommitmentsWitnessed())
DEALT = played(COMMITTED, *map(Deal, PARTIES))
REVEALING = played(DEALT, Countersign("supervisor"), *(Confirm(*pair) for pair in PAIRS[:8]))
RANKED = played(REVEALING, *map(Reveal, PARTIES))


def codes(draw: Draw, act: DrawAct, at: datetime = T0) -> set[str]:
    return {one.code for one in act_refusals(draw, act, at=at)}


def test_a_draw_goes_from_announcement_to_full_seats() -> None:
    assert ANNOUNCED.state is S.ANNOUNCED
    assert COMMITTING.state is DEALT.state is S.COMMITTING
    assert REVEALING.state is S.REVEALING
    assert RANKED.state is S.RANKED
    calling = played(RANKED, BeginCalling(2), AcceptSeat())
    assert (calling.state, calling.open_seats) == (S.CALLING, 1)
    assert played(calling, AcceptSeat()).state is S.SEATED


def test_a_seat_given_back_is_called_for_again() -> None:
    seated = played(RANKED, BeginCalling(1), AcceptSeat())
    assert played(seated, VacateSeat()).state is S.CALLING
    assert played(seated, VacateSeat(), AcceptSeat()).state is S.SEATED


def test_nobody_commits_before_the_announcement_is_witnessed() -> None:
    assert "not_now" in codes(ANNOUNCED, Commit("agency"))


def test_no_share_leaves_its_dealer_before_every_commitment_is_witnessed() -> None:
    some = played(COMMITTING, *map(Commit, PARTIES[:3]))
    assert codes(some, Deal("agency")) == {"not_all_committed"}
    assert codes(some, CommitmentsWitnessed()) == {"not_all_committed"}
    every = played(some, Commit(PARTIES[3]))
    assert codes(every, Deal("agency")) == {"commitments_not_witnessed"}
    assert codes(every, Countersign("supervisor")) == {"commitments_not_witnessed"}
    assert codes(COMMITTED, Deal("agency")) == set()


def test_exclusions_are_countersigned_by_the_supervisor_before_any_reveal() -> None:
    assert codes(COMMITTED, Countersign("tenderee")) == {"not_the_supervisor"}
    unsigned = played(DEALT, *(Confirm(*pair) for pair in PAIRS))
    assert "not_now" in codes(unsigned, Reveal("agency"))
    assert played(unsigned, Countersign("supervisor")).state is S.REVEALING
    assert codes(played(DEALT, Countersign("supervisor")), Countersign("supervisor")) == {
        "countersigned_already"
    }


def test_nothing_can_be_said_twice_or_by_strangers() -> None:
    assert codes(played(COMMITTING, Commit("agency")), Commit("agency")) == {"committed_already"}
    assert codes(DEALT, Deal("agency")) == {"dealt_already"}
    assert codes(played(REVEALING, Reveal("agency")), Reveal("agency")) == {"known_already"}
    assert "known_already" in codes(played(REVEALING, Reveal("agency")), Recover("agency", 3))
    assert codes(COMMITTING, Commit("stranger")) == {"not_a_party"}
    assert codes(DEALT, Confirm("agency", "agency")) == {"own_share"}
    assert codes(COMMITTED, Confirm("agency", "bidder")) == {"not_dealt"}
    judged = played(DEALT, ShowMisdealt("agency", "bidder"))
    assert codes(judged, Confirm("agency", "bidder")) == {"share_judged"}
    assert codes(RANKED, BeginCalling(0)) == {"no_seats"}
    with pytest.raises(Refused):
        step(RANKED, Commit("agency"), at=T0)


@given(st.integers(-600, 600))
def test_a_period_ends_at_its_end_and_equal_is_late(seconds: int) -> None:
    off = timedelta(seconds=seconds)
    late = seconds >= 0
    assert (
        "commit_late" in codes(COMMITTING, Commit("agency"), COMMITTING.commit_by + off)
    ) == late
    by = COMMITTED.confirm_by + off
    assert ("deal_late" in codes(COMMITTED, Deal("agency"), by)) == late
    assert ("confirm_late" in codes(DEALT, Confirm("agency", "bidder"), by)) == late
    assert ("countersign_late" in codes(COMMITTED, Countersign("supervisor"), by)) == late
    assert (after_waiting(COMMITTING, at=COMMITTING.commit_by + off).state is S.VOID) == late
    recovering = codes(REVEALING, Recover("agency", 2), REVEALING.reveal_by + off)
    assert ("too_early" in recovering) == (not late)


def test_a_vanished_party_is_rebuilt_from_enough_shares_after_its_time() -> None:
    waiting = played(REVEALING, *map(Reveal, PARTIES[:3]))
    after = waiting.reveal_by
    assert codes(waiting, Recover("tenderee", 1), after) == {"too_few_shares"}
    ranked = played(waiting, Recover("tenderee", 2), at=after)
    assert ranked.state is S.RANKED
    assert ranked.recovered == {"tenderee"}


def test_a_late_reveal_still_counts_while_nobody_has_rebuilt_it() -> None:
    waiting = played(REVEALING, *map(Reveal, PARTIES[:3]))
    assert played(waiting, Reveal("tenderee"), at=waiting.reveal_by).state is S.RANKED


def test_one_party_that_confirms_nothing_is_no_veto() -> None:
    others = [pair for pair in PAIRS if pair[0] != "bidder"]
    draw = played(DEALT, Countersign("supervisor"), *(Confirm(*pair) for pair in others))
    assert draw.state is S.REVEALING


def test_too_few_confirmations_void_the_draw_and_name_who_was_silent() -> None:
    kept = [pair for pair in PAIRS if pair[0] not in ("bidder", "agency")]
    draw = played(DEALT, Countersign("supervisor"), *(Confirm(*pair) for pair in kept))
    void = after_waiting(draw, at=draw.confirm_by)
    assert (void.state, void.void_reason) == (S.VOID, VoidReason.TOO_FEW_CONFIRMATIONS)
    assert void.at_fault == {"bidder", "agency"}


def test_a_dealer_who_dealt_badly_is_the_one_at_fault() -> None:
    cheated = [ShowMisdealt(holder, "bidder") for holder in ("agency", "supervisor")]
    kept = [Confirm(*pair) for pair in PAIRS if pair[1] != "bidder"]
    draw = played(DEALT, *cheated, *kept, Confirm("tenderee", "bidder"), Countersign("supervisor"))
    assert after_waiting(draw, at=draw.confirm_by).at_fault == {"bidder"}


@pytest.mark.parametrize(
    ("draw", "at", "reason", "at_fault"),
    [
        (ANNOUNCED, ANNOUNCED.commit_by, VoidReason.NOT_WITNESSED, frozenset()),
        (
            played(COMMITTING, Commit("agency")),
            ANNOUNCED.commit_by,
            VoidReason.NOT_COMMITTED,
            frozenset(PARTIES) - {"agency"},
        ),
        (
            played(COMMITTING, *map(Commit, PARTIES)),
            ANNOUNCED.confirm_by,
            VoidReason.NOT_WITNESSED,
            frozenset(),
        ),
        (
            played(COMMITTED, *map(Deal, PARTIES[1:])),
            ANNOUNCED.confirm_by,
            VoidReason.NOT_DEALT,
            frozenset({"agency"}),
        ),
        (
            played(DEALT, *(Confirm(*pair) for pair in PAIRS)),
            ANNOUNCED.confirm_by,
            VoidReason.NOT_COUNTERSIGNED,
            frozenset({"supervisor"}),
        ),
        (
            played(REVEALING, *map(Reveal, PARTIES[:3])),
            ANNOUNCED.recover_by,
            VoidReason.NONCE_LOST,
            frozenset({"tenderee"}),
        ),
    ],
)
def test_what_is_missing_when_its_time_is_over_voids_the_draw(
    draw: Draw, at: datetime, reason: VoidReason, at_fault: frozenset[str]
) -> None:
    assert after_waiting(draw, at=at - timedelta(microseconds=1)) == draw
    void = after_waiting(draw, at=at)
    assert (void.state, void.void_reason, void.at_fault) == (S.VOID, reason, at_fault)


ACTS = st.one_of(
    st.sampled_from(
        [AnnouncementWitnessed(), CommitmentsWitnessed(), BeginCalling(2), AcceptSeat()]
    ),
    st.sampled_from([VacateSeat(), Countersign("supervisor"), Countersign("agency")]),
    st.sampled_from(PARTIES).flatmap(
        lambda one: st.sampled_from([Commit(one), Deal(one), Reveal(one), Recover(one, 2)])
    ),
    st.sampled_from(PAIRS).flatmap(
        lambda pair: st.sampled_from([Confirm(*pair), ShowMisdealt(*pair)])
    ),
)
STARTS = st.sampled_from([ANNOUNCED, COMMITTING, COMMITTED, DEALT, REVEALING, RANKED])
ORDER = list(S)


@given(STARTS, st.lists(st.tuples(ACTS, st.integers(0, 3)), max_size=40))
def test_whatever_anyone_tries_the_order_of_things_holds(
    draw: Draw, tries: list[tuple[DrawAct, int]]
) -> None:
    at = T0
    for act, minutes in tries:
        at += minutes * MINUTE
        before = draw
        draw = after_waiting(draw, at=at)
        if not act_refusals(draw, act, at=at):
            draw = step(draw, act, at=at)
        if before.state is S.VOID:
            assert draw == before
        backwards = ORDER.index(draw.state) < ORDER.index(before.state)
        assert not backwards or (before.state, draw.state) == (S.SEATED, S.CALLING)
        if draw.dealt:
            assert draw.committed == draw.parties
            assert draw.all_witnessed
        if draw.nonces_known():
            assert draw.countersigned
            assert not draw.short_dealers()
            assert draw.dealt == draw.parties
        if draw.state in (S.RANKED, S.CALLING, S.SEATED):
            assert draw.nonces_known() == draw.parties
        assert (draw.state is S.SEATED) <= (draw.open_seats == 0)
        assert draw.open_seats >= 0


@given(st.lists(st.sampled_from(PAIRS), unique=True))
def test_confirmations_carry_the_draw_exactly_when_enough_others_gave_them(
    confirmed: list[tuple[str, str]],
) -> None:
    draw = played(DEALT, Countersign("supervisor"))
    for pair in confirmed:
        draw = draw if draw.state is S.REVEALING else played(draw, Confirm(*pair))
    enough = all(sum(dealer == one for _, dealer in confirmed) >= draw.threshold for one in PARTIES)
    assert after_waiting(draw, at=draw.confirm_by).state is (S.REVEALING if enough else S.VOID)


@pytest.mark.parametrize(
    ("parties", "threshold", "expected"),
    [
        (PARTIES, 2, set()),
        (PARTIES, 3, set()),
        (PARTIES, 4, {"threshold_unfit"}),
        (PARTIES, 1, {"threshold_unfit"}),
        (PARTIES[:3], 2, set()),
        (PARTIES[:2], 2, {"too_few_parties"}),
        (("a", "b", "c", "c"), 2, {"parties_unclear"}),
        (("a", "b", ""), 2, {"parties_unclear"}),
    ],
)
def test_three_parties_or_more_deal_to_one_another(
    parties: tuple[str, ...], threshold: int, expected: set[str]
) -> None:
    assert {one.code for one in parties_refusals(parties, threshold)} == expected


def test_whoever_failed_a_draw_sits_out_the_next() -> None:
    found = parties_refusals(PARTIES, 2, sitting_out={"bidder"})
    assert [one.code for one in found] == ["sits_out"]


def test_a_draw_comes_after_the_witnessed_closing_and_while_no_other_is_under_way() -> None:
    assert announcement_refusals(close_witnessed=True, under_way=False) == []
    found = announcement_refusals(close_witnessed=False, under_way=True)
    assert [one.code for one in found] == ["close_not_witnessed", "draw_under_way"]
    assert [one.article for one in found] == [BIDDING_LAW[37], CONDUCT_OPINIONS[14]]


def test_a_draw_normally_comes_before_any_bid_is_open_and_says_when_it_does_not() -> None:
    assert announcement_cautions(bid_opened=False) == []
    (caution,) = announcement_cautions(bid_opened=True)
    assert (caution.code, caution.article) == ("announced_after_opening", COMMITTEE_PROVISIONS[8])
