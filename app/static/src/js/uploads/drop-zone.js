// Archives come to a page: dropped anywhere on it, or chosen. On a game's page they become its builds. On the list of
// games, one archive begins a new game.
import { size } from "../byte-sizes.js";
import { byId, closest } from "../elements.js";
import { addDropArea } from "../file-drop.js";
import { ARCHIVE } from "./archive-facts.js";
import { beginGame, openForm } from "./new-game.js";
import { gameOf, nextBuild, pageTarget } from "./page-target.js";
import { stoppedFor } from "./resume-stopped.js";
import { uploads } from "./upload-queue.js";

/** @typedef {import("./page-target.js").Target} Target */

const ONE_ARCHIVE = "A new game begins with one archive. Register the game, then send the others from its page.";

/** @param {File[]} files */
async function take(files) {
  const here = pageTarget();
  if (!here) return;
  const game = gameOf(here);
  const version = byId("drop-version", HTMLInputElement);
  const release = byId("drop-release", HTMLInputElement)?.checked ?? here.release === "1";
  for (const [place, file] of files.entries()) {
    const stopped = await stoppedFor(file, here.game);
    const reason = problemWith(file, here) || (!game && place ? ONE_ARCHIVE : "");
    if (stopped) {
      if (game && !stopped.game) uploads.assign(stopped, game);
      uploads.resume(stopped, file);
      if (!game) await openForm(file.name, file);
    } else if (reason) uploads.reject(file, game, reason);
    else if (game) {
      uploads.add(file, gameOf(here) ?? game, release, version?.value.trim());
      if (version) version.value = ""; // it names one build
    } else await beginGame(file);
  }
}

/**
 * Why the server would refuse the file, or "".
 * @param {File} file
 * @param {Target} target
 */
function problemWith(file, { most, packed }) {
  if (!ARCHIVE.test(file.name)) {
    return "It is not a .tar.gz. Package the game’s folder with GNU tar, then choose that file.";
  }
  if (file.size > Number(most)) {
    const limit = `It has ${size(file.size)}, and the limit is ${packed}.`;
    return `${limit} Make it smaller, or ask the operator to raise the limit.`;
  }
  return file.size === 0 ? "It is empty. Package the game’s folder again." : "";
}

/** @param {number} count */
function preview(count) {
  const here = pageTarget();
  if (!here?.game) return "It is sent while you name its game.";
  const becomes = count > 1 ? `${count} files become builds` : `It becomes build ${nextBuild(here)}`;
  return `${becomes} of ${here.title}.`;
}

addDropArea({
  isHere: () => pageTarget() !== null,
  box: () => byId("drop", HTMLElement),
  preview,
  take,
  fieldId: "drop-file",
});

document.addEventListener("click", (event) => {
  const button = closest(event, ".use-curl", HTMLElement);
  button?.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
});
