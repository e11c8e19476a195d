"""Incidents that the product does not know: they stand here, so that nobody tunes it to them.

Each file has one subclass of `logpith.demo.incidents.Incident`, with lines of its own, and owes what those in
`demo/incidents/` owe. `HELD_OUT` has them all.
"""

from held_out_incidents.carrier import CarrierIncident
from held_out_incidents.consumer import ConsumerIncident
from held_out_incidents.oom import OomIncident

HELD_OUT = (CarrierIncident, ConsumerIncident, OomIncident)
