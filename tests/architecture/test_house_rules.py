"""The rules of the house that import contracts cannot say, read from the syntax of every file.

Each rule is a function that finds offences in one file's tree; it is tried on a small offence of
its own first, so that a rule which has gone blind is noticed.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from trading.rules.rule_book import UNASKED

HOUSE = Path(__file__).resolve().parents[2]
PACKAGES = ("kernel", "blacklist", "expert_pool", "trading", "evaluation", "web")
DOORS = {"handover", "drawing", "standing"}

REPEATED_NAMES = {"__init__", "tables", "events"}
"""They mean the same thing in each package."""

FORBIDDEN_NAMES = {
    "utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers",
    "service", "services", "models", "schemas", "crud", "constants", "types",
}  # fmt: skip
"""They say nothing about what is inside, so anything ends up there."""

CLOCK_READS = {
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "localtime")),
    *(f"time.{name}" for name in ("perf_counter", "perf_counter_ns", "process_time", "gmtime")),
}
ENTROPY = re.compile(
    r"(secrets|random)(\..*)?|os\.(urandom|getrandom)|uuid\.uuid[1467]|numpy\.random(\..*)?"
)
SQL_CLOCKS = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp)\(\)"
    r"|\b(CURRENT_TIMESTAMP|CURRENT_DATE|LOCALTIMESTAMP)\b"
)
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv"}
ENVIRONMENT_READERS = {
    "kernel/settings.py": "reads what the operator decides, once",
    "kernel/store/embedded_postgres.py": "SUNBID_PG_BIN names the server's programs",
    "web/premises.py": "hands the environment on to the processes it starts",
    "web/keeping_copies.py": "hands the environment on to pg_dump and pg_restore",
}
SCHEMA_IN_SQL = re.compile(
    r"\b(?:FROM|INTO|UPDATE|JOIN|USING|ONLY|TRUNCATE|TABLE|(?:NOT )?EXISTS)\s+\"?"
    r"(kernel|blacklist|expert_pool|trading|evaluation)\"?\."
)
SCHEMAS_OF = {package: {package} for package in PACKAGES} | {"web": {"kernel"}}
"""The web has no schema of its own; it reads the kernel's views and journal."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the house: where it is, and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.path.partition("/")[0]

    @property
    def stem(self) -> str:
        return Path(self.path).stem

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_rule(self) -> bool:
        return "/rules/" in self.path


def source(path: str, text: str) -> Source:
    return Source(path, text, ast.parse(text))


@cache
def files_under(*folders: str) -> tuple[Source, ...]:
    """Every Python file below the folders, in order of their paths."""
    paths = sorted(path for folder in folders for path in (HOUSE / folder).rglob("*.py"))
    return tuple(source(str(path.relative_to(HOUSE)), path.read_text("utf-8")) for path in paths)


def house() -> tuple[Source, ...]:
    return files_under(*PACKAGES)


Rule = Callable[[Source], Iterator[tuple[int, str]]]


def offences(rule: Rule, files: tuple[Source, ...]) -> list[str]:
    return [f"{file.path}:{line}: {what}" for file in files for line, what in rule(file)]


# -- reading a tree -------------------------------------------------------------------------------


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: `{"dt": "datetime.datetime"}`."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                names[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name an expression stands for, as far as imports tell; empty for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        before = dotted(node.value, names)
        return f"{before}.{node.attr}" if before else ""
    return ""


def mentions(file: Source) -> Iterator[tuple[int, str]]:
    """Every imported thing that the file mentions, by its full name, with its line."""
    names = imported_names(file.tree)
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Name | ast.Attribute):
            full = dotted(node, names)
            if full:
                yield node.lineno, full
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the nodes that are docstrings, of modules, classes, functions and attributes."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string in the code that is no docstring; the holes of an f-string are `{}`."""
    documented = docstrings(tree)
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in ast.walk(node) if part is not node}
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ),
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documented
            and id(node) not in inner
        ):
            yield node.lineno, node.value


def decorator_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    return {
        name.id
        for decorator in function.decorator_list
        if isinstance(
            name := decorator.func if isinstance(decorator, ast.Call) else decorator, ast.Name
        )
    }


# -- the rules ------------------------------------------------------------------------------------


def waiting(file: Source) -> Iterator[tuple[int, str]]:
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for node in ast.walk(file.tree):
        if isinstance(node, kinds):
            yield node.lineno, "a rule waits"


def reading_the_clock(file: Source) -> Iterator[tuple[int, str]]:
    for line, name in mentions(file):
        if name in CLOCK_READS:
            yield line, f"reads the time by {name}"


def asking_the_database_for_the_time(file: Source) -> Iterator[tuple[int, str]]:
    names = imported_names(file.tree)
    for line, words in texts(file.tree):
        if SQL_CLOCKS.search(words):
            yield line, "asks the database for the time"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and dotted(node, names) in {
            f"sqlalchemy.func.{name}" for name in ("now", "clock_timestamp", "current_timestamp")
        }:
            yield node.lineno, "asks the database for the time"


def taking_entropy(file: Source) -> Iterator[tuple[int, str]]:
    for line, name in mentions(file):
        if ENTROPY.fullmatch(name):
            yield line, f"takes entropy from {name}"


def moving_a_lot(file: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call):
            if _call_moves(node):
                yield node.lineno, "writes the state of a lot by a call"
            continue
        else:
            continue
        for part in (part for target in targets for part in ast.walk(target)):
            if isinstance(part, ast.Attribute) and part.attr == "state" and _is_lot(part.value):
                yield node.lineno, "assigns the state of a lot"
    for line, words in texts(file.tree):
        if re.search(r"\bUPDATE\s+(trading\.)?lot\b.*\bstate\s*=", words, re.S):
            yield line, "writes the state of a lot in SQL"


def _is_lot(node: ast.expr) -> bool:
    return re.search(r"(^|_)lot(_row)?$", ast.unparse(node).rpartition(".")[2]) is not None


def _call_moves(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    if name == "setattr" and len(call.args) > 1 and _is_lot(call.args[0]):
        return ast.unparse(call.args[1]) == "'state'"
    if re.search(r"\bupdate\(LotRow\)", name) and name.endswith(".values"):
        return any(keyword.arg in ("state", None) for keyword in call.keywords)
    return False


def reading_the_environment(file: Source) -> Iterator[tuple[int, str]]:
    for line, name in mentions(file):
        if name in ENVIRONMENT:
            yield line, f"reads {name}"


def refusing_without_article(file: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(file.tree):
        if (
            isinstance(node, ast.FunctionDef)
            and not node.name.startswith("_")
            and node.returns is not None
            and re.fullmatch(r"(list|tuple)\[Refusal\b.*\]", ast.unparse(node.returns))
            and "under" not in decorator_names(node)
        ):
            yield node.lineno, f"{node.name} refuses without @under"


def naming_other_schemas(file: Source) -> Iterator[tuple[int, str]]:
    for line, words in texts(file.tree):
        for found in SCHEMA_IN_SQL.finditer(words):
            if found[1] not in SCHEMAS_OF[file.package]:
                yield line, f"SQL names the schema of {found[1]}"


def lacking_a_docstring(file: Source) -> Iterator[tuple[int, str]]:
    if not ast.get_docstring(file.tree):
        yield 1, "has no docstring"


def silencing_without_a_reason(file: Source) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file.text.splitlines(), start=1):
        if re.search(r"#\s*type:\s*ignore(\[[^\]]*\])?\s*$", line):
            yield number, "silences the type checker without a reason"


def using_relationships(file: Source) -> Iterator[tuple[int, str]]:
    for line, name in mentions(file):
        if name in {"sqlmodel.Relationship", "sqlalchemy.orm.relationship"}:
            yield line, "declares a relationship; write the join where it is needed"


def is_activity(function: ast.stmt) -> bool:
    """Whether it is public, waits, and takes the transaction first."""
    if not isinstance(function, ast.AsyncFunctionDef) or function.name.startswith("_"):
        return False
    arguments = [*function.args.posonlyargs, *function.args.args]
    if not arguments or arguments[0].annotation is None:
        return False
    return ast.unparse(arguments[0].annotation).strip("'\"") == "Transaction"


def records(function: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "tx.record"
        for node in ast.walk(function)
    )


def unguarded_activities(
    files: tuple[Source, ...], *, from_web: set[str], from_floors: set[str]
) -> Iterator[tuple[str, int, str]]:
    """Activities without `@by`: those the web reaches, and those that record a fact by themselves.

    What only helps other activities needs no guard of its own: theirs has been passed.
    """
    for file in files:
        gerund = any(part.endswith("ing") for part in file.stem.split("_"))
        if file.is_rule or not (gerund or file.stem in DOORS):
            continue
        for function in file.tree.body:
            if not is_activity(function):
                continue
            assert isinstance(function, ast.AsyncFunctionDef)
            name = f"{file.module}.{function.name}"
            acts = name in from_web or (records(function) and name not in from_floors)
            if acts and "by" not in decorator_names(function):
                yield file.path, function.lineno, f"{function.name} has no @by"


def unasked_rules(files: tuple[Source, ...]) -> set[str]:
    """The registered rules that no code outside `rules/` reaches, however far the way.

    A file outside reaches what it mentions, and from there on each part of a rules file reaches
    what that part mentions.
    """
    parts: dict[str, set[str]] = {}
    registered, ways = set(), set()
    for file in files:
        if not file.is_rule:
            ways |= {full for _, full in mentions(file)}
            continue
        defined = [(node, name) for node in file.tree.body for name in _defined(node)]
        names = imported_names(file.tree) | {name: f"{file.module}.{name}" for _, name in defined}
        for node, name in defined:
            inner = (one for one in ast.walk(node) if isinstance(one, ast.Name | ast.Attribute))
            parts[f"{file.module}.{name}"] = {dotted(one, names) for one in inner}
            if isinstance(node, ast.FunctionDef) and "under" in decorator_names(node):
                registered.add(f"{file.module}.{name}")
    reached: set[str] = set()
    while ways - reached:
        reached |= ways
        ways = {far for near in ways for far in parts.get(near, ())}
    return registered - reached


def _defined(node: ast.stmt) -> list[str]:
    """The names that a statement at the top of a file defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [one.id for one in targets if isinstance(one, ast.Name)]


def mentioned_in(files: tuple[Source, ...]) -> set[str]:
    return {name for file in files for _, name in mentions(file)}


# -- the tests ------------------------------------------------------------------------------------


def test_a_file_name_occurs_once_in_the_house() -> None:
    places = defaultdict(list)
    for file in house():
        if file.stem not in REPEATED_NAMES:
            places[file.stem].append(file.path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    named = {part for file in house() for part in Path(file.path).with_suffix("").parts}
    assert named & FORBIDDEN_NAMES == set()


def test_every_folder_is_a_package_that_the_contracts_can_see() -> None:
    folders = {(HOUSE / file.path).parent for file in house()}
    unseen = {folder for folder in folders if not (folder / "__init__.py").exists()}
    assert unseen == set()


def test_rules_never_wait() -> None:
    assert offences(waiting, tuple(file for file in house() if file.is_rule)) == []


def test_only_the_clock_reads_the_time() -> None:
    others = tuple(file for file in house() if file.path != "kernel/clock.py")
    assert offences(reading_the_clock, others) == []


def test_only_the_kernel_asks_the_database_for_the_time() -> None:
    above = tuple(file for file in house() if file.package not in ("kernel", "web"))
    assert offences(asking_the_database_for_the_time, above) == []


def test_only_randomness_takes_entropy() -> None:
    others = tuple(file for file in house() if file.path != "kernel/randomness.py")
    assert offences(taking_entropy, others) == []


def test_only_lots_moves_a_lot() -> None:
    others = tuple(file for file in house() if file.path != "trading/lots.py")
    assert offences(moving_a_lot, others) == []


def test_every_activity_says_who_may_perform_it() -> None:
    floors = files_under(*PACKAGES[:-1])
    found = unguarded_activities(
        floors, from_web=mentioned_in(files_under("web")), from_floors=mentioned_in(floors)
    )
    assert [f"{path}:{line}: {what}" for path, line, what in found] == []


def test_every_rule_that_refuses_names_its_article() -> None:
    assert offences(refusing_without_article, house()) == []


def test_every_rule_is_asked_by_somebody_outside_the_rules() -> None:
    """A rule that nobody asks is a promise; those left stand in the book, each with its reason."""
    assert unasked_rules(house()) == set(UNASKED)
    assert all(UNASKED.values())


def test_sql_names_only_its_own_schema() -> None:
    assert offences(naming_other_schemas, house()) == []


def test_every_file_says_what_it_is() -> None:
    everything = (*house(), *files_under("migrations", "tests"))
    assert offences(lacking_a_docstring, everything) == []


def test_settings_come_in_by_one_door() -> None:
    others = tuple(file for file in house() if file.path not in ENVIRONMENT_READERS)
    assert offences(reading_the_environment, others) == []


def test_the_type_checker_is_silenced_only_with_a_reason() -> None:
    everything = (*house(), *files_under("migrations", "tests"))
    assert offences(silencing_without_a_reason, everything) == []


def test_rows_have_no_relationships() -> None:
    assert offences(using_relationships, house()) == []


def test_tests_meet_the_real_thing() -> None:
    stand_in = "mo" + "ck"  # the word itself does not occur
    assert [file.path for file in files_under("tests") if stand_in in file.text.lower()] == []


OFFENCES: list[tuple[Rule, str, str]] = [
    (waiting, "trading/rules/a.py", "async def f(): ...\n"),
    (reading_the_clock, "trading/a.py", "from datetime import datetime as d\nd.now()\n"),
    (reading_the_clock, "trading/a.py", "import datetime\nx = datetime.datetime.utcnow\n"),
    (reading_the_clock, "trading/a.py", "from time import monotonic\n"),
    (reading_the_clock, "trading/a.py", "import time as t\nt.time()\n"),
    (asking_the_database_for_the_time, "trading/a.py", "q = f'SELECT {x}, now()'\n"),
    (
        asking_the_database_for_the_time,
        "trading/a.py",
        "from sqlalchemy import func\nx = func.now()\n",
    ),
    (taking_entropy, "trading/a.py", "import secrets\n"),
    (taking_entropy, "trading/a.py", "from uuid import uuid4\n"),
    (taking_entropy, "trading/a.py", "import os\nos.urandom(8)\n"),
    (moving_a_lot, "trading/a.py", "lot.state = 'AWARDED'\n"),
    (moving_a_lot, "trading/a.py", "self.lot.state, x = 1, 2\n"),
    (moving_a_lot, "trading/a.py", "setattr(lot, 'state', 1)\n"),
    (moving_a_lot, "trading/a.py", "q = 'UPDATE trading.lot SET due_at = 1, state = 2'\n"),
    (moving_a_lot, "trading/a.py", "update(LotRow).where(x).values(state=1)\n"),
    (reading_the_environment, "trading/a.py", "import os\nos.environ['A']\n"),
    (reading_the_environment, "trading/a.py", "from os import getenv\n"),
    (refusing_without_article, "trading/rules/a.py", "def f() -> list[Refusal]: ...\n"),
    (naming_other_schemas, "trading/a.py", "q = f'SELECT 1 FROM evaluation.score {x}'\n"),
    (naming_other_schemas, "trading/a.py", "q = 'SELECT 1 ' \"FROM a JOIN kernel.journal j\"\n"),
    (lacking_a_docstring, "trading/a.py", "x = 1\n"),
    (silencing_without_a_reason, "trading/a.py", "x = 1  # type: " + "ignore[misc]\n"),
    (using_relationships, "trading/a.py", "from sqlmodel import Relationship\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), OFFENCES)
def test_each_rule_finds_its_offence(rule: Rule, path: str, text: str) -> None:
    assert list(rule(source(path, text)))


INNOCENCE: list[tuple[Rule, str, str]] = [
    (reading_the_clock, "trading/a.py", "def f(tx):\n    return tx.now\n"),
    (reading_the_clock, "trading/a.py", "from datetime import datetime\ndatetime.max\n"),
    (taking_entropy, "trading/a.py", "from kernel.randomness import random_id\nrandom_id()\n"),
    (taking_entropy, "trading/a.py", "from uuid import UUID, uuid5\n"),
    (moving_a_lot, "trading/a.py", "upload.state = 'DONE'\nif lot.state == 1: ...\n"),
    (refusing_without_article, "trading/rules/a.py", "@under(A)\ndef f() -> list[Refusal]: ...\n"),
    (naming_other_schemas, "trading/a.py", '"""SELECT x FROM kernel.journal."""\n'),
    (naming_other_schemas, "trading/a.py", "q = 'SELECT kernel.platform_now() FROM trading.lot'\n"),
    (silencing_without_a_reason, "a.py", "x = 1  # type: " + "ignore[misc]  # it has no stubs\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), INNOCENCE)
def test_no_rule_accuses_the_innocent(rule: Rule, path: str, text: str) -> None:
    assert list(rule(source(path, text))) == []


def test_an_activity_without_a_guard_is_found() -> None:
    text = (
        "async def told(tx: Transaction) -> None:\n    tx.record(x)\n"
        "async def reached(tx: Transaction) -> None: ...\n"
        "async def helping(tx: Transaction) -> None: ...\n"
        "async def telling_for_others(tx: Transaction) -> None:\n    tx.record(x)\n"
        "@by(Role.BIDDER)\nasync def guarded(tx: Transaction) -> None:\n    tx.record(x)\n"
    )
    found = unguarded_activities(
        (source("trading/bidding.py", text),),
        from_web={"trading.bidding.reached", "trading.bidding.guarded"},
        from_floors={"trading.bidding.telling_for_others"},
    )
    assert [what for _, _, what in found] == ["told has no @by", "reached has no @by"]


def test_a_rule_that_only_an_unasked_rule_mentions_is_not_asked() -> None:
    rules = source(
        "trading/rules/prices.py",
        "from trading.rules.days import far\nTABLE = (far,)\n"
        "@under(LAW[1])\ndef asked(): return TABLE\n"
        "@under(LAW[1])\ndef lonely(): return beside()\n"
        "@under(LAW[1])\ndef beside(): ...\n",
    )
    days = source("trading/rules/days.py", "@under(LAW[1])\ndef far(): ...\n")
    act = source("trading/bidding.py", "from trading.rules.prices import asked\n")
    other = source("trading/opening.py", "from trading.rules import prices\nx = prices.lonely()\n")
    beside = {"trading.rules.prices.lonely", "trading.rules.prices.beside"}
    assert unasked_rules((rules, days, act)) == beside
    assert unasked_rules((rules, days, act, other)) == set()
