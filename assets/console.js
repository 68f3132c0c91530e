// Keyboard shortcuts: an element that carries data-shortcut="c" or "g h" is clicked when those keys are typed.
// Elements declare their own shortcut in Python (components.shortcut); nothing is sent to the server for a key.
// A button with data-drawer opens and closes the sidebar on narrow screens.
(() => {
  const setDrawer = (app, isOpen) => {
    app.classList.toggle("drawer-open", isOpen);
    app.querySelectorAll("[data-drawer][aria-expanded]").forEach((el) => el.setAttribute("aria-expanded", isOpen));
    if (isOpen) app.querySelector(".side a")?.focus();
  };
  document.addEventListener("click", (event) => {
    const toggle = event.target instanceof Element && event.target.closest("[data-drawer]");
    const app = toggle && toggle.closest(".app");
    if (app) setDrawer(app, !app.classList.contains("drawer-open"));
  });
  document.addEventListener("keydown", (event) => {
    const app = event.key === "Escape" && document.querySelector(".app.drawer-open");
    if (app) {
      setDrawer(app, false);
      app.querySelector(".menu-button")?.focus();
    }
  });
})();

// A hidden input with data-fill="timezone" is filled in with the browser's zone when its form is posted.
document.addEventListener("submit", (event) => {
  for (const input of event.target.querySelectorAll('input[data-fill="timezone"]')) {
    input.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  }
});

// An element with data-submit="id" posts that form: a menu closes, and its own form would be gone before it is sent.
document.addEventListener("click", (event) => {
  const source = event.target instanceof Element && event.target.closest("[data-submit]");
  if (source) document.getElementById(source.dataset.submit)?.requestSubmit();
});

(() => {
  let pending = "";
  let timer = 0;
  const isTyping = (el) =>
    el instanceof HTMLElement && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));
  const find = (keys) =>
    [...document.querySelectorAll("[data-shortcut]")].find((el) => el.dataset.shortcut === keys);
  const isPrefix = (keys) =>
    [...document.querySelectorAll("[data-shortcut]")].some((el) => el.dataset.shortcut.startsWith(keys + " "));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.target) || document.querySelector('[role="dialog"],[role="alertdialog"],[role="menu"]')) return;
    if (event.key.length !== 1) return;
    const keys = pending ? pending + " " + event.key : event.key;
    clearTimeout(timer);
    pending = "";
    const target = find(keys);
    if (target) {
      event.preventDefault();
      if (target.dataset.shortcutFocus !== undefined) target.focus();
      else target.click();
    } else if (isPrefix(keys)) {
      pending = keys;
      timer = setTimeout(() => (pending = ""), 1200);
    }
  });
})();

// Ctrl-K opens the search from the first moment on. The search itself (assets/js/palette.js) is fetched after the page,
// so the press, and what is typed right after it, is kept here until its field is there to take it.
(() => {
  const GIVE_UP_MS = 10000;
  let typed = null;
  let timer = 0;
  const forget = () => {
    typed = null;
    clearTimeout(timer);
  };
  window.earlySearch = {
    isWanted: () => typed !== null,
    take: () => {
      const text = typed || "";
      forget();
      return text;
    },
  };
  const isCall = (event) =>
    (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
  const keep = (event) => {
    if (event.key === "Escape") forget();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key === "Backspace") typed = typed.slice(0, -1);
    else if (event.key.length === 1) typed += event.key;
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  const onKeyDown = (event) => {
    if (isCall(event) && document.querySelector(".top")) {
      event.preventDefault();
      if (document.getElementById("palette-query")) document.dispatchEvent(new Event("search-unwanted"));
      else if (typed === null) {
        typed = "";
        timer = setTimeout(forget, GIVE_UP_MS);
        document.dispatchEvent(new Event("search-wanted"));
      }
    } else if (typed !== null) keep(event);
  };
  document.addEventListener("keydown", onKeyDown, true);
})();

// A button with data-copy="id" copies the text of that element and says so.
document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element && event.target.closest("[data-copy]");
  const source = button && document.getElementById(button.dataset.copy);
  if (!source) return;
  const lines = source.children.length ? [...source.children].map((el) => el.textContent) : [source.textContent];
  try {
    await navigator.clipboard.writeText(lines.join("\n").trim());
  } catch {
    getSelection().selectAllChildren(source); // no clipboard over plain http: marked, so that Ctrl-C takes it
    return;
  }
  const words = button.querySelector("[data-copy-words]");
  if (!words) return;
  const before = words.textContent;
  words.textContent = words.dataset.copyWords;
  setTimeout(() => (words.textContent = before), 1600);
});
