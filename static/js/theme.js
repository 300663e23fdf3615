// Loaded in the head and blocking, so that no page flashes in the wrong theme.
// The choice is "light", "dark" or "system" (the default), kept per browser under "theme".
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => {
    try {
      return localStorage.getItem("theme") || "system";
    } catch {
      return "system"; // Storage may be refused in private windows.
    }
  };

  const apply = () => {
    const choice = chosen();
    root.classList.toggle("dark", choice === "dark" || (choice === "system" && system.matches));
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  };

  root.classList.add("js");
  apply();
  system.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", apply);
  window.addEventListener("storage", (event) => event.key === "theme" && apply());
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-choice]");
    if (!button) return;
    try {
      localStorage.setItem("theme", button.dataset.themeChoice);
    } catch {
      root.classList.toggle("dark", button.dataset.themeChoice === "dark");
      return;
    }
    apply();
  });
})();
