// Cropping a picture to a ratio that networks show whole: a frame to drag, and sliders that keys can move.
import { useEffect, useRef, useState } from "react";
import { X } from "lucide-react";
import { cx, h, Icon, Problem } from "./composer_parts.js";
import { change, getState } from "./composer_store.js";

const RATIOS = [[1, "1:1", "square, everywhere"], [4 / 5, "4:5", "tall, phones"], [16 / 9, "16:9", "wide, timelines"], [1.91, "1.91:1", "link cards"], [3 / 2, "3:2", "photo"]];

export function CropDialog({ item, onClose }) {
  const box = useRef(null);
  const stage = useRef(null);
  const [ratio, setRatio] = useState(1);
  const [zoom, setZoom] = useState(100);
  const [middle, setMiddle] = useState({ x: 0.5, y: 0.5 });
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    box.current.showModal();
  }, []);
  const own = item.width / item.height;
  const share = zoom / 100;
  const width = (ratio > own ? 1 : ratio / own) * share;
  const height = (ratio > own ? own / ratio : 1) * share;
  const within = (value, size) => Math.min(1 - size, Math.max(0, value - size / 2));
  const left = within(middle.x, width);
  const top = within(middle.y, height);
  const drag = (event) => {
    if (event.buttons !== 1) return;
    const area = stage.current.getBoundingClientRect();
    setMiddle({ x: (event.clientX - area.left) / area.width, y: (event.clientY - area.top) / area.height });
  };
  const crop = async () => {
    setBusy(true);
    setProblem("");
    try {
      const answer = await fetch(`/api/v1/media/${item.id}/crop`, {
        method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify({ left, top, width, height }),
      });
      const made = await answer.json();
      if (!answer.ok) throw new Error(made.detail || `The server refused it (${answer.status}).`);
      const { id, filename, thumb_url, full_url, size_bytes } = made;
      const fresh = { id, filename, thumb_url, full_url, size_bytes, width: made.width, height: made.height };
      change({ media: getState().doc.media.map((each) => (each.id === item.id ? { ...each, ...fresh } : each)) });
      onClose();
    } catch (error) {
      setBusy(false);
      setProblem(error instanceof TypeError ? "No connection: nothing was changed. Try again." : error.message);
    }
  };
  const slider = (id, label, value, onChange, min = 0) =>
    h("label", { className: "xs crop-slider", htmlFor: id }, label, h("input", { id, type: "range", min, max: 100, value, onChange: (event) => onChange(Number(event.target.value)) }));
  return h(
    "dialog",
    { ref: box, className: "sheet crop", "aria-labelledby": "crop-title", onCancel: onClose, onClick: (event) => event.target === box.current && onClose() },
    h(
      "div",
      { className: "sheet-body" },
      h("div", { className: "row" }, h("h2", { id: "crop-title", className: "clip" }, `Crop ${item.filename}`), h("button", { type: "button", className: "btn g icon s push", "aria-label": "Close", onClick: onClose }, h(Icon, { of: X }))),
      h(
        "div",
        { className: "row wrap", role: "group", "aria-label": "Ratio" },
        RATIOS.map(([value, label, what]) => h("button", { key: label, type: "button", className: cx("btn s", ratio === value && "on"), "aria-pressed": ratio === value, title: what, onClick: () => setRatio(value) }, label, h("span", { className: "muted hide-s" }, ` ${what}`)))
      ),
      h(
        "div",
        { className: "crop-stage", ref: stage, onPointerDown: drag, onPointerMove: drag },
        h("img", { src: item.full_url, alt: "", draggable: false }),
        h("div", { className: "crop-frame", style: { left: `${left * 100}%`, top: `${top * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` } })
      ),
      h(
        "div",
        { className: "row wrap" },
        slider("crop-x", "Sideways", Math.round(middle.x * 100), (value) => setMiddle({ ...middle, x: value / 100 })),
        slider("crop-y", "Up and down", Math.round(middle.y * 100), (value) => setMiddle({ ...middle, y: value / 100 })),
        slider("crop-zoom", "Size", zoom, setZoom, 20)
      ),
      h("p", { className: "xs muted num" }, `${Math.round(width * item.width)} × ${Math.round(height * item.height)} pixels are kept. The original stays in Media.`),
      h(Problem, null, problem),
      h("div", { className: "row" }, h("button", { type: "button", className: "btn p", disabled: isBusy, onClick: crop }, isBusy ? "One moment …" : "Crop"), h("button", { type: "button", className: "btn g", onClick: onClose }, "Leave as it is"))
    )
  );
}
