"""How the rehearsal looks for a mark in everything that is answered (Bidding Regulation 49)."""

from __future__ import annotations

import json

import pytest

from web.rehearsal.act_evaluation import marks_in, without_places

MARK = marks_in(["13.43", "15", "8.51"])


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"score": "13.43"}),
        json.dumps({"score": 13.43}),
        json.dumps({"marks": [1, 13.43, 2]}),
        json.dumps({"hundredths": 1343}),
        json.dumps([851]),
        "<td>13.43</td>",
        "得分 8.51 分",
        "score=13.43".replace("=", " "),
    ],
)
def test_a_mark_is_found_as_text_as_a_number_and_in_hundredths(answer: str) -> None:
    assert MARK.search(answer)


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({"score": "113.43"}),
        json.dumps({"score": 13.431}),
        json.dumps({"price": "123450000.00", "index": 13434}),
        "2026-03-26T04:31:13.430000Z",
        "8c7d1343-a0e8-4b8c-9f10-1343aa098d51",
        "<td>13.4</td><td>8.5</td>",
        json.dumps({"records": "15"}),
    ],
)
def test_another_number_a_time_or_an_id_is_no_mark(answer: str) -> None:
    assert not MARK.search(answer)


def test_a_place_in_a_view_or_in_the_log_is_no_mark() -> None:
    disclosed = {"number": 7, "key": "AA", "first_index": 851, "end_index": 1343}
    answer = json.dumps({"facts": disclosed}) + '<span data-live-after="1343">'
    assert MARK.search(answer)
    assert not MARK.search(without_places(answer))
    assert MARK.search(without_places(json.dumps({**disclosed, "hundredths": 851})))
