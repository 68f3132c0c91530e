"""The console's pages. The order of PAGES is the order in the sidebar; a new page is one line here."""

from contentcaster.pages import (
    analytics,
    api_keys,
    approvals,
    audit,
    bot_log,
    bots,
    calendar,
    channels,
    failed_tasks,
    home,
    media,
    notifications,
    post,
    posts,
    profile,
    queues,
    setup,
    sign_in,
    studio,
    users,
    webhooks,
)

PAGES = (
    home.PAGE,
    studio.PAGE,
    calendar.PAGE,
    posts.PAGE,
    post.PAGE,
    approvals.PAGE,
    media.PAGE,
    analytics.PAGE,
    bot_log.PAGE,
    bots.PAGE,
    failed_tasks.PAGE,
    queues.PAGE,
    channels.PAGE,
    users.PAGE,
    api_keys.PAGE,
    webhooks.PAGE,
    audit.PAGE,
    profile.PAGE,
    notifications.PAGE,
)

PLAIN_PAGES = (sign_in.PAGE, setup.PAGE)
