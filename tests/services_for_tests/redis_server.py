"""A Redis server of our own on loopback, which tests may stop, kill and start again on the same port."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import redis

from tests.services_for_tests import programs
from tests.services_for_tests.programs import Source

DATABASES = 4096


@dataclass
class RedisServer:
    """One server process without persistence: it comes back empty, as the product must expect."""

    folder: Path
    program: Path
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    port: int = field(default_factory=programs.free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def create(cls, source: Source | None = None) -> RedisServer:
        """A started server; `source` forces the machine's program or the wheel's."""
        server = cls(folder=programs.new_folder("redis"), program=programs.find_redis(source))
        server.start()
        return server

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def version(self) -> str:
        with redis.Redis.from_url(self.url()) as client:
            return str(client.info("server")["redis_version"])

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and wait until it answers."""
        configuration = self.folder / "redis.conf"
        configuration.write_text(
            f'port {self.port}\nbind 127.0.0.1\nrequirepass {self.password}\nsave ""\nappendonly no\n'
            f"databases {DATABASES}\ndir {self.folder}\n"
        )
        configuration.chmod(0o600)
        programs.run_as().give(configuration)
        self._process = programs.spawn(
            [str(self.program), str(configuration)], log=self.folder / "log", end_signal=signal.SIGTERM
        )
        programs.wait_until(self._answers, what=f"Redis to answer, see {self.folder / 'log'}")

    def _answers(self) -> bool:
        if not self.is_running:
            raise RuntimeError("Redis did not start: " + (self.folder / "log").read_text()[-2000:])
        try:
            with redis.Redis.from_url(self.url(), socket_connect_timeout=1) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def stop(self, *, immediate: bool = True) -> None:
        """Stop; without persistence nothing is kept either way."""
        if self._process is not None:
            programs.end(self._process, signal.SIGKILL if immediate else signal.SIGTERM)

    def kill9(self) -> None:
        self.stop(immediate=True)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
