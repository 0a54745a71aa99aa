// The choice of theme takes effect at once; the server has already written it into the cookie for the next page.
const root = document.documentElement;

document.addEventListener("theme", ({ detail }) => {
  const choice = detail.value;
  if (choice === "auto") delete root.dataset.theme;
  else root.dataset.theme = choice;
  for (const button of document.querySelectorAll("button[name=theme]")) {
    button.setAttribute("aria-pressed", String(button.value === choice));
  }
  for (const color of document.querySelectorAll("meta[name=theme-color]")) {
    color.content = color.dataset[choice] ?? color.dataset.auto;
  }
});
