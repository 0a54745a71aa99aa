// "Show" beside a password field.
import { closest, needId } from "../elements.js";

document.addEventListener("click", (event) => {
  const button = closest(event, "button[data-shows]", HTMLButtonElement);
  if (!button) return;
  const field = needId(button.dataset.shows ?? "", HTMLInputElement);
  const hidden = field.type === "password";
  field.type = hidden ? "text" : "password";
  button.textContent = hidden ? "Hide" : "Show";
  button.setAttribute("aria-pressed", String(hidden));
});
