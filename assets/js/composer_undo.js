// Undo and redo of everything that is written: text, parts, pictures, options, channels. A burst of typing is one step.
const BURST_MS = 900;
const MOST_STEPS = 200;
const TYPED = new Set(["text", "thread", "variants", "options", "first_comment"]);
const LEFT_ALONE = ["post_id", "version", "status", "key", "schedule", "series_version"];

let past = [];
let future = [];
let burst = { name: "", at: 0 };

export const canUndo = () => past.length > 0;
export const canRedo = () => future.length > 0;

export function forget() {
  past = [];
  future = [];
  burst = { name: "", at: 0 };
}

// What is put in as a whole is a step of its own, however quickly it follows the typing.
export function endBurst() {
  burst = { name: "", at: 0 };
}

// Called with the document as it was before `changes`.
export function remember(doc, changes) {
  const names = Object.keys(changes);
  if (names.every((name) => LEFT_ALONE.includes(name))) return;
  const isStructural = names.length > 1 || (changes.thread && changes.thread.length !== doc.thread.length);
  const name = names.length === 1 && TYPED.has(names[0]) && !isStructural ? names[0] : "";
  const now = Date.now();
  const goesOn = name && name === burst.name && now - burst.at < BURST_MS;
  burst = { name, at: now };
  future = [];
  if (goesOn) return;
  past.push(doc);
  if (past.length > MOST_STEPS) past.shift();
}

// The document to go to, or null; `doc` is the one that is left.
export function step(doc, isRedo) {
  const [from, to] = isRedo ? [future, past] : [past, future];
  if (!from.length) return null;
  to.push(doc);
  burst = { name: "", at: 0 };
  const target = from.pop();
  const kept = Object.fromEntries(LEFT_ALONE.map((name) => [name, doc[name]]));
  return { ...target, ...kept };
}
