"""All decoding of images. Runs in child processes only (`decoder_server.py`). It imports the standard library, Pillow
and the container formats in `app/images/`, nothing else of the app, so that a child has no secrets and starts
quickly."""
