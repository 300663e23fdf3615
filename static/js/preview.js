// A look at what is being written: the form is posted into a frame whenever somebody pauses. Its buttons do the
// same without this script.

const PAUSE_MS = 500;

for (const form of document.querySelectorAll("form[data-preview]")) {
  const buttons = [...form.querySelectorAll("[data-preview-button]")];
  let chosen = buttons[0];
  let timer;

  /** Show it in a new frame: what is loaded into an old one becomes a step of the browser's history. */
  const show = () => {
    const frame = document.getElementById(form.dataset.preview);
    const fresh = frame.cloneNode(false);
    fresh.src = "about:blank";
    frame.replaceWith(fresh);
    const copy = document.createElement("form");
    copy.method = "post";
    copy.action = chosen.formAction;
    copy.target = fresh.name;
    copy.hidden = true;
    const data = new FormData(form);
    data.set(chosen.name, chosen.value);
    for (const [name, value] of data) {
      const field = document.createElement("textarea");
      field.name = name;
      field.value = value;
      copy.append(field);
    }
    document.body.append(copy);
    // Without the event: nothing here is sent away, so no button is busy.
    copy.submit();
    copy.remove();
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE_MS);
  });
  for (const button of buttons) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      chosen = button;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      clearTimeout(timer);
      show();
    });
  }
}
