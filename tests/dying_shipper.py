"""Ships a spool, and kills itself as no program can catch: when the records of a write are safe and nobody knows yet.

    python dying_shipper.py SPOOL TABLE WRITES

TABLE is the destination's table of the settings, as JSON; WRITES is the write after which it dies, 0 lets it live.
"""

import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from logpith_emit.clock import ManualClock
from logpith_emit.destinations import Destination, destination_of
from logpith_emit.shipping import Shipper
from logpith_emit.spool import Spool


@dataclass(frozen=True, kw_only=True)
class Dying(Destination):
    """Writes to another destination, so many times."""

    type: ClassVar[str] = "dying"

    other: Destination
    writes: int

    @contextmanager
    def open(self):
        with self.other.open() as live:
            left = self.writes

            class Live:
                def write(self, records):
                    nonlocal left
                    written = live.write(records)
                    left -= 1
                    if not left:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return written

            yield Live()


def main(folder: str, table: str, writes: str) -> None:
    """Ships until it dies, or all is delivered."""
    other = destination_of(json.loads(table), "table")
    dying = Dying(other=other, writes=int(writes), batch_records=other.batch_records)
    shipper = Shipper(Spool(folder=Path(folder)), {"it": dying}, warn=print, clock=ManualClock())
    shipper.start()
    shipper.flush(60)
    shipper.close(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
