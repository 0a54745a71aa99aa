// The words for the phases of uploads, of builds and of images. The command has the same for those of the API
// (slipway/client/upload_phases.py).
export const PHASES = {
  waiting: "Waiting",
  uploading: "Uploading",
  paused: "Paused",
  stopped: "Stopped",
  uploaded: "Uploaded", // complete, and not checked before it has a game
  checking: "Checking",
  ready: "Ready",
  failed: "Rejected",
};
