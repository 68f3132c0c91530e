"""The console's pages. The order of PAGES is the order in the sidebar; a new page is one line here."""

from contentcaster.pages import home, post, posts, setup, sign_in, studio

PAGES = (home.PAGE, studio.PAGE, posts.PAGE, post.PAGE)

PLAIN_PAGES = (sign_in.PAGE, setup.PAGE)
