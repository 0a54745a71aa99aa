// Events of the document that browsers do not know: those of htmx, those that the server names in HX-Trigger, and ours.
import type { HtmxBeforeSwapDetails, HtmxRequestConfig, HtmxResponseInfo } from "htmx.org";

declare global {
  /** A request that htmx made, of the element that triggered it. */
  type HtmxRequest = HtmxResponseInfo & { elt: Element };

  interface DocumentEventMap {
    "htmx:configRequest": CustomEvent<HtmxRequestConfig>;
    "htmx:beforeSend": CustomEvent<HtmxRequest>;
    "htmx:afterRequest": CustomEvent<HtmxRequest>;
    "htmx:sendError": CustomEvent<HtmxRequest>;
    "htmx:timeout": CustomEvent<HtmxRequest>;
    "htmx:responseError": CustomEvent<HtmxRequest>;
    "htmx:confirm": CustomEvent<{
      elt: Element;
      target: Element;
      verb: string;
      triggeringEvent?: Event;
      issueRequest: (skipConfirmation?: boolean) => void;
    }>;
    "htmx:beforeHistoryUpdate": CustomEvent<{ history: { type: "push" | "replace"; path: string } }>;
    "htmx:beforeSwap": CustomEvent<HtmxBeforeSwapDetails>;
    "htmx:afterSwap": CustomEvent<Partial<HtmxResponseInfo>>;
    "htmx:oobBeforeSwap": CustomEvent<{ target: HTMLElement; fragment: DocumentFragment }>;
    // After a swap without a request (a poll's answer) only the target is there.
    "htmx:afterSettle": CustomEvent<Partial<HtmxResponseInfo>>;
    abandoned: Event; // of a form that was left with changes (forms/unsaved-changes.js)
    "signed-out": CustomEvent<null>;
    "session-renewed": CustomEvent<{ token: string; member: string }>;
    theme: CustomEvent<{ value: "auto" | "light" | "dark" }>;
  }
}
