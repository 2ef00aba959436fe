"""How articles are cited, how rules are registered, and that nothing unread blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import statute
from kernel.errors import NoCalendar, NotPermitted, NotSignedIn, PlatformError, Refused, TooMuch
from kernel.refusals import Caution, Refusal
from kernel.statute import (
    BIDDING_LAW,
    BIDDING_REGULATION,
    COMMITTEE_PROVISIONS,
    COMPLAINT_MEASURES,
    CONDUCT_OPINIONS,
    PROCUREMENT_LAW,
    RULES,
    InForce,
    Instrument,
    Provenance,
    Regime,
    Severity,
    under,
)


@pytest.fixture(autouse=True)
def _no_rules_left_behind() -> Iterator[None]:
    """The rules made up here do not stay in the house's table."""
    before = dict(statute._RULES)
    yield
    statute._RULES.clear()
    statute._RULES.update(before)


INSTRUMENTS = [value for value in vars(statute).values() if isinstance(value, Instrument)]


@pytest.mark.parametrize(
    ("article", "cited"),
    [
        (BIDDING_LAW[24], "《中华人民共和国招标投标法》第24条"),
        (BIDDING_REGULATION[40, 1], "《中华人民共和国招标投标法实施条例》第40条第（一）项"),
        (BIDDING_REGULATION[51, 11], "《中华人民共和国招标投标法实施条例》第51条第（十一）项"),
        (PROCUREMENT_LAW[22, 20], "《中华人民共和国政府采购法》第22条第（二十）项"),
        (
            CONDUCT_OPINIONS[12],
            "《关于严格执行招标投标法规制度进一步规范招标投标主体行为的若干意见》第（十二）项",
        ),
    ],
)
def test_an_article_is_cited_as_the_law_is(article: statute.Article, cited: str) -> None:
    assert str(article) == cited


def test_how_an_article_was_read_does_not_make_it_another() -> None:
    remembered = COMMITTEE_PROVISIONS.read_as(40, Provenance.MEMORY)
    assert remembered == COMMITTEE_PROVISIONS[40]
    assert hash(remembered) == hash(COMMITTEE_PROVISIONS[40])
    assert remembered.provenance is Provenance.MEMORY
    assert COMMITTEE_PROVISIONS[40].provenance is Provenance.SECONDARY


def test_instruments_have_names_and_titles_of_their_own() -> None:
    assert len({one.name for one in INSTRUMENTS}) == len(INSTRUMENTS)
    assert len({one.title for one in INSTRUMENTS}) == len(INSTRUMENTS)


def test_the_opinions_on_conduct_run_out() -> None:
    assert not CONDUCT_OPINIONS.in_force_on(date(2022, 8, 31))
    assert CONDUCT_OPINIONS.in_force_on(date(2022, 9, 1))
    assert CONDUCT_OPINIONS.in_force_on(date(2027, 8, 31))
    assert not CONDUCT_OPINIONS.in_force_on(date(2027, 9, 1))


def test_an_instrument_whose_start_was_not_read_counts_as_begun() -> None:
    assert COMPLAINT_MEASURES.in_force_on(date(1990, 1, 1))


def test_a_figure_is_the_one_in_force_on_the_day() -> None:
    figure = InForce({date(2000, 1, 1): 20, date(2030, 1, 1): 30})
    assert figure.on(date(2000, 1, 1)) == 20
    assert figure.on(date(2029, 12, 31)) == 20
    assert figure.on(date(2030, 1, 1)) == 30
    with pytest.raises(LookupError):
        figure.on(date(1999, 12, 31))


@given(st.dates(min_value=date(2000, 1, 1)))
def test_a_change_of_the_law_never_changes_the_past(day: date) -> None:
    before = InForce({date(2000, 1, 1): 20})
    after = replace(before, since={**before.since, day: 30})
    if day > date(2000, 1, 1):
        assert after.on(day - timedelta(days=1)) == before.on(day - timedelta(days=1))
    assert after.on(day) == 30


def test_a_registered_rule_tells_its_articles_and_how_firmly_it_stands() -> None:
    @under(BIDDING_LAW[24], PROCUREMENT_LAW[35], rule="NO-09")
    def some_rule() -> None: ...

    rule = RULES[f"{__name__}.{some_rule.__qualname__}"]
    assert rule.articles == (BIDDING_LAW[24], PROCUREMENT_LAW[35])
    assert rule.ids == ("NO-09",)
    assert rule.severity is Severity.BLOCK
    assert rule.provenance is Provenance.VERIFIED
    assert rule.regime is Regime.ALL


def test_a_rule_is_of_the_regime_of_its_articles() -> None:
    @under(BIDDING_LAW[24])
    def tendering_rule() -> None: ...

    assert RULES[f"{__name__}.{tendering_rule.__qualname__}"].regime is Regime.TENDERING


def test_a_rule_that_rests_on_memory_may_not_block() -> None:
    with pytest.raises(ValueError, match="nobody has read"):

        @under(BIDDING_LAW[24], COMPLAINT_MEASURES[12])
        def blocking_rule() -> None: ...


def test_a_rule_that_rests_on_memory_may_warn() -> None:
    @under(COMPLAINT_MEASURES[12], severity=Severity.WARN)
    def warning_rule() -> None: ...

    rule = RULES[f"{__name__}.{warning_rule.__qualname__}"]
    assert rule.provenance is Provenance.MEMORY
    assert rule.severity is Severity.WARN


def test_a_rule_without_an_article_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one article"):
        under()


def test_the_table_of_rules_is_written_by_under_alone() -> None:
    with pytest.raises(TypeError):
        RULES["made.up"] = None  # type: ignore[index]  # that it cannot be written is the point


def test_a_refusal_travels_with_its_article() -> None:
    bare = Refusal("late", BIDDING_REGULATION[36], "投标文件逾期送达")
    assert bare.as_json() == {
        "code": "late",
        "article": "《中华人民共和国招标投标法实施条例》第36条",
        "reason": "投标文件逾期送达",
    }
    with_facts = replace(bare, facts={"received_at": "2026-03-23T01:30:00+00:00"})
    assert with_facts.as_json()["facts"] == {"received_at": "2026-03-23T01:30:00+00:00"}


def test_a_refusal_may_not_cite_what_nobody_has_read() -> None:
    with pytest.raises(ValueError, match="nobody has read"):
        Refusal("anonymous", COMPLAINT_MEASURES[12], "匿名投诉不予受理")
    told = Caution("anonymous", COMPLAINT_MEASURES[12], "匿名投诉不予受理").as_json()
    assert told["code"] == "anonymous"


def test_an_error_of_refusal_says_every_ground() -> None:
    grounds = [
        Refusal("late", BIDDING_REGULATION[36], "投标文件逾期送达"),
        Refusal("barred", BIDDING_LAW[26], "投标人处于禁止投标期内"),
    ]
    error = Refused(grounds)
    assert error.refusals == tuple(grounds)
    assert "逾期送达" in str(error)
    assert "第26条" in str(error)


def test_every_error_raised_on_purpose_is_in_the_tree() -> None:
    assert issubclass(NotSignedIn, NotPermitted)
    for error in (NotPermitted, Refused, TooMuch, NoCalendar):
        assert issubclass(error, PlatformError)
    assert TooMuch("too fast", retry_after=timedelta(seconds=3)).retry_after == timedelta(seconds=3)
    assert NoCalendar(2031).year == 2031
