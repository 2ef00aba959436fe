#!/usr/bin/env python3
"""Sets everything up and starts it, with nothing but Python 3.11 or newer, its pip, and git.

    python3 do.py run        set up, start the platform at http://localhost:8000 and play a whole
                             tender on it; it stays up afterwards (Ctrl-C stops it)
                               --port N      another port              (or SUNBID_PORT)
                               --data DIR    another data folder       (or SUNBID_DATA)
    python3 do.py test       set up and run the tests; further words go to pytest
    python3 do.py soak       the long tests: full counts, faults, load, large data
    python3 do.py check      format, lint, types, import contracts, house rules, locks, secrets
    python3 do.py sunbid …   any command of the platform, for example `sunbid --help`
    python3 do.py help       this text

What it installs lies in `.tools` and `.venv` beside this file and comes from the locks, where every
file is pinned by its hash. Deleting both folders undoes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a system this platform runs on
    sys.exit("sunbid runs on Linux and macOS; on Windows use WSL.")

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
UV = TOOLS / "bin" / "uv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".sunbid-stamp"
BOOT, RUN, DEV = "boot.lock", "requirements.lock", "dev.lock"
HEARTBEAT_S = 5
WORKERS_MAX = 8
"""Each worker of the tests has a Postgres of its own."""

PIP_WORDS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


class Misused(Exception):
    """The words on the command line make no sense; the process leaves with 2."""


class Failed(Exception):
    """A step ended with this code, and its own words are on the terminal already."""

    def __init__(self, step: str, code: int) -> None:
        super().__init__(f"{step} failed (exit code {code})")
        self.code = code


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


# -- setting up -----------------------------------------------------------------------------------


def set_up(lock: str) -> None:
    """Bring `.venv` to what the lock names; do nothing where it is there already.

    The tests' environment holds everything the platform needs, so either suits `run`.
    """
    suited = {stamp_of(DEV), stamp_of(lock)}
    if PYTHON.exists() and read(STAMP) in suited:
        return
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another do.py is setting up; waiting for it …")
            fcntl.flock(turn, fcntl.LOCK_EX)
        if PYTHON.exists() and read(STAMP) in suited:
            return
        began = time.monotonic()
        get_uv()
        make_venv()
        install(lock)
        STAMP.write_text(stamp_of(lock))
        say(f"Set up in {time.monotonic() - began:.0f} s.")


def stamp_of(lock: str) -> str:
    """What the stamp says when `.venv` holds exactly this lock's packages."""
    return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()


def get_uv() -> None:
    """The pinned uv, installed by pip into a folder of our own."""
    wanted = hashlib.sha256((ROOT / BOOT).read_bytes()).hexdigest()
    stamp = TOOLS / "uv-stamp"
    if UV.exists() and read(stamp) == wanted:
        return
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
        sys.exit("This Python has no pip. On Debian: apt-get install python3-pip")
    step(
        "Getting the installer (uv)",
        [
            *(*pip, "install", "--quiet", "--disable-pip-version-check"),
            *("--root-user-action=ignore", "--no-deps", "--require-hashes", "--upgrade"),
            *("--target", str(TOOLS), "-r", str(ROOT / BOOT)),
        ],
    )
    stamp.write_text(wanted)


def make_venv() -> None:
    """A fresh environment, unless the present one works."""
    asked = "import sys; sys.exit(sys.version_info < (3, 11))"
    with contextlib.suppress(OSError):
        if subprocess.run([str(PYTHON), "-c", asked], check=False).returncode == 0:
            return
    if VENV.exists():
        shutil.rmtree(VENV)
    # The interpreter itself, also when this program was started by a virtual environment's.
    python = getattr(sys, "_base_executable", "") or sys.executable
    make = [str(UV), "venv", "--quiet", "--python", python, str(VENV)]
    step("Making .venv", make, environment=uv_environment())


def install(lock: str) -> None:
    """Every package of the lock, checked against its hash, and no other package."""
    count = len(re.findall(r"^\w[^ ]*==", (ROOT / lock).read_text(), re.M))
    sync = [str(UV), "pip", "sync", "--python", str(PYTHON), "--require-hashes", str(ROOT / lock)]
    if not sys.stderr.isatty():
        sync.insert(1, "--quiet")
    with contextlib.suppress(FileNotFoundError):
        STAMP.unlink()
    try:
        step(f"Installing {count} packages ({lock})", sync, environment=uv_environment())
    except Failed:
        say("uv could not install them (its own words are above); trying pip, which is slower.")
        step(
            "Installing with pip",
            [
                *(sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet"),
                *("--disable-pip-version-check", "--root-user-action=ignore", "--no-deps"),
                *("--require-hashes", "-r", str(ROOT / lock)),
            ],
        )


def uv_environment() -> dict[str, str]:
    """Our environment, with pip's sources told to uv, which does not read pip's configuration."""
    told = dict(os.environ, UV_PYTHON_DOWNLOADS="never")
    home = Path(os.path.expanduser("~"))
    if "UV_CACHE_DIR" not in told and not os.access(home, os.W_OK):
        told["UV_CACHE_DIR"] = str(TOOLS / "cache")
    if any(name in told for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")):
        return told
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    for word, value in re.findall(
        r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed.stdout, re.M
    ):
        if word in PIP_WORDS:
            told.setdefault(PIP_WORDS[word], value.replace("\\n", " "))
    # Every file is pinned by hash, so it does not matter which index hands it out.
    told.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return told


def step(what: str, command: list[str], *, environment: dict[str, str] | None = None) -> None:
    """Run one step of the set-up, with a sign of life while it lasts."""
    say(f"{what} …")
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL) as process:
        while True:
            try:
                code = process.wait(HEARTBEAT_S)
                break
            except subprocess.TimeoutExpired:
                if not sys.stderr.isatty():
                    say(f"  … {time.monotonic() - began:.0f} s")
    if code:
        raise Failed(what, code)


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


# -- commands -------------------------------------------------------------------------------------


def python_environment() -> dict[str, str]:
    """The environment in which this checkout's packages are found, and compiled only once."""
    told = dict(os.environ, PYTHONPATH=str(ROOT))
    # A rehearsal starts a dozen programs and the tests a hundred: where nothing compiled is kept,
    # each of them compiles a thousand modules before its first word.
    told.pop("PYTHONDONTWRITEBYTECODE", None)
    told.setdefault("PYTHONPYCACHEPREFIX", str(TOOLS / "compiled"))
    return told


def platform_environment() -> dict[str, str]:
    """The environment of the `sunbid` command, whichever folder it was typed in."""
    told = dict(python_environment(), PYTHONSAFEPATH="1")
    told.setdefault("SUNBID_DATA", str(ROOT / ".sunbid"))
    return told


def become(command: list[str], environment: dict[str, str]) -> None:
    sys.stdout.flush()
    os.execve(str(PYTHON), [str(PYTHON), *command], environment)  # noqa: S606 -- no shell is meant


def run(words: list[str]) -> None:
    """Start the platform, play the rehearsal, stay up."""
    environment = platform_environment()
    port, words = taken("--port", words)
    data, words = taken("--data", words)
    port = port or environment.get("SUNBID_PORT") or "8000"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise Misused(f"--port wants a number from 1 to 65535, not {port!r}")
    environment["SUNBID_PORT"] = port
    environment["SUNBID_DATA"] = str(Path(data or environment["SUNBID_DATA"]).absolute())
    set_up(RUN)
    os.chdir(ROOT)
    become(["-m", "web", "rehearse", "--stay", *words], environment)


def taken(option: str, words: list[str]) -> tuple[str, list[str]]:
    """The option's value, or nothing, and the words without it."""
    kept, value = [], ""
    rest = iter(words)
    for word in rest:
        name, equals, after = word.partition("=")
        if name != option:
            kept.append(word)
            continue
        value = after if equals else next(rest, "")
        if not value:
            raise Misused(f"{option} wants a value")
    return value, kept


def sunbid(words: list[str]) -> None:
    """Any command of the platform, in the folder where it was typed."""
    set_up(RUN)
    become(["-m", "web", *words], platform_environment())


def test(words: list[str]) -> int:
    """The tests that belong to every change."""
    # A file's tests stay on one worker, so that what they share is made once. Two of them fill a
    # core: one that waits for a child, a browser or Postgres leaves it to another.
    workers = min(2 * (os.cpu_count() or 1), WORKERS_MAX)
    spread = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
    return pytest([*spread, "--ignore=tests/soak", "-m", "not soak", *words])


def soak(words: list[str]) -> int:
    """The tests that take their time."""
    return pytest(["-m", "soak", "--timeout=2700", *words])


def pytest(words: list[str]) -> int:
    """Run pytest and say how many tests did what."""
    set_up(DEV)
    with tempfile.TemporaryDirectory(prefix="sunbid-tests-") as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [str(PYTHON), "-m", "pytest", f"--junitxml={report}", *words],
            cwd=ROOT,
            env=python_environment(),
            check=False,
        )
        if report.exists():
            say(counted(report))
    return done.returncode


def counted(report: Path) -> str:
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 -- our own file
    tests, failed, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    took = sum(float(suite.get("time", "0")) for suite in suites)
    passed = tests - failed - errors - skipped
    return (
        f"Tests: {passed} passed, {failed} failed, {errors} in error, {skipped} skipped"
        f" ({took:.0f} s)"
    )


# -- check ----------------------------------------------------------------------------------------


def check(words: list[str]) -> int:
    """Everything that can be judged without running the platform."""
    if words:
        raise Misused("check takes no further words")
    set_up(DEV)
    programs = {
        "format": ["-m", "ruff", "format", "--check", "."],
        "lint": ["-m", "ruff", "check", "."],
        "types": ["-m", "mypy"],
        "contracts": ["-c", "from importlinter.cli import lint_imports_command as c; c()"],
        "house rules": ["-m", "pytest", "tests/architecture"],
        "environment": [str(UV), "pip", "check", "--quiet", "--python", str(PYTHON)],
    }
    failed = []
    for name, command in programs.items():
        say(f"== {name}")
        full = command if command[0] == str(UV) else [str(PYTHON), *command]
        if subprocess.run(full, cwd=ROOT, env=python_environment(), check=False).returncode:
            failed.append(name)
    for name, faults in (("locks", lock_faults()), ("secrets", secret_faults())):
        say(f"== {name}")
        for fault in faults:
            say(f"  {fault}")
        if faults:
            failed.append(name)
    say("check: " + (f"NOT clean: {', '.join(failed)}" if failed else "clean"))
    return 1 if failed else 0


def pins_of(lock: str) -> dict[str, tuple[str, int]]:
    """Each package of a lock with its version and the number of its hashes."""
    pins: dict[str, tuple[str, int]] = {}
    name = ""
    for line in (ROOT / lock).read_text().splitlines():
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[.*\])?==([^\s;\\]+)", line)
        if found:
            name = plain(found[1])
            pins[name] = (found[2], 0)
        elif "--hash=sha256:" in line and name:
            version, hashes = pins[name]
            pins[name] = (version, hashes + 1)
    return pins


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_by(source: str) -> dict[str, list[tuple[str, str]]]:
    """Each package an `.in` file asks for, with the limits on its version."""
    asked: dict[str, list[tuple[str, str]]] = {}
    for line in (ROOT / source).read_text().splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted.startswith("-r "):
            asked.update(asked_by(wanted[3:].strip()))
        elif wanted:
            name = re.match(r"[A-Za-z0-9._-]+", wanted)
            if name is None:
                sys.exit(f"{source}: cannot read {wanted!r}")
            asked[plain(name[0])] = re.findall(r"(<=|>=|==|<|>)\s*([\d.]+)", wanted)
    return asked


def within(version: str, sign: str, limit: str) -> bool:
    """Whether a version obeys a limit; both are plain numbers with dots."""
    have = [int(part) for part in re.findall(r"\d+", version)]
    want = [int(part) for part in re.findall(r"\d+", limit)]
    width = max(len(have), len(want))
    left, right = (part + [0] * (width - len(part)) for part in (have, want))
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
        "==": left == right,
    }[sign]


def lock_faults() -> list[str]:
    """Where a lock does not hold what its source asks, unhashed pins, and named registries."""
    faults = []
    for source, lock in (("requirements.in", RUN), ("dev.in", DEV)):
        pins = pins_of(lock)
        for name, limits in asked_by(source).items():
            if name not in pins:
                faults.append(f"{lock} does not pin {name}, which {source} asks for")
            elif not all(within(pins[name][0], *limit) for limit in limits):
                faults.append(f"{lock} pins {name} {pins[name][0]}, outside what {source} allows")
    run_pins, dev_pins = pins_of(RUN), pins_of(DEV)
    faults += [
        f"{DEV} and {RUN} disagree about {name}"
        for name, (version, _) in run_pins.items()
        if dev_pins.get(name, ("", 0))[0] != version
    ]
    for lock in (BOOT, RUN, DEV):
        faults += [f"{lock}: {name} has no hash" for name, (_, n) in pins_of(lock).items() if not n]
        if re.search(r"://|--(extra-)?index-url|--find-links|git\+", (ROOT / lock).read_text()):
            faults.append(f"{lock} names a registry or an address")
    return faults + missing_pins(dev_pins)


def missing_pins(pins: dict[str, tuple[str, int]]) -> list[str]:
    """Installed packages that no lock knows, and other versions than the locks name."""
    packages = next(iter((VENV / "lib").glob("python3.*/site-packages")))
    faults = []
    for found in importlib.metadata.distributions(path=[str(packages)]):
        name = plain(found.metadata["Name"])
        if name not in pins:
            faults.append(f"{name} is installed but in no lock")
        elif pins[name][0] != found.version:
            faults.append(f"{name} {found.version} is installed, {pins[name][0]} is locked")
    return faults


SECRETS = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----\\?n?\s*[A-Za-z0-9+/=]{40}",
    "a cloud key": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b",
    "a forge token": r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,}|glpat-[\w-]{20})",
    "a service token": r"\b(xox[abprs]-[\w-]{10,}|sk-[A-Za-z0-9]{32,}|pypi-[\w-]{40,})",
    "a password in an address": r"\b[a-z][a-z0-9+]*://[^\s/:@{}'\"<>]+:[^\s/@{}'\"<>]+@[\w.-]+",
}


def secret_faults() -> list[str]:
    """The lines of the files in the repository that look like somebody's secret."""
    faults = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        for what, pattern in SECRETS.items():
            for found in re.finditer(pattern, text):
                line = text.count("\n", 0, found.start()) + 1
                faults.append(f"{path.relative_to(ROOT)}:{line}: looks like {what}")
    return faults


def repository_files() -> list[Path]:
    """What git keeps or would keep; every file of the tree where there is no git."""
    told = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    with contextlib.suppress(OSError):
        listed = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            return [ROOT / name for name in listed.stdout.split("\0") if name]
    skipped = {".git", ".venv", ".tools", ".sunbid", "__pycache__"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.parts)]


def main(words: list[str]) -> int:
    """Do what the first word says."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- this very line is for older ones
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    command, rest = (words[0], words[1:]) if words else ("help", [])
    commands = {"run": run, "test": test, "soak": soak, "check": check, "sunbid": sunbid}
    if command in ("help", "-h", "--help"):
        print(__doc__)
        return 0
    if command not in commands:
        say(f"There is no command {command!r}.\n\n{__doc__}")
        return 2
    try:
        return commands[command](rest) or 0
    except Misused as misuse:
        say(f"{misuse}.")
        return 2
    except Failed as failure:
        say(f"{failure}.")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
