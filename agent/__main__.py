"""`python -m agent`: the same as `slipway-agent`."""

import sys

from agent.cli import main

sys.exit(main())
