// Whether what is typed is safe, in words: saved where, since when; and what to do when two people wrote at once.
import { useEffect, useState } from "react";
import { CircleAlert, CloudOff, History } from "lucide-react";
import { h, Icon } from "./composer_parts.js";
import { discardMine, isAutosaved, isDirty, isEmpty, keepMineAsNew, overwriteTheirs, useStudio } from "./composer_store.js";

function useTick(pauseMs) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), pauseMs);
    return () => clearInterval(timer);
  }, [pauseMs]);
}

function ago(savedAt) {
  const seconds = Math.max(0, Math.round((Date.now() - new Date(savedAt)) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

export function SavedMark({ studio }) {
  useTick(1000);
  let words = "";
  if (studio.isSilent && isDirty()) words = "No connection: kept in this browser";
  else if (studio.conflict) words = "Not saved: changed elsewhere";
  else if (isDirty() && !isAutosaved()) words = "Changed, not saved yet";
  else if (isDirty() && isEmpty(studio.doc) && !studio.doc.post_id) words = "";
  else if (isDirty()) words = "Saving …";
  else if (studio.savedAt) words = `Saved ${ago(studio.savedAt)}`;
  return h("span", { className: "saved sm muted", id: "saved", role: "status", "aria-live": "off" }, words);
}

export function ComposerNotices() {
  const studio = useStudio();
  return h(
    "div",
    { className: "notices" },
    studio.conflict &&
      h(
        Notice,
        { tone: "warn", icon: CircleAlert },
        h("b", null, `${studio.conflict.who || "Somebody"} changed this post while you were writing. `),
        "Nothing is lost: theirs is saved, yours is still here.",
        studio.conflict.text && h("blockquote", { className: "pre sm" }, studio.conflict.text),
        h(
          "div",
          { className: "row wrap" },
          h("button", { type: "button", className: "btn s", onClick: keepMineAsNew }, "Keep mine as a new draft"),
          h("button", { type: "button", className: "btn s", onClick: overwriteTheirs }, "Replace theirs with mine"),
          h("button", { type: "button", className: "btn s g", onClick: discardMine }, "Take theirs")
        )
      ),
    studio.problem && h(Notice, { tone: "bad", icon: CircleAlert }, studio.problem),
    studio.isSilent && h(Notice, { tone: "warn", icon: CloudOff }, "The server does not answer right now. What you type stays in this browser and is saved as soon as it is back."),
    studio.isRestored &&
      h(
        Notice,
        { tone: "info", icon: History },
        "We brought back what was not saved yet. ",
        h("button", { type: "button", className: "btn s", onClick: discardMine }, "Discard it")
      )
  );
}

function Notice({ tone, icon, children }) {
  return h("div", { className: `notice ${tone}`, role: "status" }, h(Icon, { of: icon, size: 16 }), h("div", null, children));
}
