// Uploading a table of posts (POST /api/v1/imports, with the session cookie): drop it anywhere on the page, or pick it.
import { useEffect, useRef, useState } from "react";
import { FileUp } from "lucide-react";
import { h, Icon } from "./composer_parts.js";

export function CsvUploader({ onUploaded }) {
  const [isOver, setOver] = useState(false);
  const [upload, setUpload] = useState(null);
  const input = useRef(null);
  const send = (file) => {
    if (!file) return;
    const request = new XMLHttpRequest();
    const fail = (error) => setUpload({ name: file.name, error });
    setUpload({ name: file.name, progress: 0 });
    request.open("POST", "/api/v1/imports");
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && setUpload({ name: file.name, progress: event.loaded / event.total });
    request.onerror = () => fail("The connection was lost while uploading. Choose the file again; nothing was imported.");
    request.onload = () => {
      if (request.status === 201 && request.response?.id) {
        setUpload(null);
        onUploaded(request.response.id);
      } else fail(request.response?.detail || `The server refused the file (${request.status}).`);
    };
    const form = new FormData();
    form.append("file", file, file.name || "posts.csv");
    request.send(form);
  };
  useEffect(() => {
    const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
    const listeners = {
      dragover: (event) => hasFiles(event) && (event.preventDefault(), setOver(true)),
      dragleave: (event) => event.relatedTarget === null && setOver(false),
      drop: (event) => hasFiles(event) && (event.preventDefault(), setOver(false), send(event.dataTransfer.files[0])),
    };
    for (const [name, listener] of Object.entries(listeners)) document.addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) document.removeEventListener(name, listener);
    };
  });
  const isRunning = upload && !upload.error;
  return h(
    "div",
    { className: "uploader" },
    h("input", {
      ref: input, type: "file", accept: ".csv,.tsv,.txt,text/csv,text/tab-separated-values", hidden: true, id: "csv-input", "aria-label": "CSV file",
      onChange: (event) => {
        send(event.target.files[0]);
        event.target.value = "";
      },
    }),
    h(
      "button",
      { type: "button", className: isOver ? "drop-zone over" : "drop-zone", disabled: isRunning, onClick: () => input.current.click() },
      h(Icon, { of: FileUp, size: 18 }),
      h("span", null, h("b", null, isRunning ? `Uploading ${upload.name} …` : "Choose a CSV file"), h("span", { className: "muted" }, " · or drop it here; comma, semicolon or tab, up to 8 MB and 5,000 rows"))
    ),
    isRunning && h("div", { className: "bar", role: "progressbar", "aria-label": `Uploading ${upload.name}`, "aria-valuenow": Math.round(upload.progress * 100), "aria-valuemin": 0, "aria-valuemax": 100 }, h("i", { style: { width: `${upload.progress * 100}%` } })),
    upload?.error && h("p", { className: "error", role: "alert", id: "csv-error" }, h("b", null, `${upload.name}: `), upload.error)
  );
}
