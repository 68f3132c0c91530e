// Completing @names and #tags while somebody types, from words that the server gave once (services/completion.py).
import { useState } from "react";
import { cx, h } from "./composer_parts.js";

const MOST = 6;
const TOKEN = /(?:^|[\s(])([@#][\p{L}\p{M}\p{N}_.\-·@]*)$/u;

let words = { hashtags: [], mentions: [] };

export function setWords(next) {
  if (next) words = { hashtags: next.hashtags || [], mentions: next.mentions || [] };
}

function candidates(token) {
  const known = token[0] === "#" ? words.hashtags : words.mentions;
  const typed = token.toLowerCase();
  const begins = known.filter((word) => word.toLowerCase().startsWith(typed) && word.toLowerCase() !== typed);
  const holds = token.length > 2 ? known.filter((word) => !begins.includes(word) && word.toLowerCase().includes(typed.slice(1)) && word.toLowerCase() !== typed) : [];
  return [...begins, ...holds].slice(0, MOST);
}

// What a text box needs: props for the textarea, the list to draw below it, and `look` to call after each change.
export function useCompletion(id, apply) {
  const [state, setState] = useState(null);
  const close = () => setState(null);
  const look = (box) => {
    if (box.selectionStart !== box.selectionEnd) return close();
    const match = TOKEN.exec(box.value.slice(0, box.selectionStart));
    const found = match ? candidates(match[1]) : [];
    return found.length ? setState({ found, index: 0, start: box.selectionStart - match[1].length, end: box.selectionStart }) : close();
  };
  const take = (word) => {
    apply(state.start, state.end, word + " ");
    close();
  };
  const onKeyDown = (event) => {
    if (!state || event.nativeEvent.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) setState({ ...state, index: (state.index + move + state.found.length) % state.found.length });
    else if ((event.key === "Enter" || event.key === "Tab") && !event.shiftKey) take(state.found[state.index]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const listId = `${id}-words`;
  const props = state
    ? { "aria-autocomplete": "list", "aria-controls": listId, "aria-activedescendant": `${listId}-${state.index}`, onKeyDown, onBlur: close }
    : { "aria-autocomplete": "list", onKeyDown };
  const list = state
    ? h(
        "ul",
        { className: "combo-list words", role: "listbox", id: listId, "aria-label": state.found[0][0] === "#" ? "Hashtags" : "Mentions" },
        state.found.map((word, index) =>
          h("li", { key: word, id: `${listId}-${index}`, role: "option", "aria-selected": index === state.index, className: cx(index === state.index && "on"), onMouseDown: (event) => (event.preventDefault(), take(word)) }, word)
        )
      )
    : null;
  return { props, list, look };
}
