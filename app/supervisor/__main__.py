"""`python -m app.supervisor`."""

import sys

from app.supervisor.run import main

sys.exit(main())
