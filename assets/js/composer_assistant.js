// The assistant's panel in the composer: what to do, the suggestion while it is written, Use it or not, Undo.
import { useEffect, useRef } from "react";
import { Check, Hash, Languages, ListOrdered, PenLine, RefreshCw, Scissors, Sparkles, Square, TriangleAlert, Undo2, X } from "lucide-react";
import { accept, ask, askAlt, connect, dismiss, place, receiveReply, receiveStatus, set, stop, undo, undoAlt, useAssistant } from "./assistant_store.js";
import { account, useStudio } from "./composer_store.js";
import { cx, h, Icon, Problem } from "./composer_parts.js";

export function AssistantBridge({ status, reply, onAsk, onStop }) {
  useEffect(() => connect(onAsk, onStop));
  useEffect(() => void receiveStatus(status), [status]);
  useEffect(() => receiveReply(reply), [reply]);
  return null;
}

const TASKS = [
  ["draft", "Draft", PenLine],
  ["rewrite", "Rewrite", RefreshCw],
  ["shorten", "Shorten to fit", Scissors],
  ["hashtags", "Hashtags", Hash],
  ["translate", "Translate", Languages],
  ["thread", "Thread from an article", ListOrdered],
];
const TONES = [["", "As it is"], ["friendly", "Friendly"], ["professional", "Professional"], ["playful", "Playful"], ["plain", "Plain words"], ["bold", "Bold"]];
const LANGUAGES = ["English", "German", "French", "Spanish", "Italian", "Portuguese", "Dutch", "Polish", "Swedish", "Turkish", "Ukrainian", "Arabic", "Hindi", "Japanese", "Chinese", "Korean"];
const NEEDS_TEXT = ["rewrite", "shorten", "hashtags", "translate"];

export function AssistantToggle() {
  const { isOpen } = useAssistant();
  return h(
    "button",
    {
      type: "button", id: "assistant-toggle", className: cx("btn s assistant-toggle", isOpen && "on"), "aria-expanded": isOpen, "aria-controls": "assistant",
      onClick: () => {
        set({ isOpen: !isOpen });
        if (!isOpen) requestAnimationFrame(() => document.querySelector("#assistant .chip[aria-pressed=true]")?.focus());
      },
    },
    h(Icon, { of: Sparkles }), "Assistant"
  );
}

export function AssistantPanel() {
  const state = useAssistant();
  const studio = useStudio();
  if (!state.isOpen) return h("div", { id: "assistant", hidden: true });
  const { status, task, undo: last } = state;
  const close = () => {
    set({ isOpen: false });
    document.getElementById("assistant-toggle")?.focus();
  };
  return h(
    "section",
    { id: "assistant", className: "assistant", "aria-label": "Assistant", onKeyDown: (event) => event.key === "Escape" && close() },
    h(
      "div",
      { className: "row assistant-head" },
      h(Icon, { of: Sparkles }),
      h("b", { className: "sm" }, "Assistant"),
      status.is_offline && h("span", { className: "pill warn", id: "assistant-offline" }, "offline stand-in"),
      status.is_available && !status.is_offline &&
        h("span", { className: "xs muted num" }, `${Number(status.tokens_left).toLocaleString("en")} tokens left today`),
      last && h("button", { type: "button", className: "btn s push", id: "assistant-undo", onClick: undo }, h(Icon, { of: Undo2, size: 13 }), last.isRedo ? "Redo" : "Undo"),
      h("button", { type: "button", className: cx("btn g icon s", !last && "push"), "aria-label": "Close the assistant", onClick: close }, h(Icon, { of: X, size: 14 }))
    ),
    status.sentence && h("p", { className: cx("xs", status.is_available ? "muted" : "assistant-off"), id: "assistant-status" }, status.sentence),
    status.is_available &&
      h(
        "div",
        { className: "row wrap assistant-tasks", role: "group", "aria-label": "What it should do" },
        TASKS.map(([name, label, icon]) =>
          h("button", { key: name, type: "button", className: "chip", "aria-pressed": task === name, onClick: () => set({ task: name }) }, h(Icon, { of: icon, size: 13 }), label)
        )
      ),
    status.is_available && h(Request, { state, studio }),
    h(Suggestion, { state })
  );
}

function Request({ state, studio }) {
  const { task, ask: asked, reply } = state;
  const here = place(studio);
  const isRunning = Boolean(asked) && reply.state === "running";
  const onSubmit = (event) => {
    event.preventDefault();
    if (!isRunning) ask();
  };
  const error = reply.state === "failed" ? reply.error : "";
  const hasNothing = NEEDS_TEXT.includes(task) && !here.text.trim();
  return h(
    "form",
    { className: "assistant-form", onSubmit },
    task === "draft" &&
      h(Labelled, { id: "assistant-brief", label: "What is it about?" }, (id) =>
        h("textarea", { id, className: "input", rows: 2, value: state.brief, maxLength: 5000, placeholder: "Open day on Saturday, free tasting, bring friends", onChange: (event) => set({ brief: event.target.value }) })
      ),
    task === "thread" &&
      h(Labelled, { id: "assistant-source", label: "The article, or its address" }, (id) =>
        h("textarea", { id, className: "input", rows: 3, value: state.source, maxLength: 40000, placeholder: "https://… or the text itself", onChange: (event) => set({ source: event.target.value }) })
      ),
    task === "translate" &&
      h(Labelled, { id: "assistant-language", label: "Into" }, (id) =>
        h("select", { id, className: "input", value: state.language, onChange: (event) => set({ language: event.target.value }) },
          h("option", { value: "" }, "Choose a language"), LANGUAGES.map((name) => h("option", { key: name, value: name }, name)))
      ),
    ["draft", "rewrite", "thread"].includes(task) &&
      h(Labelled, { id: "assistant-tone", label: "Tone" }, (id) =>
        h("select", { id, className: "input", value: state.tone, onChange: (event) => set({ tone: event.target.value }) }, TONES.map(([value, label]) => h("option", { key: value, value }, label)))
      ),
    h(
      "div",
      { className: "row wrap" },
      isRunning
        ? // Keys: a button that turned into the other one under the finger would submit the form.
          h("button", { key: "stop", type: "button", className: "btn", id: "assistant-stop", onClick: stop }, h(Icon, { of: Square, size: 13 }), "Stop")
        : h("button", { key: "ask", type: "submit", className: "btn p", id: "assistant-ask", disabled: hasNothing }, h(Icon, { of: Sparkles, size: 14 }), "Suggest"),
      h("span", { className: "xs muted" }, hasNothing ? "There is no text in this part yet." : whereTo(studio, here, task))
    ),
    h(Problem, { id: "assistant-error" }, error)
  );
}

function whereTo(studio, here, task) {
  if (task === "hashtags" || task === "translate") return "Your text stays until you use the suggestion.";
  const names = [...new Set(here.accountIds.map(account).filter(Boolean).map((each) => each.platform_name))];
  if (!names.length) return task === "shorten" ? "Choose a channel first: its limit decides." : "No channel is chosen, so no limit is kept.";
  return `Made to fit ${names.join(", ")}. Your text stays until you use the suggestion.`;
}

function Labelled({ id, label, children }) {
  return h("div", { className: "field" }, h("label", { htmlFor: id }, label), children(id));
}

function Suggestion({ state }) {
  const { ask: asked, reply } = state;
  const box = useRef(null);
  const isDone = reply.state === "done";
  useEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [reply.text]);
  if (!asked || !["running", "done"].includes(reply.state)) return null;
  const answer = reply.answer || {};
  return h(
    "div",
    { className: "suggestion", "data-state": reply.state },
    h(
      "div",
      { className: "row wrap" },
      h("span", { className: "b xs" }, isDone ? "Suggestion" : "Writing…"),
      answer.is_offline && h("span", { className: "pill warn" }, "by simple rules, no AI"),
      answer.fits === true && h("span", { className: "pill ok" }, "fits"),
      answer.fits === false && h("span", { className: "pill bad" }, "too long")
    ),
    answer.parts?.length > 1
      ? h("ol", { className: "suggestion-parts", ref: box }, answer.parts.map((part, index) => h("li", { key: index, className: "pre" }, part)))
      : h("p", { className: cx("suggestion-text pre", !isDone && "writing"), ref: box, tabIndex: 0, role: "region", "aria-label": "Suggested text", "aria-busy": !isDone }, reply.text),
    h("ul", { className: "suggestion-warnings sm" }, (answer.warnings || []).map((text) => h("li", { key: text, className: "row" }, h(Icon, { of: TriangleAlert, size: 14 }), text))),
    isDone &&
      h(
        "div",
        { className: "row wrap" },
        h("button", { type: "button", className: "btn p", id: "assistant-accept", onClick: () => accept(reply.text) }, h(Icon, { of: Check, size: 14 }), acceptWords(asked)),
        h("button", { type: "button", className: "btn", onClick: ask }, h(Icon, { of: RefreshCw, size: 13 }), "Another"),
        h("button", { type: "button", className: "btn g", id: "assistant-dismiss", onClick: dismiss }, "Dismiss")
      ),
    h("span", { className: "visually-hidden", role: "status" }, isDone ? "The suggestion is ready." : "")
  );
}

const acceptWords = (asked) => (asked.task === "hashtags" ? "Add them" : asked.task === "thread" ? "Use the thread" : "Use it");

// Beside the alt text of a picture.
export function SuggestAlt({ item }) {
  const { status, alts } = useAssistant();
  const entry = alts[item.id];
  const isRunning = entry?.state === "running";
  if (!status.is_available) return status.sentence ? h("span", { className: "xs muted" }, "No suggestions: no GEMINI_API_KEY.") : null;
  return h(
    "span",
    { className: "row wrap alt-suggest" },
    h(
      "button",
      { type: "button", className: "btn s", "aria-label": `Suggest alt text for ${item.filename}`, disabled: isRunning, onClick: () => askAlt(item.id) },
      h(Icon, { of: Sparkles, size: 13 }), isRunning ? "Looking…" : "Suggest"
    ),
    entry?.state === "done" && entry.before !== null &&
      h("button", { type: "button", className: "btn g s", "aria-label": `Undo the suggested alt text for ${item.filename}`, onClick: () => undoAlt(item.id) }, h(Icon, { of: Undo2, size: 13 }), "Undo"),
    entry?.state === "done" && status.is_offline && h("span", { className: "pill warn" }, "by simple rules"),
    entry?.error && h("span", { className: "error xs", role: "alert" }, entry.error)
  );
}
