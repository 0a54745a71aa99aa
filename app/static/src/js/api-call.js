// A call to the app's API with the session instead of a key.
import { csrfToken } from "./page-meta.js";

/**
 * @typedef {object} Reply
 * @property {boolean} ok
 * @property {number} status      of HTTP
 * @property {number} retryAfter  seconds; 0 where the server names none
 * @property {any} answer         the JSON, null where there is none
 */

/**
 * Without a session the page asks to sign in (frame/sign-in-again.js). If that was done meanwhile, the call is
 * repeated. Throws what fetch throws if the connection breaks or the signal ends it.
 * @param {"GET" | "POST" | "DELETE"} method
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {object} [body]  sent as JSON
 * @returns {Promise<Reply>}
 */
export async function callApi(method, url, signal, body) {
  const token = csrfToken();
  /** @type {Record<string, string>} */
  const headers = { "X-CSRFToken": token };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal });
  const { ok, status } = response;
  if ([400, 401].includes(status) && token !== csrfToken()) return callApi(method, url, signal, body);
  if (status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  return { ok, status, retryAfter, answer: isJson ? await response.json() : null };
}
