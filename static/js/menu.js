// Menus are details elements and open by themselves; this closes them: on Escape, on a click elsewhere, on leaving.
(() => {
  const open = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("focusin", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
    // The drawer of the back office stands in the page and stays open while one works: only from within it, or from nowhere.
    const drawer = document.querySelector("details.office__drawer[open]"), at = document.activeElement;
    if (!drawer || (at !== document.body && !drawer.contains(at))) return;
    drawer.open = false;
    drawer.querySelector("summary").focus();
  });
})();
