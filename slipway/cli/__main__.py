"""`python -m slipway.cli`."""

import sys

from slipway.cli.entry_point import main

sys.exit(main())
