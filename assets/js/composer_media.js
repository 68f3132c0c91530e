// The pictures or the video of one part: what they are, what people who cannot see them read, their order, their way up.
import { useState } from "react";
import { SuggestAlt } from "./composer_assistant.js";
import { ArrowLeft, ArrowRight, Crop, GripVertical, RefreshCw, X } from "lucide-react";
import { cx, h, Icon, Problem } from "./composer_parts.js";
import { CropDialog } from "./composer_crop.js";
import { isVideo, lengthOf, Player, sizeOf, videoNotes } from "./video.js";
import { account, mediaOf, moveMedia, moveMediaTo, patchMedia, removeMedia } from "./composer_store.js";

export function MediaList({ part, studio, uploads }) {
  const items = mediaOf(studio.doc, part);
  const error = studio.part === part || items.length || uploads.length ? studio.mediaError || studio.errors.media : "";
  if (!items.length && !uploads.length && !error) return null;
  return h(
    "div",
    { className: "media-list" },
    items.map((item, index) => h(Picture, { key: item.id, item, index, total: items.length })),
    uploads.map((each) => h(Upload, { key: `upload-${each.id}`, upload: each })),
    h(Problem, { id: `media-error-${part}` }, error),
    h(Hints, { items, targets: studio.doc.targets })
  );
}

// What some of the chosen channels will not take, said at once; the preflight says the same when it is checked.
function Hints({ items, targets }) {
  const notes = [...new Set(targets.map(account).filter(Boolean).flatMap((channel) => videoNotes(channel, items)))];
  return notes.length ? h("p", { className: "xs media-hints", role: "status" }, notes.join(" ")) : null;
}

const shortened = (text, length = 60) => (text.length > length ? text.slice(0, length).trimEnd() + "…" : text);

function Picture({ item, index, total }) {
  const [isEditing, setEditing] = useState(!item.alt);
  const isFilm = isVideo(item);
  const [isCropping, setCropping] = useState(false);
  const [isOver, setOver] = useState(false);
  const isOurs = (event) => event.dataTransfer.types.includes(DRAGGED);
  const id = `alt-${item.id}`;
  return h(
    "div",
    {
      className: cx("picture", isFilm && "film", isOver && "drop-here"), "data-media": item.id,
      onDragOver: (event) => isOurs(event) && (event.preventDefault(), setOver(true)),
      onDragLeave: () => setOver(false),
      onDrop: (event) => {
        setOver(false);
        if (!isOurs(event)) return;
        event.preventDefault();
        event.stopPropagation();
        moveMediaTo(event.dataTransfer.getData(DRAGGED), item.id);
      },
    },
    h("span", { className: "grip", draggable: true, title: "Drag to another place", "aria-hidden": true, onDragStart: (event) => (event.dataTransfer.setData(DRAGGED, item.id), (event.dataTransfer.effectAllowed = "move")) }, h(Icon, { of: GripVertical, size: 14 })),
    isFilm ? h(Player, { item }) : h("img", { src: item.thumb_url, draggable: false, alt: item.alt || "", width: 96, height: 72 }),
    h(
      "div",
      { className: "picture-main" },
      h("div", { className: "b clip sm" }, item.filename),
      h(
        "div",
        { className: "muted xs clip" },
        `${item.width} × ${item.height}`,
        isFilm && ` · ${lengthOf(item.duration_seconds)} · ${sizeOf(item.size_bytes)}`,
        !isEditing && item.alt ? ` · alt: “${shortened(item.alt)}”` : ""
      ),
      isEditing
        ? h(
            "div",
            { className: "field" },
            h("label", { htmlFor: id, className: "xs" }, "Alt text"),
            h("textarea", {
              id, className: "input alt-input", rows: 2, maxLength: 5000, value: item.alt,
              placeholder: "What people who cannot see it should know",
              onChange: (event) => patchMedia(item.id, { alt: event.target.value }),
            })
          )
        : null,
      h(
        "div",
        { className: "row picture-acts" },
        isEditing
          ? item.alt && h("button", { type: "button", className: "btn s", onClick: () => setEditing(false) }, "Done")
          : h("button", { type: "button", className: cx("btn s", !item.alt && "warn"), onClick: () => setEditing(true) }, item.alt ? "Edit alt" : "Add alt text"),
        !item.alt && h("span", { className: "pill warn" }, "no alt text yet"),
        isEditing && !isFilm && h(SuggestAlt, { item }),
        !isFilm && h("button", { type: "button", className: "btn s", onClick: () => setCropping(true), "aria-label": `Crop ${item.filename}` }, h(Icon, { of: Crop, size: 13 }), "Crop"),
        total > 1 && index > 0 && h(IconButton, { label: `Move ${item.filename} forward`, of: ArrowLeft, onClick: () => moveMedia(item.id, -1) }),
        total > 1 && index < total - 1 && h(IconButton, { label: `Move ${item.filename} back`, of: ArrowRight, onClick: () => moveMedia(item.id, 1) })
      )
    ),
    h(IconButton, { label: `Remove ${item.filename}`, of: X, onClick: () => removeMedia(item.id) }),
    isCropping && h(CropDialog, { item, onClose: () => setCropping(false) })
  );
}

const DRAGGED = "application/x-contentcaster-media";

function IconButton({ label, of, onClick }) {
  return h("button", { type: "button", className: "btn g icon s", "aria-label": label, title: label, onClick }, h(Icon, { of, size: 14 }));
}

function Upload({ upload }) {
  const percent = Math.round(upload.progress * 100);
  return h(
    "div",
    { className: "picture" },
    upload.isVideo
      ? h("video", { src: upload.preview, muted: true, preload: "metadata", "aria-hidden": true, className: "waiting" })
      : h("img", { src: upload.preview, alt: "", width: 96, height: 72, className: "waiting", onError: (event) => (event.target.style.visibility = "hidden") }),
    h(
      "div",
      { className: "picture-main" },
      h("div", { className: "b clip sm" }, upload.name),
      upload.error
        ? h("div", { className: "row wrap" }, h(Problem, null, upload.error), upload.retry && h("button", { type: "button", className: "btn s", onClick: upload.retry }, h(Icon, { of: RefreshCw, size: 13 }), "Try again"))
        : h(
            "div",
            { className: "upload-bar" },
            h("div", { className: "bar", role: "progressbar", "aria-label": `Uploading ${upload.name}`, "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100 }, h("i", { style: { width: `${percent}%` } })),
            h("span", { className: "xs muted num" }, percent < 100 ? `${percent} %` : "Checking …")
          )
    ),
    h(IconButton, { label: upload.error ? `Take out ${upload.name}` : `Cancel the upload of ${upload.name}`, of: X, onClick: upload.cancel })
  );
}
