// The assistant's side of the composer: the question that runs, what it said, and how to take it back.
import { useSyncExternalStore } from "react";
import { change, getState, patchMedia, set as setStudio, setText } from "./composer_store.js";

let state = {
  status: {},
  isOpen: false,
  task: "draft",
  tone: "",
  language: "",
  brief: "",
  source: "",
  ask: null, // { id, task, part, tab, mediaId } of the panel's question
  reply: {}, // what the server says of it
  alts: {}, // media id -> { askId, state, error, before }
  undo: null, // { label, snapshot } of what the last accepted suggestion replaced
};
const listeners = new Set();
const handlers = { onAsk: null, onStop: null };

export const useAssistant = () =>
  useSyncExternalStore((listener) => (listeners.add(listener), () => listeners.delete(listener)), () => state, () => state);

export function set(changes) {
  state = { ...state, ...changes };
  listeners.forEach((listener) => listener());
}

export function connect(onAsk, onStop) {
  Object.assign(handlers, { onAsk, onStop });
}

export const receiveStatus = (status) => status !== state.status && set({ status: status || {} });

export function receiveReply(reply) {
  if (!reply?.id || reply === state.reply) return;
  const mediaId = Object.keys(state.alts).find((id) => state.alts[id].askId === reply.id);
  if (mediaId) return receiveAlt(mediaId, reply);
  if (state.ask?.id === reply.id) set({ reply });
}

function receiveAlt(mediaId, reply) {
  const entry = { ...state.alts[mediaId], state: reply.state, error: reply.error || "" };
  if (reply.state === "done") {
    entry.before = altOf(mediaId);
    patchMedia(mediaId, { alt: reply.text });
  }
  set({ alts: { ...state.alts, [mediaId]: entry } });
}

const altOf = (mediaId) => getState().doc.media.find(({ id }) => id === mediaId)?.alt || "";

export function askAlt(mediaId) {
  if (!handlers.onAsk) return;
  const askId = crypto.randomUUID();
  set({ alts: { ...state.alts, [mediaId]: { askId, state: "running", error: "", before: null } } });
  handlers.onAsk({ id: askId, task: "alt_text", media_id: mediaId, language: getState().doc.options.language || "" });
}

export function undoAlt(mediaId) {
  const entry = state.alts[mediaId];
  const now = altOf(mediaId);
  patchMedia(mediaId, { alt: entry.before });
  set({ alts: { ...state.alts, [mediaId]: { ...entry, before: now } } });
}

// What the panel works on: the part and tab that are being written.
export function place(studio = getState()) {
  const { doc, tab } = studio;
  const part = Math.min(studio.part, doc.thread.length);
  const text = part ? doc.thread[part - 1] ?? "" : tab === "all" ? doc.text : doc.variants[tab] ?? doc.text;
  return { part, tab, text, accountIds: tab === "all" ? doc.targets : [tab] };
}

const isAddress = (text) => /^https?:\/\/\S+$/i.test(text.trim());

export function ask() {
  if (!handlers.onAsk) return;
  const { task, tone, language, brief, source } = state;
  const { part, tab, text, accountIds } = place();
  const id = crypto.randomUUID();
  const { options, media } = getState().doc;
  const message = {
    id, task, tone, account_ids: accountIds, language: "", options, has_media: media.some((item) => item.part === part),
  };
  if (task === "draft") Object.assign(message, { text: brief, language: getState().doc.options.language || "" });
  else if (task === "thread") Object.assign(message, isAddress(source) ? { url: source.trim() } : { text: source });
  else Object.assign(message, { text, language: task === "translate" ? language : "" });
  set({ ask: { id, task, part, tab }, reply: { id, state: "running", text: "" } });
  handlers.onAsk(message);
}

export function stop() {
  if (state.ask && handlers.onStop) handlers.onStop(state.ask.id);
  set({ ask: null, reply: {} });
}

export const dismiss = () => set({ ask: null, reply: {} });

const snapshot = () => {
  const { text, thread, variants, media } = getState().doc;
  return { text, thread, variants, media };
};

// Put the suggestion where it was asked for; what was there can be brought back.
export function accept(text) {
  const { ask: asked, reply } = state;
  const before = snapshot();
  const current = place().text;
  if (asked.task === "thread" && reply.answer.parts.length > 1) {
    const [first, ...rest] = reply.answer.parts;
    change({ text: first, thread: rest });
    setStudio({ tab: "all", part: 0 });
  } else if (asked.task === "hashtags") {
    const words = new Set(current.toLowerCase().match(/#[\p{L}\p{N}_]+/gu) || []);
    const fresh = reply.answer.hashtags.filter((tag) => !words.has(tag.toLowerCase()));
    setText(asked.part, fresh.length ? `${current.trimEnd()}${current.trim() ? "\n\n" : ""}${fresh.join(" ")}` : current, asked.tab);
  } else {
    setText(asked.part, text, asked.tab);
  }
  set({ undo: { snapshot: before, isRedo: false }, ask: null, reply: {} });
}

// Undo swaps: what stands now comes back with the next press, so that nothing typed since is lost either.
export function undo() {
  const now = snapshot();
  const { snapshot: before, isRedo } = state.undo;
  change(before);
  const { part, doc } = getState();
  if (part > doc.thread.length) setStudio({ part: doc.thread.length });
  set({ undo: { snapshot: now, isRedo: !isRedo } });
}
