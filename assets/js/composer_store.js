// The post being written, in this browser: the one truth while somebody types. Components subscribe to it, the server
// hears of changes a moment later (autosave), and a copy in sessionStorage outlives reloads and lost connections.
import { useSyncExternalStore } from "react";
import { nextSlot, wallOf } from "./composer_clock.js";
import { measure } from "./composer_measure.js";
import { endBurst, forget, remember, step } from "./composer_undo.js";
import { repeatOf, repeatRuleOf } from "./composer_rule.js";

const SYNC_AFTER_MS = 900;
const SYNC_AT_LEAST_EVERY_MS = 4000;
const ANSWER_WITHIN_MS = 8000;
const COPY_PREFIX = "contentcaster.studio.";

const EMPTY = {
  post_id: "", version: 0, status: "Draft", key: "", text: "", thread: [], targets: [], variants: {},
  target_options: {}, media: [], options: {}, labels: [], schedule: null, missed_policy: "publish_late",
  first_comment: "", series_id: "", series_version: 0,
};

let state = {
  doc: { ...EMPTY },
  accounts: [],
  person: { id: "", timezone: "UTC", needs_approval: false, can_connect: false },
  missedAfterMinutes: 15,
  nonce: 0,
  tab: "all",
  part: 0,
  uploads: [],
  errors: {},
  mediaError: "",
  seq: 0,
  savedSeq: 0,
  savedAt: "",
  submitting: "",
  conflict: null,
  isRestored: false,
  isSilent: false,
  problem: "",
};
const listeners = new Set();
const handlers = { onSync: null, onSubmit: null };

let syncTimer = 0;
let answerTimer = 0;
let dirtySince = 0;
let inFlight = 0;
let waitingAction = "";
let afterUploads = "";
let lastAck = {};
export const caret = { part: 0, position: null };

export const getState = () => state;
export const useStudio = () =>
  useSyncExternalStore((listener) => (listeners.add(listener), () => listeners.delete(listener)), getState, getState);

export function set(changes) {
  state = { ...state, ...changes };
  listeners.forEach((listener) => listener());
}

export const isDirty = () => state.seq > state.savedSeq;

// Scheduled posts are not saved while somebody types: half a sentence could go out.
export const isAutosaved = (doc = state.doc) => ["Draft", "Cancelled", "Missed"].includes(doc.status);

export const isEmpty = (doc) => !doc.text && !doc.media.length && !doc.thread.some(Boolean) && !Object.keys(doc.variants).length;

export const account = (id) => state.accounts.find((each) => each.id === id);
export const textFor = (doc, accountId) => doc.variants[accountId] ?? doc.text;
export const partsFor = (doc, accountId) => [textFor(doc, accountId), ...doc.thread];
// What the channel shows instead of the text until it is opened; "" where the network has no warnings.
export const warningFor = (doc, channel) => (channel.features.includes("content_warning") ? doc.options.content_warning?.trim() || "" : "");
export const mediaOf = (doc, part) => doc.media.filter((item) => item.part === part);

// Change the post: the one way to do it.
export function change(changes) {
  const doc = { ...state.doc, ...changes };
  remember(state.doc, changes);
  dirtySince ||= Date.now();
  const mediaError = "media" in changes ? "" : state.mediaError;
  set({ doc, seq: state.seq + 1, errors: without(state.errors, changes), problem: "", mediaError });
  keepCopy();
  scheduleSync();
}

// Back to what stood there before the last change, or forth again; the caret goes to the text.
export function undo(isRedo = false) {
  const doc = step(state.doc, isRedo);
  if (!doc) return;
  dirtySince ||= Date.now();
  const tab = state.tab === "all" || doc.targets.includes(state.tab) ? state.tab : "all";
  set({ doc, tab, part: Math.min(state.part, doc.thread.length), seq: state.seq + 1, errors: {}, problem: "", mediaError: "" });
  keepCopy();
  scheduleSync();
}

// A message at a field goes away when the field is changed.
function without(errors, changes) {
  const touches = {
    text: (field) => field === "text" || field.endsWith(".text"),
    variants: (field) => field.startsWith("targets."),
    targets: (field) => field.startsWith("targets"),
    thread: (field) => field.startsWith("thread"),
    media: (field) => field === "media",
    schedule: (field) => ["scheduled_at", "timezone", "rule"].includes(field),
    repeat: (field) => field === "rule",
    options: (field) => field.startsWith("options"),
    first_comment: (field) => field === "first_comment",
    labels: (field) => field === "labels",
  };
  const isTouched = (field) => Object.keys(changes).some((name) => touches[name]?.(field));
  return Object.fromEntries(Object.entries(errors).filter(([field]) => !isTouched(field)));
}

export function setText(part, value, tab = state.tab) {
  const { doc } = state;
  if (part > 0) return change({ thread: doc.thread.map((text, index) => (index === part - 1 ? value : text)) });
  if (tab === "all") return change({ text: value });
  const variants = { ...doc.variants };
  if (value === doc.text) delete variants[tab];
  else variants[tab] = value;
  return change({ variants });
}

export function revertVariant(accountId) {
  const { [accountId]: _, ...variants } = state.doc.variants;
  change({ variants });
}

export function toggleTarget(accountId) {
  const { doc, tab } = state;
  const isOn = doc.targets.includes(accountId);
  const order = state.accounts.map(({ id }) => id);
  const targets = isOn ? doc.targets.filter((id) => id !== accountId) : [...doc.targets, accountId];
  change({ targets: targets.sort((a, b) => order.indexOf(a) - order.indexOf(b)) });
  if (isOn && tab === accountId) set({ tab: "all" });
}

export function addPart(after = state.doc.thread.length) {
  const thread = [...state.doc.thread.slice(0, after), "", ...state.doc.thread.slice(after)];
  const media = state.doc.media.map((item) => (item.part > after ? { ...item, part: item.part + 1 } : item));
  change({ thread, media });
  set({ part: after + 1 });
  caret.part = after + 1;
  caret.position = 0;
}

export function removePart(part) {
  const thread = state.doc.thread.filter((_, index) => index !== part - 1);
  const media = state.doc.media
    .filter((item) => item.part !== part)
    .map((item) => (item.part > part ? { ...item, part: item.part - 1 } : item));
  change({ thread, media });
  set({ part: Math.max(0, part - 1) });
}

export const setOption = (name, value) => change({ options: { ...state.doc.options, [name]: value } });
export const setSchedule = (changes) => change({ schedule: { ...state.doc.schedule, ...changes, chosen: true } });
export const setRepeat = (changes) => change({ repeat: changes && { ...state.doc.repeat, ...changes } });

export function patchMedia(id, changes) {
  change({ media: state.doc.media.map((item) => (item.id === id ? { ...item, ...changes } : item)) });
}

export function moveMedia(id, step) {
  const media = [...state.doc.media];
  const from = media.findIndex((item) => item.id === id);
  let to = from + step;
  while (media[to] && media[to].part !== media[from].part) to += step;
  if (!media[to]) return;
  [media[from], media[to]] = [media[to], media[from]];
  change({ media });
}

// Put a picture where another one stands; in that one's part.
export function moveMediaTo(id, otherId) {
  const { media } = state.doc;
  const from = media.findIndex((item) => item.id === id);
  const to = media.findIndex((item) => item.id === otherId);
  if (from < 0 || to < 0 || from === to) return;
  const rest = media.filter((item) => item.id !== id);
  rest.splice(to, 0, { ...media[from], part: media[to].part });
  change({ media: rest });
}

export const removeMedia = (id) => change({ media: state.doc.media.filter((item) => item.id !== id) });

// A channel's rule with the tags that its links get in this post; `part`: under its pictures a text may be shorter.
export function ruleOf(channel, doc, part = null) {
  const shorter = part !== null && mediaOf(doc, part).length ? channel.text_rule.max_length_with_media : null;
  const rule = shorter ? { ...channel.text_rule, max_length: shorter } : channel.text_rule;
  if (!channel.link_tags || doc.options.link_tags === "off") return rule;
  const { campaign } = doc.options;
  return { ...rule, tags: campaign ? { ...channel.link_tags, campaign } : channel.link_tags };
}

export const takesComment = (channel) => channel.features.includes("first_comment");

// Which rules a part has to keep on the tab that is shown.
export function rulesFor(doc, tab, part) {
  const ids = tab === "all" ? doc.targets.filter((id) => part > 0 || !(id in doc.variants)) : [tab];
  return ids.map(account).filter(Boolean).map((each) => ruleOf(each, doc, part));
}

export function countsOf(doc, part) {
  return doc.targets.map(account).filter(Boolean).map((each) => ({
    account: each,
    ...measure((partsFor(doc, each.id)[part] ?? "").trim(), ruleOf(each, doc, part), warningFor(doc, each)),
  }));
}

export function countsOfComment(doc) {
  const takers = doc.targets.map(account).filter((each) => each && takesComment(each));
  return takers.map((each) => ({ account: each, ...measure(doc.first_comment.trim(), ruleOf(each, doc), warningFor(doc, each)) }));
}

// Words that come from elsewhere (a saved text, an assistant): at the caret of the part that was written in last.
export function insert(words, { atEnd = false, apart = false } = {}) {
  const { doc, tab } = state;
  const part = Math.min(state.part, doc.thread.length);
  const text = part > 0 ? doc.thread[part - 1] : tab === "all" ? doc.text : textFor(doc, tab);
  const at = atEnd || caret.part !== part || caret.position === null ? text.length : Math.min(caret.position, text.length);
  const before = text.slice(0, at);
  const glue = !before || /\n$/.test(before) ? "" : apart ? (/\n\n$/.test(before) ? "" : "\n\n") : /\s$/.test(before) ? "" : " ";
  const added = glue + words;
  endBurst();
  setText(part, before + added + text.slice(at));
  endBurst();
  caret.part = part;
  caret.position = at + added.length;
  requestAnimationFrame(() => {
    const box = document.getElementById(`text-${part}`);
    box?.focus();
    box?.setSelectionRange(caret.position, caret.position);
  });
}

// From the server

export function receive(next) {
  if (!next || !next.nonce || next.nonce === state.nonce) return;
  const isSame = state.nonce > 0 && copyOf(state.doc) === copyOf({ ...EMPTY, ...next.doc }) && state.person.id === next.person.id;
  const common = { accounts: next.accounts, person: next.person, missedAfterMinutes: next.missed_after_minutes, nonce: next.nonce };
  if (isSame && isDirty()) {
    set(common);
    scheduleSync(0);
    return;
  }
  let doc = { ...EMPTY, ...next.doc, key: crypto.randomUUID() };
  doc.schedule ||= defaultSchedule(next.person.timezone);
  if (doc.rule) doc.repeat = repeatOf(doc.rule, doc.schedule.date);
  if (!doc.post_id && !doc.targets.length) doc.targets = lastChannels(next);
  const fresh = {
    doc, tab: "all", part: 0, uploads: [], errors: {}, mediaError: "", seq: 0, savedSeq: 0, problem: "",
    savedAt: doc.post_id ? next.saved_at : "", submitting: "", conflict: null, isRestored: false, ...common,
  };
  inFlight = 0;
  waitingAction = "";
  afterUploads = "";
  forget();
  const copy = readCopy(next.person.id, copyOf(doc));
  if (copy) {
    Object.assign(fresh, { doc: { ...doc, ...copy.doc }, seq: copy.seq || 1, isRestored: true });
    const { version } = doc;
    if (lastAck.key === copy.doc.key && lastAck.post_id) Object.assign(fresh.doc, { post_id: lastAck.post_id, version: lastAck.version });
    else if (doc.post_id && copy.doc.version !== version) fresh.conflict = { ...next.theirs, version };
  }
  set(fresh);
  if (copy) scheduleSync(0);
  else check();
}

// A new post starts with the channels of the last one that was sent from this browser.
function lastChannels({ person, accounts }) {
  try {
    const ids = JSON.parse(localStorage.getItem(`${COPY_PREFIX}${person.id}.channels`)) || [];
    return ids.filter((id) => accounts.some((each) => each.id === id && each.status === "connected"));
  } catch {
    return [];
  }
}

function rememberChannels() {
  try {
    localStorage.setItem(`${COPY_PREFIX}${state.person.id}.channels`, JSON.stringify(state.doc.targets));
  } catch {
    // Only a convenience.
  }
}

function defaultSchedule(zone) {
  return { ...wallOf(nextSlot(), zone), zone, fold: null };
}

export function updateAccounts(accounts) {
  if (accounts && accounts !== state.accounts) set({ accounts });
}

// The answer to a sync or a submit.
export function acknowledge(ack) {
  if (!ack || !ack.seq || ack === lastAck || (ack.stamp && ack.stamp === lastAck.stamp)) return;
  lastAck = ack;
  if (ack.key !== state.doc.key) return;
  clearTimeout(answerTimer);
  if (ack.is_silent) {
    noAnswer();
    return;
  }
  inFlight = 0;
  const changes = { isSilent: false, problem: ack.problem || "" };
  if (ack.is_saved) {
    const hasNewId = ack.post_id !== state.doc.post_id && Boolean(ack.post_id);
    changes.doc = { ...state.doc, post_id: ack.post_id, version: ack.version, status: ack.status };
    changes.savedSeq = ack.saved_seq;
    changes.savedAt = ack.saved_at;
    changes.isRestored = false;
    if (hasNewId) {
      dropCopy("new");
      history.replaceState(history.state, "", `/studio?post=${encodeURIComponent(ack.post_id)}`);
    }
  }
  if (ack.conflict) changes.conflict = ack.conflict;
  if (ack.action) {
    changes.errors = ack.errors || {};
    changes.submitting = "";
  }
  set(changes);
  if (!isDirty()) {
    dirtySince = 0;
    dropCopy();
  }
  if (ack.is_done) {
    rememberChannels();
    dropCopy();
    set({ doc: { ...state.doc, key: "" }, nonce: 0, seq: 0, savedSeq: 0 });
    return;
  }
  if (waitingAction) {
    const action = waitingAction;
    waitingAction = "";
    submit(action);
  } else if (isDirty() && isAutosaved() && !state.conflict && !ack.action && !ack.problem) {
    scheduleSync();
  }
  if (ack.action && Object.keys(state.errors).length) focusFirstError();
}

function focusFirstError() {
  requestAnimationFrame(() => document.querySelector(".composer [aria-invalid=true], .when [aria-invalid=true]")?.focus());
}

// To the server

export function connect(onSync, onSubmit) {
  handlers.onSync = onSync;
  handlers.onSubmit = onSubmit;
}

function scheduleSync(after = SYNC_AFTER_MS) {
  clearTimeout(syncTimer);
  const isOverdue = dirtySince && Date.now() - dirtySince > SYNC_AT_LEAST_EVERY_MS;
  syncTimer = setTimeout(sync, isOverdue ? 0 : after);
}

function sync() {
  if (!handlers.onSync || state.submitting || inFlight) return;
  dirtySince = 0;
  send(handlers.onSync, { should_save: isAutosaved() && !state.conflict && isDirty() && !(isEmpty(state.doc) && !state.doc.post_id) });
}

// Only look it over; nothing has changed.
function check() {
  if (handlers.onSync && !inFlight && !isEmpty(state.doc)) send(handlers.onSync, { should_save: false });
}

function send(handler, extra) {
  inFlight = state.seq || 1;
  clearTimeout(answerTimer);
  answerTimer = setTimeout(noAnswer, ANSWER_WITHIN_MS);
  handler({ seq: inFlight, doc: payload(state.doc), ...extra });
}

function noAnswer() {
  inFlight = 0;
  waitingAction = "";
  set({ isSilent: true, submitting: "" });
  scheduleSync(3000);
}

function payload(doc) {
  const { media, variants, ...rest } = doc;
  const chosen = Object.fromEntries(Object.entries(variants).filter(([id]) => doc.targets.includes(id)));
  return { ...rest, variants: chosen, media: media.map(({ id, alt, part }) => ({ id, alt, part })) };
}

// action: draft | now | schedule | queue | repeat
export function submit(action) {
  if (state.submitting && state.submitting !== action) return;
  if (state.uploads.some((upload) => !upload.error)) {
    afterUploads = action;
    set({ submitting: action });
    return;
  }
  clearTimeout(syncTimer);
  set({ submitting: action, errors: {} });
  if (inFlight) waitingAction = action;
  else send(handlers.onSubmit, { action, rule: action === "repeat" ? repeatRuleOf(state.doc) : "" });
}

// An upload has ended: what waited for it goes on, unless a picture is missing now.
export function uploadsChanged() {
  if (!afterUploads || state.uploads.some((upload) => !upload.error)) return;
  const action = afterUploads;
  afterUploads = "";
  set({ submitting: "" });
  if (state.uploads.length) set({ mediaError: "A picture or video could not be uploaded. Take it out, or add it again." });
  else submit(action);
}

// Send what is not saved yet, now: the page is being left.
export function flush() {
  if (isDirty()) {
    clearTimeout(syncTimer);
    sync();
  }
}

// When two people changed the same post

export function keepMineAsNew() {
  dropCopy();
  set({ doc: { ...state.doc, post_id: "", version: 0, status: "Draft", key: crypto.randomUUID() }, conflict: null, seq: state.seq + 1 });
  history.replaceState(history.state, "", "/studio");
  keepCopy();
  scheduleSync(0);
}

export function overwriteTheirs() {
  set({ doc: { ...state.doc, version: state.conflict.version }, conflict: null, seq: state.seq + 1 });
  keepCopy();
  scheduleSync(0);
}

// Leave what was written here; what it was before stands on the server.
export function forgetChanges() {
  clearTimeout(syncTimer);
  dropCopy();
  set({ seq: 0, savedSeq: 0, nonce: 0 });
}

export function discardMine() {
  dropCopy();
  location.reload();
}

// The copy in this tab

const copyOf = (doc) => doc.post_id || (doc.series_id && `series.${doc.series_id}`) || "new";
const copyName = (person, name) => `${COPY_PREFIX}${person}.${name}`;

function keepCopy() {
  if (!state.person.id) return;
  try {
    sessionStorage.setItem(copyName(state.person.id, copyOf(state.doc)), JSON.stringify({ doc: state.doc, seq: state.seq }));
  } catch {
    // Full or forbidden: the server's copy is then the only one.
  }
}

function dropCopy(name = copyOf(state.doc)) {
  sessionStorage.removeItem(copyName(state.person.id, name));
}

function readCopy(person, name) {
  try {
    const copy = JSON.parse(sessionStorage.getItem(copyName(person, name)));
    if (!copy) return null;
    if (lastAck.key === copy.doc.key && lastAck.saved_seq >= copy.seq) {
      // All of it was saved just before the page was left.
      sessionStorage.removeItem(copyName(person, name));
      return null;
    }
    return copy;
  } catch {
    return null;
  }
}
