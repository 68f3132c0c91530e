"""The image's steps in a clean root: a Debian with Python and nothing else. No Docker engine is needed.

Needs root (chroot, mount namespaces) and debootstrap; `make check-deploy` installs it on Debian.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.programs import free_port, wait_until
from tests.services_for_tests.redis_server import RedisServer

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1200)]

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER = "10001:10001"


@dataclass
class Root:
    """A folder that holds a whole system."""

    folder: Path

    def command(self, *command: str, is_read_only: bool = False, user: str = "0:0") -> list[str]:
        """The command line that runs it inside, in a mount namespace of its own."""
        steps = [f"mount --bind {self.folder} {self.folder}", f"cd {self.folder}"]
        if is_read_only:
            # As the containers of compose.prod.yaml: nothing can be written but /tmp and the data.
            steps.append("mount -o remount,ro,bind .")
            steps.append("mount -t tmpfs -o mode=1777 tmpfs tmp")
            steps.append("mount -t tmpfs -o mode=0700,uid=10001,gid=10001 tmpfs data")
        steps += ["mount -t proc proc proc", "mount --rbind /dev dev"]
        steps.append(f'exec chroot --userspec={user} . "$@"')
        return [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-ec",
            " && ".join(steps),
            "sh",
            *command,
        ]

    def run(
        self, *command: str, environment: dict[str, str] | None = None, **more: bool | str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command, **more),  # type: ignore[arg-type]
            env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **certificates(), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )


def certificates() -> dict[str, str]:
    names = ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
    return dict.fromkeys(names, str(CERTIFICATES)) if CERTIFICATES.exists() else {}


@pytest.fixture(scope="module")
def root() -> Iterator[Root]:
    """A minimal Debian with this checkout in /source, and the product built from it in /opt/contentcaster."""
    folder = Path(tempfile.mkdtemp(prefix="contentcaster-root-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        packages = "python3,python3-venv,ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(folder)],
            check=True,
            capture_output=True,
        )
        for path in (CERTIFICATES, Path("/etc/resolv.conf"), Path("/etc/hosts")):
            if path.exists():
                shutil.copyfile(path, folder / path.relative_to("/"))
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=PROJECT_ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT_ROOT / name, target)
        made = Root(folder)
        (folder / "data").mkdir()
        built = made.run("sh", "/source/deploy/image/build.sh", "/source", "/opt/contentcaster")
        assert built.returncode == 0, built.stdout + built.stderr
        shutil.rmtree(folder / "source")
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, str]]:
    """What compose.prod.yaml gives the containers, with a real Postgres and Redis."""
    with ExitStack() as closing:
        postgres, redis = PostgresServer.create(), RedisServer.create()
        closing.callback(postgres.close)
        closing.callback(redis.close)
        yield {
            "CONTENTCASTER_ENVIRONMENT": "production",
            "CONTENTCASTER_DATA_DIR": "/data",
            "CONTENTCASTER_PUBLIC_URL": "https://social.example.org",
            "CONTENTCASTER_PORT": str(free_port()),
            "CONTENTCASTER_DATABASE_URL": postgres.create_database("image"),
            "CONTENTCASTER_REDIS_URL": redis.url(),
            "CONTENTCASTER_SECRET_KEY": "k" * 48,
            "CONTENTCASTER_ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


PROGRAM = "/opt/contentcaster/venv/bin/contentcaster"


def test_nothing_of_node_and_no_installer_stays_in_it(root: Root) -> None:
    product = root.folder / "opt" / "contentcaster"
    names = {path.name for path in product.rglob("*") if path.is_file()}
    assert not names & {"node", "npm", "npx", "pip", "uv"}
    assert not list(product.rglob("node_modules"))


def test_production_refuses_to_start_without_its_secrets(root: Root, settings: dict[str, str]) -> None:
    unsafe = settings | {
        "CONTENTCASTER_SECRET_KEY": "short",
        "CONTENTCASTER_PUBLIC_URL": "http://social.example.org",
    }
    refused = root.run(PROGRAM, "web", environment=unsafe, is_read_only=True, user=USER)
    assert refused.returncode == 78
    assert "production refuses to start" in refused.stderr
    assert "https" in refused.stderr


def test_read_only_and_without_rights_it_migrates_serves_and_works(
    root: Root, settings: dict[str, str]
) -> None:
    def inside(*command: str) -> subprocess.CompletedProcess[str]:
        return root.run(PROGRAM, *command, environment=settings, is_read_only=True, user=USER)

    migrated = inside("migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert inside("probe", "web").returncode == 1
    assert inside("probe", "worker").returncode == 1
    url = f"http://127.0.0.1:{settings['CONTENTCASTER_PORT']}"
    with ExitStack() as closing, tempfile.TemporaryFile() as log:
        for part in ("web", "worker"):
            process = subprocess.Popen(
                root.command(PROGRAM, part, is_read_only=True, user=USER),
                env={"PATH": PATH, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            closing.callback(process.wait)
            # The whole group: who changes its user outlives the parent that it was tied to.
            closing.callback(os.killpg, process.pid, signal.SIGKILL)
        try:
            wait_until(lambda: answers(f"{url}/readyz"), seconds=60, what="the console of the image")
            page = httpx.get(f"{url}/sign-in", timeout=10)
            assert page.status_code == 200
            assert inside("probe", "web").returncode == 0
            wait_until(
                lambda: inside("probe", "worker").returncode == 0, seconds=30, what="the worker's heartbeat"
            )
        except BaseException:
            log.seek(0)
            print(log.read().decode()[-4000:])
            raise


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
