// A word about a post and the buttons that send it. What is typed lives here, so a click never overtakes the last letters.
import { useEffect, useState } from "react";
import { Check, MessageSquare, Undo2 } from "lucide-react";
import { cx, h, Icon, Problem } from "./composer_parts.js";

const ICONS = { approve: Check, return: Undo2, comment: MessageSquare };

export function ReviewBox({ fieldId, label, placeholder, acts, error, taken, onAct }) {
  const [text, setText] = useState("");
  useEffect(() => {
    if (taken) setText("");
  }, [taken]);
  return h(
    "div",
    { className: "decide" },
    h(
      "div",
      { className: "field" },
      h("label", { htmlFor: fieldId }, label),
      h("textarea", {
        id: fieldId, className: "input talk-input", rows: 2, value: text, placeholder, "aria-invalid": Boolean(error),
        "aria-describedby": error ? `${fieldId}-error` : undefined, onChange: (event) => setText(event.target.value),
      }),
      h(Problem, { id: `${fieldId}-error` }, error)
    ),
    h(
      "div",
      { className: "row wrap" },
      acts.map(({ name, words, kind }) =>
        h("button", { key: name, type: "button", className: cx("btn", kind), onClick: () => onAct(name, text) }, h(Icon, { of: ICONS[name] }), words)
      )
    )
  );
}
