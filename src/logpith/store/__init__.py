"""The store: what was collected, kept on this disk for as long as it is wanted, and searchable at once.

    with open_store(folder) as store:                     the one writer; a second one is refused
        store.append(batch, position=("gateway", "…"))    durable when it returns; visible here at once
        store.position("gateway")                         what was last stored with that source's records
        store.maintain(now_ns)                            seal, compact, retain: called every few seconds

    snapshot = read_store(folder)                         any process, any number, without a lock

writer.py          the writer: append, add, seal, compact
spools.py          batches that are durable and not in a segment yet
rows.py            batches on their way into a segment
building.py        tables → segments, as many as it takes
segment_writer.py  rows → the bytes of a segment's files
attributes.py      which attributes become columns
segment.py         a segment, read in parts
manifest.py        which segments there are; changes by renaming one file
reader.py          the store at one moment, in any process
retention.py       what goes, when, and why
keeping.py         retention acted on, whatever the clock says
copies.py          snapshots elsewhere: create, verify, restore
places.py          where those can be: a folder, a bucket
check.py           is everything what it should be
disk.py            every touch of the disk
"""

from logpith.store.writer import Store, StoreLimits, open_store

__all__ = ["Store", "StoreLimits", "open_store"]
