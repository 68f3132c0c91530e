// Videos in the browser: a frame that stands for one, its length in words, and what a channel says about it.
import { createElement as h } from "react";

export const isVideo = (item) => (item.duration_seconds || 0) > 0;

export const VIDEO_TYPES = "video/mp4,video/quicktime,video/webm";

// 83.4 -> "1:23"; what is shown on a picture of it.
export function lengthOf(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

export const sizeOf = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);

export function Player({ item, className }) {
  return h("video", { src: item.full_url, poster: item.thumb_url, controls: true, preload: "metadata", playsInline: true, className, "aria-label": item.alt || item.filename });
}

const EDGE = 1280;
const PATIENCE_MS = 8000;

// A frame of the file as a JPEG; null where the browser cannot play it (the server draws a sign then).
export function posterOf(file) {
  return new Promise((resolve) => {
    const url = URL.createObjectURL(file);
    const video = document.createElement("video");
    const timer = setTimeout(() => end(null), PATIENCE_MS);
    const end = (blob) => {
      clearTimeout(timer);
      video.removeAttribute("src");
      video.load();
      URL.revokeObjectURL(url);
      resolve(blob);
    };
    video.muted = true;
    video.playsInline = true;
    video.preload = "auto";
    video.onerror = () => end(null);
    video.onloadeddata = () => {
      // The very first frame is black more often than not.
      video.currentTime = Math.min(1, (Number.isFinite(video.duration) ? video.duration : 1) / 3);
    };
    video.onseeked = () => {
      const scale = Math.min(1, EDGE / Math.max(video.videoWidth, video.videoHeight, 1));
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(video.videoWidth * scale);
      canvas.height = Math.round(video.videoHeight * scale);
      if (!canvas.width || !canvas.height) return end(null);
      canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => end(blob), "image/jpeg", 0.85);
    };
    video.src = url;
  });
}

const NAMES = { "video/mp4": "MP4", "video/quicktime": "QuickTime", "video/webm": "WebM" };

// What a channel will not take of the media of one part, in the words of the preflight (services/post_media.py).
export function videoNotes(channel, items) {
  const videos = items.filter(isVideo);
  if (!videos.length) return [];
  const { video: rule, platform_name: name } = channel;
  if (!rule) return [`${name} takes no videos from here.`];
  const notes = [];
  if (videos.length > 1) notes.push(`${name} takes one video per post.`);
  else if (items.length > 1 && !rule.mixes) notes.push(`${name} takes a video or pictures, not both.`);
  for (const item of videos) {
    if (rule.types.length && !rule.types.includes(item.mime_type)) notes.push(`${name} takes no ${NAMES[item.mime_type] || "such"} videos.`);
    if (rule.max_bytes && item.size_bytes > rule.max_bytes) notes.push(`${name} takes ${sizeOf(rule.max_bytes)}; this has ${sizeOf(item.size_bytes)}.`);
    if (rule.max_seconds && item.duration_seconds > rule.max_seconds + 0.5) notes.push(`${name} takes ${lengthOf(rule.max_seconds)} minutes; this lasts ${lengthOf(item.duration_seconds)}.`);
    if (item.duration_seconds < rule.min_seconds) notes.push(`${name} asks for at least ${rule.min_seconds} seconds.`);
  }
  return notes;
}
