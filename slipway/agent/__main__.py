"""`python -m slipway.agent`: the same as `slipway-agent`."""

import sys

from slipway.agent.command import main

sys.exit(main())
