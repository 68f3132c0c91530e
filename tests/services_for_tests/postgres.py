"""A Postgres server of our own on loopback, which tests may stop, kill and start again on the same port."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from tests.services_for_tests import programs
from tests.services_for_tests.programs import Source

_USER = "contentcaster"
_SETTINGS = (
    "fsync=off",  # a crash of the machine may lose a test's data; a kill of the server does not
    "full_page_writes=off",
    "autovacuum=off",
    "shared_buffers=48MB",
    "max_connections=200",
    "max_wal_size=256MB",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "timezone=UTC",
    "logging_collector=off",
)

_initialised: dict[Path, Path] = {}
_passwords: dict[Path, str] = {}


@dataclass
class PostgresServer:
    """One server process with its data folder; the port stays the same over restarts."""

    folder: Path
    programs_folder: Path
    password: str = field(repr=False)
    port: int = field(default_factory=programs.free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def create(cls, source: Source | None = None) -> PostgresServer:
        """A started server with an empty cluster; `source` forces the machine's program or the wheel's."""
        bin_folder = programs.find_postgres(source)
        template = _initialised_cluster(bin_folder)
        folder = programs.new_folder("postgres")
        _copy(template / "data", folder / "data")
        server = cls(folder=folder, programs_folder=bin_folder, password=_passwords[bin_folder])
        server.start()
        return server

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{_USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def version(self) -> str:
        with _connect(self.url()) as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers."""
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        self._process = programs.spawn(
            [
                str(self.programs_folder / "postgres"),
                "-D",
                str(self.folder / "data"),
                "-p",
                str(self.port),
                *settings,
            ],
            log=self.folder / "log",
            end_signal=signal.SIGQUIT,
        )
        programs.wait_until(self._answers, what=f"Postgres to answer, see {self.folder / 'log'}")

    def _answers(self) -> bool:
        if not self.is_running:
            raise RuntimeError("Postgres did not start: " + (self.folder / "log").read_text()[-2000:])
        try:
            _connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, *, immediate: bool = True) -> None:
        """Stop; `immediate` cuts every connection at once, as when the machine goes away."""
        if self._process is not None:
            programs.end(self._process, signal.SIGQUIT if immediate else signal.SIGINT)

    def kill9(self) -> None:
        """Kill the server and its backends without any goodbye."""
        if self._process is not None and self.is_running:
            # Each backend leads a process group of its own, so the parent's children are looked up.
            children = _children(self._process.pid)
            self._process.kill()
            self._process.wait()
            for child in children:
                _kill(child)
            programs.wait_until(lambda: not any(_is_alive(c) for c in children), what="backends to end")

    def create_database(self, name: str, template: str = "template0") -> str:
        return create_database(self.url(), name, template)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def create_database(admin_url: str, name: str, template: str = "template0") -> str:
    """Create a database, by default empty, and return its URL."""
    with _connect(admin_url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return with_database(admin_url, name)


def drop_database(admin_url: str, name: str) -> None:
    with _connect(admin_url) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def with_database(url: str, name: str) -> str:
    """The same server's URL for another database."""
    address, _, parameters = url.partition("?")
    return address.rpartition("/")[0] + "/" + name + (f"?{parameters}" if parameters else "")


def _connect(url: str) -> psycopg.Connection:
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    return psycopg.connect(plain, autocommit=True, connect_timeout=5)


def _initialised_cluster(bin_folder: Path) -> Path:
    """A cluster made once per run; servers start on a copy, which is faster than another initdb."""
    if bin_folder in _initialised:
        return _initialised[bin_folder]
    folder = programs.new_folder("initdb")
    password_file = folder / "password"
    password_file.write_text(secrets.token_hex(16))
    password_file.chmod(0o600)
    programs.run_as().give(password_file)
    made = subprocess.run(
        [
            str(bin_folder / "initdb"), "-D", str(folder / "data"), "-U", _USER, "--no-sync", "-E", "UTF8",
            "--locale=C", "--auth=password", f"--pwfile={password_file}",
        ],
        capture_output=True, text=True, cwd="/", check=False, **programs.run_as().popen_arguments,  # type: ignore[call-overload]
    )  # fmt: skip
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed: {made.stdout[-1000:]}{made.stderr[-1000:]}")
    _initialised[bin_folder] = folder
    _passwords[bin_folder] = password_file.read_text()
    return folder


def forget_clusters() -> None:
    for folder in _initialised.values():
        shutil.rmtree(folder, ignore_errors=True)
    _initialised.clear()


def _copy(source: Path, target: Path) -> None:
    copy = subprocess.run(
        ["cp", "-r", str(source), str(target)],
        capture_output=True,
        check=False,
        **programs.run_as().popen_arguments,  # type: ignore[call-overload]
    )
    if copy.returncode != 0:
        raise RuntimeError(f"copying the cluster failed: {copy.stderr.decode()[-500:]}")
    target.chmod(0o700)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
