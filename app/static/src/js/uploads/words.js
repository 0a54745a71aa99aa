// What a row says (the copy of app/web/formats.py and of the design, "Upload").
const SPACE = "\u00a0";
const UNITS = ["B", "kB", "MB", "GB", "TB"];
const number = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

function unitOf(amount) {
  let step = 0;
  while (amount >= 999.5 && step < UNITS.length - 1) {
    amount /= 1000;
    step += 1;
  }
  return step;
}

function inUnit(amount, step) {
  const value = amount / 1000 ** step;
  return number(value, step < 2 || value >= 99.95 ? 0 : 1);
}

export const exact = (amount) => `${amount.toLocaleString("en")} bytes`;

export const size = (amount) => `${inUnit(amount, unitOf(amount))}${SPACE}${UNITS[unitOf(amount)]}`;

// "3.2 of 7.8 GB"
export const sizeOf = (part, whole) => `${inUnit(part, unitOf(whole))} of ${size(whole)}`;

export function about(seconds) {
  if (seconds < 59.5) return `about ${Math.max(1, Math.round(seconds / 5) * 5 || 1)}${SPACE}s`;
  return seconds < 3570 ? `about ${Math.round(seconds / 60)}${SPACE}min` : `about ${Math.round(seconds / 3600)}${SPACE}h`;
}

function ago(at) {
  const minutes = Math.floor((Date.now() - at) / 60_000);
  if (minutes < 60) return minutes < 1 ? "a moment ago" : `${minutes} minute${minutes === 1 ? "" : "s"} ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} hour${hours === 1 ? "" : "s"} ago`;
  return `${Math.floor(hours / 24)} day${hours < 48 ? "" : "s"} ago`;
}

function held(upload) {
  const phase = upload.sent ? `Held at ${sizeOf(upload.sent, upload.size)}` : "Held";
  if (!upload.retryAt) return [phase, " · storage is unreachable, it starts by itself"];
  const wait = Math.max(1, Math.ceil((upload.retryAt - Date.now()) / 1000));
  const tries = Number.isFinite(upload.mostTries) ? `${upload.tries} of ${upload.mostTries} ` : "";
  return [phase, ` · ${cause(upload.why)}, retrying ${navigator.onLine ? tries : ""}in ${wait}${SPACE}s`];
}

function cause(refusal) {
  if (!navigator.onLine) return "this computer is offline";
  if (refusal?.status === 429) return "the server asks to wait";
  if (refusal?.storage) return "storage is unreachable";
  return refusal?.status === 503 ? "the server has no place for it yet" : "the server does not answer";
}

// [phase, facts]: the first is set apart.
export function words(upload) {
  switch (upload.phase) {
    case "waiting":
      return ["Waiting", upload.to ? upload.ahead ? ` · ${upload.ahead} ahead of it` : "" : " · starts when the game has a name"];
    case "held":
      return held(upload);
    case "paused":
      return [`Paused at ${sizeOf(upload.sent, upload.size)}`, ""];
    case "stopped":
      return [`Stopped at ${sizeOf(upload.sent, upload.size)}`, upload.wrong ? `. ${upload.wrong}` : ` ${ago(upload.at)}: choose the file again to continue, or discard.`];
    case "uploading":
      return [`Uploading ${upload.percent}${SPACE}%`, ["", sizeOf(upload.sent, upload.size), ...speed(upload)].join(" · ")];
    case "checking":
      return checking(upload);
    case "ready":
      return [upload.unchanged ? `Ready: the same as build ${upload.build}` : "Ready", upload.unchanged ? "" : ` · build ${upload.build}`];
    case "live":
      return upload.servers ? [`Live on ${upload.cached} of ${upload.servers}`, ` · build ${upload.build}`] : [`Build ${upload.build} is live`, ""];
    default:
      return [upload.sent && upload.sent < upload.size ? `Stopped at ${sizeOf(upload.sent, upload.size)}` : "Not taken", `: ${upload.reason}`];
  }
}

function checking(upload) {
  if (!upload.bytesRead) return ["Checking", ` · all ${size(upload.size)} sent`];
  const files = `${upload.filesRead.toLocaleString("en")} file${upload.filesRead === 1 ? "" : "s"} read`;
  return ["Checking", `, ${files} · ${Math.min(99, Math.floor((upload.bytesRead * 100) / upload.size))}${SPACE}%`];
}

function speed(upload) {
  if (!upload.rate) return [];
  const facts = [`${size(upload.rate)}/s`];
  // The first seconds say little about the rest.
  if (Date.now() - upload.begunAt > 5000) facts.push(about((upload.size - upload.sent) / upload.rate));
  return facts;
}
