// Below the time fields: the next free queue slot, the best hour, and how the post repeats with its next ten.
import { useEffect, useMemo } from "react";
import { ChartNoAxesColumn, ListPlus, Repeat as RepeatIcon } from "lucide-react";
import { dayAndTimeIn, inWords, isZone, readingsOf } from "./composer_clock.js";
import { cx, h, Icon, Problem } from "./composer_parts.js";
import { repeatChoices, repeatRuleOf } from "./composer_rule.js";
import { setRepeat, setSchedule, submit } from "./composer_store.js";

const ASK_AFTER_MS = 350;

function useLater(run, inputs) {
  useEffect(() => {
    const timer = setTimeout(run, ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, inputs);
}

const instantOf = (wall, zone) => readingsOf(wall.slice(0, 10), wall.slice(11, 16), zone)?.candidates[0];

export function Hints({ hints, onLook, studio }) {
  const { doc, submitting } = studio;
  const ids = doc.targets.join();
  const { zone } = doc.schedule;
  useLater(() => isZone(zone) && onLook(doc.targets, zone), [ids, zone]);
  if (!hints || (!hints.slot_problem && !hints.slot_wall_time && !hints.best_sentence) || doc.repeat) return null;
  const slot = hints.slot_wall_time && isZone(hints.slot_timezone) && instantOf(hints.slot_wall_time, hints.slot_timezone);
  return h(
    "div",
    { className: "when-hints" },
    h(
      "div",
      { className: "when-hint sm", id: "slot-hint" },
      h(Icon, { of: ListPlus, size: 15 }),
      slot
        ? h("span", null, "Next free slot: ", h("b", { className: "num" }, dayAndTimeIn(slot, hints.slot_timezone)), h("span", { className: "muted" }, ` ${hints.slot_timezone} · ${inWords(slot - Date.now())}`), hints.slot_note && h("span", { className: "muted" }, ` · ${hints.slot_note}`))
        : h("span", { className: "muted" }, hints.slot_problem),
      slot && h("button", { type: "button", id: "do-queue", className: "btn s push", disabled: Boolean(submitting), "aria-busy": submitting === "queue", onClick: () => submit("queue") }, submitting === "queue" ? "One moment …" : "Add to queue")
    ),
    hints.best_sentence &&
      h(
        "div",
        { className: "when-hint sm", id: "best-hint" },
        h(Icon, { of: ChartNoAxesColumn, size: 15 }),
        h("span", { className: cx(!hints.best_wall_time && "muted") }, hints.best_sentence),
        hints.best_wall_time && h("button", { type: "button", className: "btn s g push", onClick: () => setSchedule({ date: hints.best_wall_time.slice(0, 10), time: hints.best_wall_time.slice(11, 16), fold: null }) }, "Use it")
      )
  );
}

export function Repeat({ preview, onRule, studio }) {
  const { doc, errors } = studio;
  const { repeat, schedule } = doc;
  const rule = repeat ? repeatRuleOf(doc) : "";
  const first = `${schedule.date}T${schedule.time}`;
  const choices = useMemo(() => repeatChoices(schedule.date), [schedule.date]);
  const canAsk = rule && schedule.date && schedule.time && isZone(schedule.zone);
  useLater(() => canAsk && onRule(rule, first, schedule.zone), [rule, first, schedule.zone, Boolean(canAsk)]);
  const isSeries = Boolean(doc.series_id);
  if (!isSeries && !["Draft", "Cancelled", "Missed"].includes(doc.status)) return null;
  const choose = (kind) => setRepeat(kind ? { kind, end: repeat?.end || "never", count: repeat?.count || "10", custom: repeat?.custom || rule || "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=10" } : null);
  return h(
    "div",
    { className: "repeat" },
    h(
      "div",
      { className: "repeat-fields" },
      h("label", { htmlFor: "repeat", className: "sm muted repeat-label" }, h(Icon, { of: RepeatIcon, size: 14 }), "Repeat"),
      h("select", { id: "repeat", className: "input", value: repeat?.kind || "", onChange: (event) => choose(event.target.value) }, choices.filter(([kind]) => kind || !isSeries).map(([kind, title]) => h("option", { key: kind, value: kind }, title))),
      repeat && repeat.kind !== "custom" && h(
        "select",
        { id: "repeat-end", className: "input", "aria-label": "Until when", value: repeat.end, onChange: (event) => setRepeat({ end: event.target.value }) },
        [["never", "without end"], ["count", "a number of times"], ["until", "until a day"]].map(([name, title]) => h("option", { key: name, value: name }, title))
      ),
      repeat?.end === "count" && repeat.kind !== "custom" && h("input", { id: "repeat-count", className: "input num", type: "number", min: 1, max: 1000, "aria-label": "How many times", value: repeat.count, onChange: (event) => setRepeat({ count: event.target.value }) }),
      repeat?.end === "until" && repeat.kind !== "custom" && h("input", { id: "repeat-until", className: "input num", type: "date", "aria-label": "Last day", value: repeat.until || "", onChange: (event) => setRepeat({ until: event.target.value }) }),
      repeat?.kind === "custom" && h("input", { id: "repeat-rule", className: "input mono", "aria-label": "Recurrence rule", spellCheck: false, value: repeat.custom, onChange: (event) => setRepeat({ custom: event.target.value }) })
    ),
    errors.rule && h(Problem, { id: "rule-error" }, errors.rule),
    repeat && h(NextTen, { preview, expected: `${rule}|${first}|${schedule.zone}`, zone: schedule.zone, isSeries })
  );
}

function NextTen({ preview, expected, zone, isSeries }) {
  if (!preview || preview.key !== expected || !isZone(zone)) return h("p", { className: "sm faint" }, "Looking at the calendar …");
  if (preview.problem) return h(Problem, { id: "rule-problem" }, preview.problem);
  return h(
    "div",
    { className: "next-ten", "aria-live": "polite" },
    h("p", { className: "sm" }, h("b", null, preview.words), h("span", { className: "muted" }, ` · the next ${preview.items.length}, by the clocks of ${zone}:`)),
    h(
      "ol",
      { className: "num sm" },
      preview.items.map(({ at, note }) => h("li", { key: at, className: cx(note && "noted"), title: note || undefined }, dayAndTimeIn(Date.parse(at), zone), note && h("span", { className: "xs tone-warn" }, ` ${note}`)))
    ),
    h("p", { className: "xs faint" }, isSeries ? "Waiting posts on other days than these are taken back when you save; days that were left out stay left out." : "The posts of the coming two weeks are made at once, so that each can be read, changed or left out.")
  );
}
