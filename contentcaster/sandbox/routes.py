"""Every route of the sandbox network."""

from __future__ import annotations

from aiohttp import web

from . import (
    atproto_feed,
    atproto_repo,
    atproto_server,
    control,
    mastodon_accounts,
    mastodon_actions,
    mastodon_instance,
    mastodon_lists,
    mastodon_media,
    mastodon_oauth,
    mastodon_statuses,
    pages,
)


def add_routes(app: web.Application) -> None:
    app.add_routes(control.routes())
    app.add_routes(_mastodon_statuses())
    app.add_routes(_mastodon_accounts())
    app.add_routes(_mastodon_server())
    app.add_routes(_atproto_pds())
    app.add_routes(_atproto_appview())
    pages.add_pages(app)


def _mastodon_statuses() -> list[web.RouteDef]:
    s, status = mastodon_statuses, "/api/v1/statuses/{id}"
    return [
        web.post("/api/v1/statuses", s.create),
        web.get("/api/v1/statuses", s.show_several),
        web.get(status, s.show),
        web.put(status, s.edit),
        web.delete(status, s.delete),
        web.get(f"{status}/context", s.context),
        web.get(f"{status}/source", s.source),
        web.post(f"{status}/{{act}}", mastodon_actions.on_status),
        web.get(f"{status}/favourited_by", mastodon_accounts.favourited_by),
        web.get(f"{status}/reblogged_by", mastodon_accounts.reblogged_by),
        web.post("/api/v2/media", mastodon_media.upload),
        web.post("/api/v1/media", mastodon_media.upload),
        web.get("/api/v1/media/{id}", mastodon_media.show),
        web.put("/api/v1/media/{id}", mastodon_media.update),
        web.delete("/api/v1/media/{id}", mastodon_media.delete),
    ]


def _mastodon_accounts() -> list[web.RouteDef]:
    a, account = mastodon_accounts, "/api/v1/accounts/{id}"
    return [
        web.get("/api/v1/accounts/verify_credentials", mastodon_oauth.verify_credentials),
        web.patch("/api/v1/accounts/update_credentials", mastodon_oauth.update_credentials),
        web.get("/api/v1/accounts/lookup", a.lookup),
        web.get("/api/v1/accounts/search", a.search_accounts),
        web.get("/api/v1/accounts/relationships", a.relationships),
        web.get(account, a.show),
        web.get(f"{account}/statuses", a.statuses),
        web.get(f"{account}/followers", a.followers),
        web.get(f"{account}/following", a.following),
        web.post(f"{account}/{{act}}", mastodon_actions.on_account),
        web.get("/api/v1/timelines/public", a.public),
        web.get("/api/v1/timelines/home", a.home),
        web.get("/api/v1/timelines/tag/{tag}", a.tagged),
        web.get("/api/v1/timelines/list/{id}", mastodon_lists.timeline),
        web.get("/api/v1/lists", mastodon_lists.show_all),
        web.post("/api/v1/lists", mastodon_lists.create),
        web.post("/api/v1/lists/{id}/accounts", mastodon_lists.add_people),
        web.get("/api/v2/search", a.search),
        web.get("/api/v1/notifications", a.notifications),
    ]


def _mastodon_server() -> list[web.RouteDef]:
    o, i = mastodon_oauth, mastodon_instance
    return [
        web.post("/api/v1/apps", o.create_app),
        web.get("/api/v1/apps/verify_credentials", o.verify_app),
        web.get("/oauth/authorize", o.authorize_page),
        web.post("/oauth/authorize", o.authorize),
        web.post("/oauth/token", o.token),
        web.post("/oauth/revoke", o.revoke),
        web.get("/.well-known/oauth-authorization-server", o.metadata),
        web.get("/api/v2/instance", i.v2),
        web.get("/api/v1/instance", i.v1),
        web.get("/.well-known/nodeinfo", i.nodeinfo_links),
        web.get("/nodeinfo/2.0", i.nodeinfo),
    ]


def _atproto_pds() -> list[web.RouteDef]:
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


def _atproto_appview() -> list[web.RouteDef]:
    f, bsky = atproto_feed, "/xrpc/app.bsky."
    return [
        web.get(f"{bsky}actor.getProfile", f.get_profile),
        web.get(f"{bsky}actor.getProfiles", f.get_profiles),
        web.get(f"{bsky}actor.searchActors", f.search_actors),
        web.get(f"{bsky}feed.getAuthorFeed", f.get_author_feed),
        web.get(f"{bsky}feed.getPosts", f.get_posts),
        web.get(f"{bsky}feed.getPostThread", f.get_post_thread),
        web.get(f"{bsky}feed.getTimeline", f.get_timeline),
        web.get(f"{bsky}feed.searchPosts", f.search_posts),
        web.get(f"{bsky}feed.getLikes", f.get_likes),
        web.get(f"{bsky}feed.getRepostedBy", f.get_reposted_by),
        web.get(f"{bsky}graph.getFollowers", f.get_followers),
        web.get(f"{bsky}graph.getFollows", f.get_follows),
        web.get(f"{bsky}notification.listNotifications", f.list_notifications),
        web.get(f"{bsky}notification.getUnreadCount", f.get_unread_count),
    ]
