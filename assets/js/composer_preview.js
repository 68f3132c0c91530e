// The post as each network will show it, while it is being written.
import { useDeferredValue, useState } from "react";
import { EyeOff, Globe, Lock, MoonStar } from "lucide-react";
import { dayAndTimeIn } from "./composer_clock.js";
import { overflowAt, tagLinks } from "./composer_measure.js";
import { Avatar, Coloured, cx, h, Icon } from "./composer_parts.js";
import { account, mediaOf, partsFor, ruleOf, takesComment, useStudio, warningFor } from "./composer_store.js";
import { isVideo, Player, videoNotes } from "./video.js";
import { readSchedule } from "./composer_schedule.js";

// Mastodon hides the scheme and cuts a long rest; Bluesky shows the host and a little of the path.
const SHORTEN = {
  mastodon: (url) => cut(url.replace(/^https?:\/\//i, ""), 30),
  sandbox: (url) => cut(url.replace(/^https?:\/\//i, ""), 30),
  bluesky: (url) => cut(url.replace(/^https?:\/\/(www\.)?/i, ""), 32),
};
const cut = (text, length) => (text.length > length ? text.slice(0, length) + "…" : text);

export function ComposerPreview() {
  const studio = useStudio();
  const doc = useDeferredValue(studio.doc);
  const chosen = doc.targets.map(account).filter(Boolean);
  const current = studio.tab === "all" ? chosen : chosen.filter(({ id }) => id === studio.tab);
  const read = doc.schedule ? readSchedule(doc.schedule, Date.now()) : {};
  const time = read.instant && !read.problem ? dayAndTimeIn(read.instant, doc.schedule.zone) : "no time yet";
  const hasOwn = current.some(({ id }) => id in doc.variants);
  return h(
    "aside",
    { className: "previews stack", "aria-label": "Preview", tabIndex: 0 },
    h("div", { className: "row preview-head" }, h("h2", null, "Preview"), hasOwn && h("span", { className: "pill acc push" }, studio.tab === "all" ? "With own texts" : `${current[0].platform_name} variant`)),
    current.map((each) => h(Card, { key: each.id, channel: each, doc, time })),
    !current.length && h("div", { className: "card preview-empty muted sm" }, studio.accounts.length ? "Choose a channel above: its preview appears here while you type." : "Previews appear here once a channel is connected.")
  );
}

function Card({ channel, doc, time }) {
  const rule = ruleOf(channel, doc);
  const parts = partsFor(doc, channel.id).map((text, part) => ({ text: tagLinks(text.trim(), rule.tags), rule: ruleOf(channel, doc, part), media: mediaOf(doc, part).slice(0, channel.max_images || 4) }));
  const shown = parts.filter(({ text, media }, part) => part === 0 || text || media.length);
  const comment = doc.first_comment.trim();
  if (comment && takesComment(channel)) shown.push({ text: tagLinks(comment, rule.tags), media: [], isComment: true });
  const warning = warningFor(doc, channel);
  return h(
    "article",
    { className: cx("card preview", channel.platform), "aria-label": `${channel.platform_name} ${channel.handle}`, "data-account": channel.id },
    shown.map((each, part) =>
      h(
        "div",
        { key: part, className: cx("preview-post", part < shown.length - 1 && "goes-on") },
        h("div", { className: "preview-side" }, h(Avatar, { account: channel, large: true })),
        h(
          "div",
          { className: "preview-main" },
          h(Head, { channel, doc, time, part, isComment: each.isComment }),
          h(Content, { ...each, channel, warning, doc })
        )
      )
    ),
    h(Left, { parts, channel, comment, tags: rule.tags })
  );
}

const VISIBILITY_ICONS = { public: Globe, unlisted: MoonStar, private: Lock };

function Head({ channel, doc, time, part, isComment }) {
  const visibility = channel.features.includes("visibility") ? VISIBILITY_ICONS[doc.options.visibility || "public"] : null;
  return h(
    "div",
    { className: "preview-who" },
    h("span", { className: "b clip" }, channel.display_name || channel.handle),
    h("span", { className: "preview-when xs faint" }, h("span", { className: "clip" }, `${channel.handle} · ${isComment ? "first comment" : part ? "then" : time}`), visibility && h(Icon, { of: visibility, size: 11 }))
  );
}

function Content({ text, media, rule, channel, warning, doc }) {
  const [isOpen, setOpen] = useState(false);
  if (warning && !isOpen) {
    return h(
      "div",
      { className: "preview-warning" },
      h("span", { className: "row" }, h(Icon, { of: EyeOff, size: 14 }), h("b", null, warning)),
      h("button", { type: "button", className: "btn s", onClick: () => setOpen(true) }, "Show more")
    );
  }
  const overAt = overflowAt(text, rule || channel.text_rule, warning);
  return h(
    "div",
    null,
    warning && h("button", { type: "button", className: "btn s", onClick: () => setOpen(false) }, `Hide: ${warning}`),
    h(
      "p",
      { className: "pre preview-text", lang: doc.options.language || undefined, dir: "auto" },
      text ? h(Coloured, { text, overAt, shorten: SHORTEN[channel.platform] }) : h("span", { className: "faint" }, media.length ? "" : "Your text appears here.")
    ),
    media.length > 0 &&
      h("div", { className: `preview-media n${Math.min(media.length, 4)}` }, media.slice(0, 4).map((item) => h("figure", { key: item.id }, isVideo(item) ? h(Player, { item }) : h("img", { src: media.length === 1 ? item.full_url : item.thumb_url, alt: item.alt || "" }), item.alt && h("span", { className: "alt-badge", "aria-hidden": true, title: item.alt }, "ALT"))))
  );
}

// What this network will leave out, said where it is seen.
function Left({ parts, channel, comment, tags }) {
  const notes = [];
  if (!channel.max_images && parts.some(({ media }) => media.some((item) => !isVideo(item)))) notes.push(`${channel.platform_name} takes no pictures.`);
  notes.push(...new Set(parts.flatMap(({ media }) => videoNotes(channel, media))));
  if (parts.length > 1 && !channel.features.includes("thread")) notes.push(`${channel.platform_name} has no threads.`);
  if (comment && !takesComment(channel)) notes.push(`${channel.platform_name} takes no first comment.`);
  const hasLink = tags && parts.some(({ text }) => /https?:\/\//i.test(text));
  if (hasLink) notes.push(`Links carry ${[tags.source, tags.medium, tags.campaign].filter(Boolean).join(" · ")}.`);
  return notes.length ? h("p", { className: "xs preview-left" }, notes.join(" ")) : null;
}
