"""Corpus: one face over what a tool asks.

desk.py       names → an open corpus; keeps the last ones, so that a second question need not read again
reading.py    texts → a corpus, on all cores; masking.py keeps secrets out of the samples that stay
columns.py    the table of one source, while it is read and afterwards
index.py      the table of a large file, kept in the cache folder
cache.py      what we remember between processes, in the cache folder
records.py    the corpus itself: columns, templates, texts of records, coverage
mining.py     templates, mined when first asked for and remembered
points.py     where unpacking a large packed file can begin, remembered
refs.py       `e12@3f9ac21b`: names for records that are refused, not misread, when their source changed

windows.py    the records of a source beside the bytes of their blocks
bodies.py     the bodies of some records: what templates are mined from
view.py       one record as a query looks at it
fields.py     a field of some records as a column: severity, source, time of day, any attribute
slots.py      the values that stand in a slot of a template

select.py     a query → the records that match
selection.py  some records of a corpus and what is counted about them; what tools work on
counting.py   groups of records by fields, and what their values come to
sql.py        a SELECT over the records, asked of DuckDB
clusters.py   similar templates side by side, and what the id of one means
suspects.py   the templates that most deserve a look: judging.py says how much, causes.py which came first
timeline.py   records by bucket of time; anomalies.py says which buckets are unusual
sides.py      two periods, or two sets of sources, to compare; difference.py says in what they differ

services.py   who wrote a record, by any name that people call him
hits.py       what a search has found, by template; meaning.py ranks templates by synonyms.py
correlation.py all lines of one call, through the ids that ids.py finds
sayings.py    what a record says, without what stands in columns
arrival.py    what has come since somebody looked
triage.py     what broke of late; quota.py reads what is left of an allowance
"""
