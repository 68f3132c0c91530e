"""Record what an installation of this version leaves in its database: once per release, then never changed.

    python -m tests.upgrade.record

Writes releases/VERSION.jsonl: a small team, two channels of the sandbox network, posts in every state, a failed task,
a webhook, an API key and the audit log that all this leaves, made through the services, with the keys of release.py.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from datetime import timedelta

from sqlalchemy import select

from contentcaster import __version__, migrations
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.models import Post, PostStatus, Role
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.security.permissions import Principal
from contentcaster.services import backup, connecting, posts, setup, users
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.executors import create_executors
from contentcaster.services.schedule import Schedule
from tests.services_for_tests.programs import free_port
from tests.services_for_tests.stack import activated, as_environment
from tests.upgrade.release import ENCRYPTION_KEYS, FOLDER, PASSWORD, SECRET_KEY


def main() -> None:
    path = FOLDER / f"{__version__}.jsonl"
    if path.exists():
        raise SystemExit(f"{path.name} is recorded already; a release is never recorded twice.")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="contentcaster-record-") as folder:
        environment = as_environment(
            data_dir=folder,
            sandbox_port=port,
            secret_key=SECRET_KEY,
            encryption_keys=ENCRYPTION_KEYS,
            publish_retries=0,
            retry_base_seconds=0.05,
        )
        with activated("sqlite", environment) as stack, SandboxThread(SandboxSettings(port=port)) as sandbox:
            migrations.upgrade(stack.database)
            asyncio.run(_live_a_little(stack.database, sandbox))
            lines = _dump(stack.database)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path}: {len(lines) - 1} rows")


async def _live_a_little(database: Database, sandbox: SandboxThread) -> None:
    user_id = setup.create_admin(database, email="ada@example.org", password=PASSWORD, name="Ada")
    ada = Principal(
        user_id=user_id, email="ada@example.org", name="Ada", role=Role.ADMIN, timezone="Europe/Berlin"
    )
    for role in (Role.CREATOR, Role.MONITOR, Role.VIEWER):
        name = role.value
        users.create_user(
            database, ada, email=f"{name}@example.org", name=name.capitalize(), role=name, password=PASSWORD
        )
    channels = [
        (await connecting.connect_account(database, ada, "sandbox", {"handle": handle})).id
        for handle in ("acme", "acme-labs")
    ]
    both = tuple(TargetDraft(account_id=channel) for channel in channels)
    now = utc_now()
    sandbox.control.fault("error_before", {"text_contains": "Refused"}, times=1, params={"status": 422})
    with database.transaction() as session:
        for text, when in (
            ("Published by the release before", Schedule.now()),
            ("Scheduled by the release before", Schedule.at(now + timedelta(days=1780), "Europe/Berlin")),
            ("Cancelled by the release before", Schedule.at(now + timedelta(days=1780))),
            ("Refused by its network", Schedule.now()),
        ):
            view = posts.create_post(
                session, ada, PostDraft(text=text, targets=both[:1] if "Refused" in text else both), when
            )
            if text.startswith("Cancelled"):
                posts.cancel_post(session, ada, view.id)
        posts.create_post(
            session,
            ada,
            PostDraft(text="A draft of the release before", thread=("and its second part",), targets=both),
        )
    sender = Sender(
        database,
        Policy.from_settings(database.settings),
        create_executors(database),
        queues=("publish",),
        concurrency=4,
        channel_concurrency=4,
    )
    sender.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not _is_settled(database):
        await asyncio.sleep(0.1)
    assert sender.stop(20) and _is_settled(database)


def _is_settled(database: Database) -> bool:
    with database.reading() as session:
        states = set(session.execute(select(Post.status)).scalars())
    return {PostStatus.PUBLISHED, PostStatus.FAILED} <= states and not states & {
        PostStatus.PROCESSING, PostStatus.RETRYING,
    }  # fmt: skip


def _dump(database: Database) -> list[str]:
    with database.engine.connect() as connection:
        head = {"version": __version__, "revision": migrations.current_revision(connection)}
        lines = [json.dumps(head)]
        for table in backup.tables():
            for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
                plain = json.loads(backup._encode(dict(row._mapping)))
                lines.append(json.dumps({"table": table.name, "row": plain}))
    return lines


if __name__ == "__main__":
    main()
