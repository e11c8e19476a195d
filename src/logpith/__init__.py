"""logpith: the pith of your logs. Millions of lines go in; a short, true, traceable answer comes out."""

__version__ = "0.1.0"
