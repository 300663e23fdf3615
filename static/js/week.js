// A drawing of the week's hours that can be dragged in. It is a convenience on top of the plain fields below it: it
// reads them, writes to them, and is hidden from screen readers, which have the fields.

const STEP = 15;
const DAY = 1440;
const NEW_WINDOW = 60;
const FINGER_SLACK = 10;

for (const editor of document.querySelectorAll("[data-week-editor]")) setUp(editor);

function setUp(editor) {
  const grid = editor.querySelector("[data-week-grid]");
  const columns = [...grid.querySelectorAll("[data-weekday]")];
  let drag = null;
  let touched = null;

  draw();
  scrollToHours();

  // The part with the fields is exchanged when rows are added by its buttons.
  new MutationObserver(draw).observe(editor, { childList: true });
  editor.addEventListener("input", (event) => {
    if (!event.target.closest("[data-day]")) return;
    draw();
    noteUnsaved();
  });

  grid.addEventListener("pointerdown", begin);
  grid.addEventListener("pointermove", go);
  grid.addEventListener("pointerup", end);
  grid.addEventListener("pointercancel", abandon);
  grid.addEventListener("click", (event) => {
    const block = event.target.closest(".week-remove")?.closest(".week-window");
    if (block) remove(block.shown);
  });

  // Fields ------------------------------------------------------------------------------------------

  function fieldset(weekday) {
    return editor.querySelector(`[data-day="${weekday}"]`);
  }

  function rowsOf(weekday) {
    return [...fieldset(weekday).querySelectorAll("[data-row]")].map((row) => {
      const [starts, ends] = row.querySelectorAll("input[type=time]");
      return { starts, ends, place: row.querySelector(`[name="place-${weekday}"]`) };
    });
  }

  /** The windows that can be drawn: both times given, the end after the start. */
  function windowsOf(weekday) {
    return rowsOf(weekday)
      .map((row, index) => ({
        weekday,
        index,
        from: minutes(row.starts.value),
        to: minutes(row.ends.value) || DAY,
        place: row.place.selectedOptions?.[0]?.value ? row.place.selectedOptions[0].textContent : "",
        given: row.starts.value && row.ends.value,
      }))
      .filter((shown) => shown.given && shown.from < shown.to);
  }

  function typed(weekday) {
    return rowsOf(weekday)
      .map((row) => ({ starts: row.starts.value, ends: row.ends.value, place: row.place.value }))
      .filter((row) => row.starts || row.ends);
  }

  /** Write the rows of a day anew, with an empty one to add to at the end, as the server does. */
  function rewrite(weekday, rows) {
    const day = fieldset(weekday);
    const holder = day.querySelector("[data-rows]");
    for (const row of holder.querySelectorAll("[data-row]")) row.remove();
    rows.sort((one, other) => one.starts.localeCompare(other.starts));
    const made = [...rows, { starts: "", ends: "", place: "" }].map((values, index) => {
      const row = blankRow(day, weekday, index);
      const [starts, ends] = row.querySelectorAll("input[type=time]");
      starts.value = values.starts;
      ends.value = values.ends;
      row.querySelector(`[name="place-${weekday}"]`).value = values.place;
      row.querySelector(index === rows.length ? "[data-take]" : "[data-add]").remove();
      return row;
    });
    holder.prepend(...made);
    for (const row of made) window.htmx?.process(row);
    noteUnsaved();
    draw();
  }

  function blankRow(day, weekday, index) {
    const known = {
      __KEY__: day.id.replace("f-", ""),
      __NAME__: day.querySelector("legend").textContent.trim(),
      __DAY__: weekday,
      __I__: index,
      __N__: index + 1,
    };
    const row = editor.querySelector("template[data-week-row]").content.firstElementChild.cloneNode(true);
    for (const element of [row, ...row.querySelectorAll("*")]) {
      for (const attribute of element.attributes) {
        attribute.value = attribute.value.replace(/__[A-Z]+__/g, (name) => known[name]);
      }
    }
    for (const label of row.querySelectorAll("button span")) {
      label.textContent = label.textContent.replace(/__[A-Z]+__/g, (name) => known[name]);
    }
    return row;
  }

  function noteUnsaved() {
    const note = editor.querySelector("[data-unsaved-note]");
    note.hidden = false;
    note.querySelector("span").textContent = editor.dataset.unsaved;
  }

  // Drawing -----------------------------------------------------------------------------------------

  function draw() {
    for (const column of columns) {
      const shown = windowsOf(Number(column.dataset.weekday));
      column.replaceChildren(...shown.map((one) => block(one, shown.some((other) => other !== one && meet(one, other)))));
    }
  }

  function block(shown, overlaps) {
    const made = element("div", "week-window");
    made.shown = shown;
    made.toggleAttribute("data-overlap", overlaps);
    const label = element("span", "week-label");
    label.append(element("b"), element("b"));
    const place = element("span", "week-place");
    place.textContent = shown.place;
    const cross = element("span", "week-remove");
    cross.textContent = "×";
    cross.title = editor.dataset.remove;
    const [top, bottom] = ["top", "bottom"].map((edge) => {
      const handle = element("span", "week-edge");
      handle.dataset.edge = edge;
      return handle;
    });
    made.append(label, place, top, bottom, cross);
    position(made, shown.from, shown.to);
    return made;
  }

  function position(made, from, to) {
    made.style.setProperty("--from", from);
    made.style.setProperty("--to", to);
    made.toggleAttribute("data-short", to - from < 60);
    const [starts, ends] = made.querySelectorAll("b");
    starts.textContent = clock(from);
    ends.textContent = clock(to);
  }

  function scrollToHours() {
    const earliest = Math.min(...columns.flatMap((column) => windowsOf(Number(column.dataset.weekday)).map((one) => one.from)), 9 * 60);
    const scroller = grid.parentElement;
    scroller.scrollTop = Math.max(0, ((earliest - 60) / DAY) * columns[0].offsetHeight);
  }

  // Dragging ----------------------------------------------------------------------------------------

  function begin(event) {
    if (event.button || event.target.closest(".week-remove")) return;
    const column = event.target.closest("[data-weekday]");
    if (!column) return;
    const made = event.target.closest(".week-window");
    select(made);
    if (!made && event.pointerType === "touch") {
      // A finger on the empty week scrolls; only a tap adds a window.
      touched = { column, x: event.clientX, y: event.clientY };
      return;
    }
    const at = minuteAt(column, event.clientY);
    if (made) {
      const edge = event.target.closest(".week-edge")?.dataset.edge;
      drag = { kind: edge ?? "move", made, column, shown: made.shown, from: made.shown.from, to: made.shown.to, grip: at - made.shown.from };
    } else {
      const start = snap(at);
      const fresh = block({ weekday: Number(column.dataset.weekday), index: -1, from: start, to: start + STEP, place: "" }, false);
      column.append(fresh);
      drag = { kind: "create", made: fresh, column, shown: fresh.shown, from: start, to: start + STEP, anchor: start, moved: false };
    }
    event.preventDefault();
    grid.setPointerCapture(event.pointerId);
    drag.made.toggleAttribute("data-dragged", true);
  }

  function go(event) {
    if (!drag) return;
    const at = minuteAt(drag.column, event.clientY);
    if (drag.kind === "move") move(event, at);
    else stretch(at);
    position(drag.made, drag.from, drag.to);
  }

  function move(event, at) {
    const length = drag.shown.to - drag.shown.from;
    const column = columns.find((one) => {
      const box = one.getBoundingClientRect();
      return event.clientX >= box.left && event.clientX < box.right;
    });
    if (column && column !== drag.column) {
      drag.column = column;
      column.append(drag.made);
    }
    drag.from = clamp(Math.round((at - drag.grip) / STEP) * STEP, 0, DAY - length);
    drag.to = drag.from + length;
    drag.made.toggleAttribute("data-overlap", others().some((other) => meet(drag, other)));
  }

  function stretch(at) {
    // Edges stop at the neighbours, so that what is drawn can be saved.
    const fixed = drag.kind === "create" ? drag.anchor : drag.kind === "top" ? drag.shown.to : drag.shown.from;
    const before = Math.max(0, ...others().filter((other) => other.to <= fixed).map((other) => other.to));
    const after = Math.min(DAY, ...others().filter((other) => other.from >= fixed).map((other) => other.from));
    const edge = clamp(Math.round(at / STEP) * STEP, before, after);
    if (drag.kind === "create" && edge !== drag.anchor) drag.moved = true;
    if (edge < fixed && drag.kind !== "bottom") [drag.from, drag.to] = [edge, fixed];
    else if (edge > fixed && drag.kind !== "top") [drag.from, drag.to] = [fixed, edge];
  }

  function end(event) {
    if (touched && !drag) {
      const near = Math.hypot(event.clientX - touched.x, event.clientY - touched.y) < FINGER_SLACK;
      const { column } = touched;
      touched = null;
      if (near) add(column, snap(minuteAt(column, event.clientY)));
      return;
    }
    if (!drag) return;
    const done = drag;
    drag = null;
    const weekday = Number(done.column.dataset.weekday);
    if (done.kind === "create" && !done.moved) add(done.column, done.anchor);
    else if (done.kind === "create") addWindow(weekday, done.from, done.to);
    else if (done.made.hasAttribute("data-overlap") && done.kind === "move") draw();
    else if (done.from === done.shown.from && done.to === done.shown.to && weekday === done.shown.weekday) settle(done.made);
    else change(done.shown, weekday, done.from, done.to);
  }

  function abandon() {
    drag = null;
    touched = null;
    draw();
  }

  function settle(made) {
    made.removeAttribute("data-dragged");
  }

  function others() {
    const weekday = Number(drag.column.dataset.weekday);
    return windowsOf(weekday).filter((other) => weekday !== drag.shown.weekday || other.index !== drag.shown.index);
  }

  /** Add an hour, or as much of it as there is room for. */
  function add(column, start) {
    const weekday = Number(column.dataset.weekday);
    const shown = windowsOf(weekday);
    if (shown.some((other) => other.from <= start && start < other.to)) return draw();
    const next = Math.min(DAY, ...shown.filter((other) => other.from > start).map((other) => other.from));
    addWindow(weekday, start, Math.min(start + NEW_WINDOW, next));
  }

  function addWindow(weekday, from, to) {
    rewrite(weekday, [...typed(weekday), { starts: clock(from), ends: clock(to % DAY), place: "" }]);
  }

  function change(shown, weekday, from, to) {
    const row = rowsOf(shown.weekday)[shown.index];
    const values = { starts: clock(from), ends: clock(to % DAY), place: row.place.value };
    if (weekday === shown.weekday) {
      row.starts.value = values.starts;
      row.ends.value = values.ends;
      rewrite(weekday, typed(weekday));
    } else {
      remove(shown);
      rewrite(weekday, [...typed(weekday), values]);
    }
  }

  function remove(shown) {
    const row = rowsOf(shown.weekday)[shown.index];
    row.starts.value = "";
    row.ends.value = "";
    rewrite(shown.weekday, typed(shown.weekday));
  }

  function select(made) {
    for (const other of grid.querySelectorAll("[data-selected]")) other.removeAttribute("data-selected");
    made?.toggleAttribute("data-selected", true);
  }
}

function minuteAt(column, y) {
  const box = column.getBoundingClientRect();
  return clamp(((y - box.top) / box.height) * DAY, 0, DAY);
}

function snap(minute) {
  return Math.min(Math.floor(minute / STEP) * STEP, DAY - STEP);
}

function meet(one, other) {
  return one.from < other.to && other.from < one.to;
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

function minutes(text) {
  const [hours, rest] = text.split(":").map(Number);
  return hours * 60 + rest || 0;
}

function clock(minute) {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

function element(name, className = "") {
  const made = document.createElement(name);
  made.className = className;
  return made;
}
