"""None: a day on which nothing goes wrong but what always does."""

from __future__ import annotations

from logpith.demo.incidents import Incident


class NoIncident(Incident):
    """Nothing."""
