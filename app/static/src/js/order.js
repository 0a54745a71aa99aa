// Rows keep their places while the pointer or the focus is among them: a table that is sorted worst first must not move
// a link away from under a finger. What has changed its place moves when they leave.
//
//   <div id="servers-table" data-keeps-order> … <tbody id="server-srv-01"> … </div>

const waiting = new Map(); // element -> ids in the order they should have

const rowsOf = (root) => [...root.querySelectorAll("tbody[id]")];
const busy = (root) => root.matches(":hover") || root.matches(":focus-within");

function arrange(root, ids) {
  const places = new Map(ids.map((id, place) => [id, place]));
  const place = (row) => places.get(row.id) ?? ids.length; // new rows come last
  const rows = rowsOf(root).sort((one, other) => place(one) - place(other));
  rows[0]?.parentElement.append(...rows);
}

document.addEventListener("htmx:oobBeforeSwap", ({ detail: { target, fragment } }) => {
  if (!target.matches?.("[data-keeps-order]")) return;
  waiting.delete(target);
  if (!busy(target)) return;
  const should = rowsOf(fragment).map((row) => row.id);
  const present = rowsOf(target).map((row) => row.id);
  if (should.join() === present.join()) return;
  arrange(fragment, present);
  waiting.set(target, should);
});

function settle() {
  for (const [root, ids] of waiting) {
    if (root.isConnected && busy(root)) continue;
    waiting.delete(root);
    if (root.isConnected) arrange(root, ids);
  }
}

for (const event of ["pointerover", "focusin", "focusout"]) {
  // Afterwards: while the event is on its way the focus is nowhere.
  document.addEventListener(event, () => waiting.size && setTimeout(settle));
}
document.documentElement.addEventListener("pointerleave", () => waiting.size && setTimeout(settle));
