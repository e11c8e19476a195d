"""Corpus: one face over what a tool asks.

desk.py      names → an open corpus; keeps the last ones, so that a second question need not read again
reading.py   texts → columns and shapes, on all cores
records.py   the corpus itself: columns, templates, texts of records, coverage
windows.py   the records of a source beside the bytes of their blocks
bodies.py    the bodies of some records: what templates are mined from
fields.py    a field of some records as a column: severity, source, time of day, any attribute
clusters.py  templates that are alike, by the ids that answers show
sql.py       a SELECT over the records, asked of DuckDB
select.py    a query → the records that match
selection.py some records of a corpus and what is counted about them; what tools work on
suspects.py  the templates that most deserve a look
clusters.py  similar templates side by side, and what the id of one means
timeline.py  records by bucket of time; anomalies.py says which buckets are unusual
sides.py     two periods, or two sets of sources, to compare; difference.py says in what they differ
refs.py      `e12@3f9ac21b`: names for records that are refused, not misread, when their source changed
cache.py     what we remember between processes, in the cache folder
"""
