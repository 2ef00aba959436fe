"""The gallery: every component in every state on one page, where a change of looks is judged.

It stands only in a demonstration; elsewhere the address is unknown.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse

from kernel.crypto.digests import sha256
from kernel.errors import NotFound
from kernel.statute import BIDDING_LAW, BIDDING_REGULATION
from web.frame import moment_of
from web.pages import render
from web.places import Place
from web.words import STATE_TONES, Tone

router = Place()

BIDDERS: Final = (
    ("江城建工集团有限公司", "126880000.00", 540, "赵启明"),
    ("华岳市政工程有限公司", "125300500.00", 530, "钱立文"),
    ("云溪第二建设有限公司", "127900000.00", 548, "孙家和"),
    ("中恒水务建设股份有限公司", "124766000.00", 520, "李若川"),
    ("东湖环境工程有限公司", "129000000.00", 545, "周明远"),
)
CEILING: Final = Decimal("128460000.00")
DIGEST: Final = sha256(b"an example")


@router.get("/_ui", include_in_schema=False)
async def gallery(request: Request) -> HTMLResponse:
    """Every component in every state, by the demonstration's clock."""
    moment = moment_of(request)
    if moment is None or not moment.demo:
        raise NotFound("only a demonstration has a gallery")
    now = moment.now
    return render(request, "component_gallery/gallery.html", **_examples(now=now))


def _examples(*, now: Any) -> dict[str, Any]:
    """Invented bidders, times and figures, one for each state a component has."""
    return {
        "now": now,
        "tones": tuple(Tone),
        "states": tuple(STATE_TONES),
        "digest": DIGEST,
        "ceiling": CEILING,
        "prices": [(name, Decimal(price)) for name, price, _, _ in BIDDERS],
        "rows": [
            {
                "number": place,
                "bidder": name,
                "price": Decimal(price),
                "days": days,
                "quality": "合格",
                "manager": manager,
                "confirmed": ("ok", "confirmed") if place % 3 else ("soon", "waiting"),
            }
            for place, (name, price, days, manager) in enumerate(BIDDERS, 1)
        ],
        "files": [
            ("招标文件.pdf", 3, 5_033_164, now - timedelta(days=12)),
            ("工程量清单.xml", 2, 1_153_433, now - timedelta(days=12)),
            ("澄清文件（2 号）.pdf", 1, 317_440, None),
        ],
        "released": [
            ("ok", "released", now - timedelta(seconds=210), 100),
            ("ok", "released", now - timedelta(seconds=182), 100),
            ("open", "running", None, 62),
            ("soon", "waiting", None, 0),
            ("bad", "failed", None, 100),
        ],
        "names": [name for name, *_ in BIDDERS],
        "times": {
            "far": now + timedelta(days=3, minutes=14, seconds=27),
            "hour": now + timedelta(minutes=42),
            "minutes": now + timedelta(minutes=8, seconds=24),
            "past": now - timedelta(minutes=1),
            "since": now - timedelta(minutes=21, seconds=36),
        },
        "life": [
            ("done", now - timedelta(days=24)),
            ("done", now - timedelta(days=15)),
            ("current", now + timedelta(days=3)),
            ("next", None),
        ],
        "refusals": [
            {
                "code": "late",
                "article": BIDDING_REGULATION[36],
                "reason": "投标文件逾期送达",
            },
            {
                "code": "barred",
                "article": BIDDING_LAW[26],
                "reason": "投标人处于禁止投标期内",
            },
        ],
    }
