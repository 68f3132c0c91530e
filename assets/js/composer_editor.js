// Where a post is written: a tab for all channels and one for each, thread parts, pictures, options, live counters.
import { useDeferredValue, useLayoutEffect, useMemo, useRef, useState } from "react";
import { EyeOff, Globe, Image, Languages, ListPlus, MessageCircle, Quote, Redo2, RotateCcw, Scissors, Undo2, X } from "lucide-react";
import { measure, overflowAt, splitIntoParts } from "./composer_measure.js";
import { FirstComment, LinkTags } from "./composer_comment.js";
import { useCompletion } from "./composer_complete.js";
import { Labels } from "./composer_labels.js";
import { LibraryButton } from "./composer_library.js";
import { canRedo, canUndo } from "./composer_undo.js";
import { Coloured, cx, h, Icon, Problem, shortName } from "./composer_parts.js";
import { AssistantPanel, AssistantToggle } from "./composer_assistant.js";
import { MediaList } from "./composer_media.js";
import { addFiles } from "./composer_upload.js";
import { VIDEO_TYPES } from "./video.js";
import {
  account, addPart, caret, change, countsOf, removePart, revertVariant, rulesFor, set, setOption, setText, submit, undo, useStudio,
  getState,
} from "./composer_store.js";
import { SavedMark } from "./composer_saved.js";

export function ComposerEditor() {
  const studio = useStudio();
  const { doc, tab } = studio;
  const [isCommenting, setCommenting] = useState(false);
  return h(
    "section",
    {
      className: cx("card composer", studio.isDragging && "dropping"),
      "aria-label": "Post",
      "data-words": studio.hasWords ? "ready" : undefined,
      onKeyDown,
      onDragOver: (event) => {
        if ([...event.dataTransfer.types].includes("Files")) event.preventDefault();
      },
      onDrop: (event) => {
        if (!event.dataTransfer.files.length) return;
        event.preventDefault();
        addFiles(event.dataTransfer.files, studio.part);
      },
    },
    h(Tabs, { studio }),
    h(
      "div",
      { className: "composer-body", role: "tabpanel", id: "composer-panel", "aria-labelledby": `tab-${tab}` },
      h(VariantBar, { studio }),
      doc.options.content_warning !== undefined && h(Warning, { studio }),
      doc.options.quote !== undefined && h(Quoted, { studio }),
      [...Array(doc.thread.length + 1).keys()].map((part) => h(Part, { key: part, part, studio })),
      h(FirstComment, { key: "comment", studio, isOpen: isCommenting, onClose: () => setCommenting(false) }),
      h(LinkTags, { key: "tags", studio }),
      h(Labels, { key: "labels", studio })
    ),
    h(AssistantPanel),
    h("div", { className: "composer-foot" }, h(Tools, { studio, isCommenting, onComment: () => setCommenting(true) }), h(Counters, { studio }))
  );
}

// The browser's own undo does not know of split threads, pictures and inserted texts: ours takes its keys in here.
function onKeyDown(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "z") undo(event.shiftKey);
  else if (key === "y" && !event.shiftKey) undo(true);
  else if (key === "s") submit(getState().doc.series_id ? "repeat" : "draft");
  else return;
  event.preventDefault();
}

function Tabs({ studio }) {
  const { doc, accounts, tab } = studio;
  const chosen = doc.targets.map(account).filter(Boolean);
  const tabs = [{ id: "all", label: "All channels" }, ...chosen.map((each) => ({ id: each.id, label: shortName(each, chosen) }))];
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const index = (tabs.findIndex(({ id }) => id === tab) + step + tabs.length) % tabs.length;
    set({ tab: tabs[index].id });
    requestAnimationFrame(() => document.getElementById(`tab-${tabs[index].id}`)?.focus());
  };
  return h(
    "div",
    { className: "tabs composer-tabs" },
    h(
      "div",
      { role: "tablist", "aria-label": "Text for", className: "row tab-list", onKeyDown },
      tabs.map(({ id, label }) =>
        h(
          "button",
          {
            key: id, id: `tab-${id}`, type: "button", role: "tab", className: "tab", "aria-selected": tab === id,
            "aria-controls": "composer-panel", tabIndex: tab === id ? 0 : -1, onClick: () => set({ tab: id }),
          },
          label,
          id in doc.variants && h("span", { className: "variant-dot", title: "Has its own text" }, h("span", { className: "visually-hidden" }, " (has its own text)"))
        )
      )
    ),
    h(
      "span",
      { className: "row undo-acts" },
      h(SavedMark, { studio }),
      h(StepButton, { label: "Undo", of: Undo2, keys: "Control+Z", isOn: canUndo(), onClick: () => undo() }),
      h(StepButton, { label: "Redo", of: Redo2, keys: "Control+Shift+Z", isOn: canRedo(), onClick: () => undo(true) })
    )
  );
}

function StepButton({ label, of, keys, isOn, onClick }) {
  return h("button", { type: "button", className: "btn g icon s", "aria-label": label, title: `${label} (${keys.replaceAll("Control", "Ctrl")})`, "aria-keyshortcuts": keys, disabled: !isOn, onClick }, h(Icon, { of, size: 14 }));
}

function VariantBar({ studio }) {
  const { doc, tab } = studio;
  const channel = tab === "all" ? null : account(tab);
  if (!channel) return null;
  if (!(tab in doc.variants)) {
    return h("p", { className: "variant-bar xs muted" }, `${channel.handle} gets the text of All channels. Type to make it differ here.`);
  }
  return h(
    "p",
    { className: "variant-bar xs" },
    h("span", { className: "pill acc" }, "Own text"),
    h("span", { className: "muted" }, `Only for ${channel.handle}.`),
    h("button", { type: "button", className: "btn s push", onClick: () => revertVariant(tab) }, h(Icon, { of: RotateCcw, size: 13 }), "Use the common text again")
  );
}

function Quoted({ studio }) {
  const { options } = studio.doc;
  const error = studio.errors["options.quote"];
  return h(
    "div",
    { className: "field warning-field" },
    h("label", { htmlFor: "quote" }, "Quote"),
    h(
      "div",
      { className: "row" },
      h("input", {
        id: "quote", className: "input", type: "url", value: options.quote, maxLength: 500, placeholder: "https://bsky.app/profile/name/post/… or https://x.com/name/status/…",
        "aria-invalid": Boolean(error), "aria-describedby": "quote-help", onChange: (event) => setOption("quote", event.target.value),
      }),
      h("button", { type: "button", className: "btn g icon s", "aria-label": "Remove the quote", onClick: () => setOption("quote", undefined) }, h(Icon, { of: X }))
    ),
    h("p", { className: "xs muted", id: "quote-help" }, "The address of the post to quote. Its own network shows it under yours; the others leave it out."),
    h(Problem, null, error)
  );
}

function Warning({ studio }) {
  const { options } = studio.doc;
  const error = studio.errors["options.content_warning"];
  return h(
    "div",
    { className: "field warning-field" },
    h("label", { htmlFor: "content-warning" }, "Content warning"),
    h(
      "div",
      { className: "row" },
      h("input", {
        id: "content-warning", className: "input", value: options.content_warning, maxLength: 500, placeholder: "What people should know before they open it",
        "aria-invalid": Boolean(error), onChange: (event) => setOption("content_warning", event.target.value),
      }),
      h("button", { type: "button", className: "btn g icon s", "aria-label": "Remove the content warning", onClick: () => setOption("content_warning", undefined) }, h(Icon, { of: X }))
    ),
    h(Problem, null, error)
  );
}

function Part({ part, studio }) {
  const { doc, tab, uploads } = studio;
  const isThread = doc.thread.length > 0;
  const text = part > 0 ? doc.thread[part - 1] : tab === "all" ? doc.text : doc.variants[tab] ?? doc.text;
  const error = part > 0 ? studio.errors[`thread.${part - 1}`] : tab === "all" ? studio.errors.text : studio.errors[`targets.${tab}.text`];
  return h(
    "div",
    { className: cx("part", isThread && "in-thread", studio.part === part && "active") },
    isThread && h("span", { className: "part-number num", "aria-hidden": true }, part + 1),
    h(
      "div",
      { className: "part-main" },
      h(TextBox, { part, text, error, studio, label: isThread ? `Text of part ${part + 1}` : "Text" }),
      h(Problem, { id: `text-error-${part}` }, error),
      h(MediaList, { part, studio, uploads: uploads.filter((each) => each.part === part) }),
      isThread && h(PartFoot, { part, studio })
    )
  );
}

function PartFoot({ part, studio }) {
  const doc = useDeferredValue(studio.doc);
  const worst = worstCount(countsOf(doc, part));
  return h(
    "div",
    { className: "part-foot xs" },
    worst && h("span", { className: cx("num", tone(worst)) }, `${worst.length} / ${worst.limit}`),
    part > 0 && h("button", { type: "button", className: "btn g icon s push", "aria-label": `Remove part ${part + 1}`, onClick: () => removePart(part) }, h(Icon, { of: X, size: 14 }))
  );
}

// A textarea above a copy of its text that is coloured; both share one grid cell, so the copy sets the height.
function TextBox({ part, text, error, studio, label }) {
  const box = useRef(null);
  const shown = useDeferredValue(text);
  const completion = useCompletion(`text-${part}`, (start, end, words) => {
    setText(part, text.slice(0, start) + words + text.slice(end).replace(/^ /, ""));
    caret.part = part;
    caret.position = start + words.length;
    requestAnimationFrame(() => box.current?.setSelectionRange(caret.position, caret.position));
  });
  const rules = rulesFor(studio.doc, studio.tab, part);
  const warning = studio.doc.options.content_warning?.trim() || "";
  const overAt = useMemo(() => {
    const ends = rules.map((rule) => overflowAt(shown, rule, warning)).filter((end) => end !== null);
    return ends.length ? Math.min(...ends) : null;
  }, [shown, warning, JSON.stringify(rules)]);
  useLayoutEffect(() => {
    // A page that was drawn anew (a lost connection) gives the cursor back to where it was.
    if (caret.part !== part || caret.position === null || !box.current) return;
    if (document.activeElement === document.body || caret.position === 0) {
      box.current.focus({ preventScroll: true });
      box.current.setSelectionRange(caret.position, caret.position);
    }
  }, []);
  const note = () => {
    caret.part = part;
    caret.position = box.current.selectionStart;
  };
  const onPaste = (event) => {
    if (event.clipboardData.files.length && addFiles(event.clipboardData.files, part)) event.preventDefault();
  };
  return h(
    "div",
    { className: "text-box" },
    h("div", { className: "text-copy", "aria-hidden": true }, h(Coloured, { text: shown, overAt }), shown === text ? "\u200b" : text.slice(shown.length) + "\u200b"),
    h("textarea", {
      ref: box, id: `text-${part}`, value: text, rows: 1, className: "text-input", "aria-label": label, spellCheck: true,
      lang: studio.doc.options.language || undefined,
      "aria-invalid": Boolean(error), "aria-describedby": `text-error-${part} counters`,
      placeholder: part ? "The next part of the thread" : "What do you want to tell people?",
      onChange: (event) => (setText(part, event.target.value), note(), completion.look(event.target)),
      onSelect: note,
      onPaste,
      onFocus: () => studio.part !== part && set({ part }),
      ...completion.props,
    }),
    completion.list
  );
}

const LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pl", "pt", "pt-BR", "sv", "da", "nb", "fi", "cs", "el", "tr", "uk", "ru", "ar", "he", "fa", "hi", "ja", "ko", "zh", "id"];
const languageNames = new Intl.DisplayNames(["en"], { type: "language" });
const nameOf = (code) => {
  try {
    return languageNames.of(code);
  } catch {
    return code;
  }
};

const VISIBILITIES = [["public", "Public"], ["unlisted", "Unlisted"], ["private", "Followers only"]];

function Tools({ studio, isCommenting, onComment }) {
  const { doc, part, tab } = studio;
  const file = useRef(null);
  const hasFeature = (name) => doc.targets.some((id) => account(id)?.features.includes(name));
  const rules = rulesFor(doc, tab, part);
  const current = part ? doc.thread[part - 1] ?? "" : tab === "all" ? doc.text : doc.variants[tab] ?? doc.text;
  const warning = doc.options.content_warning?.trim() || "";
  const shown = useDeferredValue(current);
  const isTooLong = useMemo(() => rules.some((rule) => measure(shown.trim(), rule, warning).isTooLong), [shown, warning, JSON.stringify(rules)]);
  const split = () => {
    const parts = splitIntoParts(current, rules, warning);
    if (part) change({ thread: [...doc.thread.slice(0, part - 1), ...parts, ...doc.thread.slice(part)] });
    else change({ text: parts[0], thread: [...parts.slice(1), ...doc.thread] });
  };
  const languages = [...new Set([...LANGUAGES, ...(doc.options.language ? [doc.options.language] : [])])];
  return h(
    "div",
    { className: "tools" },
    h("input", {
      ref: file, type: "file", accept: `image/*,${VIDEO_TYPES}`, multiple: true, hidden: true, id: "media-input", "aria-label": "Pictures and videos",
      onChange: (event) => {
        addFiles(event.target.files, part);
        event.target.value = "";
      },
    }),
    h("button", { type: "button", className: "btn g s", onClick: () => file.current.click(), id: "add-media" }, h(Icon, { of: Image }), "Media"),
    h("button", { type: "button", className: "btn g s", onClick: () => addPart(part), id: "add-part", title: "Add a part to the thread" }, h(Icon, { of: ListPlus }), "Thread"),
    hasFeature("first_comment") &&
      h("button", { type: "button", className: cx("btn g s", doc.first_comment && "on"), "aria-pressed": Boolean(isCommenting || doc.first_comment), onClick: onComment, id: "add-comment" }, h(Icon, { of: MessageCircle }), "Comment"),
    h(LibraryButton),
    isTooLong && tab === "all" && hasFeature("thread") &&
      h("button", { type: "button", className: "btn s", onClick: split, id: "split" }, h(Icon, { of: Scissors }), "Split into a thread"),
    h(
      "button",
      {
        type: "button", className: cx("btn g s", doc.options.content_warning !== undefined && "on"), "aria-pressed": doc.options.content_warning !== undefined,
        onClick: () => setOption("content_warning", doc.options.content_warning === undefined ? "" : undefined),
      },
      h(Icon, { of: EyeOff }), "Warning"
    ),
    (hasFeature("quote") || doc.options.quote !== undefined) &&
      h(
        "button",
        {
          type: "button", className: cx("btn g s", doc.options.quote !== undefined && "on"), "aria-pressed": doc.options.quote !== undefined, id: "add-quote",
          onClick: () => setOption("quote", doc.options.quote === undefined ? "" : undefined),
        },
        h(Icon, { of: Quote }), "Quote"
      ),
    h(Choice, {
      id: "visibility", label: "Visibility", icon: Globe, value: doc.options.visibility || "public", options: VISIBILITIES, isSet: (doc.options.visibility || "public") !== "public",
      onChange: (value) => setOption("visibility", value === "public" ? undefined : value),
    }),
    h(Choice, {
      id: "language", label: "Language", icon: Languages, value: doc.options.language || "", isSet: Boolean(doc.options.language),
      options: [["", "Language"], ...languages.map((code) => [code, nameOf(code)])],
      onChange: (value) => setOption("language", value || undefined),
    }),
    h(AssistantToggle)
  );
}

function Choice({ id, label, icon, value, options, onChange, isSet }) {
  return h(
    "label",
    { className: cx("btn g s tool-choice", isSet && "on") },
    h(Icon, { of: icon }),
    h("span", { className: "visually-hidden" }, label),
    h("select", { id, value, onChange: (event) => onChange(event.target.value) }, options.map(([key, text]) => h("option", { key, value: key }, text)))
  );
}

export const tone = (count) => (count.isTooLong ? "over" : count.length > count.limit * 0.9 ? "near" : "");

export const worstCount = (counts) =>
  counts.reduce((worst, count) => (!worst || count.limit - count.length < worst.limit - worst.length ? count : worst), null);

function Counters({ studio }) {
  const doc = useDeferredValue(studio.doc);
  const part = Math.min(studio.part, doc.thread.length);
  const counts = useMemo(() => countsOf(doc, part), [doc, part, studio.accounts]);
  const chosen = counts.map((count) => count.account);
  const over = counts.filter((count) => count.isTooLong);
  return h(
    "div",
    { className: "counters", id: "counters" },
    !counts.length && h("span", { className: "muted xs" }, studio.accounts.length ? "Choose a channel to see what it allows." : "No channel is connected yet."),
    counts.map((count) =>
      h(
        "span",
        { key: count.account.id, className: cx("counter", tone(count), studio.tab === count.account.id && "here"), "data-account": count.account.id, title: count.isOverBytes ? `${count.bytes} of ${count.account.text_rule.max_bytes} bytes` : undefined },
        h("span", { className: "counter-name" }, shortName(count.account, chosen)),
        h("b", { className: "num" }, count.isOverBytes && count.length <= count.limit ? `${count.bytes} / ${count.account.text_rule.max_bytes} bytes` : `${count.length} / ${count.limit}`)
      )
    ),
    h("span", { className: "visually-hidden", "aria-live": "polite" }, over.map((count) => `Too long for ${shortName(count.account, chosen)}.`).join(" "))
  );
}
