"""What the rehearsal's onlookers may see before a closing: time and housekeeping, and no more.

招标投标法 22、电子招标投标办法 21: nobody learns who bids, how many, or that anybody does.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernel.crypto.digests import b64
from web.event_words import EVENT_WORDS
from web.rehearsal.onlookers import (
    HOUSEKEEPING,
    Ear,
    seen_of_entries,
    seen_of_page,
    tells_of_something,
    told_in,
)

KEPT = ("PlatformFounded", "OrganisationVerified", "LotPublished", "PartyBarred")
KEY, OTHER_KEY = sorted(HOUSEKEEPING)
LIMIT = 6
"""So many lines of the journal the page of this test shows."""


def page(*kinds: str, tail: str = "", now: str = "09:00:01") -> str:
    """A page that shows the newest lines of the journal, the newest first."""
    shown = list(enumerate(kinds, start=1))[-LIMIT:][::-1]
    lines = "\n".join(
        f'<li><time datetime="2026-03-03T01:0{n}:00Z">09:0{n}:00</time> <span>#{n}</span>'
        f" {EVENT_WORDS[kind].zh}</li>"
        for n, kind in shown
    )
    return (
        f'<html><p data-live-after="{len(kinds)}">{now}</p><h2>最近 {len(shown)} 条</h2>'
        f"<ul><li>首页</li></ul><ol>\n{lines}\n</ol>{tail}</html>"
    )


def entries(*kinds: str) -> dict[str, Any]:
    return {
        "entries": [
            {"seq": number, "kind": kind, "data": {"name": kind}, "subject": "lot"}
            for number, kind in enumerate(kinds, start=1)
        ]
    }


def leaves(*kinds: str) -> dict[str, Any]:
    return {
        "entries": [
            {"number": n, "id": kind, "record": b64(json.dumps({"kind": kind}).encode())}
            for n, kind in enumerate(kinds, start=1)
        ]
    }


@pytest.mark.parametrize("more", [(), (KEY,), (KEY, OTHER_KEY), (KEY,) * 4], ids=len)
def test_housekeeping_and_time_tell_nothing(more: tuple[str, ...]) -> None:
    """However many keys of fillers the log enters between two readings, by the clock alone."""
    for begun in ((), (KEY,), (KEY, OTHER_KEY)):
        before = seen_of_page(page(*begun, *KEPT))
        after = seen_of_page(page(*begun, *KEPT, *more, now="09:00:41"))
        assert not tells_of_something(before, after)
    for told in (entries, leaves):
        assert not tells_of_something(
            seen_of_entries(told(*KEPT)), seen_of_entries(told(*KEPT, *more))
        )


@pytest.mark.parametrize("kind", ["BidSubmitted", "DocumentsTaken", "BidRefused", "SignedIn"])
@pytest.mark.parametrize("more", [(), (KEY,), (KEY, OTHER_KEY, KEY)], ids=len)
def test_whatever_else_is_entered_tells(kind: str, more: tuple[str, ...]) -> None:
    assert tells_of_something(
        seen_of_page(page(*KEPT)), seen_of_page(page(*KEPT, *more, kind, *more))
    )
    for told in (entries, leaves):
        assert tells_of_something(
            seen_of_entries(told(*KEPT)), seen_of_entries(told(*KEPT, *more, kind))
        )


def test_a_line_that_is_gone_without_housekeeping_tells() -> None:
    assert tells_of_something(seen_of_page(page(*KEPT)), seen_of_page(page(*KEPT[:-1])))
    assert tells_of_something(seen_of_entries(entries(*KEPT)), seen_of_entries(entries(*KEPT[1:])))


def test_a_number_that_is_missing_tells_of_what_was_withheld() -> None:
    told = entries(*KEPT)
    told["entries"][-1]["seq"] += 1
    assert tells_of_something(seen_of_entries(entries(*KEPT)), seen_of_entries(told))


@pytest.mark.parametrize("tail", ["<p>已投标 3</p>", "<b>3</b>", "<li>华岳市政工程有限公司</li>"])
def test_a_count_or_a_name_anywhere_on_a_page_tells(tail: str) -> None:
    for more in ((), (KEY,)):
        assert tells_of_something(
            seen_of_page(page(*KEPT)), seen_of_page(page(*KEPT, *more, tail=tail))
        )


def test_a_metric_that_moves_tells() -> None:
    assert tells_of_something(seen_of_page("sunbid_bids 3\n"), seen_of_page("sunbid_bids 4\n"))


def test_only_the_transparency_window_may_show_how_the_tree_grows() -> None:
    before, after = "<pre>log\n8\nroot</pre>", "<pre>log\n16\nother</pre>"
    assert tells_of_something(seen_of_page(before), seen_of_page(after))
    assert not tells_of_something(
        seen_of_page(before, window=True), seen_of_page(after, window=True)
    )


def test_who_is_named_is_found_unless_everybody_is() -> None:
    seen = {
        "supervisor /a": seen_of_page("<p>甲公司</p>"),
        "public /b": seen_of_page("<p>甲公司、乙公司</p>"),
        "public /c": seen_of_entries(entries("甲公司")),
        "public /d": seen_of_entries(leaves("甲公司")),
    }
    assert told_in(seen, ["甲公司"], "乙公司") == [
        "supervisor /a",
        "public /c",
        "public /d",
    ]


def test_an_ear_counts_what_it_hears_from_when_it_caught_up() -> None:
    ear = Ear("public", None, "public")  # type: ignore[arg-type]  # it asks nobody here
    ear.heard += ["LotPublished", "BidSubmitted"]
    ear.counted_from = len(ear.heard)
    ear.heard += [KEY]
    assert ear.leaked == []
    ear.heard += ["DocumentsTaken", OTHER_KEY]
    assert ear.leaked == ["DocumentsTaken"]
