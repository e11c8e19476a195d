"""The store: what was collected, kept on this disk for as long as it is wanted, and searchable at once.

    with open_store(folder) as store:                     the one writer; a second one is refused
        store.append(batch, position=("gateway", "…"))    durable when it returns; visible here at once
        store.position("gateway")                         what was last stored with that source's records
        store.maintain(now_ns)                            seal, compact, retain: called every few seconds

    snapshot = read_store(folder)                         any process, any number, without a lock

writer.py     the writer: append, seal, compact
spools.py     batches that are durable and not in a segment yet
segment.py    one immutable file set of records: written once, read in parts
manifest.py   which segments there are; changes by renaming one file
snapshot.py   the store at one moment, for readers
retention.py  what goes, when, and why
copies.py     snapshots elsewhere: create, verify, restore
check.py      is everything what it should be
disk.py       every touch of the disk
"""
