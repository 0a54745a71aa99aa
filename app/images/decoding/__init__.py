"""All decoding of images. Runs in child processes only (`decoder_server.py`), as the package `decoding`: it imports
only the standard library and Pillow, nothing of the app, so that a child has no secrets and starts quickly."""
