// What the page asks the app about an upload (app/web/upload.py). Bytes do not pass here.
const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";
const LONGEST = 60_000; // completing lists every part in storage

// The server's own words, or ours where it could not be asked. `wait`: seconds after which it may do what was asked.
export class Refusal extends Error {
  constructor(message, { status = 0, wait = 0, storage = false } = {}) {
    super(message);
    this.status = status;
    this.wait = wait;
    this.storage = storage || /storage/i.test(message);
  }

  // Whether the same may work a little later.
  get passes() {
    return [0, 408, 429].includes(this.status) || this.status >= 500;
  }
}

async function call(method, path, fields = []) {
  const options = { method, signal: AbortSignal.timeout(LONGEST) };
  // As a part of the page: a refusal is then a line of text, not a page.
  options.headers = { "HX-Request": "true", "X-CSRFToken": csrf() };
  if (method === "POST") options.body = new URLSearchParams(fields);
  let response;
  try {
    response = await fetch(path, options);
    if (response.ok) return response.status === 204 ? null : await response.json();
  } catch {
    throw new Refusal("The connection broke.");
  }
  const told = response.headers.get("Content-Type")?.startsWith("text/plain") ? (await response.text()).trim() : "";
  const wait = Number(response.headers.get("Retry-After")) || 0;
  throw new Refusal(told || `The server answered ${response.status}.`, { status: response.status, wait });
}

const at = (upload, below = "") => `${upload.to}/${upload.key}${below}`;

export const begin = (upload) =>
  call("POST", upload.to, [["file_name", upload.name], ["size", upload.size], ["release", upload.release ? 1 : 0]]);
export const read = (upload) => call("GET", at(upload));
export const sign = (upload, numbers) => call("POST", at(upload, "/parts"), numbers.map((number) => ["number", number]));
export const complete = (upload) => call("POST", at(upload, "/completion"));
export const drop = (upload) => call("DELETE", at(upload));
