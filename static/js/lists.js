// Choosing several rows of a list: one box that ticks them all. The list works without it.

for (const form of document.querySelectorAll("form[data-choosing]")) {
  const all = form.querySelector("[data-choose-all]");
  // Where rows have forms of their own the boxes stand outside, and belong by their form attribute.
  const boxes = [...form.elements].filter((field) => field.matches('tbody input[type="checkbox"]'));
  if (!all || !boxes.length) continue;
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    all.checked = chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  for (const box of boxes) box.addEventListener("change", show);
  // A browser that goes back remembers what was ticked.
  addEventListener("pageshow", show);
}
