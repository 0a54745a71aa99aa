// "Show" beside a password field.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-shows]");
  if (!button) return;
  const field = document.getElementById(button.dataset.shows);
  const hidden = field.type === "password";
  field.type = hidden ? "text" : "password";
  button.textContent = hidden ? "Hide" : "Show";
  button.setAttribute("aria-pressed", String(hidden));
});
