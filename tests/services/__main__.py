"""Fetches and builds what the real servers need: python -m tests.services prepare [NAME…]."""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from .fixtures import SERVERS
from .server import NotReadyError, Server

KINDS = {kind.name: kind for kind in SERVERS.values()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    commands = parser.add_subparsers(required=True)
    prepare = commands.add_parser("prepare", help="fetch and build what is not there yet")
    prepare.add_argument("names", nargs="*", choices=[[], *KINDS], metavar="NAME", help=", ".join(KINDS))
    names = parser.parse_args().names or list(KINDS)
    # They mostly wait for the network.
    with ThreadPoolExecutor(len(names)) as at_once:
        failures = list(at_once.map(prepared, [KINDS[name] for name in names]))
    return int(any(failures))


def prepared(kind: type[Server]) -> bool:
    """Whether it failed."""
    start_s = time.monotonic()
    try:
        kind.prepare()
    except NotReadyError as error:
        print(f"{kind.name}: {error}", file=sys.stderr, flush=True)
        return True
    print(f"{kind.name}: ready after {time.monotonic() - start_s:.1f} s", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
