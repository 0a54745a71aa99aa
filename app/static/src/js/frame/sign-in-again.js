// The session of a page ended while somebody typed. The page stays: they sign in over it, and what they sent is sent
// again. A page whose CSRF token is of an earlier session gets the new one, and sends again too.
import { all, byId, find } from "../elements.js";
import htmx from "../htmx-setup.js";
import { showProblem } from "./problem-notice.js";

/**
 * What was pressed when the session had ended.
 * @typedef {{element: Element, event: Event | undefined}} Press
 */

/** @type {Press | null} */
let waiting = null;

/** What was sent again, once. A second refusal is shown. @type {WeakSet<Element>} */
const sentAgain = new WeakSet();

function ask() {
  const dialog = byId("sign-in-again", HTMLDialogElement);
  if (!dialog || dialog.open) return;
  htmx.ajax("get", dialog.dataset.from ?? "", { target: "#sign-in-again", swap: "innerHTML" });
}

/** @param {Press} press */
function sendAgain({ element, event }) {
  if (!element.isConnected) return;
  const submitter = event instanceof SubmitEvent ? event.submitter : null;
  if (element instanceof HTMLFormElement) element.requestSubmit(submitter?.isConnected ? submitter : null);
  else if (element instanceof HTMLElement) element.click();
}

document.addEventListener("htmx:responseError", ({ detail }) => {
  const { xhr, elt, requestConfig } = detail;
  if (xhr.status !== 401) return;
  waiting = { element: elt, event: requestConfig.triggeringEvent };
  ask();
});

document.addEventListener("signed-out", ask);

document.addEventListener("session-renewed", (event) => {
  const { token, member } = event.detail;
  const element = /** @type {Element} */ (event.target);
  const isOver = element.closest("#sign-in-again") !== null || element === document.body;
  const press = isOver ? waiting : { element, event: undefined };
  byId("sign-in-again", HTMLDialogElement)?.close();
  waiting = null;
  if (member !== byId("session", HTMLElement)?.dataset.member) {
    const advice = "Copy what you typed, then reload the page.";
    showProblem(press?.element ?? document.body, "Another member is signed in now", advice);
    return;
  }
  const meta = find(document, 'meta[name="csrf-token"]', HTMLMetaElement);
  if (meta) meta.content = token;
  for (const field of all(document, "input[name=csrf_token]", HTMLInputElement)) field.value = token;
  if (!press) return;
  if (sentAgain.has(press.element)) {
    showProblem(press.element, "This was not sent", "This page is out of date. Copy what you typed, then reload it.");
    return;
  }
  sentAgain.add(press.element);
  setTimeout(() => sendAgain(press)); // after htmx has finished with the refused request
});

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) sentAgain.delete(detail.elt);
});
