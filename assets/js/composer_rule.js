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

export function repeatRuleOf({ repeat, schedule }) {
  if (!repeat) return "";
  if (repeat.kind === "custom") return repeat.custom || "";
  const day = utc(schedule.date);
  const code = CODES[day.getUTCDay()];
  const week = Math.ceil(day.getUTCDate() / 7);
  const base = {
    daily: "FREQ=DAILY",
    weekdays: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    weekly: `FREQ=WEEKLY;BYDAY=${code}`,
    fortnightly: `FREQ=WEEKLY;INTERVAL=2;BYDAY=${code}`,
    monthly: `FREQ=MONTHLY;BYMONTHDAY=${day.getUTCDate()}`,
    nth: `FREQ=MONTHLY;BYDAY=${week >= 5 ? -1 : week}${code}`,
    yearly: "FREQ=YEARLY",
  }[repeat.kind];
  if (repeat.end === "count") return `${base};COUNT=${repeat.count || ""}`;
  if (repeat.end === "until") return `${base};UNTIL=${(repeat.until || "").replaceAll("-", "")}`;
  return base;
}
