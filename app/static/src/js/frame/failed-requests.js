// A press or a chosen file that could not be sent, or that the server refused without a page, is reported beside it.
// Polls report nothing: their regions show by themselves how old they are.
import { removeProblem, showProblem } from "./problem-notice.js";

/** @param {Event | undefined} event  what made htmx send a request */
export const isPress = (event) => ["submit", "click"].includes(event?.type ?? "");

/**
 * Whether somebody waits for the answer.
 * @param {HtmxRequest} request
 */
const isAwaited = ({ requestConfig: { verb, triggeringEvent } }) => verb !== "get" || isPress(triggeringEvent);

/**
 * @param {HtmxRequest} request
 * @param {string} title
 * @param {string} text
 */
function report({ elt, requestConfig }, title, text) {
  showProblem(elt, title, text);
  // The same file can be chosen again: a field that still has it would not change.
  const field = requestConfig.triggeringEvent?.target;
  if (field instanceof HTMLInputElement && field.type === "file") field.value = "";
}

/** @param {CustomEvent<HtmxRequest>} event */
function notSent({ detail }) {
  if (!isAwaited(detail)) return;
  const isForm = detail.requestConfig.verb !== "get";
  const kept = isForm ? "What you typed is still here. " : "";
  const cause = navigator.onLine ? "The server does not answer." : "This computer is offline.";
  report(
    detail,
    isForm ? "This was not sent" : "The page was not opened",
    `${cause} ${kept}Try again when the connection is back.`,
  );
}

document.addEventListener("htmx:sendError", notSent);
document.addEventListener("htmx:timeout", notSent);

document.addEventListener("htmx:responseError", ({ detail }) => {
  const { xhr } = detail;
  // sign-in-again.js handles what a session that has ended or was renewed refuses.
  if (xhr.status === 401 || xhr.getResponseHeader("HX-Trigger")) return;
  if (!isAwaited(detail)) return;
  const isText = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
  const text = isText ? xhr.responseText.trim() : `The server answered ${xhr.status}. Try again.`;
  report(detail, "This was not done", text);
});

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  if (isAwaited(detail)) removeProblem(detail.elt);
});
