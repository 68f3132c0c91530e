// The channels a post can go to, each with its health; one that cannot send says why and where to mend it.
import { Check, Plus, TriangleAlert } from "lucide-react";
import { Link } from "react-router";
import { Avatar, cx, h, Icon, Problem } from "./composer_parts.js";
import { toggleTarget, useStudio } from "./composer_store.js";

const WHY = { reauthorise: "needs a new login", disabled: "is switched off" };

export function ComposerChannels() {
  const { accounts, doc, errors, person } = useStudio();
  const isUsable = (each) => each.status === "connected" || doc.targets.includes(each.id);
  const broken = accounts.filter((each) => each.status !== "connected");
  return h(
    "div",
    { className: "channels" },
    h(
      "div",
      { className: "row wrap", role: "group", "aria-label": "Channels" },
      accounts.map((each) =>
        h(
          "button",
          {
            key: each.id, type: "button", className: cx("chip", each.status !== "connected" && "broken"), "aria-pressed": doc.targets.includes(each.id),
            disabled: !isUsable(each), "data-account": each.id, title: `${each.platform_name} · ${each.display_name || each.handle}`,
            onClick: () => toggleTarget(each.id),
          },
          h(Avatar, { account: each }),
          h("span", { className: "clip" }, each.handle),
          h("span", { className: "visually-hidden" }, ` on ${each.platform_name}`),
          each.status !== "connected" && h(Icon, { of: TriangleAlert, size: 14 })
        )
      ),
      person.can_connect && h(Link, { to: "/channels", className: "btn g s" }, h(Icon, { of: Plus, size: 14 }), "Channel")
    ),
    broken.map((each) =>
      h(
        "p",
        { key: each.id, className: "xs channel-why" },
        h("b", null, `${each.platform_name} · ${each.handle}`),
        ` ${WHY[each.status] || "cannot send"}. `,
        each.status_reason && `${each.status_reason} `,
        h(Link, { to: "/channels", className: "link" }, person.can_connect ? "Open Channels" : "See Channels")
      )
    ),
    !accounts.length &&
      h(
        "div",
        { className: "notice info" },
        h(Icon, { of: Check, size: 16 }),
        h(
          "div",
          null,
          person.can_connect
            ? "No channel is connected yet. You can write and save a draft all the same; connect a channel to send it. "
            : "No channel is connected yet. You can write and save a draft; an admin can connect a channel. ",
          person.can_connect && h(Link, { to: "/channels", className: "link" }, "Connect a channel")
        )
      ),
    h(Problem, { id: "targets-error" }, errors.targets)
  );
}
