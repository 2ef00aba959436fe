"""How a page looks, kept as a plan of what stands where, and compared with how it looks today.

A picture kept byte by byte breaks with every new release of a font. What a reader would notice at
a glance survives one: a part that is gone, a style that was not loaded, columns that fell apart, a
dark scheme that stayed light. Each look is a screenshot of the first screens cut into squares; one
in which something can be told from its ground is a `#` in the plan, any other a dot. The plan of
the bright scheme is kept. In the dark one the same things must stand out at the same places.

    SUNBID_KEEP_LOOKS=1 python3 do.py test tests/web/test_…py

keeps today's looks anew, and SUNBID_SHOTS=DIR writes the pictures there for whoever wants to look.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, get_args

from playwright.async_api import Page

from tests.web.browser import Theme

KEPT_IN: Final = Path(__file__).with_name("kept_looks")
WIDTHS: Final = (360, 1440)
HEIGHT: Final = 1200
SQUARE: Final = 15
STANDS_OUT: Final = 40
"""How much brighter than its darkest point a square's brightest is where something stands in it, of
255."""

ALIKE_MIN: Final = 0.7
"""Which share of what stands there now or stood there then stands there both times; names, numbers
and hours differ from run to run, and another page of the house has less than half in common."""

DAY_AND_NIGHT_MIN: Final = 0.4
"""The same between the schemes: frames and shadows that show in one are too faint in the other."""

NIGHT_MAX: Final = 0.75
"""How bright a page may be by night, of what it is by day; a paper to be printed stays white."""

PLAN = """async ([picture, square]) => {
  const bitmap = await createImageBitmap(await (await fetch(picture)).blob());
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const across = Math.floor(width / square), down = Math.floor(height / square);
  const least = new Float32Array(across * down).fill(255);
  const most = new Float32Array(across * down);
  let sum = 0;
  for (let y = 0; y < down * square; y += 1) {
    for (let x = 0; x < across * square; x += 1) {
      const at = 4 * (y * width + x);
      const bright = 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
      const place = Math.floor(y / square) * across + Math.floor(x / square);
      least[place] = Math.min(least[place], bright);
      most[place] = Math.max(most[place], bright);
      sum += bright;
    }
  }
  const ranges = [];
  for (let row = 0; row < down; row += 1) {
    const places = [...Array(across).keys()].map((column) => row * across + column);
    ranges.push(places.map((place) => most[place] - least[place]));
  }
  return { ranges, mean: sum / (across * down * square * square) };
}"""


async def assert_looks_as_kept(page: Page, name: str) -> None:
    """The page that is open looks as it was kept under this name, at each width, bright and dark.

    The window is given back as wide as it was.
    """
    before = page.viewport_size
    reader = await page.context.new_page()
    try:
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": HEIGHT})
            seen = {
                theme: await _seen(page, reader, f"{name}-{width}-{theme}", theme)
                for theme in get_args(Theme)
            }
            (day, bright), (night, dark) = seen["light"], seen["dark"]
            _assert_kept(f"{name}-{width}", day)
            assert dark < bright * NIGHT_MAX, (
                f"{name} is no darker by night at {width}: {dark:.0f} after {bright:.0f} of 255"
            )
            share = alike(day, night)
            assert share >= DAY_AND_NIGHT_MIN, (
                f"by night {name} shows otherwise at {width}: {share:.0%} in common\n"
                + "\n".join(night)
            )
    finally:
        await reader.close()
    await page.emulate_media(color_scheme=None, reduced_motion=None)
    if before is not None:
        await page.set_viewport_size(before)


def alike(then: Sequence[str], now: Sequence[str]) -> float:
    """The share of what stands in either plan that stands in both (Jaccard's index)."""
    both = either = 0
    for old, new in zip(then, now, strict=True):
        for was, is_now in zip(old, new, strict=True):
            both += was == is_now == "#"
            either += "#" in (was, is_now)
    return both / either if either else 1.0


async def _seen(page: Page, reader: Page, name: str, theme: Theme) -> tuple[list[str], float]:
    """The plan of the page in this scheme, and its mean brightness."""
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    await page.evaluate("scrollTo(0, 0)")
    picture = await page.screenshot(animations="disabled", caret="hide")
    if folder := os.environ.get("SUNBID_SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.png").write_bytes(picture)
    sent = "data:image/png;base64," + b64encode(picture).decode()
    told: dict[str, Any] = await reader.evaluate(PLAN, [sent, SQUARE])
    plan = ["".join("#" if one > STANDS_OUT else "." for one in row) for row in told["ranges"]]
    return plan, told["mean"]


def _assert_kept(name: str, plan: Sequence[str]) -> None:
    kept_in = KEPT_IN / f"{name}.txt"
    if os.environ.get("SUNBID_KEEP_LOOKS") == "1":
        KEPT_IN.mkdir(exist_ok=True)
        kept_in.write_text("\n".join(plan) + "\n")
    share = alike(kept_in.read_text().splitlines(), plan)
    assert share >= ALIKE_MIN, (
        f"{name} looks otherwise: {share:.0%} in common with {kept_in}; now\n" + "\n".join(plan)
    )
