"""`python -m logpith_emit`: the same as `logpith-emit`."""

import sys

from logpith_emit.command import main

sys.exit(main())
