// Conveniences of the school's calendar: a click in free time takes the quarter of an hour under the pointer, a lesson
// can be dragged to another time (and is then asked about, like any move), the line of now follows the clock.
// Every time shown is on the school's clock, which a script cannot know: noon of each column comes as an instant.

const MINUTE = 60_000;
const QUARTER = 15;

const board = document.querySelector("[data-calendar]");
if (board) {
  const hours = Number(board.dataset.until) - Number(board.dataset.from);

  /** How many minutes of the day stand above a height of the screen. */
  const minutesAt = (column, y) => {
    const box = column.getBoundingClientRect();
    return Number(board.dataset.from) * 60 + ((y - box.top) / box.height) * hours * 60;
  };
  /** "2026-12-03T15:00Z" of a minute of a column's day. */
  const instantOf = (column, minute) => {
    const at = new Date(Date.parse(column.dataset.noon) + (minute - 720) * MINUTE);
    return `${at.toISOString().slice(0, 16)}Z`;
  };
  const isGrid = () => getComputedStyle(board.querySelector(".cal-hours") ?? board).display !== "none";

  // A key press has no place on the page and takes the start of the free time, as the link says.
  board.addEventListener("click", (event) => {
    const link = event.target.closest?.(".cal-free a");
    if (!link || event.detail === 0 || !isGrid()) return;
    const column = link.closest(".cal-day");
    const quarter = Math.floor(minutesAt(column, event.clientY) / QUARTER) * QUARTER;
    const wanted = instantOf(column, quarter);
    const target = new URL(link.href);
    if (Date.parse(wanted) > Date.parse(link.dataset.start)) target.searchParams.set("time", wanted);
    link.href = target.href;
  });

  let dragged = null;
  board.addEventListener("dragstart", (event) => {
    const link = event.target.closest?.("a[data-reference]");
    if (!link || !isGrid()) return;
    const box = link.getBoundingClientRect();
    dragged = { reference: link.dataset.reference, above: event.clientY - box.top };
    event.dataTransfer.effectAllowed = "move";
  });
  board.addEventListener("dragend", () => {
    dragged = null;
    for (const column of board.querySelectorAll("[data-drop]")) delete column.dataset.drop;
  });
  board.addEventListener("dragover", (event) => {
    const column = event.target.closest?.(".cal-day");
    for (const other of board.querySelectorAll("[data-drop]")) if (other !== column) delete other.dataset.drop;
    if (!dragged || !column) return;
    event.preventDefault();
    column.dataset.drop = "";
  });
  board.addEventListener("drop", (event) => {
    const column = event.target.closest?.(".cal-day");
    if (!dragged || !column) return;
    event.preventDefault();
    const minute = Math.round(minutesAt(column, event.clientY - dragged.above) / QUARTER) * QUARTER;
    const query = new URLSearchParams({ time: instantOf(column, Math.min(Math.max(minute, 0), 1439)) });
    if (column.dataset.instructor) query.set("with", column.dataset.instructor);
    location.assign(`/admin/bookings/${dragged.reference}/move?${query}`);
  });

  const line = board.querySelector(".cal-now");
  if (line) {
    setInterval(() => {
      const minute = 720 + (Date.now() - Date.parse(line.closest(".cal-day").dataset.noon)) / MINUTE;
      line.style.setProperty("--h", String(Math.floor(minute / 60)));
      line.style.setProperty("--m", String(Math.floor(minute % 60)));
    }, MINUTE);
  }
}
