// What the page asks the app about an upload: the calls of docs/uploads.md, made with the session instead of a key
// (app/api/dashboard.py). Bytes do not pass here.
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

async function call(method, path, body) {
  const options = { method, headers: { "X-CSRFToken": csrf() }, signal: AbortSignal.timeout(LONGEST) };
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  let answer;
  try {
    response = await fetch(path, options);
    answer = response.headers.get("Content-Type")?.startsWith("application/json") ? await response.json() : null;
  } catch {
    throw new Refusal("The connection broke.");
  }
  if (response.ok) return answer;
  const wait = Number(response.headers.get("Retry-After")) || 0;
  throw new Refusal(answer?.message ?? `The server answered ${response.status}.`, { status: response.status, wait });
}

const at = (upload, below = "") => `${upload.to}/${upload.key}${below}`;

export const begin = (upload) => call("POST", upload.to, { fileName: upload.name, size: upload.size, release: Boolean(upload.release) });
export const read = (upload) => call("GET", at(upload));
export const sign = (upload, partNumbers) => call("POST", at(upload, "/parts"), { partNumbers });
export const complete = (upload) => call("POST", at(upload, "/complete"));
export const drop = (upload) => call("DELETE", at(upload));
