"""The ground floor of logpith: what every part shares, in the standard library alone."""

__version__ = "0.1.0"
