// Times in the reader's own zone and words. The server writes each moment once, in UTC, so that one rendered fragment
// serves everybody; here it becomes "8 s ago", "Today, 10:31" or "since 10:41". The words are those of app/web/words.py.
import htmx from "./requests.js";

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayWithYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const whole = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "long" });
const SPACE = "\u00a0";

const midnight = (at) => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
const daysBetween = (at, now) => Math.round((midnight(now) - midnight(at)) / 86_400_000);
// "Sep" like every other month, and like the server writes it; en-GB alone has "Sept".
const date = (at, now) => (at.getFullYear() === now.getFullYear() ? day : dayWithYear).format(at).replace("Sept", "Sep");

function named(at, now) {
  const days = daysBetween(at, now);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : date(at, now);
}

function ago(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))}${SPACE}s ago`;
  return `${Math.floor(seconds / 60)}${SPACE}min ago`;
}

const forms = {
  // "8 s ago", "6 min ago", "Today, 10:31", "14 Nov, 17:20"
  moment(at, now) {
    const seconds = (now - at) / 1000;
    if (seconds < 3600) return ago(seconds);
    return `${named(at, now)}, ${clock.format(at)}`;
  },
  // The same in the middle of a line: "reported 8 s ago", "released today, 10:38".
  within(at, now) {
    return forms.moment(at, now).replace(/^[TY](?=oday|esterday)/, (letter) => letter.toLowerCase());
  },
  // In a narrow column: "4 min ago", "2 h ago", "Yesterday", "18 Nov"
  brief(at, now) {
    const seconds = (now - at) / 1000;
    if (seconds < 3600) return ago(seconds);
    const days = daysBetween(at, now);
    if (days === 0) return `${Math.floor(seconds / 3600)}${SPACE}h ago`;
    return days === 1 ? "Yesterday" : date(at, now);
  },
  // When something was made: "Today, 10:41", "Yesterday, 17:40", "18 Nov"
  made: (at, now) => (daysBetween(at, now) < 2 ? `${named(at, now)}, ${clock.format(at)}` : date(at, now)),
  // In a quiet column: "14 min ago", then the same
  recent: (at, now) => (now - at < 3_600_000 ? ago((now - at) / 1000) : forms.made(at, now)),
  // When something ends, to the minute: "22 Nov, 10:41"
  end: (at, now) => `${date(at, now)}, ${clock.format(at)}`,
  // The same in a sentence: "tomorrow, 10:41"
  coming(at, now) {
    const days = -daysBetween(at, now);
    return days === 0 || days === 1 ? `${days ? "tomorrow" : "today"}, ${clock.format(at)}` : forms.end(at, now);
  },
  // When a state began: "10:41" today, "14 Nov" before
  since: (at, now) => (daysBetween(at, now) === 0 ? clock.format(at) : date(at, now)),
  // What is still to come: "in 40 s"
  until(at, now) {
    const seconds = Math.ceil((at - now) / 1000);
    if (seconds <= 0) return "now";
    return seconds < 60 ? `in ${seconds}${SPACE}s` : `in ${Math.ceil(seconds / 60)}${SPACE}min`;
  },
  day: (at, now) => date(at, now),
  exact: (at) => exact.format(at),
};

export const clockOf = (at) => clock.format(at);

// Server and reader may disagree about what time it is; the page says what the server's clock showed when it was made.
let skew = 0;
export const serverNow = () => new Date(Date.now() + skew);

export function localise(element, now = serverNow()) {
  const at = new Date(element.dateTime);
  const form = forms[element.dataset.as];
  if (!form || Number.isNaN(at.getTime())) return;
  const text = form(at, now);
  if (element.textContent !== text) element.textContent = text;
  const title = whole.format(at);
  if (element.title !== title) element.title = title;
}

export function localiseAll(root = document) {
  const now = serverNow();
  for (const element of root.querySelectorAll("time[data-as]")) localise(element, now);
}

function zone() {
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const sign = minutes < 0 ? "−" : "+";
  const rest = Math.abs(minutes) % 60;
  return `UTC${sign}${Math.floor(Math.abs(minutes) / 60)}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

htmx.onLoad((root) => {
  const made = root.querySelector?.("[data-made-at]") ?? document.querySelector("[data-made-at]");
  if (made && !made.dataset.read) {
    made.dataset.read = "yes";
    const difference = Date.parse(made.dataset.madeAt) - Date.now();
    // Less than this is the time the page took to arrive, not a wrong clock.
    skew = Math.abs(difference) > 5000 ? difference : 0;
  }
  localiseAll(root);
  for (const element of document.querySelectorAll("[data-zone]")) {
    element.textContent = `Times are local (${zone()}).`;
  }
});

setInterval(() => document.hidden || localiseAll(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || localiseAll());
