"""`python -m app.runtime.supervisor`."""

import os

from app.runtime.supervisor.run import main

# Not sys.exit: everything is ended and written by now, and Python's tidying up would take half a second more.
os._exit(main())
