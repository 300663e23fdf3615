// What was typed while booking is kept in this tab until the lesson is booked: while one signs in, and while one looks
// at other times. Only texts and choices that the page itself shows; nothing leaves the browser.

const PREFIX = "coursecove.keep.";

const kept = (name) => {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + name) ?? "{}");
  } catch {
    return {};
  }
};

/** The fields of a form or a part of a page in which a person types or chooses. */
const fieldsOf = (root) => [...root.querySelectorAll("input[name], textarea[name], select[name]")].filter((field) => field.type !== "hidden");

function restore() {
  for (const done of document.querySelectorAll("[data-forget]")) sessionStorage.removeItem(PREFIX + done.dataset.forget);
  for (const root of document.querySelectorAll("[data-keep]")) {
    const values = kept(root.dataset.keep);
    for (const field of fieldsOf(root)) {
      const value = values[field.name];
      if (value === undefined) continue;
      if (field.type === "radio" || field.type === "checkbox") {
        // What the server has drawn as chosen was sent, and is the newer answer.
        if (!root.querySelector(`[name="${CSS.escape(field.name)}"]:checked`)) field.checked = field.value === value;
      } else if (!field.value) field.value = value;
    }
  }
}

document.addEventListener("input", ({ target }) => {
  const root = target.closest?.("[data-keep]");
  if (!root || !target.name || target.type === "hidden") return;
  try {
    sessionStorage.setItem(PREFIX + root.dataset.keep, JSON.stringify({ ...kept(root.dataset.keep), [target.name]: target.value }));
  } catch {
    // A browser that keeps nothing loses a note, no more.
  }
});

// A kept time runs out while one looks at it: the page says so by itself.
let timer;
function watchHold() {
  clearTimeout(timer);
  const held = document.querySelector("[data-held-until]");
  if (!held) return;
  const left = Date.parse(held.dataset.heldUntil) - Date.now();
  timer = setTimeout(() => {
    held.querySelector("span").textContent = held.dataset.over;
  }, Math.max(left, 0));
}

function ready() {
  restore();
  watchHold();
}
document.addEventListener("htmx:after:swap", ready);
ready();
