"""`python -m app.runtime.supervisor`."""

import os

from app.runtime.supervisor.run import main

# Not sys.exit: everything has ended and is written by now, and Python's own clean-up would take half a second more.
os._exit(main())
