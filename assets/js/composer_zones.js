// A searchable list of time zones: type a city, a country code or an offset's name; arrows and Enter choose.
import { useRef, useState } from "react";
import { ChevronsUpDown } from "lucide-react";
import { isZone, offsetName } from "./composer_clock.js";
import { cx, h, Icon } from "./composer_parts.js";
import { useStudio } from "./composer_store.js";

const MAX_SHOWN = 60;

const plain = (text) => text.toLowerCase().replace(/[_/]/g, " ");

function search(zones, words, own) {
  const wanted = plain(words).split(/\s+/).filter(Boolean);
  const found = zones.filter((zone) => wanted.every((word) => plain(zone).includes(word)));
  const first = [own, "UTC", "Europe/London", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Tokyo"];
  const rank = (zone) => {
    const city = plain(zone.split("/").at(-1));
    return (wanted.length && city.startsWith(wanted[0]) ? 0 : 1) + (first.includes(zone) ? first.indexOf(zone) / 10 - 1 : 0);
  };
  return found.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)).slice(0, MAX_SHOWN);
}

export function ZonePicker({ id, value, own, isWrong, onChange }) {
  const { zones } = useStudio();
  const [typed, setTyped] = useState(null);
  const [active, setActive] = useState(0);
  const list = useRef(null);
  const isOpen = typed !== null;
  const found = isOpen ? search(zones || [], typed, own) : [];
  const close = () => setTyped(null);
  const choose = (zone) => (onChange(zone), close());
  const move = (step) => {
    const next = Math.max(0, Math.min(found.length - 1, active + step));
    setActive(next);
    list.current?.children[next]?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) setTyped("");
      else move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && isOpen) {
      event.preventDefault();
      if (found[active]) choose(found[active]);
    } else if (event.key === "Escape" && isOpen) {
      event.stopPropagation();
      close();
    }
  };
  const onBlur = () => {
    // What was typed is taken as it is: a wrong name gets its message, it does not vanish.
    if (typed) onChange((zones || []).find((zone) => plain(zone) === plain(typed)) || typed.trim());
    close();
  };
  return h(
    "div",
    { className: "combo" },
    h("input", {
      id, className: "input", role: "combobox", autoComplete: "off", spellCheck: false, "aria-expanded": isOpen, "aria-controls": `${id}-list`, "aria-autocomplete": "list",
      "aria-activedescendant": isOpen && found[active] ? `${id}-${active}` : undefined, "aria-invalid": isWrong, "aria-describedby": isWrong ? "zone-error" : undefined,
      value: typed ?? value, placeholder: value || "Search a city",
      onFocus: (event) => event.target.select(),
      onClick: () => !isOpen && (setTyped(""), setActive(0)),
      onChange: (event) => (setTyped(event.target.value), setActive(0)),
      onKeyDown, onBlur,
    }),
    h(Icon, { of: ChevronsUpDown, size: 14 }),
    h(
      "ul",
      { id: `${id}-list`, role: "listbox", "aria-label": "Time zones", className: "combo-list", hidden: !isOpen, ref: list },
      found.map((zone, index) =>
        h(
          "li",
          { key: zone, id: `${id}-${index}`, role: "option", "aria-selected": index === active, className: cx(index === active && "on"), onMouseDown: (event) => (event.preventDefault(), choose(zone)) },
          h("span", { className: "clip" }, zone.replaceAll("_", " ")),
          h("span", { className: "xs faint num" }, isZone(zone) ? offsetName(Date.now(), zone) : "")
        )
      ),
      isOpen && !found.length && h("li", { role: "option", "aria-selected": false, "aria-disabled": true, className: "muted sm" }, "No zone of that name")
    )
  );
}
