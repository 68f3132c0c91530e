// One picture on its way to the server (POST /api/v1/media, with the session cookie): refusals, progress, the answer.

export const limits = { maxBytes: 20_000_000 };

// Why the browser itself refuses a file; "" if it does not. The server looks at the content.
export function refusal(file) {
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
    else onFail(request.response?.detail || `The server refused the picture (${request.status}). Try another one.`);
  };
  const form = new FormData();
  form.append("file", file, file.name || "picture.png");
  request.send(form);
  return () => request.abort();
}
