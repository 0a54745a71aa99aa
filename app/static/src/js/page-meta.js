// What the server writes into the page's <meta> elements for the script.
import { find } from "./elements.js";

/** @param {string} name */
const content = (name) => find(document, `meta[name="${name}"]`, HTMLMetaElement)?.content ?? "";

export const csrfToken = () => content("csrf-token");
export const bundleVersion = () => content("bundle");
