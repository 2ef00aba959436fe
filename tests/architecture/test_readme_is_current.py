"""The README's generated tables are what the code says."""

from __future__ import annotations

from web import handbook


def test_the_readme_is_what_the_code_says() -> None:
    readme = (handbook.ROOT / "README.md").read_text()
    assert handbook.renewed(readme) == readme, "run: python3 do.py sunbid docs"
