"""A real WordPress: Debian's package on PHP's own server, with a private MariaDB, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.networks.node_server import free_port

_SOURCE = Path("/usr/share/wordpress")
_NEEDED = "wordpress php-cli php-mysql php-curl php-xml php-gd mariadb-server"
_CONFIG = """<?php
define('DB_NAME', 'wp'); define('DB_USER', 'wp'); define('DB_PASSWORD', 'wp');
define('DB_HOST', '127.0.0.1:{db_port}'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
foreach (['AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY',
          'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT'] as $name) define($name, 'test ' . $name);
$table_prefix = 'wp_';
define('WP_ENVIRONMENT_TYPE', 'local');  // application passwords without https
define('WP_HTTP_BLOCK_EXTERNAL', true); define('AUTOMATIC_UPDATER_DISABLED', true); define('DISABLE_WP_CRON', true);
define('WP_HOME', '{url}'); define('WP_SITEURL', '{url}'); define('FS_METHOD', 'direct');
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""
_INSTALL = """<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = $argv[2];
require $argv[1] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Test site', 'admin', 'a@example.org', true, '', 'admin-password');
$user = get_user_by('login', 'admin');
[$password] = WP_Application_Passwords::create_new_application_password($user->ID, ['name' => 'contentcaster']);
echo $password, "\\n";
"""


@dataclass
class WordPress:
    url: str
    password: str

    def visible(self, title: str) -> list[str]:
        """Ids of the published posts with this title, read as anybody can."""
        params = {"rest_route": "/wp/v2/posts", "search": title, "per_page": "100"}
        found = httpx.get(f"{self.url}/", params=params, trust_env=False, timeout=30).json()
        return [str(post["id"]) for post in found if post["title"]["rendered"] == title]


@contextmanager
def wordpress() -> Iterator[WordPress]:
    """A fresh site, from its first answer until the block ends."""
    if not _SOURCE.is_dir() or not shutil.which("mariadbd") or not shutil.which("php"):
        raise RuntimeError(f"The WordPress tests need: apt-get install --no-install-recommends {_NEEDED}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        output = stack.enter_context((folder / "output.log").open("w+"))
        db_port, port = free_port(), free_port()
        _start_database(stack, folder, db_port, output)
        url = f"http://127.0.0.1:{port}"
        site = folder / "www"
        shutil.copytree(_SOURCE, site, ignore=shutil.ignore_patterns("wp-config.php"))
        (site / "wp-config.php").write_text(_CONFIG.format(db_port=db_port, url=url))
        (site / "wp-content" / "uploads").mkdir(parents=True, exist_ok=True)
        (folder / "install.php").write_text(_INSTALL)
        install = ["php", str(folder / "install.php"), str(site), f"127.0.0.1:{port}"]
        done = subprocess.run(install, capture_output=True, text=True, timeout=120)
        if done.returncode or not done.stdout.strip():
            raise RuntimeError(f"WordPress did not install: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        # Several workers: the fault proxy keeps connections open while the test looks at the site.
        _run(stack, ["php", "-S", f"127.0.0.1:{port}", "-t", str(site)], output, PHP_CLI_SERVER_WORKERS="4")
        _await(lambda: httpx.get(url, trust_env=False, timeout=30).status_code == 200)
        yield WordPress(url, done.stdout.strip().splitlines()[-1])


def _start_database(stack: ExitStack, folder: Path, port: int, output: object) -> None:
    data, socket = folder / "db", folder / "db.sock"
    own = ["--no-defaults", "--user=mysql"]
    subprocess.run(
        [
            "mariadb-install-db",
            *own,
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
    )
    shutil.chown(folder, "mysql")
    listen = [
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={socket}",
        f"--pid-file={folder}/db.pid",
    ]
    fast = ["--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"]
    _run(stack, ["mariadbd", *own, f"--datadir={data}", *listen, *fast], output)
    client = ["mariadb", "--no-defaults", "-S", str(socket), "-u", "root"]
    _await(lambda: subprocess.run([*client, "-e", "select 1"], capture_output=True).returncode == 0)
    grants = "create user wp@'127.0.0.1' identified by 'wp'; grant all on wp.* to wp@'127.0.0.1';"
    subprocess.run([*client, "-e", f"create database wp; {grants}"], check=True)


def _run(stack: ExitStack, command: list[str], output: object, **environment: str) -> None:
    process = subprocess.Popen(
        command,
        stdout=output,  # type: ignore[call-overload]
        stderr=output,
        env={**os.environ, **environment},
        start_new_session=True,  # PHP's workers are processes of their own and end with the group
    )

    def stop() -> None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    stack.callback(stop)


def _await(is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if is_ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError("A server of the WordPress tests did not answer within 60 s.")
