"""Everything that decodes an image. Runs in child processes only (`server.py`), as the package `decoding`: it imports
the standard library and Pillow, nothing of the app, so that a child holds no secret and starts in a moment."""
