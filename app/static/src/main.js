// The dashboard's script. Most of the pages work without it. It adds what moves: live regions, local times, uploads,
// copying.
import "./js/htmx-setup.js";
import "./js/live/morph-callbacks.js";
import "./js/live/row-order.js";
import "./js/live/live-regions.js";
import "./js/times/local-times.js";
import "./js/frame/theme.js";
import "./js/frame/copy-buttons.js";
import "./js/frame/row-links.js";
import "./js/frame/keyboard-shortcuts.js";
import "./js/forms/show-password.js";
import "./js/forms/slug-fields.js";
import "./js/forms/character-counts.js";
import "./js/forms/busy-buttons.js";
import "./js/uploads/index.js";
import "./js/images/index.js";
import "./js/frame/tab-title.js";
import "./js/live/new-builds.js";
import "./js/frame/toasts.js";
import "./js/frame/dialog.js";
import "./js/frame/command-palette.js";
import "./js/frame/failed-requests.js";
import "./js/frame/sign-in-again.js";
import "./js/forms/unsaved-changes.js";
// After unsaved-changes.js, which may prevent a request.
import "./js/frame/last-press.js";
import "./js/frame/sign-out-broadcast.js";

// Controls that need a script are hidden until there is one.
document.documentElement.classList.add("scripted");
