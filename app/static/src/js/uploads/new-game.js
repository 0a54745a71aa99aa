// A new game begins with its archive: the archive is sent at once, while its game is registered with a form that is
// filled in from it.
import { byId, create, need } from "../elements.js";
import { announce } from "../frame/announcements.js";
import htmx, { onLoad } from "../htmx-setup.js";
import { readArchiveFacts, titleOf } from "./archive-facts.js";
import { gameOf, newGameUrls, pageTarget } from "./page-target.js";
import { uploads } from "./upload-queue.js";

const form = () => byId("new-game", HTMLFormElement);

/** The file that the form on the page is for; "" without one. */
let formFile = "";

/** @param {File} file */
export async function beginGame(file) {
  const begun = uploads.withoutGame(file.name);
  if (begun?.size !== file.size) uploads.addWithoutGame(file, newGameUrls().uploadsUrl);
  await openForm(file.name, file);
}

export const isFormOpen = () => form() !== null;

/**
 * Goes to the form, filled in with what the archive says about its game.
 * @param {string} name  of the file
 * @param {File | null} file  null after a reload, when only its name is known
 */
export async function openForm(name, file) {
  if (isFormOpen()) return;
  const facts = await readArchiveFacts(file ?? new File([], name));
  const title = facts.title || titleOf(name, facts.directory);
  const { launcher, saveDirectory } = facts;
  const fields = new URLSearchParams({ file: name, title, launcher, renpy_dir: saveDirectory });
  const link = create("a", { href: `${newGameUrls().registerUrl}?${fields}` });
  need(document, "#main", HTMLElement).append(link);
  htmx.process(link); // a boosted link: a page load would end the upload
  link.click();
}

// Leaving the form asks, because it ends the upload.
function draw() {
  const { dataset } = form() ?? {};
  if (!dataset) return;
  const upload = uploads.withoutGame(formFile);
  if (upload) dataset.question = `${upload.shownName} has no game yet. Leave and cancel its upload?`;
  else delete dataset.question;
}

document.addEventListener("abandoned", ({ target }) => {
  const upload = uploads.withoutGame(formFile);
  if (upload && target === form()) uploads.cancel(upload);
});

// The page after the form is that of the game that was registered.
onLoad(() => {
  const here = pageTarget();
  const game = here && gameOf(here);
  const upload = uploads.withoutGame(formFile);
  if (!form() && game && upload) {
    uploads.assign(upload, game);
    announce(`${upload.shownName} is sent to ${game.title}`);
  }
  formFile = form()?.dataset.file ?? "";
  draw();
});
uploads.changes.add(draw);
