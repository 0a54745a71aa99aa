// Copy buttons. A page on a plain-http LAN has no clipboard: there the text is selected and the keys are named.
import { announce } from "./announce.js";

function show(button, text, icon) {
  const label = button.querySelector(".label");
  const use = button.querySelector("use");
  button.dataset.label ??= label.textContent;
  button.dataset.icon ??= use.getAttribute("href");
  label.textContent = text;
  if (icon) use.setAttribute("href", button.dataset.icon.replace(/#.*/, `#${icon}`));
  clearTimeout(button.timer);
  button.timer = setTimeout(() => {
    label.textContent = button.dataset.label;
    use.setAttribute("href", button.dataset.icon);
  }, 2000);
  announce(text);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  const source = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    show(button, "Copied", "done");
  } catch {
    getSelection().selectAllChildren(source);
    const key = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘C" : "Ctrl+C";
    show(button, `Press ${key}`);
  }
});
