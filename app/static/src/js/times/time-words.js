// A moment in words, in the reader's zone: "8 s ago", "Today, 10:31" or "since 10:41". The form names are those of
// app/web/frame/formats.py.

const NO_BREAK = "\u00a0";
const HOUR = 3600; // seconds
const DAY = 86_400_000; // milliseconds

/** @param {Intl.DateTimeFormatOptions} options */
const format = (options) => new Intl.DateTimeFormat("en-GB", options);
const clock = format({ hour: "2-digit", minute: "2-digit" });
const exact = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = format({ day: "numeric", month: "short" });
const dayWithYear = format({ day: "numeric", month: "short", year: "numeric" });
const whole = format({ dateStyle: "long", timeStyle: "long" });

/** @param {Date} at */
const midnight = (at) => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();

/**
 * @param {Date} at
 * @param {Date} now
 */
const secondsBetween = (at, now) => (now.getTime() - at.getTime()) / 1000;

/**
 * Midnights between two moments: 0 for the same day, 1 for the day before `now`, -1 for the day after.
 * @param {Date} at
 * @param {Date} now
 */
const daysBetween = (at, now) => Math.round((midnight(now) - midnight(at)) / DAY);

/**
 * Today, or so short ago that midnight does not matter: then the clock says enough.
 * @param {Date} at
 * @param {Date} now
 */
const isRecent = (at, now) => daysBetween(at, now) === 0 || secondsBetween(at, now) < 12 * HOUR;

/**
 * "18 Nov", with the year if it is another one. "Sep" is short like every other month, and as the server writes it;
 * en-GB alone has "Sept".
 * @param {Date} at
 * @param {Date} now
 */
const date = (at, now) =>
  (at.getFullYear() === now.getFullYear() ? day : dayWithYear).format(at).replace("Sept", "Sep");

/**
 * @param {Date} at
 * @param {Date} now
 */
function dayName(at, now) {
  const days = daysBetween(at, now);
  if (days === 0) return "Today";
  return days === 1 ? "Yesterday" : date(at, now);
}

/** @param {number} seconds */
function ago(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))}${NO_BREAK}s ago`;
  return `${Math.floor(seconds / 60)}${NO_BREAK}min ago`;
}

/** @typedef {(at: Date, now: Date) => string} Form  a way to write a moment */

/** @type {Record<string, Form>} */
const FORMS = {
  // "8 s ago", "6 min ago", "Today, 10:31", "14 Nov, 17:20"
  moment(at, now) {
    const seconds = secondsBetween(at, now);
    return seconds < HOUR ? ago(seconds) : `${dayName(at, now)}, ${clock.format(at)}`;
  },
  // The same in the middle of a line: "reported 8 s ago", "released today, 10:38".
  within: (at, now) => FORMS.moment(at, now).replace(/^[TY](?=oday|esterday)/, (letter) => letter.toLowerCase()),
  // In a narrow column: "4 min ago", "2 h ago", "Yesterday", "18 Nov"
  brief(at, now) {
    const seconds = secondsBetween(at, now);
    if (seconds < HOUR) return ago(seconds);
    return isRecent(at, now) ? `${Math.floor(seconds / HOUR)}${NO_BREAK}h ago` : dayName(at, now);
  },
  // When something was made: "Today, 10:41", "Yesterday, 17:40", "18 Nov"
  made: (at, now) => (daysBetween(at, now) < 2 ? `${dayName(at, now)}, ${clock.format(at)}` : date(at, now)),
  // In a quiet column: "14 min ago", then as `made`
  recent(at, now) {
    const seconds = secondsBetween(at, now);
    return seconds < HOUR ? ago(seconds) : FORMS.made(at, now);
  },
  // When something ends, to the minute: "22 Nov, 10:41"
  end: (at, now) => `${date(at, now)}, ${clock.format(at)}`,
  // The same in a sentence: "tomorrow, 10:41"
  coming(at, now) {
    const days = -daysBetween(at, now);
    return days === 0 || days === 1 ? `${days ? "tomorrow" : "today"}, ${clock.format(at)}` : FORMS.end(at, now);
  },
  // When a state began: "10:41", "14 Nov"
  since: (at, now) => (isRecent(at, now) ? clock.format(at) : date(at, now)),
  // How long until then: "in 40 s"
  until(at, now) {
    const seconds = Math.ceil(-secondsBetween(at, now));
    if (seconds <= 0) return "now";
    return seconds < 60 ? `in ${seconds}${NO_BREAK}s` : `in ${Math.ceil(seconds / 60)}${NO_BREAK}min`;
  },
  day: (at, now) => date(at, now),
  exact: (at) => exact.format(at),
};

/**
 * The form of this name, or undefined.
 * @param {string | undefined} name
 * @returns {Form | undefined}
 */
export const formOf = (name) => FORMS[name ?? ""];

/** @param {Date} at */
export const clockTime = (at) => clock.format(at);

/** @param {Date} at */
export const fullTime = (at) => whole.format(at);

/** The reader's zone: "UTC", "UTC+1", "UTC−3:30" */
export function zoneName() {
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const sign = minutes < 0 ? "−" : "+";
  const rest = Math.abs(minutes) % 60;
  return `UTC${sign}${Math.floor(Math.abs(minutes) / 60)}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}
