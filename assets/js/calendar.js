// The calendar of scheduled posts (components/calendar.py): FullCalendar's MIT parts. It knows no zones of its own here:
// every time it gets or gives is a wall time in the person's zone, which the server turns into an instant.
import "./calendar_styles.js";
import { useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import FullCalendar from "@fullcalendar/react";
import dayGridPlugin from "@fullcalendar/daygrid";
import timeGridPlugin from "@fullcalendar/timegrid";
import listPlugin from "@fullcalendar/list";
import interactionPlugin from "@fullcalendar/interaction";
import { nextSlot, wallOf } from "./composer_clock.js";
import { cx, h } from "./composer_parts.js";

const REMEMBERED = "contentcaster.calendar";
const MINUTES_SHOWN = 30;
const SHOWN_PER_DAY = 4;

const wallTime = (instant, zone) => {
  const { date, time } = wallOf(instant, zone);
  return `${date}T${time}:00`;
};

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(REMEMBERED)) || {};
  } catch {
    return {};
  }
}

const remember = (view, date) => sessionStorage.setItem(REMEMBERED, JSON.stringify({ view, date }));

function entryOf(post, zone) {
  const at = wallTime(Date.parse(post.at), zone);
  const end = new Date(Date.parse(at + "Z") + MINUTES_SHOWN * 60_000).toISOString().slice(0, 19);
  return { id: post.id, title: post.text || "(no text)", start: at, end, editable: post.is_movable, extendedProps: { post } };
}

// FullCalendar measures every entry of a month before it hides the rest of a full day: with two thousand posts that takes
// minutes. So it gets only the first ones of each day, and one entry that says how many more there are.
function firstOfEachDay(entries) {
  const days = grouped(entries);
  return [...days].flatMap(([day, all]) => {
    if (all.length <= SHOWN_PER_DAY + 1) return all;
    const more = { id: `more-${day}`, title: `${all.length - SHOWN_PER_DAY} more`, start: `${day}T23:59:00`, editable: false, extendedProps: { more: day } };
    return [...all.slice(0, SHOWN_PER_DAY), more];
  });
}

// Free queue slots, as places to fill: in a month only where a day has room for them.
function ghostsBeside(shown, slots, zone, isMonth) {
  const days = grouped(shown);
  const room = new Map();
  return slots.flatMap(({ at, names, count }) => {
    const start = wallTime(Date.parse(at), zone);
    const day = start.slice(0, 10);
    if (isMonth) {
      if (!room.has(day)) room.set(day, Math.min(2, SHOWN_PER_DAY - (days.get(day)?.length || 0)));
      if (room.get(day) <= 0) return [];
      room.set(day, room.get(day) - 1);
    }
    const end = new Date(Date.parse(start + "Z") + MINUTES_SHOWN * 60_000).toISOString().slice(0, 19);
    return [{ id: `slot-${at}`, title: "Free slot", start, end, editable: false, extendedProps: { slot: { names, count, wall: start.slice(0, 16) } } }];
  });
}

function grouped(entries) {
  const days = new Map();
  for (const entry of entries) {
    const day = entry.start.slice(0, 10);
    if (!days.has(day)) days.set(day, []);
    days.get(day).push(entry);
  }
  return days;
}

export function PostCalendar({ posts, slots, zone, colorBy, onRange, onMove }) {
  const navigate = useNavigate();
  const start = useMemo(remembered, []);
  const isNarrow = useMemo(() => window.innerWidth < 640, []);
  const range = useRef("");
  const [view, setView] = useState("");
  const events = useMemo(() => {
    const all = (posts || []).map((post) => entryOf(post, zone));
    const isMonth = view === "dayGridMonth";
    const shown = isMonth ? firstOfEachDay(all) : all;
    return view.startsWith("list") ? shown : shown.concat(ghostsBeside(shown, slots || [], zone, isMonth));
  }, [posts, slots, zone, view]);
  const onDatesSet = ({ startStr, endStr, view }) => {
    setView(view.type);
    remember(view.type, view.calendar.getDate().toISOString().slice(0, 10));
    const key = startStr + endStr;
    if (key === range.current) return;
    range.current = key;
    onRange(startStr.slice(0, 10), endStr.slice(0, 10));
  };
  const onDrop = ({ event, oldEvent, revert, view }) => {
    const { post } = event.extendedProps;
    // Dropped on a day of the month view, it keeps its time of day.
    const wall = event.startStr.slice(0, 16);
    if (wall === oldEvent.startStr.slice(0, 16)) return;
    // The server's answer draws it where it really is; until then it goes back, so that nothing untrue stays.
    if (view.type !== "dayGridMonth" || wall.length === 16) onMove(post.id, wall, post.version);
    revert();
  };
  return h(
    "div",
    { className: "card calendar", id: "calendar" },
    h(FullCalendar, {
      plugins: [dayGridPlugin, timeGridPlugin, listPlugin, interactionPlugin],
      timeZone: "UTC",
      now: () => wallTime(Date.now(), zone),
      initialView: start.view || (isNarrow ? "listWeek" : "dayGridMonth"),
      initialDate: start.date || wallTime(Date.now(), zone).slice(0, 10),
      headerToolbar: isNarrow
        ? { left: "prev,next", center: "title", right: "listWeek,dayGridMonth" }
        : { left: "prev,next today", center: "title", right: "dayGridMonth,timeGridWeek,timeGridDay,listWeek" },
      buttonIcons: false, // calendar_styles.js says why
      buttonText: { prev: "‹", next: "›", today: "Today", month: "Month", week: "Week", day: "Day", list: "List" },
      buttonHints: { prev: "Earlier", next: "Later", today: "Today" },
      displayEventEnd: false,
      dayHeaderFormat: { weekday: "short" },
      views: {
        timeGridWeek: { dayHeaderFormat: { weekday: "short", day: "numeric" } },
        timeGridDay: { dayHeaderFormat: { weekday: "long", day: "numeric", month: "long" } },
        listWeek: { listDayFormat: { weekday: "long", day: "numeric", month: "short" }, listDaySideFormat: false },
      },
      titleFormat: isNarrow ? { month: "short", day: "numeric" } : undefined,
      firstDay: 1,
      height: view.startsWith("timeGrid") ? 720 : "auto",
      nowIndicator: true,
      scrollTime: "08:00:00",
      allDaySlot: false,
      eventTimeFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
      slotLabelFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
      snapDuration: "00:05:00",
      eventDurationEditable: false,
      eventDisplay: "block",
      slotEventOverlap: false,
      events,
      datesSet: onDatesSet,
      eventDrop: onDrop,
      eventClick: ({ event, jsEvent, view }) => {
        jsEvent.preventDefault();
        const { more, slot } = event.extendedProps;
        if (slot) navigate(`/studio?at=${slot.wall}`);
        else if (more) view.calendar.changeView("timeGridDay", more);
        else navigate(`/posts/${event.id}`);
      },
      eventClassNames: ({ event }) => (event.extendedProps.slot ? ["ghost"] : event.extendedProps.more ? ["more"] : [`by-${colorBy || "status"}`, `st-${event.extendedProps.post.status}`]),
      eventContent: ({ event, timeText }) => event.extendedProps.slot ? h(Ghost, { slot: event.extendedProps.slot, timeText }) : event.extendedProps.more ? h("span", { className: "entry" }, `+ ${event.title}`) : h(Entry, { post: event.extendedProps.post, timeText }),
      eventDidMount: ({ event, el }) => {
        const { post, slot } = event.extendedProps;
        if (slot) el.title = `Free slot: ${slot.names}`;
        if (!post) return;
        el.style.setProperty("--channel", post.channels[0]?.color || "var(--faint)");
        el.title = `${post.status}: ${post.text}`;
      },
      dateClick: ({ dateStr, view }) => {
        const at = view.type.startsWith("timeGrid") ? dateStr.slice(0, 16) : `${dateStr.slice(0, 10)}T09:00`;
        const soonest = wallTime(nextSlot(), zone).slice(0, 16);
        if (at.slice(0, 10) < soonest.slice(0, 10)) return; // nothing goes out in the past
        navigate(`/studio?at=${at < soonest ? soonest : at}`);
      },
      noEventsContent: "Nothing goes out in these days. Click a day to write a post for it.",
    })
  );
}

function Ghost({ slot, timeText }) {
  const channels = slot.count > 1 ? `Free slot · ${slot.count} channels` : "Free slot";
  return h("span", { className: "entry" }, h("span", { className: "entry-time num" }, timeText), h("span", { className: "entry-text" }, channels), h("span", { className: "visually-hidden" }, ` ${slot.names}`));
}

function Entry({ post, timeText }) {
  return h(
    "span",
    { className: cx("entry", post.is_movable && "movable") },
    h("span", { className: "entry-time num" }, timeText),
    h("span", { className: "entry-channels", "aria-hidden": true }, post.channels.slice(0, 3).map((each, index) => h("i", { key: index, style: { background: each.color } }))),
    h("span", { className: "entry-text" }, post.text || "(no text)"),
    h("span", { className: "visually-hidden" }, ` ${post.status}, ${post.channels.map((each) => each.name).join(", ")}`)
  );
}
