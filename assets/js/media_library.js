// Adding pictures and videos to the library: drop them anywhere on the page, paste, or pick. The list itself is the server's.
import { useEffect, useRef, useState } from "react";
import { ImageUp, X } from "lucide-react";
import { h, Icon } from "./composer_parts.js";
import { limits, refusal, send } from "./upload.js";
import { VIDEO_TYPES } from "./video.js";

export function MediaUploader({ maxUploadBytes, maxVideoBytes, onUploaded }) {
  const [uploads, setUploads] = useState([]);
  const [isOver, setOver] = useState(false);
  const input = useRef(null);
  const nextId = useRef(1);
  const patch = (id, changes) => setUploads((all) => all.map((each) => (each.id === id ? { ...each, ...changes } : each)));
  const drop = (id) => setUploads((all) => all.filter((each) => each.id !== id));
  const add = (files) => {
    for (const file of files) {
      const id = nextId.current++;
      const upload = { id, name: file.name || "picture", progress: 0, error: refusal(file), stop: null };
      if (!upload.error) {
        upload.stop = send(file, {
          onProgress: (progress) => patch(id, { progress }),
          onFail: (error) => patch(id, { error, stop: null }),
          onDone: (item) => (drop(id), onUploaded(item.id)),
        });
      }
      setUploads((all) => [...all, upload]);
    }
  };
  useEffect(() => {
    limits.maxBytes = maxUploadBytes || limits.maxBytes;
    limits.maxVideoBytes = maxVideoBytes || limits.maxVideoBytes;
    const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
    const listeners = {
      dragover: (event) => hasFiles(event) && (event.preventDefault(), setOver(true)),
      dragleave: (event) => event.relatedTarget === null && setOver(false),
      drop: (event) => hasFiles(event) && (event.preventDefault(), setOver(false), add(event.dataTransfer.files)),
      paste: (event) => event.clipboardData?.files.length && add(event.clipboardData.files),
    };
    for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener);
    };
  });
  return h(
    "div",
    { className: "uploader" },
    h("input", {
      ref: input, type: "file", accept: `image/*,${VIDEO_TYPES}`, multiple: true, hidden: true, id: "library-input", "aria-label": "Pictures and videos",
      onChange: (event) => {
        add(event.target.files);
        event.target.value = "";
      },
    }),
    h(
      "button",
      { type: "button", className: isOver ? "drop-zone over" : "drop-zone", onClick: () => input.current.click() },
      h(Icon, { of: ImageUp, size: 18 }),
      h("span", null, h("b", null, "Add pictures and videos"), h("span", { className: "muted" }, ` · drop, paste or pick; JPEG, PNG, WebP or GIF up to ${Math.floor(limits.maxBytes / 1e6)} MB, MP4, MOV or WebM up to ${Math.floor(limits.maxVideoBytes / 1e6)} MB`))
    ),
    uploads.map((upload) =>
      h(
        "div",
        { key: upload.id, className: "upload-line sm" },
        h("span", { className: "clip b" }, upload.name),
        upload.error
          ? h("p", { className: "error", role: "alert" }, upload.error)
          : h("div", { className: "upload-bar" }, h("div", { className: "bar", role: "progressbar", "aria-label": `Uploading ${upload.name}`, "aria-valuenow": Math.round(upload.progress * 100), "aria-valuemin": 0, "aria-valuemax": 100 }, h("i", { style: { width: `${upload.progress * 100}%` } }))),
        h("button", { type: "button", className: "btn g icon s push", "aria-label": upload.error ? `Dismiss ${upload.name}` : `Cancel the upload of ${upload.name}`, onClick: () => (upload.stop?.(), drop(upload.id)) }, h(Icon, { of: X, size: 14 }))
      )
    )
  );
}
