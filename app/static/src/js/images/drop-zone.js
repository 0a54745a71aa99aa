// Images come to a game: dropped anywhere on its gallery, or chosen. While storage is unreachable they are held.
import { byId } from "../elements.js";
import { addDropArea } from "../file-drop.js";
import { onLoad } from "../htmx-setup.js";
import { images } from "./image-queue.js";

const zone = () => byId("image-drop", HTMLElement);

/** @returns {import("./image-upload.js").Gallery} */
function gallery() {
  const { game = "", title = "", page = "", presign = "", confirm = "", most = "", each = "" } = zone()?.dataset ?? {};
  return { game, title, page, presign, confirm, most, each };
}

addDropArea({
  isHere: () => zone() !== null,
  box: zone,
  preview: (count) => `${count > 1 ? `${count} images are` : "The image is"} added to ${gallery().title}.`,
  take: (files) => images.add(files, gallery()),
  fieldId: "image-files",
});

function look() {
  const held = Boolean(document.querySelector("#storage .banner"));
  zone()?.classList.toggle("held", held);
  images.hold(held);
}

onLoad(look);
document.addEventListener("htmx:afterSettle", look);

addEventListener("beforeunload", (event) => {
  if (images.running.length) event.preventDefault();
});
