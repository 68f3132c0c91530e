// Saved texts: hashtag sets, signatures, templates with variables; and, for those who manage channels, the tags of links.
import { useEffect, useRef, useState } from "react";
import { BookMarked, Pencil, Plus, Trash2, X } from "lucide-react";
import { wallOf } from "./composer_clock.js";
import { cx, h, Icon, Problem } from "./composer_parts.js";
import { getState, insert, set, useStudio } from "./composer_store.js";

const KINDS = { template: "Templates", hashtags: "Hashtag sets", signature: "Signatures" };
const ONE = { template: "template", hashtags: "hashtag set", signature: "signature" };
const EMPTY = {
  template: "A text to begin with, such as a release note. Variables like {{date}} and {{ask: Product}} are filled in when you use it.",
  hashtags: "Hashtags that you use together.",
  signature: "A last line, such as your name or a link.",
};
const VARIABLE = /\{\{\s*(.*?)\s*\}\}/g;
const handlers = {};

export const connectLibrary = (next) => Object.assign(handlers, next);

export function LibraryButton() {
  const { isLibraryOpen } = useStudio();
  return h("button", { type: "button", className: "btn g s", id: "open-library", "aria-expanded": Boolean(isLibraryOpen), "aria-haspopup": "dialog", onClick: () => set({ isLibraryOpen: true }) }, h(Icon, { of: BookMarked }), "Saved");
}

export function Library() {
  const { isLibraryOpen } = useStudio();
  return isLibraryOpen ? h(Dialog) : null;
}

function Dialog() {
  const box = useRef(null);
  const { person } = useStudio();
  const [view, setView] = useState({ name: "list", kind: "template" });
  // After something was put in, the caret stands in the text already.
  const finish = () => set({ isLibraryOpen: false });
  const close = () => {
    finish();
    requestAnimationFrame(() => document.getElementById("open-library")?.focus());
  };
  useEffect(() => {
    box.current.showModal();
  }, []);
  const tabs = { ...KINDS, ...(person.can_connect ? { links: "Link tags" } : {}) };
  return h(
    "dialog",
    { ref: box, className: "sheet", "aria-labelledby": "library-title", onClose: close, onCancel: close, onClick: (event) => event.target === box.current && close() },
    h(
      "div",
      { className: "sheet-body" },
      h("div", { className: "row" }, h("h2", { id: "library-title" }, "Saved texts"), h("button", { type: "button", className: "btn g icon s push", "aria-label": "Close", onClick: close }, h(Icon, { of: X }))),
      h(
        "div",
        { className: "tabs plain-tabs", role: "group", "aria-label": "Kind" },
        Object.entries(tabs).map(([kind, label]) =>
          h("button", { key: kind, type: "button", className: cx("tab", view.kind === kind && "on"), "aria-pressed": view.kind === kind, onClick: () => setView({ name: "list", kind }) }, label)
        )
      ),
      view.kind === "links"
        ? h(TagsOfChannels)
        : view.name === "edit"
          ? h(EditForm, { item: view.item, kind: view.kind, onDone: () => setView({ name: "list", kind: view.kind }) })
          : view.name === "fill"
            ? h(FillForm, { item: view.item, onBack: () => setView({ name: "list", kind: view.kind }), onDone: finish })
            : h(List, { kind: view.kind, onView: setView, onDone: finish })
    )
  );
}

function List({ kind, onView, onDone }) {
  const { snippets = [] } = useStudio();
  const items = snippets.filter((item) => item.kind === kind);
  const use = (item) => {
    if (questions(item.text).length) onView({ name: "fill", kind, item });
    else {
      put(item, {});
      onDone();
    }
  };
  return h(
    "div",
    { className: "stack" },
    items.length
      ? h(
          "ul",
          { className: "saved-list" },
          items.map((item) =>
            h(
              "li",
              { key: item.id },
              h(
                "button",
                { type: "button", className: "saved-use", onClick: () => use(item) },
                h("span", { className: "b sm" }, item.name, item.is_shared && h("span", { className: "pill acc" }, item.owner_name ? `shared by ${item.owner_name}` : "shared")),
                h("span", { className: "xs muted clamp2" }, item.text)
              ),
              item.is_editable && h("button", { type: "button", className: "btn g icon s", "aria-label": `Change ${item.name}`, onClick: () => onView({ name: "edit", kind, item }) }, h(Icon, { of: Pencil, size: 14 })),
              item.is_editable && h("button", { type: "button", className: "btn g icon s", "aria-label": `Delete ${item.name}`, onClick: () => handlers.onDelete?.(item.id) }, h(Icon, { of: Trash2, size: 14 }))
            )
          )
        )
      : h("p", { className: "muted sm" }, EMPTY[kind], " None is saved yet."),
    h("div", null, h("button", { type: "button", className: "btn", onClick: () => onView({ name: "edit", kind, item: null }) }, h(Icon, { of: Plus }), `New ${ONE[kind]}`))
  );
}

function EditForm({ item, kind, onDone }) {
  const { snippetAnswer, person, doc } = useStudio();
  const [form, setForm] = useState({ name: item?.name || "", text: item?.text ?? (kind === "template" ? doc.text : ""), is_shared: item?.is_shared || false });
  const [sent, setSent] = useState(0);
  const answer = sent && snippetAnswer?.nonce === sent ? snippetAnswer : null;
  const errors = answer?.errors || {};
  useEffect(() => {
    if (answer?.is_saved) onDone();
  }, [answer]);
  const patch = (changes) => (setForm({ ...form, ...changes }), setSent(0));
  const save = (event) => {
    event.preventDefault();
    const nonce = Date.now();
    setSent(nonce);
    handlers.onSave?.({ nonce, id: item?.id || "", version: item?.version || 0, kind, ...form });
  };
  return h(
    "form",
    { className: "stack", onSubmit: save, noValidate: true },
    h("div", { className: "field" }, h("label", { htmlFor: "saved-name" }, "Name"), h("input", { id: "saved-name", className: "input", value: form.name, autoFocus: true, "aria-invalid": Boolean(errors.name), onChange: (event) => patch({ name: event.target.value }) }), h(Problem, null, errors.name)),
    h(
      "div",
      { className: "field" },
      h("label", { htmlFor: "saved-text" }, kind === "hashtags" ? "Hashtags" : "Text"),
      h("textarea", { id: "saved-text", className: "input", rows: 6, value: form.text, placeholder: kind === "hashtags" ? "#devrel #opensource" : "", "aria-invalid": Boolean(errors.text), "aria-describedby": "saved-help", onChange: (event) => patch({ text: event.target.value }) }),
      h(Problem, null, errors.text || errors.kind),
      kind !== "hashtags" && h("p", { className: "xs muted", id: "saved-help" }, "Variables: {{date}} {{weekday}} {{time}} {{month}} {{year}} of the post, {{author}}, and {{ask: Product}} to be asked.")
    ),
    person.can_share && h("label", { className: "check sm" }, h("input", { type: "checkbox", id: "saved-shared", checked: form.is_shared, onChange: (event) => patch({ is_shared: event.target.checked }) }), "For everybody who writes"),
    answer?.problem && h(Problem, null, answer.problem),
    h("div", { className: "row" }, h("button", { type: "submit", className: "btn p" }, "Save"), h("button", { type: "button", className: "btn g", onClick: onDone }, "Back"))
  );
}

const questions = (text) => [...new Set([...text.matchAll(VARIABLE)].map(([, word]) => /^ask\s*:\s*(.+)$/.exec(word)?.[1]).filter(Boolean))];

function FillForm({ item, onBack, onDone }) {
  const asked = questions(item.text);
  const [answers, setAnswers] = useState({});
  const use = (event) => {
    event.preventDefault();
    put(item, answers);
    onDone();
  };
  return h(
    "form",
    { className: "stack", onSubmit: use },
    h("p", { className: "sm muted" }, `“${item.name}” asks:`),
    asked.map((question, index) =>
      h("div", { key: question, className: "field" }, h("label", { htmlFor: `ask-${index}` }, question), h("input", { id: `ask-${index}`, className: "input", autoFocus: index === 0, value: answers[question] || "", onChange: (event) => setAnswers({ ...answers, [question]: event.target.value }) }))
    ),
    h("div", { className: "row" }, h("button", { type: "submit", className: "btn p" }, "Put it in"), h("button", { type: "button", className: "btn g", onClick: onBack }, "Back"))
  );
}

function put(item, answers) {
  const words = filled(item.text, answers);
  if (item.kind === "hashtags") insert(words, { atEnd: true });
  else if (item.kind === "signature") insert(words, { atEnd: true, apart: true });
  else insert(words);
}

function filled(text, answers) {
  const { doc, person } = getState();
  const zone = doc.schedule?.zone || person.timezone;
  const schedule = doc.schedule?.date ? doc.schedule : wallOf(Date.now(), zone);
  const day = new Date(`${schedule.date}T12:00:00Z`);
  const named = (options) => new Intl.DateTimeFormat(doc.options.language || "en-GB", { timeZone: "UTC", ...options }).format(day);
  const values = {
    date: () => named({ day: "numeric", month: "long", year: "numeric" }),
    weekday: () => named({ weekday: "long" }),
    month: () => named({ month: "long" }),
    year: () => named({ year: "numeric" }),
    time: () => schedule.time,
    author: () => person.name || "",
  };
  return text.replace(VARIABLE, (whole, word) => {
    const question = /^ask\s*:\s*(.+)$/.exec(word)?.[1];
    return question ? answers[question] || "" : values[word]?.() ?? whole;
  });
}

function TagsOfChannels() {
  const { accounts } = useStudio();
  return h(
    "div",
    { className: "stack" },
    h("p", { className: "sm muted" }, "Added to every link of a post on that channel, so that your analytics can tell where visits come from. A link that has its own keeps it; posts can switch this off."),
    accounts.length ? accounts.map((each) => h(ChannelTags, { key: each.id, channel: each })) : h("p", { className: "sm muted" }, "No channel is connected yet.")
  );
}

const FIELDS = { source: "utm_source", medium: "utm_medium", campaign: "utm_campaign" };

function ChannelTags({ channel }) {
  const { tagsAnswer } = useStudio();
  const [form, setForm] = useState({ source: "", medium: "", campaign: "", ...channel.link_tags });
  const [sent, setSent] = useState(0);
  const answer = sent && tagsAnswer?.nonce === sent ? tagsAnswer : null;
  const save = (event) => {
    event.preventDefault();
    const nonce = Date.now();
    setSent(nonce);
    handlers.onTags?.({ nonce, account_id: channel.id, source: form.source, medium: form.medium, campaign: form.campaign });
  };
  return h(
    "form",
    { className: "channel-tags", onSubmit: save, "aria-label": `Link tags of ${channel.handle}` },
    h("span", { className: "b sm clip" }, `${channel.platform_name} · ${channel.handle}`),
    h(
      "div",
      { className: "row wrap" },
      Object.entries(FIELDS).map(([name, label]) =>
        h("label", { key: name, className: "tag-field xs" }, label, h("input", { className: "input", id: `${name}-${channel.id}`, value: form[name], maxLength: 80, "aria-invalid": Boolean(answer?.errors?.[name]), onChange: (event) => (setForm({ ...form, [name]: event.target.value }), setSent(0)) }))
      ),
      h("button", { type: "submit", className: "btn s" }, answer?.is_saved ? "Saved" : "Save")
    ),
    h(Problem, null, answer && !answer.is_saved ? Object.values(answer.errors || {})[0] || answer.problem : "")
  );
}
