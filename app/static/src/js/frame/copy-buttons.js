// Copy buttons. A page on a LAN without https has no clipboard: there the text is selected and the keys are named.
import { closest, need } from "../elements.js";
import { announce } from "./announcements.js";
import { isApple } from "./apple-keyboard.js";

const SHOWN = 2000; // milliseconds

/** @type {WeakMap<HTMLButtonElement, {label: string, look: string, icon: string, timer: number}>} */
const atRest = new WeakMap();

/**
 * @param {HTMLButtonElement} button
 * @param {string} text
 * @param {string} [icon]  name of an icon of icons.svg
 */
function show(button, text, icon) {
  const label = need(button, ".label", HTMLElement);
  const use = need(button, "use", SVGUseElement);
  const rest = atRest.get(button) ?? {
    label: label.textContent,
    look: label.className,
    icon: use.getAttribute("href") ?? "",
    timer: 0,
  };
  atRest.set(button, rest);
  label.textContent = text;
  label.className = "label"; // beside an id it is hidden until then
  if (icon) use.setAttribute("href", rest.icon.replace(/#.*/, `#${icon}`));
  clearTimeout(rest.timer);
  rest.timer = setTimeout(() => {
    label.textContent = rest.label;
    label.className = rest.look;
    use.setAttribute("href", rest.icon);
  }, SHOWN);
  announce(text);
}

document.addEventListener("click", async (event) => {
  const button = closest(event, "button.copy", HTMLButtonElement);
  if (!button?.parentElement) return;
  const source = need(button.parentElement, "pre, code", HTMLElement);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    show(button, "Copied", "done");
  } catch {
    getSelection()?.selectAllChildren(source);
    show(button, `Press ${isApple ? "⌘C" : "Ctrl+C"}`);
  }
});
