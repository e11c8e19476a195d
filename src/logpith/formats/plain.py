"""Plain text: a time in any of the layouts in use, then whatever the program writes."""

from logpith.formats import Layout
from logpith.scan.records import MESSAGE

# An epoch is short, but tells its zone: it shall win over a longer local time elsewhere in the line.
_EPOCH_WEIGHT = 9

LAYOUTS = (
    Layout("ISO 8601", "%Y-%m-%d%T%H:%M:%S%f%z"),
    Layout("ISO 8601 basic", "%Y%m%dT%H%M%S%f%z"),
    Layout("year/month/day", "%Y/%m/%d %H:%M:%S%f%z"),
    Layout("year.month.day", "%Y.%m.%d %H:%M:%S%f%z"),
    Layout("year-month-day-hour.minute.second", "%Y-%m-%d-%H.%M.%S%f"),
    Layout("compact with dash", "%Y%m%d-%H:%M:%S%f"),
    Layout("compact with blank", "%Y%m%d %H:%M:%S%f"),
    Layout("compact", "%Y%m%d %H%M%S%f"),
    Layout("two-digit year compact", "%y%m%d %H%M%S"),
    Layout("two-digit year compact with colons", "%y%m%d_%H:%M:%S"),
    Layout("two-digit year", "%y/%m/%d %H:%M:%S%f"),
    Layout("two-digit year with dashes", "%y-%m-%d %H:%M:%S%f"),
    Layout("time of the common log format", "%d/%b/%Y:%H:%M:%S%f%z"),
    Layout("day/month name/year", "%d/%b/%Y %H:%M:%S%f%z"),
    Layout("day-month name-year", "%d-%b-%Y %H:%M:%S%f%z"),
    Layout("day month name year", "%d %b %Y %H:%M:%S%f%z"),
    Layout("day month name year, dashed", "%d %b %Y - %H:%M:%S%f%z"),
    Layout("RFC 2822", "%a, %d %b %Y %H:%M:%S%z"),
    Layout("ctime", "%a %b_%d %H:%M:%S%f %Y"),
    Layout("ctime with zone", "%a %b_%d %H:%M:%S%f * %Y"),
    Layout("month name day year", "%b_%d, %Y %H:%M:%S%f%p%z"),
    Layout("month name day year with comma", "%b_%d, %Y, %H:%M:%S%f%p%z"),
    Layout("month/day/year", "%m/%d/%Y %H:%M:%S%f%p%z"),
    Layout("month/day/year with comma", "%m/%d/%Y, %H:%M:%S%f%p%z"),
    Layout("day.month.year", "%d.%m.%Y %H:%M:%S%f%z"),
    Layout("syslog time with year", "%b_%d %Y %H:%M:%S%f"),
    Layout("syslog time", "%b_%d %H:%M:%S%f"),
    Layout("month-day", "%m-%d %H:%M:%S%f"),
    Layout("month.day", "%m.%d %H:%M:%S%f"),
    Layout("Android logcat", "%m-%d %H:%M:%S%f_*_*_%L ", moves=False),
    Layout("auditd", "%@*_msg=audit(%s", moves=False, behind=MESSAGE, weight=_EPOCH_WEIGHT),
    Layout("epoch", "%s", weight=_EPOCH_WEIGHT),
    Layout("time of day", "%H:%M:%S%f"),
)
