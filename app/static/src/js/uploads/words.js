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

export const size = (amount) => `${inUnit(amount, unitOf(amount))}${SPACE}${UNITS[unitOf(amount)]}`;

// "3.2 of 7.8 GB"
export const sizeOf = (part, whole) => `${inUnit(part, unitOf(whole))} of ${size(whole)}`;

export function about(seconds) {
  if (seconds < 59.5) return `about ${Math.max(1, Math.round(seconds / 5) * 5 || 1)}${SPACE}s`;
  return seconds < 3570 ? `about ${Math.round(seconds / 60)}${SPACE}min` : `about ${Math.round(seconds / 3600)}${SPACE}h`;
}

// [phase, facts]: the first is set apart.
export function words(upload) {
  const wait = Math.max(1, Math.ceil((upload.retryAt - Date.now()) / 1000));
  switch (upload.phase) {
    case "waiting":
      return ["Waiting", upload.to ? upload.ahead ? ` · ${upload.ahead} ahead of it` : "" : " · starts when the game has a name"];
    case "held":
      if (!upload.retryAt) return ["Held", " · storage is unreachable, it starts by itself"];
      return ["Held", ` · ${upload.why}, retrying ${upload.tries} of ${upload.mostTries} in ${wait}${SPACE}s`];
    case "uploading":
      return [`Uploading ${upload.percent}${SPACE}%`, ["", sizeOf(upload.sent, upload.file.size), ...speed(upload)].join(" · ")];
    case "checking":
      return ["Checking", ` · all ${size(upload.file.size)} sent`];
    case "ready":
      return [upload.unchanged ? `Ready: the same as build ${upload.build}` : "Ready", upload.unchanged ? "" : ` · build ${upload.build}`];
    case "live":
      return upload.servers ? [`Live on ${upload.cached} of ${upload.servers}`, ` · build ${upload.build}`] : [`Build ${upload.build} is live`, ""];
    default:
      return [upload.sent && upload.sent < upload.file.size ? `Stopped at ${sizeOf(upload.sent, upload.file.size)}` : "Not taken", `: ${upload.reason}`];
  }
}

function speed(upload) {
  if (!upload.rate) return [];
  const facts = [`${size(upload.rate)}/s`];
  // The first seconds say little about the rest.
  if (Date.now() - upload.begunAt > 5000) facts.push(about((upload.file.size - upload.sent) / upload.rate));
  return facts;
}
