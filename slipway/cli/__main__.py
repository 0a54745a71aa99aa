"""`python -m slipway.cli`."""

import sys

from slipway.cli.commands import main

sys.exit(main())
