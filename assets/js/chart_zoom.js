// Looking closer at a chart: the day under the pointer is read out, and dragging over days shows only those.
// The chart itself is drawn by the page; its days are elements with data-first, data-last and data-words.
import { createElement as h, useEffect, useRef, useState } from "react";

const dayAt = (event) => {
  const found = document.elementFromPoint(event.clientX, event.clientY);
  return found instanceof Element ? found.closest("[data-first]") : null;
};

export function ChartZoom({ onZoom, children }) {
  const box = useRef(null);
  const start = useRef(null);
  const end = useRef(null);
  const [tip, setTip] = useState(null);

  const days = () => [...(box.current?.querySelectorAll("[data-first]") || [])];
  const mark = () => {
    const all = days();
    const [from, to] = [all.indexOf(start.current), all.indexOf(end.current)].sort((a, b) => a - b);
    all.forEach((day, number) => day.classList.toggle("picked", Boolean(start.current) && number >= from && number <= to));
    return [all[from], all[to]];
  };
  const stop = () => {
    start.current = end.current = null;
    mark();
  };
  const show = (day) => {
    if (!day || !box.current) return setTip(null);
    const [inner, outer] = [day.getBoundingClientRect(), box.current.getBoundingClientRect()];
    setTip({ words: day.dataset.words, share: (inner.left + inner.width / 2 - outer.left) / outer.width });
  };

  useEffect(() => {
    const cancel = (event) => event.key === "Escape" && stop();
    window.addEventListener("pointerup", stop);
    window.addEventListener("keydown", cancel);
    return () => {
      window.removeEventListener("pointerup", stop);
      window.removeEventListener("keydown", cancel);
    };
  }, []);

  return h(
    "div",
    {
      ref: box,
      className: "chart-zoom",
      onPointerDown: (event) => {
        if (event.button || event.pointerType === "touch") return; // a finger scrolls; the table has links
        start.current = end.current = dayAt(event);
        mark();
        event.preventDefault();
      },
      onPointerMove: (event) => {
        const day = dayAt(event);
        show(day && box.current.contains(day) ? day : null);
        if (!start.current || !day || !box.current.contains(day)) return;
        end.current = day;
        mark();
      },
      onPointerUp: () => {
        if (!start.current) return;
        const isSpan = start.current !== end.current || start.current.dataset.first !== start.current.dataset.last;
        const [from, to] = mark();
        stop();
        if (isSpan && from && to) onZoom(from.dataset.first, to.dataset.last);
      },
      onPointerLeave: () => setTip(null),
    },
    children,
    tip && h("div", { className: "chart-tip xs num", "aria-hidden": true, style: { left: `${Math.min(82, Math.max(18, tip.share * 100))}%` } }, tip.words)
  );
}
