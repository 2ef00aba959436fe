"""The Jinja environment: how times, money and articles read, and what every macro renders."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import httpx
import jinja2
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core.core_schema import ErrorType

from kernel.access import Actor, Role
from kernel.identifiers import PartyId, PersonId
from kernel.randomness import random_id
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION, REMOTE_EVALUATION_NOTICE
from tests.web.gallery_house import DEMONSTRATION, NOW, gallery_house, visiting
from tests.web.markup import faults_of, tree_of
from web import pages
from web.frame import Moment
from web.pages import TEMPLATES, environment, fault_words, render
from web.words import CATALOGUE, Language, Tone, say

DUE = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
BOTH = pytest.mark.parametrize("language", list(Language))
MACRO = re.compile(r"^\{% macro (\w+)\(", re.MULTILINE)
INSTANTS = st.integers(0, 4 * 10**15).map(  # microseconds: 1970 to 2096
    lambda count: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=count)
)


def made(source: str, *, language: Language = Language.ZH, **view: object) -> str:
    """What a template of this source makes with the components at hand."""
    whole = '{% import "components.html" as ui %}' + source
    return environment(language).from_string(whole).render(**view).strip()


# -- time -----------------------------------------------------------------------------------------


def test_tables_show_the_time_in_beijing() -> None:
    assert pages.moment(DUE) == "2026-11-25 09:30"


def test_seconds_are_shown_only_where_there_are_any() -> None:
    assert pages.moment(DUE + timedelta(seconds=12)) == "2026-11-25 09:30:12"


def test_an_instant_as_text_reads_the_same() -> None:
    assert pages.moment("2026-11-25T01:30:00Z") == pages.moment(DUE)


def test_sentences_name_the_zone() -> None:
    assert pages.moment_long(DUE) == "2026年11月25日 09:30（北京时间）"
    assert pages.moment_long(DUE, language=Language.EN) == "25 November 2026, 09:30 (Beijing time)"


def test_attributes_carry_the_offset() -> None:
    assert pages.iso(DUE) == "2026-11-25T09:30:00+08:00"


@given(INSTANTS)
def test_an_attribute_says_the_same_instant_to_the_millisecond(at: datetime) -> None:
    said = datetime.fromisoformat(pages.iso(at))
    assert timedelta(0) <= at - said < timedelta(milliseconds=1)


@given(INSTANTS, st.integers(-14, 14))
def test_no_zone_changes_what_is_shown(at: datetime, hours: int) -> None:
    elsewhere = at.astimezone(timezone(timedelta(hours=hours)))
    assert pages.moment(elsewhere) == pages.moment(at)


def test_a_time_without_a_zone_is_not_shown() -> None:
    with pytest.raises(ValueError, match="zone"):
        pages.moment(datetime(2026, 11, 25, 9, 30))  # noqa: DTZ001  # that is the point


def test_a_day_is_a_day_in_beijing() -> None:
    assert pages.day(datetime(2026, 11, 24, 16, 0, tzinfo=UTC)) == "2026-11-25"
    assert pages.day(date(2026, 11, 25)) == "2026-11-25"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 秒"),
        (timedelta(seconds=59), "59 秒"),
        (timedelta(minutes=18, seconds=24), "18 分钟 24 秒"),
        (timedelta(hours=1, seconds=5), "1 小时"),
        (timedelta(days=3, hours=4, minutes=5), "3 天 4 小时"),
        (1800, "30 分钟"),
    ],
)
def test_a_length_of_time_is_said_in_its_largest_units(length: timedelta | int, words: str) -> None:
    assert pages.span(length) == words


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (259_200 + 867, "3 天 00:14:27"),
        (86_399, "23:59:59"),
        (1104, "18:24"),
        (0.9, "00:00"),
        (-5, "00:00"),
    ],
)
def test_a_countdown_never_shows_less_than_nothing(seconds: float, shown: str) -> None:
    assert pages.time_left(seconds) == shown


# -- figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Decimal("128460000"), "128,460,000.00"),
        ("0.5", "0.50"),
        (Decimal("999.995"), "1,000.00"),
        (0, "0.00"),
        (Decimal("-1234.5"), "-1,234.50"),
    ],
)
def test_money_has_separators_and_both_places(amount: Decimal | int | str, shown: str) -> None:
    assert pages.yuan(amount) == shown


def test_money_is_never_a_float() -> None:
    with pytest.raises(TypeError):
        pages.yuan(0.1)  # type: ignore[arg-type]  # what the type forbids is refused at run time too


def test_records_also_show_capital_numerals() -> None:
    assert pages.yuan_words(Decimal("128460000")) == "壹亿贰仟捌佰肆拾陆万元整"


@given(st.decimals(0, 10**12, places=2))
def test_no_figure_is_lost_in_showing_money(amount: Decimal) -> None:
    assert Decimal(pages.yuan(amount).replace(",", "")) == amount


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (5_033_164, "4.8 MB"), (2**31, "2.0 GB")]
)
def test_sizes_read_as_file_managers_show_them(count: int, shown: str) -> None:
    assert pages.size(count) == shown


def test_a_digest_is_shown_by_its_ends() -> None:
    assert pages.short_hash(bytes.fromhex("9f31" + "00" * 28 + "c07a")) == "9f31…c07a"
    assert pages.short_hash("short") == "short"


# -- articles and states --------------------------------------------------------------------------


def test_an_article_is_cited_in_the_readers_language() -> None:
    assert pages.article(BIDDING_LAW[28]) == "《中华人民共和国招标投标法》第28条"
    assert pages.article(BIDDING_LAW[28], language=Language.EN) == "Bidding Law, Article 28"
    assert (
        pages.article(BIDDING_REGULATION[40, 1], language=Language.EN)
        == "Bidding Regulation, Article 40(1)"
    )
    assert "Point 3" in pages.article(REMOTE_EVALUATION_NOTICE[3], language=Language.EN)


def test_an_open_lot_closes_soon_within_three_days() -> None:
    three_days = DUE - timedelta(hours=72)
    assert pages.state_tag("open", due_at=DUE, now=three_days) == (Tone.SOON, "即将截止")
    before = three_days - timedelta(microseconds=1)
    assert pages.state_tag("open", due_at=DUE, now=before) == (Tone.OPEN, "投标中")


def test_a_braked_lot_says_so_whatever_its_state() -> None:
    assert pages.state_tag("opening", suspended=True) == (Tone.SOON, "暂停")


# -- addresses ------------------------------------------------------------------------------------


def test_what_is_empty_is_left_out_of_an_address() -> None:
    query = {"q": "污水 处理", "stage": "", "region": None, "page": 1, "kind": ["a", "b"]}
    assert pages.with_query("/notices", query, page=2) == (
        "/notices?q=%E6%B1%A1%E6%B0%B4+%E5%A4%84%E7%90%86&page=2&kind=a&kind=b"
    )
    assert pages.with_query("/notices") == "/notices"


def test_a_static_address_changes_with_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    (tmp_path / "a.css").write_text("a{}")
    first = pages.static_url("a.css")
    (tmp_path / "a.css").write_text("b{margin:0}")
    assert re.fullmatch(r"/static/a\.css\?v=[\w-]{12}", first)
    assert pages.static_url("a.css") != first


@pytest.mark.parametrize("name", ["no.css", "../pages.py", "/etc/passwd", ""])
def test_there_is_no_address_for_what_is_not_static(name: str) -> None:
    with pytest.raises(LookupError):
        pages.static_url(name)


# -- rendering ------------------------------------------------------------------------------------


def test_what_a_view_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        made("{{ missing }}")


def test_what_people_wrote_is_escaped() -> None:
    shown = made("{{ ui.tag('ok', word) }}", word="<script>alert(1)</script>")
    assert "<script>" not in shown


def test_a_page_for_somebody_is_kept_nowhere() -> None:
    app = FastAPI()
    scope = {
        "type": "http", "app": app, "path": "/", "headers": [], "query_string": b"",
        "scheme": "http", "server": ("localhost", 8000), "method": "GET", "root_path": "",
    }  # fmt: skip
    request = Request(scope)
    assert render(request, "problem.html", problem=PROBLEM).headers["cache-control"] == "no-cache"
    someone = Actor(Role.BIDDER, PersonId(random_id()), PartyId(random_id()))
    request.state.actor = someone
    answer = render(request, "problem.html", problem=PROBLEM)
    assert answer.headers["cache-control"] == "no-store"
    assert "投标人" in bytes(answer.body).decode()


PROBLEM = {"status": 404, "code": "not_found", "detail": "", "trace_id": "0" * 32}


@BOTH
@pytest.mark.parametrize(
    "problem",
    [
        PROBLEM,
        {**PROBLEM, "status": 401, "code": "not_signed_in"},
        {**PROBLEM, "status": 403, "code": "not_permitted", "detail": "submit_bid"},
        {**PROBLEM, "status": 503, "code": "unavailable"},
        {**PROBLEM, "status": 422, "code": "invalid", "errors": [
            {"pointer": "#/name", "code": "missing", "detail": "Field required"}]},
        {**PROBLEM, "status": 409, "code": "late", "refusals": [
            {"code": "late", "article": str(BIDDING_REGULATION[36]), "reason": "逾期送达"}]},
        {**PROBLEM, "status": 418, "code": "teapot"},
        {**PROBLEM, "status": 599, "code": "odd"},
    ],
    ids=lambda problem: str(problem["code"]) if isinstance(problem, dict) else None,
)  # fmt: skip
def test_every_problem_is_a_whole_page(language: Language, problem: dict[str, object]) -> None:
    frame = SimpleNamespace(
        language=language, display="normal", theme="auto", path="/x?a=1", origin="http://localhost",
        moment=None, role=Role.PUBLIC, desk=None, signed_in=False, site_name="阳光交易",
        site=SimpleNamespace(site_name="阳光交易", site_id_code="0", site_phone="000",
                             site_hours="", site_host="", site_icp="", site_police=""),
        here_with=lambda choice, value: f"/x?{choice}={value}",
    )  # fmt: skip
    page = environment(language).get_template("problem.html").render(frame=frame, problem=problem)
    tree = tree_of(page)
    assert faults_of(tree) == []
    assert "0" * 32 in page
    assert "submit_bid" not in page, "details are for programs"
    if "errors" in problem:
        assert "Field required" not in page
        assert say("fault.missing", language) in page
    if "refusals" in problem:
        assert "第36条" in page


def test_every_fault_that_has_words_is_one_that_the_parser_finds() -> None:
    told = {key.removeprefix("fault.") for key in CATALOGUE if key.startswith("fault.")}
    assert told - {"other"} <= set(get_args(ErrorType))
    ours = {"code": "entry_malformed", "detail": "证书编号不得为空"}
    assert fault_words(ours) == ours["detail"]
    assert fault_words({"code": "value_error", "detail": "Value error"}) == say(
        "fault.other", Language.ZH
    )


# -- the gallery ----------------------------------------------------------------------------------


async def page_at(path: str, moment: Moment = DEMONSTRATION) -> httpx.Response:
    async with visiting(gallery_house(moment)) as reader:
        return await reader.get(path)


@pytest.mark.parametrize("path", ["/_ui", "/en/_ui"])
async def test_every_macro_renders_valid_and_labelled_markup(path: str) -> None:
    answer = await page_at(path)
    assert answer.status_code == 200
    assert faults_of(tree_of(answer.text)) == []


def test_the_gallery_shows_every_macro() -> None:
    components = (TEMPLATES / "components.html").read_text("utf-8")
    shown = (TEMPLATES / "component_gallery" / "gallery.html").read_text("utf-8")
    called = set(re.findall(r"\bui\.(\w+)\(", shown)) | {"cell"}  # `table` writes its cells with it
    assert set(MACRO.findall(components)) - called == set()


def test_the_overview_names_every_macro() -> None:
    components = (TEMPLATES / "components.html").read_text("utf-8")
    overview = components[: components.index("#}")]
    named = set(re.findall(r"\bui\.(\w+)", overview)) | {"cell"}
    assert set(MACRO.findall(components)) == named


async def test_the_gallery_stands_in_a_demonstration_only() -> None:
    assert (await page_at("/_ui", Moment(NOW))).status_code == 404


async def test_a_demonstration_says_so_with_its_clock_and_its_last_jump() -> None:
    text = (await page_at("/_ui")).text
    assert "全部数据为虚构" in text
    assert "演示时钟比真实时间快 20 天 3 小时" in text
    assert "时钟最近一次快进到 2026-11-22 09:12:33（北京时间）：投标截止" in text


async def test_the_frame_carries_what_a_government_site_must_say() -> None:
    tree = tree_of((await page_at("/_ui")).text)
    told = {one.get("name"): one.get("content") for one in tree.all("meta") if one.get("name")}
    assert told["renderer"] == "webkit"
    assert told["SiteDomain"] == "localhost:8000"
    for name in ("SiteName", "SiteIDCode", "ColumnName", "ColumnDescription", "ArticleTitle"):
        assert told[name], name
    assert told["PubDate"] == "2026-11-22 09:15:33"


async def test_the_other_language_is_one_link_away_and_named_to_machines() -> None:
    tree = tree_of((await page_at("/_ui?x=1")).text)
    alternates = {
        one.get("hreflang"): one.get("href") for one in tree.all("link") if one.get("hreflang")
    }
    assert alternates == {
        "zh-CN": "http://localhost:8000/_ui", "en": "http://localhost:8000/en/_ui",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/_ui", "/refused", "/nowhere", "/defect"])
async def test_help_is_at_the_same_place_on_every_page(path: str) -> None:
    tree = tree_of((await page_at(path)).text)
    footer = next(tree.all("footer"))
    assert "000-0000-0000" in footer.text
    assert "来电时请报出页面上的编号" in footer.text


async def test_a_refused_act_gives_every_ground_and_article() -> None:
    answer = await page_at("/refused")
    assert answer.status_code == 409
    for words in ("投标文件逾期送达", "投标人处于禁止投标期内", "第36条", "第26条"):
        assert words in answer.text


async def test_a_page_stands_though_the_time_is_not_known() -> None:
    async def unreachable() -> Moment:
        raise OSError("no database")

    app = FastAPI()
    house = gallery_house()
    app.state.settings = house.state.settings
    from web import frame, problems

    problems.answer_with_problems(app)
    frame.put_around(app, look=unreachable)
    async with visiting(app) as reader:
        answer = await reader.get("/nowhere")
    assert answer.status_code == 404
    assert "data-clock" not in answer.text


# -- single components ----------------------------------------------------------------------------


ROWS = [
    {"name": "甲", "price": Decimal("1234.5"), "at": DUE},
    {"name": "乙", "price": None, "at": None},
]
COLUMNS = [
    {"key": "name", "label": "投标人"},
    {"key": "price", "label": "报价", "kind": "yuan", "unit": "元"},
    {"key": "at", "label": "时间", "kind": "moment"},
]


@BOTH
def test_a_table_heads_its_rows_labels_its_cells_and_scrolls_by_keyboard(
    language: Language,
) -> None:
    tree = tree_of(
        made("{{ ui.table('开标', columns, rows) }}", language=language, columns=COLUMNS, rows=ROWS)
    )
    region = next(tree.all("div"))
    assert (region.get("role"), region.get("tabindex")) == ("region", "0")
    assert region.get("aria-label")
    assert [one.text for one in tree.all("th") if one.get("scope") == "row"] == ["甲", "乙"]
    cells = [(one.get("data-l"), one.text) for one in tree.all("td")]
    assert cells == [
        ("报价（元）", "1,234.50"), ("时间", "2026-11-25 09:30"), ("报价（元）", "—"),
        ("时间", cells[3][1]),
    ]  # fmt: skip


def test_a_page_may_write_cells_of_its_own() -> None:
    source = (
        "{% call(row, column) ui.table('开标', columns, rows) %}"
        "{% if column.key == 'name' %}<b>{{ row.name }}</b>{% endif %}{% endcall %}"
    )
    tree = tree_of(made(source, columns=COLUMNS, rows=ROWS))
    assert [one.text for one in tree.all("b")] == ["甲", "乙"]
    assert "1,234.50" in tree.text


def test_a_table_without_rows_says_so() -> None:
    assert "没有数据" in made("{{ ui.table('开标', columns, []) }}", columns=COLUMNS)


def test_a_countdown_that_is_over_says_so_without_negative_numbers() -> None:
    shown = made("{{ ui.countdown('截止', due, now) }}", due=DUE, now=DUE)
    timer = next(one for one in tree_of(shown).all("p") if one.get("role") == "timer")
    assert timer.text == "已截止 09:30:00（服务器）"


@pytest.mark.parametrize(
    ("left", "look"),
    [
        (3601, "count"),
        (3600, "count warn"),
        (601, "count warn"),
        (600, "count bad"),
        (0, "count over"),
    ],
)
def test_a_countdown_hurries_in_the_last_hour_and_minutes(left: int, look: str) -> None:
    shown = made("{{ ui.countdown('截止', due, now) }}", due=DUE, now=DUE - timedelta(seconds=left))
    box = next(tree_of(shown).all("div"))
    assert box.get("class") == look
    hurry = next(one for one in box.all("p") if "data-hurry" in one.attributes)
    assert ("hidden" in hurry.attributes) == (look in ("count", "count over"))


def test_a_field_with_an_error_says_it_twice_and_keeps_what_was_entered() -> None:
    source = (
        "{{ ui.error_summary([('price', '报价有误')]) }}"
        "{{ ui.field('price', '报价', value='12', error='报价有误', hint='单位：元') }}"
    )
    tree = tree_of(made(source))
    assert faults_of(tree) == []
    box = next(tree.all("input"))
    assert box.get("value") == "12"
    assert box.get("aria-invalid") == "true"
    assert box.get("aria-describedby") == "hint-price error-price"
    assert next(tree.all("a")).get("href") == "#field-price"


@pytest.mark.parametrize(
    "kind", ["text", "password", "date", "file", "textarea", "select", "radio", "checks"]
)
def test_every_kind_of_field_is_labelled(kind: str) -> None:
    source = "{{ ui.field('f', '标签', kind=kind, options=[('a', '甲'), ('b', '乙')], value='a') }}"
    assert faults_of(tree_of(made(source, kind=kind))) == []


def test_a_disabled_button_says_why() -> None:
    assert "还有 2 项" in made("{{ ui.button('签名', why_not='还有 2 项未填写') }}")


def test_a_digest_can_be_copied_whole() -> None:
    tree = tree_of(made("{{ ui.digest(value) }}", value=bytes(32)))
    assert next(tree.all("button")).get("data-copy") == "00" * 32
    assert next(tree.all("code")).text == "0000…0000"


def test_the_pager_keeps_the_search_and_stops_at_the_ends() -> None:
    first = tree_of(made("{{ ui.pager(1, 3, '/notices', {'q': '水'}) }}"))
    assert [one.get("href") for one in first.all("a")] == ["/notices?q=%E6%B0%B4&page=2"]
    last = tree_of(made("{{ ui.pager(3, 3, '/notices', {'q': '水'}) }}"))
    assert [one.get("rel") for one in last.all("a")] == ["prev"]


def test_a_receipt_that_is_not_in_the_log_yet_says_so() -> None:
    receipt = {"number": "1", "received_at": DUE, "digest": bytes(32)}
    assert "正在写入日志" in made("{{ ui.receipt_box(r) }}", r=receipt)
    assert "40,961" in made("{{ ui.receipt_box(r) }}", r={**receipt, "place": 40961})
