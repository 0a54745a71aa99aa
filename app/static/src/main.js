// The dashboard's script. Every page works without it; it adds what moves: live regions, local times, copying.
import "./js/requests.js";
import "./js/morph.js";
import "./js/order.js";
import "./js/live.js";
import "./js/times.js";
import "./js/theme.js";
import "./js/copy.js";
import "./js/keys.js";
import "./js/password.js";
import "./js/forms.js";
import "./js/uploads/index.js";
import "./js/images/index.js";
import "./js/tab.js";
import "./js/newcomers.js";
import "./js/toasts.js";
import "./js/dialog.js";
import "./js/tabs.js";
import "./js/signed-out.js";

// Controls that only a script can serve stay hidden until there is one.
document.documentElement.classList.add("scripted");
