// New builds do not push the others away from under a pointer: while it, or the focus, is among them the new ones wait
// behind a button that says how many they are.
const list = () => document.getElementById("builds");
const busy = (root) => root.matches(":hover") || root.matches(":focus-within");
const rowsOf = (root) => [...root.querySelectorAll("tbody tr[id]")];

document.addEventListener("htmx:oobBeforeSwap", ({ detail: { target, fragment } }) => {
  if (target.id !== "builds" || !busy(target)) return;
  const shown = new Set(rowsOf(target).filter((row) => !row.hidden).map((row) => row.id));
  const fresh = rowsOf(fragment).filter((row) => !shown.has(row.id));
  if (!shown.size || !fresh.length) return;
  for (const row of fresh) row.hidden = true;
  fragment.querySelector(".section-head").append(button(fresh.length));
});

function button(count) {
  const text = `${count} new build${count === 1 ? "" : "s"}: show`;
  return Object.assign(document.createElement("button"), { type: "button", id: "newcomers", className: "text-button", textContent: text });
}

function show() {
  for (const row of list().querySelectorAll("tr[hidden]")) row.hidden = false;
  document.getElementById("newcomers").remove();
}

document.addEventListener("click", (event) => event.target.closest?.("#newcomers") && show());

for (const event of ["pointerover", "focusin"]) {
  document.addEventListener(event, () => document.getElementById("newcomers") && !busy(list()) && show());
}
