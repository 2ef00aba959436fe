"""How the rehearsal's lots are evaluated: 综合评估法, as the tender documents publish it.

Forty points are the committee's judgement and the firms' records, sixty are the price's: measured
against the mean of the valid prices without one highest and one lowest (from five bids on), two
points off for each per cent above, one for each per cent below.
"""

from __future__ import annotations

from typing import Any, Final

SCHEME: Final[dict[str, Any]] = {
    "v": "ebid-score-scheme/1",
    "method": "comprehensive_evaluation",
    "items": [
        {
            "id": "construction",
            "name": "施工组织设计",
            "kind": "subjective",
            "part": "technical",
            "highest": "15",
            "bands": [
                {"name": "优", "min": "12", "max": "15"},
                {"name": "良", "min": "8", "max": "11.99"},
                {"name": "一般", "min": "3", "max": "7.99"},
            ],
        },
        {
            "id": "safety",
            "name": "质量与安全措施",
            "kind": "subjective",
            "part": "technical",
            "highest": "10",
            "bands": [
                {"name": "优", "min": "8", "max": "10"},
                {"name": "良", "min": "5", "max": "7.99"},
                {"name": "一般", "min": "2", "max": "4.99"},
            ],
        },
        {
            "id": "records",
            "name": "类似工程业绩",
            "kind": "objective",
            "part": "business",
            "highest": "15",
            "step": "3",
        },
    ],
    "price": {
        "points": "60",
        "benchmark": {
            "averaging": "M2",
            "deduction": {"method": "D1", "above": "2", "below": "1"},
            "entering": "valid",
        },
    },
    "round": {"stage": "total", "places": 2, "how": "half_up"},
    "ties": ["lower_price", "higher_technical"],
}
