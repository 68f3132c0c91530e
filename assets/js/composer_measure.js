// How long a text is by a network's own rule: the same arithmetic as contentcaster/platforms/text.py, so that a counter
// never waits for the server. tests/web/test_studio_counters.py runs one table of texts through both.
// A rule is services.views.TextRuleView as JSON.

import { weighDomains } from "./composer_domains.js";

// The same classes of characters as Python's regex module has for \s and \w.
const SPACE = "\\p{White_Space}";
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const NAME = "[a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_]+)?";

const URL = new RegExp(`https?://[^${SPACE}<>"\\u3000\\uff08\\uff09]+`, "giu");
const MENTION = new RegExp(`(?<![=/${WORD}.])@(${NAME})@[${WORD}.\\-]+[${WORD}]`, "giu");
const ANY_MENTION = new RegExp(`(?<![=/${WORD}.])@${NAME}(?:@[${WORD}.\\-]+[${WORD}])?`, "giu");
const HASHTAG = new RegExp(`(?<![=/)${WORD}])#[${WORD}\\u00b7]*[\\p{L}\\p{M}][${WORD}\\u00b7]*`, "giu");
const TRAILING = ".,;:!?'\")]}…";

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

// One character each, unless there is something that could join: most posts never reach the segmenter.
const isPlain = (text) => /^[\n\x20-\x7e]*$/.test(text);

export function graphemes(text) {
  if (isPlain(text)) return text.length;
  let count = 0;
  for (const _ of segmenter.segment(text)) count += 1;
  return count;
}

export function codePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

export const utf8Bytes = (text) => new TextEncoder().encode(text).length;

// Links with a scheme; punctuation behind one belongs to the sentence, a closing bracket only if it was opened inside.
export function findLinks(text) {
  const found = [];
  if (!text.includes("://")) return found;
  for (const match of text.matchAll(URL)) {
    let url = match[0];
    const isOpened = () => url.split("(").length >= url.split(")").length;
    while (url && TRAILING.includes(url.at(-1)) && !(url.at(-1) === ")" && isOpened())) url = url.slice(0, -1);
    if (url.length > 8) found.push({ kind: "link", start: match.index, end: match.index + url.length });
  }
  return found;
}

// What platforms/link_tags.py does: the channel's tags in each link, unless it carries one of that name.
export function tagLinks(text, tags) {
  const pairs = tags ? [["utm_source", tags.source], ["utm_medium", tags.medium], ["utm_campaign", tags.campaign]].filter(([, value]) => value) : [];
  if (!pairs.length) return text;
  let position = 0;
  const pieces = [];
  for (const { start, end } of findLinks(text)) {
    pieces.push(text.slice(position, start), tagged(text.slice(start, end), pairs));
    position = end;
  }
  return pieces.join("") + text.slice(position);
}

function tagged(url, pairs) {
  const mark = url.indexOf("#");
  let base = mark < 0 ? url : url.slice(0, mark);
  for (const [name, value] of pairs) {
    if (base.includes(`?${name}=`) || base.includes(`&${name}=`)) continue;
    const glue = /[?&]$/.test(base) ? "" : base.includes("?") ? "&" : "?";
    base = `${base}${glue}${name}=${value}`;
  }
  return mark < 0 ? base : base + url.slice(mark);
}

// Links, mentions and hashtags, in order and not overlapping; for colouring.
export function findEntities(text) {
  const found = findLinks(text);
  const isFree = (start) => !found.some((entity) => entity.start <= start && start < entity.end);
  const more = [];
  for (const [kind, pattern] of [["mention", ANY_MENTION], ["hashtag", HASHTAG]]) {
    for (const match of text.matchAll(pattern)) {
      if (isFree(match.index)) more.push({ kind, start: match.index, end: match.index + match[0].length });
    }
  }
  return [...found, ...more].sort((a, b) => a.start - b.start);
}

// What a text is counted as, once links and mentions are replaced by what they weigh.
function countable(text, rule) {
  let counted = text;
  if (rule.url_length !== null && rule.url_length !== undefined) {
    let position = 0;
    const parts = [];
    const weight = "x".repeat(rule.url_length);
    const between = (piece) => (rule.counts_bare_domains ? weighDomains(piece, weight) : piece);
    for (const { start, end } of findLinks(text)) {
      parts.push(between(text.slice(position, start)), weight);
      position = end;
    }
    counted = parts.join("") + between(text.slice(position));
  }
  if (rule.ignores_mention_domain && counted.includes("@")) {
    counted = counted.replace(MENTION, (_, name) => "@" + name);
  }
  return counted;
}

// X's weights (twitter-text configuration v3): these ranges count 1, everything else and each composed emoji 2.
const COMPOSED_EMOJI = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator})/u;
const LIGHT = [[0, 4351], [8192, 8205], [8208, 8223], [8242, 8247]];

function weighted(text) {
  let count = 0;
  for (const { segment } of segmenter.segment(text)) {
    const codes = [...segment.replaceAll("\r\n", "\n")].map((character) => character.codePointAt(0));
    if (codes.length > 1 && COMPOSED_EMOJI.test(segment)) count += 2;
    else for (const code of codes) count += LIGHT.some(([from, to]) => from <= code && code <= to) ? 1 : 2;
  }
  return count;
}

const COUNT = { characters: codePoints, graphemes, utf16: (text) => text.length, weighted };

// One key press asks for the same few counts several times: for the counter, the mark, the preview, each channel.
const counted = new Map();

function count(text, unit) {
  if (text.length < 200) return COUNT[unit](text);
  const key = unit + text;
  if (!counted.has(key)) {
    if (counted.size > 60) counted.clear();
    counted.set(key, COUNT[unit](text));
  }
  return counted.get(key);
}

// The length by the rule, and whether the text as it is would be refused for its length. `rule.tags` go into its links.
export function measure(written, rule, warning = "") {
  const text = tagLinks(written, rule.tags);
  const ofWarning = rule.counts_content_warning && warning ? count(warning, rule.unit) : 0;
  const length = count(countable(text, rule), rule.unit) + ofWarning;
  const bytes = rule.max_bytes ? utf8Bytes(text) : 0;
  const isOverBytes = Boolean(rule.max_bytes) && bytes > rule.max_bytes;
  return { length, bytes, limit: rule.max_length, isOverBytes, isTooLong: length > rule.max_length || isOverBytes };
}

const LOOKED_AT = 6000;

// Where the text stops to fit, as an index into it; null if all of it does.
export function overflowAt(text, rule, warning = "") {
  if (!measure(text, rule, warning).isTooLong) return null;
  const head = text.slice(0, LOOKED_AT);
  const ends = [...segmenter.segment(head)].map(({ index, segment }) => index + segment.length);
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(head.slice(0, ends[middle - 1]), rule, warning).isTooLong) high = middle - 1;
    else low = middle;
  }
  return low === ends.length ? null : low ? ends[low - 1] : 0;
}

const sentences = new Intl.Segmenter(undefined, { granularity: "sentence" });

// Cut a text that is too long into parts that fit every rule: at blank lines, else sentence ends, else words.
export function splitIntoParts(text, rules, warning = "", maxParts = 26) {
  const fits = (part) => rules.every((rule) => !measure(part, rule, warning).isTooLong);
  const parts = [];
  let rest = text.trim();
  while (rest && parts.length < maxParts - 1 && !fits(rest)) {
    const end = Math.min(...rules.map((rule) => overflowAt(rest, rule, warning) ?? rest.length));
    const cut = cutBefore(rest, end);
    parts.push(rest.slice(0, cut).trim());
    rest = rest.slice(cut).trim();
  }
  return rest ? [...parts, rest] : parts;
}

function cutBefore(text, end) {
  const paragraph = text.lastIndexOf("\n\n", end);
  if (paragraph > end * 0.4) return paragraph;
  let sentence = 0;
  for (const { index } of sentences.segment(text.slice(0, end + 400))) {
    if (index > end) break;
    sentence = index;
  }
  if (sentence > end * 0.3) return sentence;
  const word = text.slice(0, end + 1).search(/\s\S*$/u);
  return word > 0 ? word : Math.max(end, 1);
}
