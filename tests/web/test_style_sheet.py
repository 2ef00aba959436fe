"""The style sheet keeps to its own rules: colours, weight, the oldest browsers, contrast (WCAG)."""

from __future__ import annotations

import gzip
import re

import pytest

from web.pages import STATIC, TEMPLATES

SHEET = (STATIC / "app.css").read_text("utf-8")
PARTS = ("tokens", "base", "frame", "components", "print")
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch)\(")
TOO_NEW = {
    ":has(": "Firefox 121",
    ":is(": "Chromium 88",
    ":where(": "Chromium 88",
    "aspect-ratio": "Chromium 88",
    "overflow: clip": "Chromium 90",
    "@layer": "Chromium 99",
    "@container": "Chromium 105",
    "dvh": "Chromium 108",
    "color-mix(": "Chromium 111",
    "subgrid": "Chromium 117",
    "@scope": "Chromium 118",
    "light-dark(": "Chromium 123",
    "@property": "Firefox 128",
}
"""What the sheet may not need, and where it came from."""
MINE = ("frame.html", "components.html", "problem.html", "component_gallery/gallery.html")
BODY, ALL_TEXT, MARKS = 7.0, 4.5, 3.0
"""The least contrast of body text (AAA), of any text (AA), and of borders, focus and marks (AA)."""


def parts() -> dict[str, str]:
    cuts = [SHEET.index(f"/* {n} {name} ---") for n, name in enumerate(PARTS, 1)]
    ends = [*cuts[1:], len(SHEET)]
    return {name: SHEET[cut:end] for name, cut, end in zip(PARTS, cuts, ends, strict=True)}


def bare(css: str) -> str:
    return re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)


def selectors() -> list[str]:
    """Every selector of the sheet, without the at-rules around it."""
    found = []
    for head in re.findall(r"(?:^|[{};])([^{};]+)\{", bare(SHEET)):
        text = " ".join(head.split())
        if not text.startswith("@"):
            found += [one.strip() for one in text.split(",")]
    return found


def declared(block: str) -> dict[str, str]:
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block))


def themes() -> dict[str, dict[str, str]]:
    tokens = bare(parts()["tokens"])
    light = declared(tokens[: tokens.index("@media screen and (prefers-color-scheme: dark)")])
    start = tokens.index(":root[data-theme=dark]")
    dark = declared(tokens[start : tokens.index("}", start)])
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    assert re.fullmatch(r"#[0-9a-f]{6}", colour), colour
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_it_has_its_five_parts_in_order() -> None:
    assert list(parts()) == list(PARTS)


def test_colours_stand_among_the_tokens_alone() -> None:
    found = {name: COLOUR.findall(bare(text)) for name, text in parts().items()}
    assert found.pop("tokens")
    assert found == {name: [] for name in PARTS[1:]}


def test_no_template_and_no_script_has_colours_or_styles_of_its_own() -> None:
    for path in [*TEMPLATES.rglob("*.html"), *STATIC.glob("*.js")]:
        text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        assert not re.search(r"\sstyle=|<style|\bon[a-z]+=\"", text), path.name
        assert not re.search(r"[\"':\s]#[0-9a-fA-F]{6}\b", text), path.name


def test_it_weighs_at_most_eight_kilobytes() -> None:
    assert len(gzip.compress(SHEET.encode(), 9)) <= 8 * 1024


def test_the_scripts_weigh_at_most_forty_kilobytes_together() -> None:
    own = [STATIC / name for name in ("clock.js", "live.js", "table.js", "buttons.js")]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in own) <= 40 * 1024


def test_scripts_load_nothing_from_elsewhere() -> None:
    for path in STATIC.glob("*.js"):
        text = path.read_text("utf-8")
        for place in re.findall(r"(?:from|import)\s*\(?\s*['\"]([^'\"]+)['\"]", text):
            assert place.startswith(("./", "/static/")), path.name
        assert not re.search(r"\beval\(|new Function\(|innerHTML\s*=", text), path.name


def test_it_uses_nothing_that_the_oldest_browsers_lack() -> None:
    css = bare(SHEET)
    assert {name: since for name, since in TOO_NEW.items() if name in css} == {}
    assert "&" not in css, "no nesting"
    assert not re.search(r":not\([^)]*,", css), "a list inside :not() came with Chromium 88"


def test_no_selector_is_heavy() -> None:
    for selector in selectors():
        plain = re.sub(r"::[\w-]+", "", selector)
        assert "#" not in plain, selector
        counted = re.sub(r":not\(([^)]*)\)", r"\1", plain)
        weight = len(re.findall(r"\.[\w-]+|\[[^\]]+\]|:[\w-]+", counted))
        assert weight <= 2 or selector.startswith(":root"), selector


def test_importance_is_claimed_only_for_what_must_be_out_of_sight() -> None:
    for body in re.findall(r"([^{}]+)\{([^{}]*!important[^{}]*)\}", bare(SHEET)):
        head = " ".join(body[0].split())
        assert head in ("[hidden]", ".sr") or head.startswith(".hd, .ft"), head


@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_colour_used_is_declared(name: str) -> None:
    used = set(re.findall(r"var\((--[\w-]+)\)", SHEET))
    assert used - set(themes()[name]) == set()


def test_the_dark_theme_is_the_same_by_choice_and_by_system() -> None:
    tokens = bare(parts()["tokens"])
    start = tokens.index(":root:not([data-theme=light])")
    assert declared(tokens[start : tokens.index("}", start)]) == {
        key: value for key, value in themes()["dark"].items() if value != themes()["light"].get(key)
    }


@pytest.mark.parametrize("name", ["light", "dark"])
def test_contrast_is_enough_everywhere(name: str) -> None:
    of = themes()[name]
    least = {("--text", back): BODY for back in ("--bg", "--s1", "--s2")}
    least |= {("--text-2", "--bg"): BODY, ("--link", "--bg"): BODY, ("--visited", "--bg"): BODY}
    least |= {(text, "--s1"): ALL_TEXT for text in ("--text-2", "--text-3", "--link", "--visited")}
    least |= {("--text-3", back): ALL_TEXT for back in ("--bg", "--s2")}
    least |= {
        ("--on-brand", back): ALL_TEXT
        for back in ("--brand", "--brand-h", "--danger", "--danger-h")
    }
    for tone in ("ok", "warn", "bad", "info", "neu", "eval", "award"):
        least[f"--{tone}", f"--{tone}-b"] = ALL_TEXT
        least[f"--{tone}", "--bg"] = ALL_TEXT
        least["--text", f"--{tone}-b"] = BODY
        least["--link", f"--{tone}-b"] = ALL_TEXT
    least |= {("--live", "--bad-b"): ALL_TEXT, ("--seal", "--bg"): ALL_TEXT}
    least |= {
        ("--line-strong", "--bg"): MARKS,
        ("--focus", "--bg"): MARKS,
        ("--focus", "--s1"): MARKS,
    }
    least |= {("--focus-on-brand", "--brand"): MARKS, ("--ink", "--paper"): BODY}
    least |= {(f"--c{n}", "--bg"): MARKS for n in range(1, 7)}
    least |= {("--c1", "--s2"): MARKS, ("--ok", "--s2"): MARKS, ("--bad", "--s2"): MARKS}
    poor = {
        pair: round(contrast(of[pair[0]], of[pair[1]]), 2)
        for pair, floor in least.items()
        if contrast(of[pair[0]], of[pair[1]]) < floor
    }
    assert poor == {}


def test_every_class_of_the_frame_and_its_components_has_a_look() -> None:
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", bare(SHEET))) | {"t-neutral"}  # a tag as it is
    for name in MINE:
        text = re.sub(r"\{#.*?#\}", "", (TEMPLATES / name).read_text("utf-8"), flags=re.DOTALL)
        for classes in re.findall(r'class="([^"{]*)"', text):
            assert set(classes.split()) <= known, (name, classes)
