// Questions as dialogs. A link with hx-target="#dialog" brings the inside of its page; without the script it leads to
// that page. The forms inside are forms of the page: their answer is the next page, which takes the dialog with it.
// Once it is settled: htmx puts the focus on what has `autofocus` only then, and would take it from a field somebody is
// typing in already.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const dialog = detail.target;
  if (!(dialog instanceof HTMLDialogElement) || dialog.open) return;
  dialog.setAttribute("aria-labelledby", "dialog-title");
  dialog.showModal(); // puts the focus on the title, and back on the link when it closes
});

// Before htmx, for which the link is one to follow.
document.addEventListener(
  "click",
  (event) => {
    const cancel = event.target.closest?.("dialog [data-closes]");
    if (!cancel) return;
    event.preventDefault();
    event.stopPropagation();
    cancel.closest("dialog").close();
  },
  true,
);

// Its fields must not be left in the page, where their ids may meet others.
document.addEventListener("close", ({ target }) => target instanceof HTMLDialogElement && target.replaceChildren(), true);
