// Times as people read them, in the zone they chose (components/times.py). Ticks here, so the server sends nothing.
import { createElement, useEffect, useState } from "react";

const parse = (at) => {
  if (!at) return null;
  const date = new Date(String(at).replace(" ", "T"));
  return Number.isNaN(date.getTime()) ? null : date;
};

const FORMATS = {
  datetime: { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  day: { weekday: "long", day: "numeric", month: "long" },
  date: { day: "numeric", month: "short", year: "numeric" },
  time: { hour: "2-digit", minute: "2-digit" },
  seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  precise: { weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 },
};

// Making one costs a millisecond, and a page shows dozens of times.
const formatters = new Map();
const formatter = (style, zone) => {
  const key = `${style}|${zone || ""}`;
  if (!formatters.has(key)) formatters.set(key, newFormatter(style, zone));
  return formatters.get(key);
};

const newFormatter = (style, zone) => {
  const options = { ...(FORMATS[style] || FORMATS.datetime), hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone || undefined });
  } catch {
    return new Intl.DateTimeFormat("en-GB", options);
  }
};

export function LocalTime({ at, zone, kind, className }) {
  const date = parse(at);
  if (!date) return null;
  const full = formatter("datetime", zone).format(date) + (zone ? " " + zone : "");
  return createElement(
    "time",
    { dateTime: date.toISOString(), title: full, className, suppressHydrationWarning: true },
    formatter(kind, zone).format(date)
  );
}

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

const span = (seconds) => {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 1) return "now";
  const [unit, size] = UNITS.find(([, size]) => rounded >= size);
  const whole = Math.floor(rounded / size);
  const rest = Math.floor((rounded % size) / 60);
  return unit === "h" && whole < 10 && rest ? `${whole} h ${rest} min` : `${whole} ${unit}`;
};

export function Since({ at, className }) {
  const [, tick] = useState(0);
  const date = parse(at);
  const age = date ? (Date.now() - date.getTime()) / 1000 : 0;
  const pause = Math.abs(age) < 90 ? 1000 : 15000;
  useEffect(() => {
    if (!date) return undefined;
    const timer = setInterval(() => tick((n) => n + 1), pause);
    return () => clearInterval(timer);
  }, [at, pause]);
  if (!date) return null;
  const text = age < 0 ? (span(-age) === "now" ? "now" : `in ${span(-age)}`) : span(age) === "now" ? "now" : `${span(age)} ago`;
  return createElement(
    "time",
    { dateTime: date.toISOString(), title: date.toISOString(), className, suppressHydrationWarning: true },
    text
  );
}

// The pill in the top bar. It judges the age itself: when nothing arrives any more, it must not stay green.
export function Heartbeat({ at, level, text, silentAfter }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const date = parse(at);
  const age = date ? Math.max(0, (Date.now() - date.getTime()) / 1000) : 0;
  const isSilent = level === "ok" && age > silentAfter;
  const shown = isSilent ? "bad" : level;
  const words =
    shown === "ok"
      ? [
          createElement("span", { key: 0, className: "long" }, "Publishing: "),
          `alive ${span(age) === "now" ? "now" : span(age) + " ago"}`,
          createElement("span", { key: 1, className: "long" }, ` · ${text}`),
        ]
      : [
          createElement("span", { key: 0, className: "long" }, "Publishing: "),
          isSilent ? `no sign of life for ${span(age)}. Posts wait and lose nothing.` : text || "asking …",
        ];
  return createElement(
    "div",
    { className: "beat", id: "heartbeat", "data-level": shown, title: isSilent ? undefined : text },
    createElement("span", { className: `dot ${shown || ""}` }),
    createElement("span", { className: "clip" }, ...words)
  );
}
