"""Scan: the loops over bytes. The only place with numba; what is slow anywhere else is done here.

    kernel.py        how functions are compiled, and where the compiled code is kept
    machine_code.py  how it is called from there, without numba
    words.py         what a word is, which words are values, and the shape of a body
    timestamps.py    timestamp layouts, run as little programs
    layouts.py       the text of a layout → its program
    headers.py       level, thread and logger between time and message
    json_fields.py   the few fields of a JSON line that columns need
    names.py         small sets of names, looked up by hash
    pairs.py         the same of a line of keys and values
    traces.py        lines that go on the record before them
    records.py       one pass over a block: all of the above
    shape_index.py   shapes → dense codes, counts and samples
    search.py        a literal in a block
    grams.py         signatures, by which most pieces of text need not be read
    field_values.py  the value of one named field in each record
    tally.py         records by group: how many, when, how severe
    buckets.py       records by time, and by group on two sides
    checksum.py      checksums of arrays

Kernels know no names of formats: tables of what to look for come in as arrays.
"""
