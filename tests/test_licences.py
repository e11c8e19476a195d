"""A plain installation may be used by anybody: no licence in it asks for the source of what uses it."""

import re
from importlib import metadata

import pytest

COPYLEFT = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public|Server Side Public|EUPL", re.IGNORECASE)
# Weak ones are fine for a library that is only linked to; none is here now.
NAME = re.compile(r"[A-Za-z0-9._-]+")


def installed_with(name, seen):
    """The distributions that installing `name` brings, without extras."""
    key = name.lower().replace("_", "-")
    if key in seen:
        return
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return  # for another system
    seen[key] = distribution
    for requirement in distribution.requires or ():
        if "extra ==" not in requirement:
            installed_with(NAME.match(requirement)[0], seen)


def licence_of(distribution):
    """What a distribution says of its licence."""
    told = distribution.metadata
    classifiers = [text for text in told.get_all("Classifier") or () if text.startswith("License")]
    return " ".join([told.get("License-Expression") or "", *classifiers]) or (told.get("License") or "")[:200]


def test_no_dependency_has_a_copyleft_licence():
    seen = {}
    installed_with("logpith", seen)
    if "numpy" not in seen:
        pytest.skip("logpith is not installed as a distribution here")

    bad = {name: licence_of(one) for name, one in seen.items() if COPYLEFT.search(licence_of(one))}

    assert len(seen) > 10
    assert bad == {}
