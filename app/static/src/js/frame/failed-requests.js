// A press that could not be sent, or that the server refused without a page, is reported beside what was pressed. Polls
// report nothing: their regions show by themselves how old they are.
import { removeProblem, showProblem } from "./problem-notice.js";

/** @param {Event | undefined} event  what made htmx send a request */
export const isPress = (event) => ["submit", "click"].includes(event?.type ?? "");

/** @param {CustomEvent<HtmxRequest>} event */
function notSent({ detail }) {
  if (!isPress(detail.requestConfig.triggeringEvent)) return;
  const isForm = detail.requestConfig.verb !== "get";
  const kept = isForm ? "What you typed is still here. " : "";
  const cause = navigator.onLine ? "The server does not answer." : "This computer is offline.";
  showProblem(
    detail.elt,
    isForm ? "This was not sent" : "The page was not opened",
    `${cause} ${kept}Try again when the connection is back.`,
  );
}

document.addEventListener("htmx:sendError", notSent);
document.addEventListener("htmx:timeout", notSent);

document.addEventListener("htmx:responseError", ({ detail }) => {
  const { xhr, elt } = detail;
  // sign-in-again.js handles what a session that has ended or was renewed refuses.
  if (xhr.status === 401 || xhr.getResponseHeader("HX-Trigger")) return;
  if (!isPress(detail.requestConfig.triggeringEvent)) return;
  const isText = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
  const text = isText ? xhr.responseText.trim() : `The server answered ${xhr.status}. Try again.`;
  showProblem(elt, "This was not done", text);
});

document.addEventListener("htmx:beforeSend", ({ detail }) => {
  if (isPress(detail.requestConfig.triggeringEvent)) removeProblem(detail.elt);
});
