// Pictures and videos that are being added to the post. What is refused says why, where they are.
import { change, getState, set, uploadsChanged } from "./composer_store.js";
import { refusal, send } from "./upload.js";

let nextId = 1;

// Uploads that lost their connection (a closed laptop): they go on once there is one again.
const waiting = new Map();
if (typeof window !== "undefined") window.addEventListener("online", () => [...waiting.values()].forEach((retry) => retry()));

export function addFiles(files, part) {
  const problems = [...files].map(refusal);
  set({ mediaError: problems.find(Boolean) || "" });
  const accepted = [...files].filter((_, index) => !problems[index]);
  accepted.forEach((file) => upload(file, part));
  return accepted.length;
}

const patchUpload = (id, changes) =>
  set({ uploads: getState().uploads.map((each) => (each.id === id ? { ...each, ...changes } : each)) });

function upload(file, part) {
  const id = nextId++;
  const preview = URL.createObjectURL(file);
  const drop = () => {
    set({ uploads: getState().uploads.filter((each) => each.id !== id) });
    URL.revokeObjectURL(preview);
  };
  let stop = () => {};
  const begin = () => {
    waiting.delete(id);
    patchUpload(id, { error: "", retry: null, progress: 0 });
    stop = send(file, {
      onProgress: (progress) => patchUpload(id, { progress }),
      onFail: (error, isTemporary) => {
        const retry = isTemporary ? begin : null;
        if (retry) waiting.set(id, retry);
        patchUpload(id, { error, retry });
        uploadsChanged();
      },
      onDone: (item) => (drop(), attach(item, part), uploadsChanged()),
    });
  };
  const cancel = () => (waiting.delete(id), stop(), drop(), uploadsChanged());
  set({ uploads: [...getState().uploads, { id, part, name: file.name || "picture", progress: 0, preview, isVideo: file.type.startsWith("video/"), error: "", retry: null, cancel }] });
  begin();
}

function attach({ id, filename, mime_type, width, height, size_bytes, duration_seconds, alt, thumb_url, full_url }, part) {
  const { doc } = getState();
  const item = { id, filename, mime_type, width, height, size_bytes, duration_seconds, alt, thumb_url, full_url, part: Math.min(part, doc.thread.length) };
  change({ media: [...doc.media, item] });
}
