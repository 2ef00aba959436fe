"""The tables of both READMEs, printed from the code they are about.

Four parts of each README are generated: what exit codes say, the life of a lot, who may do what,
and which rule carries out which article and is proven by which test. `sunbid docs` writes them
anew, and a test fails when they are not current.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from kernel.access import ROLES_BY_ACTIVITY, Role
from kernel.statute import RULES, Article, Rule, Severity
from trading.rules.lot_lifecycle import mermaid
from trading.rules.rule_book import RULE_BOOK, Bound
from web.exit_codes import MEANINGS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("kernel", "blacklist", "expert_pool", "trading", "evaluation")
SHORT = {
    Role.TENDEREE: "招标人",
    Role.AGENCY: "代理",
    Role.BIDDER: "投标人",
    Role.EXPERT: "专家",
    Role.OWNER_REPRESENTATIVE: "代表",
    Role.CUSTODIAN: "保管",
    Role.CENTRE_STAFF: "中心",
    Role.SITE_ADMINISTRATOR: "场所",
    Role.SUPERVISOR: "监督",
    Role.WITNESS: "见证",
    Role.PLATFORM: "平台",
    Role.PUBLIC: "公众",
}


def load_everything() -> None:
    """Import every module of the domain floors, so that every rule and act is registered."""
    for package in PACKAGES:
        module = import_module(package)
        for found in walk_packages(module.__path__, prefix=f"{package}."):
            import_module(found.name)


def exit_codes() -> str:
    """What each exit code of a command says."""
    rows = [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["| exit code | what it says |", "|---|---|", *rows])


def lot_diagram() -> str:
    """The life of a lot as a Mermaid diagram."""
    return f"```mermaid\n{mermaid().strip()}\n```"


def access_matrix() -> str:
    """Which capacity may perform which activity."""
    lines = [
        "| act | " + " | ".join(SHORT[role] for role in Role) + " |",
        "|---|" + "---|" * len(Role),
    ]
    for name in sorted(ROLES_BY_ACTIVITY):
        if name.split(".")[0] not in PACKAGES:
            continue
        roles = ROLES_BY_ACTIVITY[name]
        marks = " | ".join("●" if role in roles else "" for role in Role)
        lines.append(f"| `{name}` | {marks} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Line:
    """One article of one rule: whom it binds, how firmly, since when, and what carries it out.

    `carriers` are the functions by their dotted names; where a rule is built in, the module.
    """

    id: str
    article: Article
    says: str
    regimes: tuple[str, ...]
    severity: Severity
    since: date | None
    until: date | None
    carriers: tuple[str, ...]
    proof: str = ""

    @property
    def provenance(self) -> str:
        """How the article is known: verified, secondary or memory."""
        return self.article.provenance.name.lower()

    @property
    def tests(self) -> tuple[str, ...]:
        """The test files of what carries it out, and of what proves that it is built in."""
        functions = [one for one in self.carriers if one in RULES]
        proofs = [self.proof] if self.proof else []
        return tuple(dict.fromkeys([*map(test_of, functions), *proofs]))


def lines() -> list[Line]:
    """Every article of every rule: first those of the book, then those of the other floors."""
    ours = [rule for rule in RULES.values() if rule.name.split(".")[0] in PACKAGES]
    return [*_lines_of_the_book(ours), *_other_lines(ours)]


def _lines_of_the_book(ours: list[Rule]) -> Iterator[Line]:
    for entry in RULE_BOOK.values():
        carriers = tuple(sorted(rule.name for rule in ours if entry.id in rule.ids))
        if entry.built_in:
            carriers = (*carriers, entry.built_in)
        for article in entry.articles:
            yield Line(
                entry.id,
                article,
                entry.says,
                tuple(str(one) for one in Bound if one in entry.binds),
                entry.severity,
                article.instrument.in_force_from,
                article.instrument.in_force_to,
                carriers,
                entry.proof,
            )


def _other_lines(ours: list[Rule]) -> Iterator[Line]:
    for rule in sorted(ours, key=lambda one: one.name):
        ids = [one for one in rule.ids if one not in RULE_BOOK]
        if rule.ids and not ids:
            continue
        for article in rule.articles:
            yield Line(
                ", ".join(ids),
                article,
                "",
                (str(article.instrument.regime),),
                rule.severity,
                article.instrument.in_force_from,
                article.instrument.in_force_to,
                (rule.name,),
            )


def traceability() -> str:
    """Which article is carried out by which rule, and which test proves it."""
    told = [
        "| article | rule | kind | provenance | carried out by | test |",
        "|---|---|---|---|---|---|",
    ]
    rows = {
        (
            str(line.article),
            line.id or "—",
            str(line.severity),
            line.provenance,
            "<br>".join(f"`{name}`" for name in line.carriers) or "—",
            "<br>".join(f"`{path}`" for path in line.tests) or "—",
        )
        for line in lines()
    }
    told += [f"| {' | '.join(row)} |" for row in sorted(rows)]
    return "\n".join(told)


def test_of(rule: str) -> str:
    """The test file of the module a rule is in: the same name, one floor deep."""
    package, *_, module, _ = rule.split(".")
    return f"tests/{package}/test_{module}.py"


PARTS = {
    "exits": exit_codes,
    "lot": lot_diagram,
    "access": access_matrix,
    "traceability": traceability,
}


def renewed(readme: str) -> str:
    """The README with its generated parts as they are now."""
    load_everything()
    for name, part in PARTS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(readme):
            raise ValueError(f"the README has no place for {name}")
        text = part() + "\n"
        readme = pattern.sub(lambda found, text=text: found[1] + text + found[2], readme)  # type: ignore[misc]  # mypy cannot infer a lambda's default
    return readme


READMES = ("README.md", "README.zh-CN.md")


def write() -> bool:
    """Write the generated parts of both READMEs anew; whether anything changed."""
    changed = False
    for name in READMES:
        path = ROOT / name
        before = path.read_text("utf-8")
        after = renewed(before)
        path.write_text(after, "utf-8")
        changed |= after != before
    return changed
