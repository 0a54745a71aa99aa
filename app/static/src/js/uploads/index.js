// Uploads of builds. What an upload is: upload.js; who goes next: upload-queue.js; the way to a build: send-upload.js.
import "./upload-tray.js";
import "./drop-zone.js";
import "./resume-stopped.js";
import "./rollout-progress.js";
import "./other-uploads.js";
import "./storage-outage.js";
