// Wall times and zones, in the browser: what the clock on the wall will say, and when that is. The server decides
// (services/schedule.py); this only shows it while a person chooses, with the same rules.

const formatters = new Map();

function formatter(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!formatters.has(key)) formatters.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  return formatters.get(key);
}

export function isZone(zone) {
  if (!zone) return false;
  try {
    formatter(zone, {});
    return true;
  } catch {
    return false;
  }
}

const FIELDS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };

// {date: "2026-11-26", time: "09:00"} of an instant in a zone.
export function wallOf(instant, zone) {
  const parts = Object.fromEntries(formatter(zone, FIELDS).formatToParts(instant).map(({ type, value }) => [type, value]));
  return { date: `${parts.year.padStart(4, "0")}-${parts.month}-${parts.day}`, time: `${parts.hour}:${parts.minute}` };
}

const HOUR = 3600_000;

// Minutes that the zone is ahead of UTC at an instant.
export function offsetOf(instant, zone) {
  const { date, time } = wallOf(instant, zone);
  return Math.round((Date.parse(`${date}T${time}:00Z`) - Math.floor(instant / 60000) * 60000) / 60000);
}

// The instants that a wall time means: one; two when the clocks go back; none in the gap when they go forward (then
// `candidates` are the two readings, as zoneinfo's fold 0 and 1 give them).
export function readingsOf(date, time, zone) {
  const naive = Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(naive)) return null;
  const before = offsetOf(naive - 24 * HOUR, zone);
  const after = offsetOf(naive + 24 * HOUR, zone);
  const candidates = [before, after].map((offset) => naive - offset * 60000);
  const exact = candidates.filter((instant) => {
    const wall = wallOf(instant, zone);
    return wall.date === date && wall.time === time.slice(0, 5);
  });
  const instants = [...new Set(exact)];
  return { candidates: instants.length === 1 ? [instants[0], instants[0]] : candidates, instants };
}

export function offsetName(instant, zone) {
  const minutes = offsetOf(instant, zone);
  if (minutes === 0) return "UTC";
  const hours = Math.floor(Math.abs(minutes) / 60);
  const rest = Math.abs(minutes) % 60;
  return `UTC${minutes > 0 ? "+" : "-"}${hours}${rest ? ":" + String(rest).padStart(2, "0") : ""}`;
}

export const timeIn = (instant, zone) => formatter(zone, { hour: "2-digit", minute: "2-digit" }).format(instant);

export const dayAndTimeIn = (instant, zone) =>
  formatter(zone, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(instant);

export const dayIn = (instant, zone) => formatter(zone, { day: "numeric", month: "short" }).format(instant);

// The next full five minutes that leave a moment to look the post over.
export function nextSlot(now = Date.now()) {
  const step = 5 * 60_000;
  return Math.ceil((now + 60_000) / step) * step;
}

export function inWords(milliseconds) {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 1) return "in less than a minute";
  if (minutes < 60) return `in ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `in ${hours} h` + (minutes % 60 ? ` ${minutes % 60} min` : "");
  const days = Math.floor(hours / 24);
  return `in ${days} d` + (hours % 24 ? ` ${hours % 24} h` : "");
}
