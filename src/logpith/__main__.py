"""`python -m logpith` is the command line."""

import sys

from logpith.cli import main

sys.exit(main())
