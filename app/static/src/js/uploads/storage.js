// While storage is unreachable nothing is sent: the drop zone holds what it is given, and the page asks again.
import htmx from "../htmx-setup.js";
import { uploads } from "./store.js";

function look() {
  const held = Boolean(document.querySelector("#storage .banner"));
  document.getElementById("drop")?.classList.toggle("held", held);
  uploads.hold(held);
}

htmx.onLoad(look);
document.addEventListener("htmx:afterSettle", look);

// An upload was told so: the page says it too, and says when it is over.
uploads.addEventListener("storage", () => {
  const place = document.getElementById("storage");
  if (navigator.onLine && place && !place.childElementCount) htmx.ajax("GET", "/storage", { target: "#storage", swap: "outerHTML" });
});
