"""Templates: what many bodies have in common: `user <*> logged in`.

Lines are never compared with each other. Each is hashed to a shape by `scan/`, and what is mined here is the
small table of distinct shapes, so the same lines give the same templates in any order and any partition.

    shapes.py      the table that is mined: counts and a few samples of each shape
    canonical.py   a sample → words, slots and the structure that they stand in
    evidence.py    how much speaks for a position being a value
    merge.py       patterns of one structure become fewer
    across.py      patterns of different structures that are one template: lists, optional parts
    families.py    templates with the same words, and parts that come and go
    mine.py        all of it: table → templates
    slots.py       what the values of a slot are: `<ip>`, `<duration>`…
    regex.py       a template as a regular expression
    ids.py         ids that stay while templates change
    group.py       templates → a handful of clusters
    clusterer.py   all of it for programs of your own: add lines, ask for clusters
    blocks.py      another miner with the same verbs, by matching blocks

After docs/explanation/templates.md.
"""
