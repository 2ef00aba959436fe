"""A scoring method in words, part by part, so that people read what of it was changed.

The document is as its notice published it. How it scores is evaluation's to say; here it is only
put into words, and what has none is left as it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_METHODS: Final = {
    "comprehensive_evaluation": "综合评估法",
    "comprehensive_scoring": "综合评分法",
    "lowest_price": "最低评标价法",
}
_KINDS: Final = {"subjective": "主观分", "objective": "客观分"}
_PARTS: Final = {"technical": "技术", "business": "商务", "credit": "信用"}
_AVERAGES: Final = {
    "M1": "全部报价的平均值",
    "M2": "五家起去掉一个最高价和一个最低价后的平均值",
    "M3": "六家起去掉最高价、七家起再去掉最低价后的平均值，按浮动率调整",
    "M4": "七家起去掉最高和最低各五分之一后的平均值",
    "M5": "平均值乘以公开抽取的系数K",
    "M7": "平均值与最高限价加权",
}
_ENTERING: Final = {"valid": "未被否决的投标", "opened": "全部开启的投标"}
_DEDUCTIONS: Final = {
    "D1": "每偏离1%扣分，内插计算",
    "D2": "偏离比例的倍数占满分的份额",
    "D3": "满分减去偏离百分数与扣分率之积",
}
_STAGES: Final = {"total": "总分", "each_item": "每一评分项"}
_ROUNDINGS: Final = {"half_up": "四舍五入", "half_even": "四舍六入五成双", "cut_off": "舍去"}
_TIES: Final = {
    "lower_price": "报价低者优先",
    "higher_technical": "技术得分高者优先",
    "earlier_bid": "先递交者优先",
}


@dataclass(frozen=True, slots=True)
class SchemeChange:
    """One part of a scheme that differs; empty words where a version has it not."""

    title: str
    old: str
    new: str


def scheme_parts(document: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Every part of a scheme, by a key that stays: what it is called, and its words."""
    price, rounding = document["price"], document["round"]
    found = {"method": ("评审方法", _named(_METHODS, document["method"]))}
    for item in document["items"]:
        found[f"item/{item['id']}"] = (item["name"], _item_words(item))
    found["price"] = ("价格", f"{price['points']}分")
    if "benchmark" in price:
        found["benchmark"] = ("评标基准价", _benchmark_words(price["benchmark"]))
        found["deduction"] = ("偏离基准价的扣分", _deduction_words(price["benchmark"]["deduction"]))
    if "trim_from" in document:
        words = f"{document['trim_from']}名成员起，每项去掉一个最高分和一个最低分"
        found["trim_from"] = ("去掉最高分和最低分", words)
    places, how = rounding["places"], _named(_ROUNDINGS, rounding["how"])
    found["round"] = ("取位", f"{_named(_STAGES, rounding['stage'])}保留{places}位小数，{how}")
    found["ties"] = ("得分相同时", "，再".join(_named(_TIES, one) for one in document["ties"]))
    if "policy" in document:
        found["policy"] = ("扶持政策", _policy_words(document["policy"]))
    return found


def scheme_lines(document: Mapping[str, Any] | None) -> str:
    """The whole of a scheme, a part in each line; nothing where there is none."""
    parts = {} if document is None else scheme_parts(document)
    return "\n".join(f"{title}：{words}" for title, words in parts.values())


def scheme_changes(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> tuple[SchemeChange, ...]:
    """The parts in which two schemes differ, in the order of the new one; what went comes last."""
    before, after = [{} if one is None else scheme_parts(one) for one in (old, new)]
    nothing = ("", "")
    changes = []
    for key in [*after, *(one for one in before if one not in after)]:
        (was, said), (title, says) = before.get(key, nothing), after.get(key, nothing)
        if was and title and was != title:
            said, says = f"{was}：{said}", f"{title}：{says}"
        if said != says:
            changes.append(SchemeChange(title or was, said, says))
    return tuple(changes)


def _item_words(item: Mapping[str, Any]) -> str:
    part, kind = _named(_PARTS, item["part"]), _named(_KINDS, item["kind"])
    words = [f"{part}，{kind}，最高{item['highest']}分，权重{item.get('weight', '1')}"]
    words.append(f"分值间隔{item.get('step', '0.01')}")
    words += [f"{one['name']}{one['min']}至{one['max']}分" for one in item.get("bands", [])]
    return "，".join(words)


def _benchmark_words(said: Mapping[str, Any]) -> str:
    words = [_named(_ENTERING, said["entering"]), _named(_AVERAGES, said["averaging"])]
    if "scaling" in said:
        words.append(_named(_AVERAGES, said["scaling"]))
    if "few_bids" in said:
        words.append(f"投标少时为{_named(_AVERAGES, said['few_bids'])}")
    for name, title in (("float_rate", "浮动率"), ("mean_weight", "平均值权重")):
        if name in said:
            words.append(f"{title}{said[name]}")
    if "k" in said:
        words.append(f"K取{'、'.join(said['k'])}之一")
    return "，".join(words)


def _deduction_words(said: Mapping[str, Any]) -> str:
    method = _named(_DEDUCTIONS, said["method"])
    return f"{method}；高于基准价{said['above']}，低于基准价{said['below']}"


def _policy_words(said: Mapping[str, Any]) -> str:
    return f"小微企业{said['small_enterprise']}，联合体{said['consortium']}，加分{said['bonus']}"


def _named(names: Mapping[str, str], key: str) -> str:
    return names.get(key, key)
