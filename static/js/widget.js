// The lessons of a school inside the school's own website:
//
//   <script src="https://school.example/widget.js" async></script>                              the whole catalogue
//   <script src="…/widget.js" data-lesson="piano-lesson" async></script>                        the times of one lesson
//   <script src="…/widget.js" data-mode="button" data-label="Book a lesson" async></script>     a button that opens it
//
// Also: data-teacher, data-place (their names in the school's addresses), data-title (what a screen reader says), data-color.
(() => {
  const script = document.currentScript;
  if (!script || !script.src) return;
  const school = new URL(script.src).origin;
  const { lesson, teacher, place, mode, label = "Book a lesson", title, color } = script.dataset;

  const address = new URL(lesson ? `/embed/${encodeURIComponent(lesson)}` : "/embed", school);
  if (teacher) address.searchParams.set("with", teacher);
  if (place) address.searchParams.set("place", place);
  address.searchParams.set("origin", location.origin);

  const frame = document.createElement("iframe");
  frame.src = address.href;
  frame.title = title || label;
  frame.loading = "lazy";
  frame.referrerPolicy = "strict-origin-when-cross-origin";
  Object.assign(frame.style, { width: "100%", height: "480px", border: "0", display: "block", colorScheme: "auto" });

  // Only the school's own page, in this very frame, says how high it is.
  addEventListener("message", (event) => {
    if (event.origin !== school || event.source !== frame.contentWindow) return;
    const { source, height } = event.data ?? {};
    if (source !== "coursecove" || !Number.isFinite(height)) return;
    frame.style.height = `${Math.min(Math.max(height, 120), 20000)}px`;
  });

  if (mode !== "button") {
    script.after(frame);
    return;
  }

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  Object.assign(button.style, {
    font: "600 1rem/1.2 system-ui, sans-serif",
    padding: "0.75rem 1.25rem",
    border: "0",
    borderRadius: "0.5rem",
    cursor: "pointer",
    color: "#fff",
    background: /^#[0-9a-f]{6}$/i.test(color ?? "") ? color : "#18181b",
  });
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", title || label);
  Object.assign(dialog.style, {
    width: "min(60rem, calc(100vw - 2rem))",
    maxHeight: "calc(100dvh - 2rem)",
    padding: "0.75rem",
    border: "0",
    borderRadius: "0.75rem",
    overflow: "auto",
  });
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", "Close");
  Object.assign(close.style, {
    font: "1.5rem/1 system-ui, sans-serif",
    width: "2.75rem",
    height: "2.75rem",
    border: "0",
    background: "none",
    color: "inherit",
    cursor: "pointer",
    display: "block",
    marginInlineStart: "auto",
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.append(close, frame);
  button.addEventListener("click", () => dialog.showModal());
  script.after(button, dialog);
})();
