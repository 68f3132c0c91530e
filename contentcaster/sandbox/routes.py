"""Every route of the sandbox network."""

from __future__ import annotations

from aiohttp import web

from . import atproto_repo, atproto_server, control, mastodon_statuses


def add_routes(app: web.Application) -> None:
    app.add_routes(control.routes())
    app.add_routes(_mastodon())
    app.add_routes(_atproto())


def _mastodon() -> list[web.RouteDef]:
    s = mastodon_statuses
    status = "/api/v1/statuses/{id}"
    return [
        web.post("/api/v1/statuses", s.create),
        web.get(status, s.show),
        web.put(status, s.edit),
        web.delete(status, s.delete),
        web.get(f"{status}/context", s.context),
        web.get(f"{status}/source", s.source),
        web.post(f"{status}/favourite", s.favourite),
        web.post(f"{status}/unfavourite", s.unfavourite),
        web.post(f"{status}/reblog", s.reblog),
        web.post(f"{status}/unreblog", s.unreblog),
        web.post(f"{status}/bookmark", s.bookmark),
        web.post(f"{status}/unbookmark", s.unbookmark),
    ]


def _atproto() -> list[web.RouteDef]:
    repo, server = "/xrpc/com.atproto.repo.", "/xrpc/com.atproto.server."
    return [
        web.post(f"{server}createSession", atproto_server.create_session),
        web.post(f"{server}refreshSession", atproto_server.refresh_session),
        web.post(f"{server}deleteSession", atproto_server.delete_session),
        web.get(f"{server}getSession", atproto_server.get_session),
        web.get(f"{server}describeServer", atproto_server.describe_server),
        web.get("/xrpc/com.atproto.identity.resolveHandle", atproto_server.resolve_handle),
        web.get("/xrpc/_health", atproto_server.health),
        web.post(f"{repo}createRecord", atproto_repo.create_record),
        web.post(f"{repo}putRecord", atproto_repo.put_record),
        web.post(f"{repo}deleteRecord", atproto_repo.delete_record),
        web.post(f"{repo}applyWrites", atproto_repo.apply_writes),
        web.get(f"{repo}getRecord", atproto_repo.get_record),
        web.get(f"{repo}listRecords", atproto_repo.list_records),
        web.get(f"{repo}describeRepo", atproto_repo.describe_repo),
        web.post(f"{repo}uploadBlob", atproto_repo.upload_blob),
        web.get("/xrpc/com.atproto.sync.getBlob", atproto_repo.get_blob),
    ]
