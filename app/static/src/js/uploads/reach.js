// A build that is live goes on to the servers: its row says on how many it is, until it is on all of them.
import { uploads } from "./store.js";

const EVERY = 2000;

async function look(upload) {
  try {
    const response = await fetch(upload.detail, { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) return;
    const { releasedBuild, cacheStatus } = await response.json();
    Object.assign(upload, releasedBuild === upload.build ? cacheStatus : { phase: "ready" });
    uploads.changed(upload);
  } catch {
    return; // asked again in a moment
  }
}

setInterval(() => {
  if (document.hidden) return;
  for (const upload of uploads.list) {
    if (upload.phase === "live" && (upload.servers === undefined || upload.cached < upload.servers)) look(upload);
  }
}, EVERY);
