// Signing out in one tab ends the live pages in this browser's others: they ask for themselves again, and are sent to
// sign in. What is typed elsewhere stays.
const channel = new BroadcastChannel("slipway-signed-out");

if (document.querySelector(".sign-in")) channel.postMessage("");
channel.onmessage = () => document.querySelector("[sse-connect]") && location.reload();
