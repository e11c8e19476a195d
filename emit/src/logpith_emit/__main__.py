"""`python -m logpith_emit`: the same as `logpith-emit`."""

import sys

from logpith_emit.command import main

if __name__ == "__main__":
    sys.exit(main())
