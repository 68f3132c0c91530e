// Labels of a post: for finding it and summing up its numbers; no network is told of them.
import { useEffect, useState } from "react";
import { Tag, X } from "lucide-react";
import { h, Icon, Problem } from "./composer_parts.js";
import { change } from "./composer_store.js";

const MOST = 20;
const LONGEST = 40;
let known = null; // asked for once per page

async function askForKnown() {
  if (known) return known;
  try {
    const answer = await fetch("/api/v1/labels", { headers: { Accept: "application/json" } });
    known = answer.ok ? (await answer.json()).labels : [];
  } catch {
    known = []; // without suggestions a label can still be typed
  }
  return known;
}

export function Labels({ studio }) {
  const { labels } = studio.doc;
  const [typed, setTyped] = useState("");
  const [choices, setChoices] = useState([]);
  const [isAsked, setAsked] = useState(false);
  useEffect(() => {
    if (isAsked) void askForKnown().then(setChoices);
  }, [isAsked]);
  const add = (text) => {
    const found = text.split(",").map((label) => label.replace(/^#/, "").trim().replace(/\s+/g, " ").slice(0, LONGEST)).filter(Boolean);
    if (found.length) change({ labels: [...new Set([...labels, ...found])].slice(0, MOST) });
    setTyped("");
  };
  // A pick from the list comes whole; typed letters may only begin with a known label: "art", "article".
  const onChange = ({ target: { value }, nativeEvent: { inputType } }) => {
    const isPicked = inputType === undefined || inputType === "insertReplacementText";
    if (value.includes(",") || (isPicked && choices.includes(value))) add(value);
    else setTyped(value);
  };
  const remove = (label) => change({ labels: labels.filter((each) => each !== label) });
  return h(
    "div",
    { className: "labels sm" },
    h(Icon, { of: Tag, size: 14 }),
    labels.map((label) =>
      h(
        "span",
        { key: label, className: "label-chip" },
        label,
        h("button", { type: "button", "aria-label": `Remove the label ${label}`, onClick: () => remove(label) }, h(Icon, { of: X, size: 12 }))
      )
    ),
    labels.length < MOST &&
      h("input", {
        id: "labels", "aria-label": "Add a label", placeholder: labels.length ? "Add" : "Labels, for your own overview", list: "known-labels", value: typed,
        autoComplete: "off", maxLength: 200,
        onFocus: () => setAsked(true),
        onChange,
        onKeyDown: (event) => {
          if (event.nativeEvent.isComposing) return;
          const isChord = event.ctrlKey || event.metaKey;
          // Ctrl+Enter schedules and Ctrl+S saves: with the label that is not finished yet.
          if (isChord && ["enter", "s"].includes(event.key.toLowerCase())) add(typed);
          else if (event.key === "Enter" && !isChord) {
            event.preventDefault();
            add(typed);
          } else if (event.key === "Backspace" && !typed && labels.length) remove(labels[labels.length - 1]);
        },
        onBlur: () => add(typed),
      }),
    h("datalist", { id: "known-labels" }, choices.filter((label) => !labels.includes(label)).map((label) => h("option", { key: label, value: label }))),
    h(Problem, null, studio.errors.labels)
  );
}
