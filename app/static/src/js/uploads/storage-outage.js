// While storage is unreachable nothing is sent: the drop zone holds what it is given, and the page asks again.
import { byId } from "../elements.js";
import htmx, { onLoad } from "../htmx-setup.js";
import { uploads } from "./upload-queue.js";

function look() {
  const held = Boolean(document.querySelector("#storage .banner"));
  byId("drop", HTMLElement)?.classList.toggle("held", held);
  uploads.hold(held);
}

onLoad(look);
document.addEventListener("htmx:afterSettle", look);

// An upload waits: the page asks whether storage is away, shows that, and then asks until it is over.
uploads.waits.add(() => {
  const place = byId("storage", HTMLElement);
  if (navigator.onLine && place && !place.childElementCount) {
    htmx.ajax("get", place.dataset.from ?? "", { target: "#storage", swap: "outerHTML" });
  }
});
