// How a post repeats, as chosen in the Studio, and the recurrence rule (RFC 5545) that says the same.

const CODES = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ORDINALS = ["first", "second", "third", "fourth", "last"];

const utc = (date) => new Date(`${date || "1970-01-01"}T00:00:00Z`);

// [kind, title] of what can be chosen for a first day.
export function repeatChoices(date) {
  const day = utc(date);
  const number = Number.isNaN(day.getTime()) ? 0 : day.getUTCDay();
  const week = Math.min(Math.ceil((day.getUTCDate() || 1) / 7), 5);
  return [
    ["", "Does not repeat"],
    ["daily", "Every day"],
    ["weekdays", "Every weekday (Mon to Fri)"],
    ["weekly", `Every week on ${DAYS[number]}`],
    ["fortnightly", `Every 2 weeks on ${DAYS[number]}`],
    ["monthly", `Every month on day ${day.getUTCDate() || 1}`],
    ["nth", `Every month on the ${ORDINALS[week - 1]} ${DAYS[number]}`],
    ["yearly", "Every year"],
    ["custom", "By a rule of your own …"],
  ];
}

function bases(date) {
  const day = utc(date);
  const code = CODES[day.getUTCDay()];
  const week = Math.ceil(day.getUTCDate() / 7);
  return {
    daily: "FREQ=DAILY",
    weekdays: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    weekly: `FREQ=WEEKLY;BYDAY=${code}`,
    fortnightly: `FREQ=WEEKLY;INTERVAL=2;BYDAY=${code}`,
    monthly: `FREQ=MONTHLY;BYMONTHDAY=${day.getUTCDate()}`,
    nth: `FREQ=MONTHLY;BYDAY=${week >= 5 ? -1 : week}${code}`,
    yearly: "FREQ=YEARLY",
  };
}

export function repeatRuleOf({ repeat, schedule }) {
  if (!repeat) return "";
  if (repeat.kind === "custom") return repeat.custom || "";
  const base = bases(schedule.date)[repeat.kind];
  if (repeat.end === "count") return `${base};COUNT=${repeat.count || ""}`;
  if (repeat.end === "until") return `${base};UNTIL=${(repeat.until || "").replaceAll("-", "")}`;
  return base;
}

const partsOf = (rule) => Object.fromEntries(rule.split(";").map((part) => part.split("=")));
const alike = (one, other) => JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());

// The choices that say what a kept rule says, for a series that begins on `date`; a rule of one's own where none does.
export function repeatOf(rule, date) {
  const { COUNT, UNTIL, ...rest } = partsOf(rule);
  const kind = Object.entries(bases(date)).find(([, base]) => alike(partsOf(base), rest))?.[0];
  if (!kind) return { kind: "custom", end: "never", count: "10", custom: rule };
  const until = UNTIL && `${UNTIL.slice(0, 4)}-${UNTIL.slice(4, 6)}-${UNTIL.slice(6, 8)}`;
  return { kind, end: COUNT ? "count" : UNTIL ? "until" : "never", count: COUNT || "10", until, custom: rule };
}
