// A chosen theme takes effect at once. The server has already written it into the cookie for the next page.
import { all } from "../elements.js";

const root = document.documentElement;

document.addEventListener("theme", ({ detail }) => {
  const choice = detail.value;
  if (choice === "auto") delete root.dataset.theme;
  else root.dataset.theme = choice;
  for (const button of all(document, "button[name=theme]", HTMLButtonElement)) {
    button.setAttribute("aria-pressed", String(button.value === choice));
  }
  for (const color of all(document, "meta[name=theme-color]", HTMLMetaElement)) {
    color.content = color.dataset[choice] ?? "";
  }
});
