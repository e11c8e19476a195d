"""The demo day: a made-up day of logs of a voice-call product, with a story in it.

    write_day(Day(lines=20_000, seed=7, end_ns=…), folder)    writes one file a service, gives back the truth

Eight programs write as programs of their kind do: JSON lines in two dialects, three layouts of plain text with
tracebacks, an access log, syslog. Calls cross them under shared ids, nights are quiet, bots scan, two services are
deployed, an error here and there means nothing. And in the afternoon something goes wrong: with `incident="quota"`
calls fall silent, because the speech provider's credits have run out; a few lines of one service say `quota_exceeded`,
no other one knows why.

The same incident, seed, number of lines and end give the same bytes. The truth tells what was planted and where: the
oracle of tests and benchmarks. It is not written among the logs, where whoever is to find the cause would read it.

    day.py         the day: who writes when, exactly as many lines as asked for
    kinds.py       what each service can say
    styles.py      how each service writes it down
    traffic.py     calls, page hits, logins, housekeeping: groups of lines that belong together
    incidents/     what goes wrong; one file each, the folder is the registry
    truth.py       what was written, counted
"""

from logpith.demo.day import Day, write_day
from logpith.demo.truth import Truth

__all__ = ["Day", "Truth", "write_day"]
