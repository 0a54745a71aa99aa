// Events of the document that browsers do not know: those of htmx, those that the server names in HX-Trigger, and ours.
import type { HtmxBeforeSwapDetails, HtmxRequestConfig, HtmxResponseInfo } from "htmx.org";

declare global {
  interface DocumentEventMap {
    "htmx:configRequest": CustomEvent<HtmxRequestConfig>;
    "htmx:beforeSend": CustomEvent<HtmxResponseInfo>;
    "htmx:afterRequest": CustomEvent<HtmxResponseInfo>;
    "htmx:beforeSwap": CustomEvent<HtmxBeforeSwapDetails>;
    "htmx:oobBeforeSwap": CustomEvent<{ target: HTMLElement; fragment: DocumentFragment }>;
    // After a swap without a request (a poll's answer) only the target is there.
    "htmx:afterSettle": CustomEvent<Partial<HtmxResponseInfo>>;
    theme: CustomEvent<{ value: "auto" | "light" | "dark" }>;
  }
}
