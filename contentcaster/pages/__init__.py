"""The console's pages. The order of PAGES is the order in the sidebar; a new page is one line here."""

from contentcaster.pages import home, setup, sign_in

PAGES = (home.PAGE,)

PLAIN_PAGES = (sign_in.PAGE, setup.PAGE)
