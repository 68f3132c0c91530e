// Small parts that the composer's components share.
import { createElement } from "react";
import { findEntities } from "./composer_measure.js";

export const h = createElement;

export const cx = (...names) => names.filter(Boolean).join(" ");

export const letter = (account) => (account.platform_name || account.platform || "?")[0].toUpperCase();

export function Avatar({ account, large }) {
  return h("span", { className: cx("av", large && "l"), style: { background: account.color }, "aria-hidden": true }, letter(account));
}

// What a tab, counter or preview calls a channel: the network, and the handle too if there are two of that network.
export function shortName(account, accounts) {
  const isOnly = accounts.filter((each) => each.platform_name === account.platform_name).length < 2;
  return isOnly ? account.platform_name : account.handle;
}

export function Icon({ of, size = 15 }) {
  return h(of, { size, strokeWidth: 1.75, "aria-hidden": true });
}

export function Problem({ children, id }) {
  return children ? h("p", { className: "error", role: "alert", id }, children) : null;
}

// The text with its links, mentions and hashtags coloured; from `overAt` on it is marked as too long.
export function Coloured({ text, overAt = null, shorten }) {
  const pieces = [];
  let position = 0;
  const push = (until, kind) => {
    if (until <= position) return;
    const piece = text.slice(position, until);
    const isOver = overAt !== null && position >= overAt;
    const shown = kind === "link" && shorten ? shorten(piece) : piece;
    pieces.push(h(isOver ? "mark" : "span", { key: position, className: kind ? `ent ent-${kind}` : undefined }, shown));
    position = until;
  };
  const pushAcross = (until, kind) => {
    if (overAt !== null && position < overAt && overAt < until) push(overAt, kind);
    push(until, kind);
  };
  for (const { kind, start, end } of findEntities(text)) {
    pushAcross(start, "");
    pushAcross(end, kind);
  }
  pushAcross(text.length, "");
  return pieces;
}
