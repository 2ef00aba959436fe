"""Bidding Law 37, 38, 56; Bidding Regulation 48, 62, 71, 72; Electronic Bidding Measures 32, 33;
Opinions on Conduct 15; Government Procurement Regulation 75; Remote Evaluation Notice 4."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.rules.session_protocol import (
    LEASE,
    Cell,
    Conflict,
    Effect,
    Happening,
    InterruptionLimits,
    InterruptionOutcome,
    LeaseRenewed,
    MemberReplaced,
    Merged,
    PauseOrdered,
    Phase,
    ReportConcluded,
    ScoreEdit,
    Seat,
    SeatLeft,
    Session,
    SignedIn,
    SignInFacts,
    TimePassed,
    WorkFacts,
    interruption_outcome,
    merge_edit,
    placing_refusals,
    seating_refusals,
    sign_in_refusals,
    step,
    work_refusals,
)
from kernel.refusals import Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    E_BIDDING_MEASURES,
    PROCUREMENT_REGULATION,
    REMOTE_EVALUATION_NOTICE,
    Article,
)

T0 = datetime(2026, 3, 24, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOST, BRANCH = UUID(int=1), UUID(int=2)
SEATS = tuple(Seat(UUID(int=10 + n), HOST if n < 2 else BRANCH, UUID(int=20 + n)) for n in range(5))
CONVENING = Session(SEATS)


def played(session: Session, *happenings: Happening) -> tuple[Session, list[Effect]]:
    effects: list[Effect] = []
    for one in happenings:
        session, more = step(session, one)
        effects += more
    return session, effects


def all_in(at: datetime) -> list[Happening]:
    return [SignedIn(one.member, one.seat, at) for one in SEATS]


WORKING, _ = played(CONVENING, *all_in(T0))


def test_bids_unlock_when_the_last_member_sits_down() -> None:
    almost, effects = played(CONVENING, *all_in(T0)[:-1])
    assert (almost.phase, effects) == (Phase.CONVENING, [])
    whole, effects = played(almost, all_in(T0)[-1])
    assert (whole.phase, effects) == (Phase.WORKING, [Effect.UNLOCK_BIDS])


def test_a_stranger_and_a_member_at_another_seat_are_turned_away() -> None:
    for happened in (
        SignedIn(UUID(int=99), SEATS[0].seat, T0),
        SignedIn(SEATS[0].member, SEATS[1].seat, T0),
        LeaseRenewed(SEATS[0].member, SEATS[1].seat, T0),
    ):
        session, effects = step(CONVENING, happened)
        assert effects == [Effect.TURN_AWAY]
        assert session.present(at=T0) == frozenset()


@given(st.integers(0, 60))
def test_a_seat_is_absent_when_its_lease_ends(seconds: int) -> None:
    at = T0 + seconds * SECOND
    session, effects = step(WORKING, TimePassed(at))
    ended = seconds >= 15
    assert (session.phase is Phase.PAUSED) == ended
    assert effects == ([Effect.LOCK_BIDS] if ended else [])
    assert WORKING.reading_allowed(at=at) == (not ended)
    assert session.interrupted_at == (at if ended else None)


def test_a_short_break_in_the_line_costs_nothing() -> None:
    kept: list[Happening] = [LeaseRenewed(one.member, one.seat, T0 + 14 * SECOND) for one in SEATS]
    session, effects = played(WORKING, *kept, TimePassed(T0 + 28 * SECOND))
    assert (session.phase, effects) == (Phase.WORKING, [])


def test_a_lease_that_ended_is_not_renewed_but_signed_in_for_anew() -> None:
    late = T0 + LEASE
    session, effects = step(WORKING, LeaseRenewed(SEATS[0].member, SEATS[0].seat, late))
    assert effects == [Effect.TURN_AWAY, Effect.LOCK_BIDS]
    session, effects = played(session, *all_in(late + SECOND))
    assert (session.phase, effects) == (Phase.WORKING, [Effect.UNLOCK_BIDS])
    assert session.interrupted_at is None


def test_one_site_cut_off_stops_the_other() -> None:
    host: list[Happening] = [
        LeaseRenewed(one.member, one.seat, T0 + 10 * SECOND) for one in SEATS if one.site == HOST
    ]
    session, effects = played(WORKING, *host, TimePassed(T0 + 16 * SECOND))
    assert (session.phase, effects) == (Phase.PAUSED, [Effect.LOCK_BIDS])
    assert session.absent(at=T0 + 16 * SECOND) == {
        one.member for one in SEATS if one.site == BRANCH
    }


def test_after_an_ordered_pause_everyone_is_identified_anew() -> None:
    paused, effects = step(WORKING, PauseOrdered(T0 + SECOND))
    assert (paused.phase, effects) == (Phase.PAUSED, [Effect.LOCK_BIDS])
    assert paused.interrupted_at is None
    almost, effects = played(paused, *all_in(T0 + 2 * SECOND)[:-1])
    assert effects == []
    _, effects = played(almost, all_in(T0 + 2 * SECOND)[-1])
    assert effects == [Effect.UNLOCK_BIDS]


def test_a_pause_ordered_during_a_fault_ends_the_counting() -> None:
    faulty, _ = step(WORKING, SeatLeft(SEATS[0].member, T0 + SECOND))
    assert faulty.interrupted_at == T0 + SECOND
    ordered, _ = step(faulty, PauseOrdered(T0 + 2 * SECOND))
    assert ordered.interrupted_at is None


def test_a_successor_takes_a_seat_and_the_replaced_member_none() -> None:
    new = Seat(UUID(int=77), BRANCH, UUID(int=88))
    session, effects = step(WORKING, MemberReplaced(SEATS[4].member, new, T0 + SECOND))
    assert effects == [Effect.LOCK_BIDS]
    _, effects = step(session, SignedIn(SEATS[4].member, SEATS[4].seat, T0 + SECOND))
    assert effects == [Effect.TURN_AWAY]
    session, effects = step(session, SignedIn(new.member, new.seat, T0 + SECOND))
    assert (session.phase, effects) == (Phase.WORKING, [Effect.UNLOCK_BIDS])


def test_a_concluded_session_is_archived_and_lets_nobody_in() -> None:
    closed, effects = step(WORKING, ReportConcluded(T0 + SECOND))
    assert (closed.phase, effects) == (Phase.CLOSED, [Effect.LOCK_BIDS, Effect.ARCHIVE])
    for happened in (*all_in(T0 + SECOND), PauseOrdered(T0 + SECOND), TimePassed(T0)):
        after, effects = step(closed, happened)
        assert after == closed
        assert effects in ([], [Effect.TURN_AWAY])
    paused, _ = step(WORKING, PauseOrdered(T0 + SECOND))
    assert step(paused, ReportConcluded(T0 + SECOND))[1] == [Effect.ARCHIVE]


def test_a_session_that_never_began_has_nothing_to_conclude() -> None:
    after, effects = step(CONVENING, ReportConcluded(T0))
    assert (after.phase, effects) == (Phase.CONVENING, [])


OFFSETS = st.integers(-5, 20)
HAPPENINGS = st.one_of(
    st.builds(
        lambda one, other, s: SignedIn(one.member, (one if s >= 0 else other).seat, T0),
        st.sampled_from(SEATS),
        st.sampled_from(SEATS),
        OFFSETS,
    ),
    st.builds(lambda one: LeaseRenewed(one.member, one.seat, T0), st.sampled_from(SEATS)),
    st.builds(lambda one: SeatLeft(one.member, T0), st.sampled_from(SEATS)),
    st.builds(lambda _: TimePassed(T0), st.none()),
    st.builds(lambda _: PauseOrdered(T0), st.none()),
    st.builds(
        lambda one, n: MemberReplaced(one.member, Seat(UUID(int=n), BRANCH, UUID(int=n)), T0),
        st.sampled_from(SEATS),
        st.integers(1000, 1005),
    ),
    st.builds(lambda _: ReportConcluded(T0), st.none()),
)


@given(st.booleans(), st.lists(st.tuples(HAPPENINGS, OFFSETS), max_size=60))
def test_bids_are_unlocked_exactly_while_the_committee_is_complete(
    began: bool, story: list[tuple[Happening, int]]
) -> None:
    session, unlocked, clock = CONVENING, False, T0
    happenings: list[tuple[Happening, int]] = [(one, 0) for one in all_in(T0)] if began else []
    for happened, seconds in happenings + story:
        clock += seconds * SECOND
        told = replace(happened, at=clock)
        session, effects = step(session, told)
        locks = [one for one in effects if one in (Effect.UNLOCK_BIDS, Effect.LOCK_BIDS)]
        for one in locks:
            assert unlocked == (one is Effect.LOCK_BIDS)
            unlocked = one is Effect.UNLOCK_BIDS
        now = session.seen_at
        assert now is not None
        assert now >= clock or session.phase is Phase.CLOSED
        complete = not session.absent(at=now)
        assert unlocked == (complete and session.phase is not Phase.CLOSED)
        assert session.reading_allowed(at=now) == unlocked
        assert (session.phase is Phase.WORKING) == unlocked
        assert len(session.seats) == len(SEATS)


def test_time_never_goes_back_whatever_a_site_says() -> None:
    session, _ = step(WORKING, TimePassed(T0 + LEASE))
    earlier, effects = step(session, SignedIn(SEATS[0].member, SEATS[0].seat, T0))
    assert earlier.seen_at == T0 + LEASE
    assert earlier.leases[SEATS[0].member] == T0 + 2 * LEASE
    assert effects == []


# --- sign-in

BAR = Refusal("barred", BIDDING_REGULATION[71], "处于禁止评标签到期内：某局某号")
FACTS = SignInFacts(
    at=T0,
    window_from=T0,
    window_until=T0 + timedelta(hours=8),
    assigned_site=HOST,
    site=HOST,
    assigned_seat=SEATS[0].seat,
    seat=SEATS[0].seat,
    identity_checked=True,
    conflict_denied=True,
)


def test_a_member_signs_in_at_the_assigned_seat_within_the_window() -> None:
    assert sign_in_refusals(FACTS) == []
    assert sign_in_refusals(replace(FACTS, assigned_seat=None)) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(FACTS, site=UUID(int=3)), "wrong_site"),
        (replace(FACTS, seat=SEATS[1].seat), "wrong_seat"),
        (replace(FACTS, identity_checked=False), "identity_unchecked"),
        (replace(FACTS, conflict_denied=False), "conflict_not_denied"),
        (replace(FACTS, bars=(BAR,)), "barred"),
        (replace(FACTS, replaced=True), "replaced"),
    ],
)
def test_each_fault_at_the_door_has_its_ground(facts: SignInFacts, code: str) -> None:
    assert [one.code for one in sign_in_refusals(facts)] == [code]


@pytest.mark.parametrize(
    "article",
    [BIDDING_LAW[56], BIDDING_REGULATION[71], BIDDING_REGULATION[72], PROCUREMENT_REGULATION[75]],
    ids=str,
)
def test_a_bar_is_told_with_its_own_decision_and_article(article: Article) -> None:
    bars = (replace(BAR, article=article), replace(BAR, article=article, reason="另一决定"))
    assert sign_in_refusals(replace(FACTS, bars=bars)) == list(bars)


@given(st.integers(-(8 * 3600), 16 * 3600))
def test_the_window_begins_at_its_first_second_and_ends_before_its_last(seconds: int) -> None:
    found = sign_in_refusals(replace(FACTS, at=T0 + seconds * SECOND))
    inside = 0 <= seconds < 8 * 3600
    assert [one.code for one in found] == ([] if inside else ["outside_window"])
    assert {one.article for one in found} <= {E_BIDDING_MEASURES[33]}


def test_every_ground_is_told_at_once() -> None:
    worst = SignInFacts(
        at=T0 - SECOND,
        window_from=T0,
        window_until=T0,
        assigned_site=HOST,
        site=BRANCH,
        assigned_seat=None,
        seat=SEATS[0].seat,
        identity_checked=False,
        conflict_denied=False,
        bars=(BAR,),
        replaced=True,
    )
    found = sign_in_refusals(worst)
    assert len(found) == 6
    assert found[-1].article == BIDDING_REGULATION[48]


def test_a_remote_session_has_two_sites_the_host_among_them() -> None:
    assert seating_refusals(SEATS, host_site=HOST) == []
    (refusal,) = seating_refusals(SEATS[:2], host_site=HOST)
    assert (refusal.code, refusal.article) == ("too_few_sites", REMOTE_EVALUATION_NOTICE[4])
    assert [one.code for one in seating_refusals(SEATS, host_site=UUID(int=9))] == ["no_host"]
    doubled = (*SEATS, replace(SEATS[0], seat=UUID(int=55)))
    assert [one.code for one in seating_refusals(doubled, host_site=HOST)] == ["member_twice"]
    shared = (*SEATS[:4], replace(SEATS[4], seat=SEATS[0].seat))
    assert [one.code for one in seating_refusals(shared, host_site=HOST)] == ["seat_twice"]


# --- interruptions


@given(st.integers(0, 6 * 3600), st.booleans(), st.booleans())
def test_two_hours_before_and_four_hours_during_the_work(
    seconds: int, began: bool, cured: bool
) -> None:
    found = interruption_outcome(began=began, lasted=seconds * SECOND, cured=cured)
    limit = (4 if began else 2) * 3600
    if seconds <= limit:
        expected = InterruptionOutcome.GO_ON if cured else InterruptionOutcome.WAIT
    elif began:
        expected = InterruptionOutcome.NEW_COMMITTEE
    else:
        expected = InterruptionOutcome.TENDEREE_DECIDES
    assert found is expected


@pytest.mark.parametrize("began", [True, False])
def test_what_is_postponed_is_sealed_and_evaluated_by_new_people(began: bool) -> None:
    found = interruption_outcome(began=began, lasted=SECOND, cured=False, postponed=True)
    assert found is InterruptionOutcome.NEW_COMMITTEE


def test_a_province_may_set_other_limits() -> None:
    limits = InterruptionLimits(during=timedelta(hours=1))
    found = interruption_outcome(began=True, lasted=timedelta(hours=2), cured=True, limits=limits)
    assert found is InterruptionOutcome.NEW_COMMITTEE


# --- queued edits

EDIT = ScoreEdit(UUID(int=1), 0, Decimal("8.5"))


def test_an_edit_merges_onto_the_version_it_was_made_upon() -> None:
    found = merge_edit(Cell(), EDIT)
    assert found == Merged(Cell(1, Decimal("8.5"), frozenset({EDIT.edit_id})))


def test_an_edit_sent_twice_is_done_once() -> None:
    first = merge_edit(Cell(), EDIT)
    assert isinstance(first, Merged)
    assert merge_edit(first.cell, EDIT) == Merged(first.cell, repeated=True)


def test_an_edit_onto_a_changed_cell_is_shown_beside_it() -> None:
    first = merge_edit(Cell(), EDIT)
    assert isinstance(first, Merged)
    other = ScoreEdit(UUID(int=2), 0, Decimal(7))
    assert merge_edit(first.cell, other) == Conflict(first.cell, other)


def test_an_edit_may_empty_a_cell() -> None:
    first = merge_edit(Cell(), EDIT)
    assert isinstance(first, Merged)
    emptied = merge_edit(first.cell, ScoreEdit(UUID(int=2), 1, None))
    assert isinstance(emptied, Merged)
    assert (emptied.cell.version, emptied.cell.score) == (2, None)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.data())
def test_no_cut_in_the_line_loses_or_doubles_an_edit(
    scores: list[int], data: st.DataObject
) -> None:
    """A seat queues edits and sends them in order; any answer may be lost, and it sends again."""
    cell = Cell()
    for number, score in enumerate(scores):
        edit = ScoreEdit(UUID(int=number + 1), cell.version, Decimal(score))
        for _ in range(data.draw(st.integers(1, 3))):
            found = merge_edit(cell, edit)
            assert isinstance(found, Merged)
            cell = found.cell
        early = ScoreEdit(UUID(int=1), 0, Decimal(scores[0]))
        assert merge_edit(cell, early) == Merged(cell, repeated=True)
    assert (cell.version, cell.score) == (len(scores), Decimal(scores[-1]))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 9)), max_size=20))
def test_versions_only_ever_rise_by_one_and_by_new_edits(
    tries: list[tuple[int, int, int]],
) -> None:
    cells = [Cell()]
    for base, edit_id, score in tries:
        found = merge_edit(cells[-1], ScoreEdit(UUID(int=edit_id), base, Decimal(score)))
        cells.append(found.cell)
    for before, after in pairwise(cells):
        assert after == before or after.version == before.version + 1
        assert len(after.applied) == after.version


# ── who may work, and when


@given(
    seconds=st.integers(0, 30),
    member=st.sampled_from(SEATS),
    in_evaluation=st.booleans(),
    suspended=st.booleans(),
    alone=st.booleans(),
)
def test_a_member_works_while_all_are_there_and_fills_in_alone_while_it_is(
    seconds: int, member: Seat, in_evaluation: bool, suspended: bool, alone: bool
) -> None:
    """One seat goes on renewing its lease; the others' end after fifteen seconds."""
    stays = SEATS[0]
    renewed = LeaseRenewed(stays.member, stays.seat, T0 + 14 * SECOND)
    session, _ = step(WORKING, renewed)
    at = T0 + seconds * SECOND
    refusals = work_refusals(
        WorkFacts(session, member.member, at, in_evaluation, suspended, (2, 3, 4, 5)), alone=alone
    )
    expected = set()
    if not in_evaluation:
        expected.add("not_in_evaluation")
    if suspended:
        expected.add("suspended")
    lease_s = 29 if member is stays else 15
    if seconds >= lease_s:
        expected.add("not_at_seat")
    elif seconds >= 15 and not alone:
        expected.add("committee_incomplete")
    assert {one.code for one in refusals} == expected


def test_when_the_work_is_done_nobody_works_any_more() -> None:
    closed, _ = step(WORKING, ReportConcluded(T0))
    refusals = work_refusals(WorkFacts(closed, SEATS[0].member, T0, False, False, ()))
    assert {one.code for one in refusals} == {"not_in_evaluation", "session_closed"}


@given(wanted=st.integers(0, 9), free=st.integers(0, 9))
def test_a_site_takes_in_as_many_as_it_has_free_seats(wanted: int, free: int) -> None:
    refusals = placing_refusals(wanted=wanted, free=free, site="主场")
    assert bool(refusals) == (wanted > free)
