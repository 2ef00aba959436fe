"""A page's markup as a tree, and what every page of ours must keep to (HTML, WCAG 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = frozenset({"br", "circle", "hr", "img", "input", "line", "link", "meta", "path", "rect"})
LABELLED = frozenset({"input", "select", "textarea"})
NAMED = frozenset({"nav", "progress", "aside"})


@dataclass(slots=True)
class Element:
    """One element, with what stands in it."""

    name: str
    attributes: dict[str, str | None]
    within: Element | None
    children: list[Element] = field(default_factory=list)
    words: str = ""

    def all(self, *names: str) -> Iterator[Element]:
        """Every element of these names below this one, in order; all where none is named."""
        for child in self.children:
            if not names or child.name in names:
                yield child
            yield from child.all(*names)

    @property
    def text(self) -> str:
        return (self.words + "".join(child.text for child in self.children)).strip()

    def get(self, attribute: str) -> str:
        return self.attributes.get(attribute) or ""

    def inside(self, name: str) -> bool:
        outer = self.within
        return outer is not None and (outer.name == name or outer.inside(name))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> says an attribute twice: {names}"
        element = Element(tag, dict(attrs), self.open[-1])
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].words += data


def tree_of(html: str) -> Element:
    """The page's elements; an unbalanced or doubled tag or attribute is an `AssertionError`."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root], f"never closed: {[one.name for one in reader.open[1:]]}"
    return reader.root


def faults_of(page: Element) -> list[str]:
    """Everything on the page that a reader, a keyboard or our policy would stumble over."""
    elements = list(page.all())
    ids = [one.get("id") for one in elements if one.get("id")]
    faults = [f"two elements are called {one}" for one in set(ids) if ids.count(one) > 1]
    faults += [
        f"{one.name} refers to {target}, which is not there"
        for one in elements
        for attribute in ("for", "aria-describedby", "aria-labelledby")
        for target in one.get(attribute).split()
        if target not in ids
    ]
    faults += [
        f"{one.name} points to {one.get('href')}, which is not there"
        for one in elements
        if one.get("href").startswith("#") and one.get("href")[1:] not in ids
    ]
    labels = {one.get("for") for one in elements if one.name == "label"}
    faults += [
        f"{one.name} {one.get('name')} has no label"
        for one in elements
        if one.name in LABELLED
        and one.get("type") != "hidden"
        and not (one.get("id") in labels or one.inside("label") or one.get("aria-label"))
    ]
    faults += [
        f"a {one.name} without words"
        for one in elements
        if one.name in ("a", "button", "th", "caption", "label", "legend", "option", "h1", "h2")
        and not (one.text or one.get("aria-label"))
    ]
    faults += [
        f"a {one.name} without a name"
        for one in elements
        if one.name in NAMED and not one.get("aria-label")
    ]
    faults += [
        f"{one.name} carries {attribute}"
        for one in elements
        for attribute in one.attributes
        if attribute == "style" or attribute.startswith("on")
    ]
    faults += [
        "something inline"
        for one in elements
        if one.name == "style" or (one.name == "script" and not one.get("src"))
    ]
    faults += [
        f"a table without a caption: {one.text[:20]}" for one in _tables_without_caption(page)
    ]
    levels = [int(one.name[1]) for one in elements if one.name in ("h1", "h2", "h3", "h4")]
    faults += [f"h{low} is followed by h{high}" for low, high in _jumps(levels)]
    if any(one.name == "main" for one in elements):
        faults += [f"{levels.count(1)} times h1"] if levels.count(1) != 1 else []
        faults += [] if next(page.all("html")).get("lang") else ["no language"]
    return faults


def _tables_without_caption(page: Element) -> list[Element]:
    return [one for one in page.all("table") if not list(one.all("caption"))]


def _jumps(levels: list[int]) -> list[tuple[int, int]]:
    return [(low, high) for low, high in pairwise(levels) if high > low + 1]
