// One picture or video on its way to the server (POST /api/v1/media, with the session cookie): refusals, progress, the answer.

import { posterOf } from "./video.js";

export const limits = { maxBytes: 20_000_000, maxVideoBytes: 100_000_000 };

// Why the browser itself refuses a file; "" if it does not. The server looks at the content.
export function refusal(file) {
  const name = file.name || "The picture";
  const isVideo = file.type.startsWith("video/");
  if (file.type && !file.type.startsWith("image/") && !isVideo) {
    return `${name} is no picture or video. Choose a JPEG, PNG, WebP or GIF file, or an MP4, MOV or WebM video.`;
  }
  const most = isVideo ? limits.maxVideoBytes : limits.maxBytes;
  if (file.size > most) {
    const size = (file.size / 1e6).toFixed(file.size < 1e7 ? 1 : 0);
    return `${name} has ${size} MB; at most ${Math.floor(most / 1e6)} MB can be uploaded. Save it smaller and try again.`;
  }
  return "";
}

// Returns a function that stops it.
export function send(file, { onProgress, onDone, onFail }) {
  const request = new XMLHttpRequest();
  request.open("POST", "/api/v1/media");
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
  request.onerror = () => onFail("The connection was lost while uploading. It goes on by itself once it is back.", true);
  request.onload = () => {
    if (request.status >= 200 && request.status < 300 && request.response?.id) onDone(request.response);
    else if (request.status >= 500) onFail("The server cannot take it right now. Try again in a moment.", true);
    else onFail(request.response?.detail || `The server refused the file (${request.status}). Try another one.`);
  };
  const form = new FormData();
  form.append("file", file, file.name || "picture.png");
  let isStopped = false;
  if (file.type.startsWith("video/")) {
    posterOf(file).then((poster) => {
      if (poster) form.append("poster", poster, "poster.jpg");
      if (!isStopped) request.send(form);
    });
  } else request.send(form);
  return () => ((isStopped = true), request.abort());
}
