"""The words for the phases of an upload: the same in the dashboard and in the command.

The script of the dashboard knows more phases than the API, because it sends the file (app/static/src/js/phases.js)."""

# Phase of the API -> word.
PHASE_WORDS = {"uploading": "Uploading", "checking": "Checking", "done": "Ready", "failed": "Rejected"}
STOPPED = "Stopped"  # instead of "Uploading", when nothing has arrived for a while
