// When the post goes out: a wall time in a zone, said in other words too, and the buttons that decide.
import { useEffect, useState } from "react";
import { Clock } from "lucide-react";
import { Link } from "react-router";
import { dayAndTimeIn, dayIn, inWords, isZone, offsetName, readingsOf, timeIn, wallOf } from "./composer_clock.js";
import { cx, h, Icon, Problem } from "./composer_parts.js";
import { Hints, Repeat } from "./composer_planning.js";
import { ZonePicker } from "./composer_zones.js";
import { change, forgetChanges, getState, isDirty, isEmpty, setSchedule, submit, useStudio } from "./composer_store.js";

// What is chosen, as far as the browser can tell: an instant, or a sentence about what is wrong.
export function readSchedule(schedule, now) {
  const { date, time, zone, fold } = schedule;
  if (!isZone(zone)) return { field: "timezone", problem: zone ? `There is no time zone “${zone.slice(0, 40)}”. Use a name such as Europe/Berlin.` : "Choose a time zone." };
  if (!date || !time) return { field: "scheduled_at", problem: "Choose a date and a time." };
  const readings = readingsOf(date, time, zone);
  if (!readings) return { field: "scheduled_at", problem: "That date does not exist. Check day and month." };
  const isOne = readings.candidates[0] === readings.candidates[1];
  const instant = isOne ? readings.candidates[0] : readings.candidates[fold ?? 0];
  const choices = isOne ? null : readings.candidates;
  const isGap = !isOne && readings.instants.length === 0;
  if (choices && fold === null) return { field: "scheduled_at", choices, isGap, instant };
  if (instant < now - 60_000) return { field: "scheduled_at", choices, isGap, instant, problem: `${dayAndTimeIn(instant, zone)} has passed already. Choose a later time, or publish now.` };
  return { instant, choices, isGap };
}

export function ComposerSchedule({ hints, preview, onLook, onRule }) {
  const studio = useStudio();
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    const onKeyDown = (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        submit(getState().doc.repeat ? "repeat" : "schedule");
      }
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  const { doc, errors } = studio;
  if (!doc.schedule) return null;
  const read = readSchedule(doc.schedule, now);
  const timeError = errors.scheduled_at || (read.field === "scheduled_at" ? read.problem : "");
  const zoneError = errors.timezone || (read.field === "timezone" ? read.problem : "");
  const soon = (minutes) => {
    const instant = Math.ceil((Date.now() + minutes * 60_000) / 60_000) * 60_000;
    setSchedule({ ...wallOf(instant, isZone(doc.schedule.zone) ? doc.schedule.zone : studio.person.timezone), fold: null });
  };
  return h(
    "section",
    { className: "when card", "aria-label": "When" },
    h(
      "div",
      { className: "when-fields" },
      h(Field, { id: "date", label: "Date", type: "date", value: doc.schedule.date, isWrong: Boolean(timeError), onChange: (date) => setSchedule({ date, fold: null }) }),
      h(Field, { id: "time", label: "Time", type: "time", value: doc.schedule.time, isWrong: Boolean(timeError), onChange: (time) => setSchedule({ time, fold: null }) }),
      h(
        "div",
        { className: "field zone-field" },
        h("label", { htmlFor: "zone" }, "Time zone"),
        h(ZonePicker, { id: "zone", value: doc.schedule.zone, own: studio.person.timezone, isWrong: Boolean(zoneError), onChange: (zone) => setSchedule({ zone, fold: null }) })
      ),
      h(
        "div",
        { className: "row quick" },
        [[5, "in 5 min"], [60, "in 1 h"]].map(([minutes, label]) => h("button", { key: minutes, type: "button", className: "btn g s", onClick: () => soon(minutes) }, label))
      )
    ),
    read.choices && h(FoldChoice, { read, schedule: doc.schedule }),
    timeError && h(Problem, { id: "when-error" }, timeError),
    zoneError && h(Problem, { id: "zone-error" }, zoneError),
    h(Hints, { hints, onLook, studio }),
    h(Repeat, { preview, onRule, studio }),
    h(IfMissed, { policy: doc.missed_policy, minutes: studio.missedAfterMinutes }),
    h("div", { className: "when-foot" }, h(InOtherWords, { read, schedule: doc.schedule, own: studio.person.timezone, now, isHidden: Boolean(read.field) }), h(Buttons, { studio }))
  );
}

function Field({ id, label, isWrong, onChange, ...props }) {
  return h(
    "div",
    { className: "field" },
    h("label", { htmlFor: id }, label),
    h("input", { id, className: "input num", ...props, "aria-invalid": isWrong, "aria-describedby": isWrong ? "when-error" : "when-words", onChange: (event) => onChange(event.target.value) })
  );
}

// The clocks change: the person says which of the two readings is meant.
function FoldChoice({ read, schedule }) {
  const what = read.isGap ? "does not exist" : "happens twice";
  const how = read.isGap ? "forward" : "back";
  return h(
    "fieldset",
    { className: "fold notice warn" },
    h("legend", { className: "visually-hidden" }, "Which of the two times"),
    h(
      "div",
      null,
      h("p", null, `${schedule.time} ${what} on ${schedule.date} in ${schedule.zone}: the clocks go ${how} then. Which time do you mean?`),
      h(
        "div",
        { className: "row wrap" },
        read.choices.map((instant, fold) =>
          h(
            "label",
            { key: fold, className: "check" },
            h("input", { type: "radio", name: "fold", checked: schedule.fold === fold, onChange: () => setSchedule({ fold }) }),
            `${timeIn(instant, schedule.zone)} ${offsetName(instant, schedule.zone)} (${timeIn(instant, "UTC")} UTC)`
          )
        )
      )
    )
  );
}

// What becomes of it if no worker runs at its time.
function IfMissed({ policy, minutes }) {
  const late = minutes === 1 ? "a minute late" : `${minutes} minutes late`;
  const choices = [
    ["publish_late", "publish it late, as soon as publishing is back"],
    ["hold", `hold it for me once it is ${late}`],
    ["skip", `skip it once it is ${late}`],
  ];
  return h(
    "div",
    { className: "row wrap if-missed sm" },
    h("label", { htmlFor: "missed-policy", className: "muted" }, "If nothing can publish at that time"),
    h(
      "select",
      { id: "missed-policy", className: "input s", value: policy, onChange: (event) => change({ missed_policy: event.target.value }) },
      choices.map(([value, label]) => h("option", { key: value, value }, label))
    )
  );
}

function InOtherWords({ read, schedule, own, now, isHidden }) {
  if (isHidden || !read.instant) return h("p", { className: "when-words sm muted" });
  const { instant } = read;
  const inUtc = dayIn(instant, "UTC") === dayIn(instant, schedule.zone) ? timeIn(instant, "UTC") : `${dayIn(instant, "UTC")}, ${timeIn(instant, "UTC")}`;
  const others = [schedule.zone !== "UTC" && `${inUtc} UTC`, own !== schedule.zone && own !== "UTC" && isZone(own) && `${timeIn(instant, own)} for you in ${own}`].filter(Boolean);
  return h(
    "p",
    { className: "when-words sm", id: "when-words" },
    h(Icon, { of: Clock, size: 14 }),
    h("span", null, h("b", null, `${dayAndTimeIn(instant, schedule.zone)} ${schedule.zone}`), " ", h("span", { className: "muted" }, `${others.length ? `(${others.join(", ")}) ` : ""}· ${inWords(instant - now)}`))
  );
}

function Buttons({ studio }) {
  const { doc, submitting, person } = studio;
  const isScheduled = ["Scheduled", "PendingQueue"].includes(doc.status);
  const button = (action, label, kind, extra = {}) =>
    h(
      "button",
      { type: "button", id: `do-${action}`, className: cx("btn", kind), disabled: Boolean(submitting), "aria-busy": submitting === action, onClick: () => submit(action), ...extra },
      submitting === action ? "One moment …" : label
    );
  const shortcut = h("span", { className: "kbd hide-s", "aria-hidden": true }, navigator.platform.startsWith("Mac") ? "⌘ ↵" : "Ctrl ↵");
  return h(
    "div",
    { className: "row when-acts" },
    doc.series_id ? h(Link, { to: "/recurring", className: "btn g", onClick: forgetChanges }, "Leave it as it was") : button("draft", isScheduled ? "Back to draft" : "Save draft", "g", { disabled: Boolean(submitting) || (isEmpty(doc) && !doc.post_id) }),
    !person.needs_approval && !doc.repeat && button("now", "Publish now", ""),
    doc.repeat && button("repeat", doc.series_id ? "Save the series" : "Begin the series", "p", { "aria-keyshortcuts": "Control+Enter" }),
    !doc.repeat && button("schedule", person.needs_approval ? "Request approval" : [isScheduled ? (isDirty() ? "Save and reschedule" : "Reschedule") : "Schedule", h("span", { key: "k" }, " "), h("span", { key: "s" }, shortcut)], "p", { "aria-keyshortcuts": "Control+Enter" })
  );
}
