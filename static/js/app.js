// Conveniences on top of pages that work without them: toasts, dialogs, menus, progress, focus.

// The server shows times in the viewer's own zone; only the browser knows it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  // The prefix keeps sibling subdomains from setting it; browsers take it over https only.
  const [prefix, secure] = location.protocol === "https:" ? ["__Host-", "; Secure"] : ["", ""];
  document.cookie = `${prefix}tz=${encodeURIComponent(zone)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

// What scripts say, in the reader's language: the layout carries it.
const words = document.getElementById("words")?.dataset ?? {};

// Toasts ---------------------------------------------------------------------------------------

const kinds = new Set(["success", "error", "warning", "info"]);

/**
 * Show a message; errors stay until they are closed, the rest leaves after seven seconds of nobody looking at it.
 * What can be taken back (`undo`, a form) stays twice as long.
 */
function toast(kind, text, undo = null) {
  const region = document.getElementById("toasts");
  const template = document.getElementById("toast-template");
  if (!region || !template || !text) return;
  const item = template.content.firstElementChild.cloneNode(true);
  item.dataset.kind = kinds.has(kind) ? kind : "info";
  for (const icon of item.querySelectorAll("[data-toast-icon]")) {
    if (icon.dataset.toastIcon === item.dataset.kind) icon.replaceWith(...icon.childNodes);
    else icon.remove();
  }
  item.querySelector("p").textContent = text;
  const close = () => item.remove();
  item.querySelector("button").addEventListener("click", close);
  if (undo) item.querySelector("p").after(undo);
  region.append(item);
  if (item.dataset.kind === "error") return;
  let timer = setTimeout(close, undo ? 14000 : 7000);
  for (const name of ["pointerenter", "focusin"]) item.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) {
    item.addEventListener(name, () => {
      clearTimeout(timer);
      timer = setTimeout(close, 4000);
    });
  }
}

// A response says `HX-Trigger: {"toast": {"kind": "success", "text": "Saved"}}`.
document.addEventListener("toast", (event) => toast(event.detail?.kind, event.detail?.text));

/** Turn the messages a page came with into toasts, so that they are announced. */
function announceFlash(root) {
  for (const flash of root.querySelectorAll(".flash")) {
    toast(flash.dataset.kind, flash.querySelector("strong")?.textContent, flash.querySelector("form"));
    flash.remove();
  }
}
// A live region announces only what is added after the page is there.
setTimeout(() => announceFlash(document), 150);

// Dialogs and menus -----------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;

  const opener = target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    dialog.showModal();
  }
  if (target.closest("[data-dialog-close]") || target.matches("dialog")) target.closest("dialog")?.close();

  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
  target.closest("[data-copy]") && copy(target.closest("[data-copy]"));
  // Whoever sits down here next is not shown what was typed.
  if (target.closest("[data-clerk-sign-out]")) sessionStorage.clear();
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details[data-menu]");
  if (menu?.open) {
    const entries = [...menu.querySelectorAll("summary, a[href], button:not(:disabled)")].filter((entry) => entry.checkVisibility());
    const index = entries.indexOf(event.target);
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      entries.at((index + (event.key === "ArrowDown" ? 1 : -1)) % entries.length)?.focus();
    }
    return;
  }
  moveInDays(event);
});

document.addEventListener("focusin", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.dataset.copy);
    toast("success", words.copied);
  } catch {
    toast("error", words.copyFailed);
  }
}

// Arrow keys walk over the free days; Tab does too, one by one.
function moveInDays(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
  const picker = step && event.target.closest?.("[data-day-picker] td a") && event.target.closest("[data-day-picker]");
  if (!picker) return;
  event.preventDefault();
  const cells = [...picker.querySelectorAll("td")];
  let index = cells.indexOf(event.target.closest("td"));
  do index += step;
  while (cells[index] && !cells[index].querySelector("a"));
  cells[index]?.querySelector("a").focus();
}

// Progress ----------------------------------------------------------------------------------------

function submitters(element) {
  if (!element) return [];
  return element.matches("form") ? [...element.querySelectorAll("button[type=submit], button:not([type])")] : [element];
}

function busy(elements, on) {
  for (const element of elements) {
    if (on) element.setAttribute("aria-busy", "true");
    else element.removeAttribute("aria-busy");
  }
}

// A form that leaves the page: show it on the pressed button, and let no second press through.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog" || isHtmx(form) || event.submitter?.formTarget) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post") return;
  form.dataset.sent = "true";
  busy(event.submitter ? [event.submitter] : submitters(form).slice(0, 1), true);
});

function isHtmx(element) {
  return [...element.attributes].some((attribute) => /^(data-)?hx-(get|post|put|patch|delete|action|boost)/.test(attribute.name));
}

// Coming back with the browser's Back button finds the page as it was left.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    busy(submitters(form), false);
  }
});

// htmx --------------------------------------------------------------------------------------------

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const pressed = ctx.request.submitter ?? (ctx.sourceElement?.matches("button") ? ctx.sourceElement : null);
  ctx.busyElements = pressed ? [pressed] : [];
  busy(ctx.busyElements, true);
  ctx.focusedId = document.activeElement?.id;
  // After the swap the source is gone, so its name is kept now.
  const narrowing = [ctx.sourceElement, document.activeElement].find((element) => element?.matches?.("[data-keep-focus]"));
  ctx.keptId = narrowing?.id;
});

document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => busy(ctx.busyElements ?? [], false));

// Answers that are not the fragment one asked for are never swapped in (see htmx-config in the layout).
document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  const { status } = ctx.response;
  const reading = ctx.request.method === "GET";
  if (status === 401 && reading) location.assign(ctx.request.action);
  else if (status === 401) toast("error", words.signedOut);
  else if (status === 403 && ctx.response.headers.get("X-Problem") === "csrf") toast("error", words.tooOld);
  else if (status === 403) toast("error", words.forbidden);
  else if (status === 404 && reading) location.assign(ctx.request.action);
  else if (status === 404) toast("error", words.gone);
  else if (status === 429) toast("error", words.tooFast);
  else if (status >= 500) toast("error", words.failed);
});

document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx?.request) toast("error", words.offline);
});

// A link that leads out of the part that is exchanged: the page it leads to has no such part, and is opened whole.
document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const part = /^#([\w-]+)$/.exec(ctx.select ?? "")?.[1];
  if (!part || ctx.request.method !== "GET" || ctx.response.status >= 400 || ctx.text.includes(`id="${part}"`)) return;
  event.preventDefault();
  location.assign(ctx.response.raw.url);
});

// After a swap the focus goes to what the answer is about, and never falls back to the top of the page.
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  announceFlash(document);
  const target = ctx.target?.isConnected ? ctx.target : document.getElementById(ctx.target?.id);
  // What narrows the page one looks at keeps the focus, and the page stays where it is.
  const kept = ctx.keptId && document.getElementById(ctx.keptId);
  if (kept) return kept.focus({ preventScroll: true });
  const wanted = target?.querySelector("[data-focus], [autofocus], [aria-invalid=true]");
  if (wanted) wanted.focus();
  else if (document.activeElement === document.body && ctx.focusedId) document.getElementById(ctx.focusedId)?.focus();
  else if (document.activeElement === document.body) target?.querySelector("h1, h2, h3, a[href], button")?.focus();
});
