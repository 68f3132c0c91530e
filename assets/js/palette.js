// Ctrl-K: go to a page, a post, a channel, a picture. Pages are known here; the rest is asked for while one types.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { CornerDownLeft, FileText, Image, Radio, Search, SquareArrowOutUpRight } from "lucide-react";
import { useNavigate } from "react-router";
import { cx, h, Icon } from "./composer_parts.js";

const ASK_AFTER_MS = 160;
const ICONS = { page: SquareArrowOutUpRight, post: FileText, channel: Radio, media: Image };
const HEADS = { page: "Pages", post: "Posts", channel: "Channels", media: "Media" };

export function Palette({ pages, permissions, hits, answered, onSearch }) {
  // assets/console.js listens to Ctrl-K, also before this is here.
  const [isOpen, setOpen] = useState(() => Boolean(window.earlySearch?.isWanted()));
  useEffect(() => {
    const onWanted = () => setOpen(true);
    const onUnwanted = () => setOpen(false);
    document.addEventListener("search-wanted", onWanted);
    document.addEventListener("search-unwanted", onUnwanted);
    if (window.earlySearch?.isWanted()) setOpen(true);
    return () => {
      document.removeEventListener("search-wanted", onWanted);
      document.removeEventListener("search-unwanted", onUnwanted);
    };
  }, []);
  const open = () => setOpen(true);
  return h(
    "span",
    { className: "palette-box" },
    h("button", { type: "button", className: "btn palette-open", id: "open-palette", "aria-label": "Search", "aria-haspopup": "dialog", "aria-keyshortcuts": "Control+K", onClick: open }, h(Icon, { of: Search }), h("span", { className: "hide-s muted" }, "Search"), h("span", { className: "kbd hide-s", "aria-hidden": true }, navigator.platform.startsWith("Mac") ? "⌘ K" : "Ctrl K")),
    // After the page in the document, so that a page's own search comes first when "/" is typed.
    createPortal(h("button", { type: "button", className: "visually-hidden", tabIndex: -1, "aria-hidden": true, "data-shortcut": "/", onClick: open }), document.body),
    isOpen && h(Dialog, { pages: pages.filter((page) => page.permissions.some((each) => permissions.includes(each))), hits, answered, onSearch, onClose: () => setOpen(false) })
  );
}

function Dialog({ pages, hits, answered, onSearch, onClose }) {
  const box = useRef(null);
  const list = useRef(null);
  const before = useRef(null);
  const go = useNavigate();
  const [query, setQuery] = useState("");
  const [index, setIndex] = useState(0);
  const words = query.trim();
  const close = () => {
    onClose();
    requestAnimationFrame(() => before.current?.focus?.());
  };
  // In one go with showing it: a key that is pressed meanwhile finds either the keeper of console.js or the filled field.
  useLayoutEffect(() => {
    before.current = document.activeElement;
    box.current.showModal();
    setQuery(window.earlySearch?.take() ?? "");
  }, []);
  useEffect(() => {
    if (!words) return undefined;
    const timer = setTimeout(() => onSearch(words.slice(0, 200)), ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [words]);
  const found = pages.filter((page) => page.label.toLowerCase().includes(words.toLowerCase())).map((page) => ({ kind: "page", title: page.label, detail: page.shortcut, href: page.href }));
  const items = [...found, ...(words && answered === words.slice(0, 200) ? hits : [])];
  const at = Math.min(index, items.length - 1);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const take = (item) => {
    onClose();
    go(item.href);
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && items.length) setIndex((at + step + items.length) % items.length);
    else if (event.key === "Enter" && items[at] && !event.nativeEvent.isComposing) take(items[at]);
    else return;
    event.preventDefault();
  };
  const isWaiting = words && answered !== words.slice(0, 200);
  return h(
    "dialog",
    { ref: box, className: "sheet palette", "aria-label": "Search", onCancel: close, onClick: (event) => event.target === box.current && close() },
    h(
      "div",
      { className: "palette-head" },
      h(Icon, { of: Search, size: 17 }),
      h("input", {
        type: "text", id: "palette-query", className: "palette-input", role: "combobox", "aria-label": "Search pages, posts, channels and pictures", "aria-expanded": items.length > 0, "aria-controls": "palette-list",
        "aria-activedescendant": items[at] ? `palette-${at}` : undefined, autoFocus: true, autoComplete: "off", placeholder: "Search pages, posts, channels, pictures", value: query, maxLength: 200,
        onChange: (event) => (setQuery(event.target.value), setIndex(0)), onKeyDown,
      }),
      h("span", { className: "kbd", "aria-hidden": true }, "Esc")
    ),
    h(
      "ul",
      { className: "palette-list", id: "palette-list", role: "listbox", "aria-label": "Results", ref: list },
      items.map((item, number) =>
        h(
          "li",
          { key: `${item.kind}-${item.href}-${number}`, id: `palette-${number}`, role: "option", "aria-selected": number === at, "data-kind": item.kind, className: cx(number === at && "on"), onClick: () => take(item), onMouseMove: () => number !== at && setIndex(number) },
          item.image_url ? h("img", { src: item.image_url, alt: "", width: 28, height: 22 }) : h(Icon, { of: ICONS[item.kind], size: 15 }),
          h("span", { className: "palette-title" }, item.title),
          h("span", { className: "xs faint clip" }, item.kind === "page" ? item.detail : `${HEADS[item.kind].replace(/s$/, "")} · ${item.detail}`),
          number === at && h(Icon, { of: CornerDownLeft, size: 13 })
        )
      )
    ),
    h("p", { className: "palette-foot xs muted", role: "status" }, !items.length && !isWaiting ? "Nothing found. Try fewer letters, or a word of the post." : isWaiting ? "Searching …" : words ? `${items.length} found` : "Type to search; arrows and Enter to go.")
  );
}
