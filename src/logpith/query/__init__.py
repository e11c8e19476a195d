"""The query language: text that selects records.

    parse(text)                the tree; `str(tree)` is the text again
    parse_with_notes(text)     the tree, and hints for who wrote it
    matches(query, view)       what a query means to one record; backends agree with it
    matcher(query)             the same, made ready for many records
    required_literals(query)   bytes that must occur in a match
    column_predicates(query)   what severity, time and source decide alone, and the rest

Neither numpy nor RE2 is imported until a query needs it.
"""

from logpith.query.match import RecordView, Value, matcher, matches, value_matcher
from logpith.query.parse import Reading, parse, parse_with_notes
from logpith.query.plan import ColumnPredicates, column_predicates, required_literals
from logpith.query.tree import (
    And,
    Comparison,
    Everything,
    Exists,
    Not,
    Or,
    Phrase,
    Query,
    Range,
    Regex,
    Substring,
    Wildcard,
    Word,
    all_of,
    any_of,
    fields_of,
)

__all__ = [
    "And",
    "ColumnPredicates",
    "Comparison",
    "Everything",
    "Exists",
    "Not",
    "Or",
    "Phrase",
    "Query",
    "Range",
    "Reading",
    "RecordView",
    "Regex",
    "Substring",
    "Value",
    "Wildcard",
    "Word",
    "all_of",
    "any_of",
    "column_predicates",
    "fields_of",
    "matcher",
    "matches",
    "parse",
    "parse_with_notes",
    "required_literals",
    "value_matcher",
]
