// Choosing several rows of a list: one box that ticks them all. The list works without it.

for (const form of document.querySelectorAll("form[data-choosing]")) {
  const all = form.querySelector("[data-choose-all]");
  const boxes = [...form.querySelectorAll('tbody input[type="checkbox"]')];
  if (!all || !boxes.length) continue;
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  form.addEventListener("change", (event) => event.target !== all && show());
  // A browser that goes back remembers what was ticked.
  addEventListener("pageshow", show);
}
