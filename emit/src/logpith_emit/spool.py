"""The spool: frames of bytes on disk that survive a crash. One form for a logger, a write-ahead log and an outbox.

A spool is a folder. Every writer has files of its own in it (`WRITER-NUMBER.spool`, WRITER from its pid and chance),
so any number of threads and processes write at once, and any number of readers see all of it.
`docs/format/spool.md` draws the bytes.

    spool = Spool(folder=path)                          settings, a value; nothing is opened

    with spool.open() as writer:                        a logger: one write a record, no lock across it, no sync
        writer.append(payload, kind=1)                  its sequence, or 0 when it was dropped and counted

    with spool.open_durable(first_sequence=n) as log:   a write-ahead log, an outbox
        sequence = log.append(payload, kind=1)
        log.sync()                                      durable; threads share one fdatasync; Unavailable: it is not
        closed = log.roll()                             begins another file; the one before, synced and closed
        log.segment, log.dropped                        the file being written; {reason: records}

    for segment in spool.segments():                    every file, in order of writer and number
        for frame in spool.read(segment):               a segment's good frames; damage is skipped and counted
            frame.sequence, frame.kind, frame.payload, frame.end
    spool.remove(segment)                               once it is consumed, oldest first
    spool.drop_through(segment)                         that one and its writer's before it

    reader = spool.reader("kafka")                      an outbox' end: keeps its place in the folder by this name
    for frame in reader.read(): ...                     what is there and was not read; call it again for what came since
    reader.commit()                                     what was read is done: place saved, whole files removed
"""

from __future__ import annotations
