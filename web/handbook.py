"""The README's tables, printed from the code they are about.

Four parts of the README are generated: what exit codes say, the life of a lot, who may do what, and
which rule carries out which article and is proven by which test. `sunbid docs` writes them anew,
and a test fails when they are not current.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from kernel.access import ROLES_BY_ACTIVITY, Role
from kernel.statute import RULES
from trading.rules.lot_lifecycle import mermaid
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


def traceability() -> str:
    """Which article is carried out by which rule, and which test proves it."""
    lines = [
        "| article | rule | kind | provenance | function | test |",
        "|---|---|---|---|---|---|",
    ]
    rows = {
        (
            str(article),
            ", ".join(rule.ids) or "—",
            str(rule.severity),
            article.provenance.name.lower(),
            rule.name,
            test_of(rule.name),
        )
        for rule in RULES.values()
        if rule.name.split(".")[0] in PACKAGES
        for article in rule.articles
    }
    for article, ids, severity, provenance, name, test in sorted(rows):
        lines.append(f"| {article} | {ids} | {severity} | {provenance} | `{name}` | `{test}` |")
    return "\n".join(lines)


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


def write() -> bool:
    """Write the README's generated parts anew; whether anything changed."""
    path = ROOT / "README.md"
    before = path.read_text()
    after = renewed(before)
    path.write_text(after)
    return after != before
