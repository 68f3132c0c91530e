// Pictures on their way to the server, each with its progress. What is refused says why, where the pictures are.
import { change, getState, set, uploadsChanged } from "./composer_store.js";

export const limits = { maxBytes: 20_000_000, types: ["image/jpeg", "image/png", "image/webp", "image/gif"] };

let nextId = 1;

export function addFiles(files, part) {
  const accepted = [];
  let error = "";
  for (const file of files) {
    const problem = refusal(file);
    if (problem) error ||= problem;
    else accepted.push(file);
  }
  set({ mediaError: error });
  accepted.forEach((file) => upload(file, part));
  return accepted.length;
}

function refusal(file) {
  const name = file.name || "The picture";
  if (file.type && !file.type.startsWith("image/")) {
    return `${name} is no picture. Choose a JPEG, PNG, WebP or GIF file.`;
  }
  if (file.size > limits.maxBytes) {
    const size = (file.size / 1e6).toFixed(file.size < 1e7 ? 1 : 0);
    return `${name} has ${size} MB; at most ${Math.floor(limits.maxBytes / 1e6)} MB can be uploaded. Save it smaller and try again.`;
  }
  return "";
}

const patchUpload = (id, changes) =>
  set({ uploads: getState().uploads.map((each) => (each.id === id ? { ...each, ...changes } : each)) });

const dropUpload = (id) => set({ uploads: getState().uploads.filter((each) => each.id !== id) });

function upload(file, part) {
  const id = nextId++;
  const request = new XMLHttpRequest();
  const preview = URL.createObjectURL(file);
  const cancel = () => (request.abort(), dropUpload(id), URL.revokeObjectURL(preview), uploadsChanged());
  set({ uploads: [...getState().uploads, { id, part, name: file.name || "picture", progress: 0, preview, error: "", cancel }] });
  const fail = (error) => (patchUpload(id, { error }), uploadsChanged());
  request.open("POST", "/api/v1/media");
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) patchUpload(id, { progress: event.loaded / event.total });
  };
  request.onerror = () => fail("The connection was lost while uploading. Take it out and add it again.");
  request.onload = () => {
    if (request.status >= 200 && request.status < 300 && request.response?.id) {
      dropUpload(id);
      URL.revokeObjectURL(preview);
      attach(request.response, part);
      uploadsChanged();
    } else fail(request.response?.detail || `The server refused the picture (${request.status}). Try another one.`);
  };
  const form = new FormData();
  form.append("file", file, file.name || "picture.png");
  request.send(form);
}

export function attach(item, part) {
  const { doc } = getState();
  if (doc.media.some((each) => each.id === item.id)) return;
  const { id, filename, width, height, size_bytes, alt = "" } = item;
  const urls = { thumb_url: item.thumb_url || `/media/${id}/file?size=thumb`, full_url: item.full_url || `/media/${id}/file?size=full` };
  change({ media: [...doc.media, { id, filename, width, height, size_bytes, alt, part: Math.min(part, doc.thread.length), ...urls }] });
}
