"""The Reflex app object."""

import reflex as rx


class S(rx.State):
    n: int = 0

    @rx.event
    async def bump(self):
        self.n += 1


def index():
    return rx.el.main(rx.heading("Hi"), rx.el.button(S.n, on_click=S.bump))


app = rx.App()
app.add_page(index, route="/")
