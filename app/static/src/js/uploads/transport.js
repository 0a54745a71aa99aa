// How bytes get to the server: one XHR PUT, the only request of a browser that tells how much of it has left. A sender
// of parts can take its place; the store knows only this:
//
//   send(upload, {progress(sentBytes), sent()}) -> {done: Promise<answer>, cancel()}
//
// `done` is rejected with a Refusal. `cancel` makes it reject with `cancelled`.
const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

// The server's own words, or ours where it could not be asked. `wait`: it would take the same later, after so long.
export class Refusal extends Error {
  constructor(message, { wait = 0, cancelled = false } = {}) {
    super(message);
    this.wait = wait;
    this.cancelled = cancelled;
  }
}

export function send(upload, { progress, sent }) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("PUT", `${upload.to}?release=${upload.release ? 1 : 0}`);
    request.setRequestHeader("Content-Type", "application/gzip");
    request.setRequestHeader("X-CSRFToken", csrf());
    request.setRequestHeader("X-File-Name", encodeURIComponent(upload.file.name));
    request.setRequestHeader("HX-Request", "true"); // a refusal is a line of text, not a page
    request.upload.onprogress = (event) => progress(event.loaded);
    request.upload.onload = () => sent();
    request.onload = () => (request.status === 200 ? resolve(JSON.parse(request.responseText)) : reject(refusal(request)));
    request.onerror = () => reject(new Refusal("The connection broke. Nothing was kept; send it again."));
    request.onabort = () => reject(new Refusal("Cancelled", { cancelled: true }));
    request.send(upload.file);
  });
  return { done, cancel: () => request.abort() };
}

function refusal(request) {
  const told = request.getResponseHeader("Content-Type")?.startsWith("text/plain") ? request.responseText.trim() : "";
  const message = told || `The server answered ${request.status}. Nothing was kept; send it again.`;
  const wait = [429, 503].includes(request.status) ? Number(request.getResponseHeader("Retry-After")) || 10 : 0;
  return new Refusal(message, { wait });
}
