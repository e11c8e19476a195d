"""The configuration of `examples/fluentd` takes what the destination sends, and Fluentd takes it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from logpith_emit.destinations.fluent import FluentDestination

CONFIGURATION = Path(__file__).parents[3] / "examples" / "fluentd" / "fluent.conf"


@dataclass
class Section:
    """`<name argument>`, what is set in it, and the sections in it."""

    name: str
    argument: str
    settings: dict = field(default_factory=dict)
    sections: list = field(default_factory=list)

    def all(self, name):
        return [one for one in self.sections if one.name == name]


def parsed(text):
    """The sections of a configuration, by the rules of Fluentd: what is no comment is a section's mark or a setting."""
    open_ones = [Section("", "")]
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if end := re.fullmatch(r"</(\w+)>", line):
            assert end[1] == open_ones.pop().name
        elif begin := re.fullmatch(r"<(\w+)(?: ([^<>]+))?>", line):
            section = Section(begin[1], begin[2] or "")
            open_ones[-1].sections.append(section)
            open_ones.append(section)
        else:
            name, value = line.split(maxsplit=1)
            assert re.fullmatch(r"@?\w+", name), line
            assert name not in open_ones[-1].settings, line
            open_ones[-1].settings[name] = value
    (root,) = open_ones
    return root


@pytest.fixture
def configuration():
    return parsed(CONFIGURATION.read_text())


def test_it_listens_where_the_destination_sends_and_for_its_tags(configuration):
    (source,) = configuration.all("source")
    (output,) = configuration.all("match")
    destination = FluentDestination()

    assert source.settings["@type"] == "forward"
    assert int(source.settings["port"]) == destination.port
    assert source.settings["bind"] == "127.0.0.1"
    # `a.**` stands for `a`, too.
    assert output.argument == f"{destination.tag}.**"
    assert {one.argument for one in configuration.all("filter")} == {output.argument}


def test_what_stands_in_the_name_of_the_index_is_a_key_of_the_buffer(configuration):
    (output,) = configuration.all("match")
    (buffer,) = output.all("buffer")

    placeholders = re.findall(r"\$\{([^}]+)\}", output.settings["index_name"])
    assert output.settings["index_name"] == "mcp-logs-${tag}"
    assert set(placeholders) <= {key.strip() for key in buffer.argument.split(",")}
    assert "type_name" not in output.settings, "which Elasticsearch no longer has"
    assert buffer.settings["@type"] == "file", "what is acknowledged is on a disk"
    assert buffer.settings["retry_forever"] == "true", "else it is thrown away after three days"


@pytest.mark.skipif(shutil.which("fluentd") is None, reason="Fluentd is not here: gem install fluentd")
def test_fluentd_takes_it(tmp_path):
    done = subprocess.run(
        ["fluentd", "--dry-run", "-c", CONFIGURATION],
        env=os.environ
        | {"FLUENTD_BUFFER": str(tmp_path / "buffer"), "FLUENTD_REFUSED": str(tmp_path / "refused")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
