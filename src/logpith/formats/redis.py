"""Redis and Valkey: `12345:M 20 Nov 2026 10:00:00.123 # text`, process, role, time and a sign for the level."""

from logpith.formats import Layout
from logpith.scan.records import MESSAGE

LAYOUTS = (
    Layout(
        "Redis",
        "%q %d %b %Y %H:%M:%S%f_%r%.",
        moves=False,
        behind=MESSAGE,
        format="redis",
        weight=10,
    ),
)
