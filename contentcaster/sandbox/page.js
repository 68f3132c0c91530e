// Adds new posts as they arrive, without moving what is being read, and keeps the "ago" hints true.
const list = document.getElementById("posts");
const live = document.getElementById("live");
const fresh = document.getElementById("fresh");
let held = [];

function ago(iso) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(iso)) / 1000));
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return seconds >= 5 ? `${seconds} s ago` : "just now";
}

function refreshAgo() {
  for (const hint of document.querySelectorAll(".ago")) hint.textContent = ago(hint.dataset.at);
}

function find(key) {
  return list.querySelector(`[data-key="${CSS.escape(key)}"]`);
}

function show(markup) {
  document.getElementById("empty")?.remove();
  list.insertAdjacentHTML("afterbegin", markup);
  list.firstElementChild.classList.add("new");
  while (list.children.length > 200) list.lastElementChild.remove();
}

function showHeld() {
  held.forEach(show);
  held = [];
  fresh.hidden = true;
}

function setLive(on) {
  live.classList.toggle("on", on);
  live.classList.toggle("off", !on);
  live.textContent = on ? "live" : "not connected";
}

if (document.body.dataset.live) {
  const events = new EventSource("/sandbox/events");
  events.onopen = () => setLive(true);
  events.onerror = () => setLive(false);
  events.addEventListener("post", (event) => {
    const post = JSON.parse(event.data);
    if (find(post.key)) return;
    if (window.scrollY < 200) return show(post.html);
    held.push(post.html);
    fresh.textContent = held.length === 1 ? "1 new post" : `${held.length} new posts`;
    fresh.hidden = false;
  });
  events.addEventListener("edit", (event) => {
    const post = JSON.parse(event.data);
    const old = find(post.key);
    if (old) old.outerHTML = post.html;
  });
  events.addEventListener("delete", (event) => {
    const old = find(JSON.parse(event.data).key);
    if (old) old.remove();
  });
  events.addEventListener("aside", (event) => {
    document.querySelector("aside").innerHTML = JSON.parse(event.data).html;
  });
  events.addEventListener("reset", () => location.reload());
  fresh.addEventListener("click", () => {
    window.scrollTo({ top: 0 });
    showHeld();
  });
  window.addEventListener("scroll", () => {
    if (window.scrollY < 200 && held.length) showHeld();
  }, { passive: true });
}
setInterval(refreshAgo, 5000);
