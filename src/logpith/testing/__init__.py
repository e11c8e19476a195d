"""Helpers for tests, ours and those of packages that add parts: each kind of part has its check here."""
