"""The state of the network in memory, its indexes, and the ledger of visible effects."""

from __future__ import annotations

import re
import time
from bisect import insort
from collections import deque
from collections.abc import Callable
from typing import Any

from . import ids
from .settings import SandboxConfig, SandboxSettings
from .store import Store
from .things import Account, App, Effect, Exchange, Grant, Json, Media, Record, Status

POST = "app.bsky.feed.post"
LIKE = "app.bsky.feed.like"
REPOST = "app.bsky.feed.repost"
FOLLOW = "app.bsky.graph.follow"
_HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,58}[a-z0-9])?")
_KEPT_REQUESTS = 200_000


class Network:
    """Everything the sandbox knows. One event loop owns it, so each handler's change is atomic."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.config = SandboxConfig(seed=settings.seed)
        self.store = Store(settings.data_path, settings.durable)
        self.base_url = ""
        self.watchers: list[Callable[[Effect], None]] = []
        self.stopping = False
        self.listeners: list[Callable[[str, Any], None]] = []
        self._empty()
        self._load()

    def _empty(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.by_handle: dict[str, Account] = {}
        self.by_did: dict[str, Account] = {}
        self.tokens: dict[str, Grant] = {}
        self.apps: dict[str, App] = {}
        self.codes: dict[str, Json] = {}
        self.statuses: dict[int, Status] = {}
        self.public: list[int] = []
        self.by_tag: dict[str, list[int]] = {}
        self.records: dict[str, Record] = {}
        self.posts: list[Record] = []
        self.subjects: dict[
            str, dict[str, dict[str, list[Record]]]
        ] = {}  # subject -> collection -> did -> records
        self.replies: dict[str, list[Record]] = {}
        self.quotes: dict[str, int] = {}
        self.media: dict[str, Media] = {}
        self.blobs: dict[str, bytes] = {}
        self.blob_types: dict[str, str] = {}
        self.uploads: set[tuple[str, str]] = set()  # (account id, cid)
        self.idempotency: dict[tuple[str, str], tuple[int, float]] = {}
        self.requests: deque[Exchange] = deque(maxlen=_KEPT_REQUESTS)
        self.request_count = 0
        self.effects: list[Effect] = []
        self.visible: dict[str, Effect] = {}
        self.fault_counts: dict[str, int] = {}
        self.snowflakes = ids.Snowflakes()
        self.tids = ids.Tids()
        self._next_id = 1

    async def reset(self) -> None:
        """Forget accounts, posts, requests and settings, in memory and in the file."""
        self._empty()
        self.config = SandboxConfig(seed=self.settings.seed)
        await self.store.clear()

    def new_id(self) -> str:
        self._next_id += 1
        return str(self._next_id)

    # Accounts and tokens

    def account_named(self, name: str) -> Account | None:
        """By handle, atproto handle, DID or account id; a leading @ and this server's domain are ignored."""
        key = name.strip().lstrip("@").lower()
        found = self.by_handle.get(key) or self.by_did.get(name) or self.accounts.get(key)
        if found is None and "@" in key and key.partition("@")[2] == self.domain:
            found = self.by_handle.get(key.partition("@")[0])
        return found

    @property
    def domain(self) -> str:
        return self.base_url.partition("://")[2] or self.settings.host

    def add_account(
        self, handle: str, display_name: str | None = None, protocol: str = "both", bot: bool = False
    ) -> Account:
        """Create an account or answer the one that has this handle; raises ValueError with a sentence."""
        key = handle.strip().lstrip("@").lower()
        if found := self.by_handle.get(key):
            return found
        if not _HANDLE.fullmatch(key) or ".." in key:
            raise ValueError(
                "A handle has 1 to 60 of a-z, 0-9, _, - and dots, and starts and ends with one of a-z, 0-9."
            )
        if protocol not in ("mastodon", "bluesky", "both"):
            raise ValueError("protocol is 'mastodon', 'bluesky' or 'both'.")
        seed = self.settings.seed
        password = ids.secret(seed, "password", key, length=16).lower()
        account = Account(
            id=str(self.snowflakes.next()), handle=key,
            at_handle=key if "." in key else key.replace("_", "-") + ".sandbox.test",
            did=ids.did_for(key), display_name=display_name or handle.lstrip("@"), protocol=protocol, bot=bot,
            created_at=time.time(), access_token=ids.secret(seed, "mastodon", key),
            app_password="-".join(password[i : i + 4] for i in range(0, 16, 4)),
        )  # fmt: skip
        self._index_account(account)
        self.save_account(account)
        grant = Grant(
            account.access_token, "mastodon", account.id, "read write follow push profile", time.time()
        )
        self.add_token(grant)
        return account

    def _index_account(self, account: Account) -> None:
        self.accounts[account.id] = account
        self.by_handle[account.handle] = self.by_handle[account.at_handle] = account
        self.by_did[account.did] = account

    def save_account(self, account: Account) -> None:
        self.store.put("account", account.id, account.dump)

    def add_token(self, grant: Grant) -> None:
        self.tokens[grant.token] = grant
        self.store.put("token", grant.token, grant.dump)

    def revoke(self, grant: Grant) -> None:
        grant.revoked = True
        self.store.put("token", grant.token, grant.dump)

    def add_app(self, app: App) -> None:
        self.apps[app.client_id] = app
        self.store.put("app", app.client_id, app.dump)

    # Mastodon statuses

    def add_status(self, status: Status) -> None:
        self._index_status(status)
        self.save_status(status)

    def save_status(self, status: Status) -> None:
        self.store.put("status", str(status.id), status.dump)

    def _index_status(self, status: Status) -> None:
        self.statuses[status.id] = status
        _insert(self.accounts[status.account_id].statuses, status.id)
        if status.reblog_of is None and status.visibility == "public":
            _insert(self.public, status.id)
            for tag in status.tags:
                _insert(self.by_tag.setdefault(tag, []), status.id)

    def remove_status(self, status: Status) -> None:
        """Delete a status, its boosts, and what points to it."""
        self.statuses.pop(status.id, None)
        self.store.drop("status", str(status.id))
        _discard(self.accounts[status.account_id].statuses, status.id)
        _discard(self.public, status.id)
        for tag in status.tags:
            _discard(self.by_tag.get(tag, []), status.id)
        if status.in_reply_to_id in self.statuses:
            _discard(self.statuses[status.in_reply_to_id].replies, status.id)
        for boost_id in list(status.reblogged_by.values()):
            if boost := self.statuses.get(boost_id):
                self.remove_status(boost)

    def add_media(self, media: Media, data: bytes) -> None:
        self.media[media.id] = media
        self.blobs[media.cid] = data
        self.blob_types[media.cid] = media.mime
        self.uploads.add((media.account_id, media.cid))
        self.store.put_blob(media.cid, data)
        self.save_media(media)

    def save_media(self, media: Media) -> None:
        self.store.put("media", media.id, media.dump)

    def follow(self, source: Account, target: Account) -> bool:
        """True when this changed something."""
        if target.id in source.following or source is target or source.id in target.blocking:
            return False
        source.following[target.id] = target.followers[source.id] = time.time()
        self.save_account(source)
        return True

    def unfollow(self, source: Account, target: Account) -> bool:
        target.followers.pop(source.id, None)
        changed = source.following.pop(target.id, None) is not None
        if changed:
            self.save_account(source)
        return changed

    def block(self, source: Account, target: Account) -> None:
        """Block somebody: the follows between the two end, on the Mastodon side."""
        source.blocking[target.id] = time.time()
        self.unfollow(source, target)
        self.unfollow(target, source)
        self.save_account(source)

    def notify(self, account: Account, note: Json) -> None:
        account.notifications.append(note | {"id": self.new_id(), "at": time.time()})
        self.save_account(account)

    # AT Protocol records

    def put_record(self, record: Record) -> None:
        """Create a record or replace the one with its key."""
        account = self.by_did[record.did]
        old = self.records.get(record.uri)
        if old is not None:
            self._unindex_record(old, account)
        self._index_record(record, account)
        self.store.put("record", record.uri, record.dump)

    def delete_record(self, record: Record) -> None:
        self._unindex_record(record, self.by_did[record.did])
        self.store.drop("record", record.uri)

    def _index_record(self, record: Record, account: Account) -> None:
        self.records[record.uri] = record
        account.collections.setdefault(record.collection, {})[record.rkey] = record
        value = record.value
        if record.collection == POST:
            _insert(account.posts, record, key=_indexed_at)
            _insert(self.posts, record, key=_indexed_at)
            if parent := _uri(value.get("reply"), "parent"):
                self.replies.setdefault(parent, []).append(record)
            if quoted := quoted_uri(value):
                self.quotes[quoted] = self.quotes.get(quoted, 0) + 1
        elif record.collection in (LIKE, REPOST, FOLLOW):
            subject = value.get("subject")
            key = subject if isinstance(subject, str) else _uri(value, "subject")
            by_did = self.subjects.setdefault(key, {}).setdefault(record.collection, {})
            by_did.setdefault(record.did, []).append(record)
            if record.collection == REPOST:
                account.reposts.append(record)

    def _unindex_record(self, record: Record, account: Account) -> None:
        self.records.pop(record.uri, None)
        account.collections.get(record.collection, {}).pop(record.rkey, None)
        value = record.value
        if record.collection == POST:
            _discard(account.posts, record)
            _discard(self.posts, record)
            if parent := _uri(value.get("reply"), "parent"):
                _discard(self.replies.get(parent, []), record)
            if quoted := quoted_uri(value):
                self.quotes[quoted] = self.quotes.get(quoted, 1) - 1
        elif record.collection in (LIKE, REPOST, FOLLOW):
            subject = value.get("subject")
            key = subject if isinstance(subject, str) else _uri(value, "subject")
            by_did = self.subjects.get(key, {}).get(record.collection, {})
            _discard(by_did.get(record.did, []), record)
            if not by_did.get(record.did):
                by_did.pop(record.did, None)
            _discard(account.reposts, record)

    def actors(self, subject: str, collection: str) -> dict[str, list[Record]]:
        """Who liked, reposted or followed: DID to records; a second record of one DID counts once, as on Bluesky."""
        return self.subjects.get(subject, {}).get(collection, {})

    # The ledger

    def record_effect(
        self, exchange: Exchange, kind: str, protocol: str, account: Account, id: str, **more: Any
    ) -> Effect:
        """Enter a visible effect and mark the request as having had one."""
        exchange.effect = True
        effect = Effect(
            len(self.effects) + 1,
            kind,
            protocol,
            account.handle,
            id,
            exchange.arrived_at,
            exchange.number,
            origin=exchange.origin,
            **more,
        )
        self.effects.append(effect)
        self.visible[id] = effect
        self.store.put("effect", str(effect.number), effect.dump)
        for watcher in self.watchers:
            watcher(effect)
        return effect

    def hide_effect(self, id: str) -> None:
        if effect := self.visible.pop(id, None):
            effect.visible = False
            self.store.put("effect", str(effect.number), effect.dump)

    def announce(self, event: str, thing: Any) -> None:
        """Tell the open timeline pages."""
        for listener in self.listeners:
            listener(event, thing)

    # Loading

    def _load(self) -> None:
        loaders: dict[str, Callable[[Json], None]] = {
            "account": lambda v: self._index_account(Account.load(v)),
            "token": lambda v: self.tokens.update({v["token"]: Grant(**v)}),
            "app": lambda v: self.apps.update({v["client_id"]: App(**v)}),
            "status": self._load_status,
            "media": self._load_media,
            "effect": self._load_effect,
        }
        records: list[Json] = []
        for kind, _, value in self.store.load():
            if kind == "record":
                records.append(value)
            else:
                loaders[kind](value)
        for value in records:
            self._index_record(Record(**value), self.by_did[value["did"]])
        self.blobs.update(self.store.load_blobs())
        for account in self.accounts.values():
            for target, since in account.following.items():
                self.accounts[target].followers[account.id] = since
        self.snowflakes.last = max(self.statuses, default=0)
        numbers = [int(m) for m in self.media] + [
            int(n["id"]) for account in self.accounts.values() for n in account.notifications
        ]
        self._next_id = max(numbers, default=1)

    def _load_status(self, value: Json) -> None:
        status = Status.load(value)
        self._index_status(status)
        if status.idempotency_key:
            self.idempotency[(status.account_id, status.idempotency_key)] = (status.id, status.created_at)

    def _load_media(self, value: Json) -> None:
        media = Media(**value)
        self.media[media.id] = media
        self.blob_types[media.cid] = media.mime
        self.uploads.add((media.account_id, media.cid))

    def _load_effect(self, value: Json) -> None:
        effect = Effect(**value)
        self.effects.append(effect)
        if effect.visible:
            self.visible[effect.id] = effect


def _indexed_at(record: Record) -> float:
    return record.indexed_at


def _insert(items: list[Any], item: Any, key: Callable[[Any], Any] | None = None) -> None:
    # Nearly always the newest; only a generated past comes out of order.
    rank = key(item) if key else item
    if not items or (key(items[-1]) if key else items[-1]) <= rank:
        items.append(item)
    else:
        insort(items, item, key=key)


def _discard(items: list[Any], item: Any) -> None:
    # Newest last, and it is mostly the new ones that go: search from the end.
    for index in range(len(items) - 1, -1, -1):
        if items[index] == item:
            del items[index]
            return


def _uri(value: Any, name: str) -> str:
    ref = value.get(name) if isinstance(value, dict) else None
    uri = ref.get("uri") if isinstance(ref, dict) else None
    return uri if isinstance(uri, str) else ""


def quoted_uri(value: Json) -> str:
    """The post that an embed quotes, or an empty text."""
    embed = value.get("embed")
    if not isinstance(embed, dict):
        return ""
    record = embed.get("record")
    if embed.get("$type") == "app.bsky.embed.record":
        return _uri(embed, "record")
    return _uri(record, "record") if embed.get("$type") == "app.bsky.embed.recordWithMedia" else ""
