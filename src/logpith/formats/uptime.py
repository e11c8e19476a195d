"""Lines that tell seconds since the start in place of a time: the kernel's and those of a Java machine.

When that was they do not say, so their records have no time, unless a JVM tells both. The Linux kernel writes
`[   12.345678] text`, with `<6>` before it in /dev/kmsg; unified logging of the JVM (JEP 158) writes
`[1.234s][info][gc] text`.
"""

from logpith.formats import Layout
from logpith.scan.records import MESSAGE

LAYOUTS = (
    Layout("kernel's uptime", "[%u]%.", moves=False, format="kernel"),
    Layout("kernel's uptime with priority", "%P[%u]%.", moves=False, format="kernel"),
    Layout("JVM's uptime", "[%us]%l%.", moves=False, behind=MESSAGE, format="jvm"),
    Layout(
        "JVM's time and uptime",
        "[%Y-%m-%dT%H:%M:%S%f%z][%us]%l%.",
        moves=False,
        behind=MESSAGE,
        format="jvm",
        weight=10,
    ),
)
