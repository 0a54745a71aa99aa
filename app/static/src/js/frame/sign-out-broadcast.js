// Signing out in one tab ends the live pages in the other tabs of this browser: they reload and are sent to the sign-in
// page. Pages without a stream stay as they are, so that nothing typed there is lost.
const channel = new BroadcastChannel("slipway-signed-out");

if (document.querySelector(".sign-in")) channel.postMessage("");
channel.onmessage = () => {
  if (document.querySelector("[sse-connect]")) location.reload();
};
