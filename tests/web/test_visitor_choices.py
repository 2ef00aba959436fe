"""Language, size and colours are chosen by links, kept in cookies, and lead nowhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import APIRouter, Request
from hypothesis import given
from hypothesis import strategies as st

from tests.web.gallery_house import gallery_house, visiting
from web.visitor_choices import CHOICES, chosen_in

more = APIRouter()


@more.get("/seen")
async def seen(request: Request) -> dict[str, str]:
    return {"path": request.url.path, "query": request.url.query}


@more.post("/seen")
async def done(request: Request) -> dict[str, str]:
    return {"query": request.url.query}


async def answer_at(path: str, **headers: str) -> httpx.Response:
    async with visiting(gallery_house(more=more)) as reader:
        return await reader.get(path, headers=headers)


async def test_the_prefix_makes_the_frame_english_and_is_remembered() -> None:
    answer = await answer_at("/en/_ui")
    assert answer.headers["content-language"] == "en"
    assert "sunbid-lang=en" in answer.headers["set-cookie"]
    again = await answer_at("/_ui", Cookie="sunbid-lang=en")
    assert again.headers["content-language"] == "en"


async def test_chinese_is_spoken_whatever_the_browser_prefers() -> None:
    answer = await answer_at("/_ui", **{"Accept-Language": "en-GB,en;q=0.9"})
    assert answer.headers["content-language"] == "zh-CN"


async def test_no_route_sees_the_prefix() -> None:
    assert (await answer_at("/en/seen?a=1")).status_code == 200
    assert (await answer_at("/en")).status_code == 404
    assert (await answer_at("/english")).status_code == 404


@pytest.mark.parametrize(
    ("asked", "place", "cookie"),
    [
        ("/_ui?display=large", "/_ui", "sunbid-display=large"),
        ("/_ui?q=%E6%B0%B4&theme=dark&page=2", "/_ui?q=%E6%B0%B4&page=2", "sunbid-theme=dark"),
        ("/en/_ui?lang=zh-CN", "/_ui", "sunbid-lang=zh-CN"),
        ("/en/_ui?display=normal", "/en/_ui", "sunbid-display=normal"),
    ],
)
async def test_a_choice_leads_back_to_the_same_page(asked: str, place: str, cookie: str) -> None:
    answer = await answer_at(asked)
    assert (answer.status_code, answer.headers["location"]) == (303, place)
    assert answer.headers["set-cookie"].startswith(f"{cookie}; Path=/")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("asked", ["//evil.example/?lang=en", "/\\evil.example?lang=en",
                                   "/en//evil.example?lang=zh-CN"])  # fmt: skip
async def test_a_choice_never_leads_to_another_host(asked: str) -> None:
    async with visiting(gallery_house()) as reader:
        answer = await reader.send(reader.build_request("GET", f"http://localhost:8000{asked}"))
    place = urlsplit(answer.headers["location"])
    assert (place.scheme, place.netloc) == ("", "")
    assert not answer.headers["location"].startswith(("//", "/\\"))


async def test_what_cannot_be_chosen_is_left_to_the_route() -> None:
    answer = await answer_at("/seen?theme=pink&lang=fr")
    assert answer.json()["query"] == "theme=pink&lang=fr"


async def test_programs_choose_nothing() -> None:
    answer = await answer_at("/api/v1/clock?lang=en")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


async def test_an_act_is_never_turned_into_a_choice() -> None:
    async with visiting(gallery_house(more=more)) as reader:
        answer = await reader.post("/seen?lang=en")
    assert answer.json() == {"query": "lang=en"}


@pytest.mark.parametrize(
    "cookie", ["sunbid-display=huge", "sunbid-display=", 'sunbid-theme="\\', "x"]
)
async def test_a_garbled_cookie_counts_as_none(cookie: str) -> None:
    answer = await answer_at("/_ui", Cookie=cookie)
    assert answer.status_code == 200
    assert "data-size" not in answer.text
    assert "data-theme" not in answer.text


@given(st.text(max_size=60))
def test_only_what_is_offered_is_ever_chosen(query: str) -> None:
    chosen, rest = chosen_in(query)
    assert all(value in CHOICES[name] for name, value in chosen.items())
    assert chosen_in(rest)[0] == {}
