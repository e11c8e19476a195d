"""The printed snippet is what the host reads: parsed as the host parses it, it starts our server."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.server.client_config import CLIENTS, Launch, client_config, launch
from logpith_emit.errors import BadArgument, NotFound


def server_in(client, snippet):
    """The name, command and arguments that a host finds in its settings."""
    if client == "codex":
        servers = tomllib.loads(snippet)["mcp_servers"]
    else:
        servers = json.loads(snippet)["servers" if client == "vscode" else "mcpServers"]
    ((name, server),) = servers.items()
    return name, server["command"], server["args"]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_snippet_starts_the_server_with_absolute_roots(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    for name in ("logs", "a b"):
        Path(name).mkdir()

    snippet, place = client_config(client, ["logs", "a b"])

    name, command, arguments = server_in(client, snippet)
    roots = ["--root", str(tmp_path / "logs"), "--root", str(tmp_path / "a b")]
    assert (name, command) == ("logpith", sys.executable)
    assert arguments == ["-m", "logpith", "mcp", *roots]
    assert place


def test_the_command_of_this_environment_is_named_by_its_path(tmp_path, monkeypatch):
    other = tmp_path / "other"
    for folder in (tmp_path, other):
        folder.mkdir(exist_ok=True)
        (folder / "logpith").write_text("#!/bin/sh\n")
        (folder / "logpith").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    assert launch([str(tmp_path)]).command == str(tmp_path / "logpith")


def test_the_command_on_the_path_is_named_by_its_path(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    program = tmp_path / "logpith"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert launch([str(tmp_path)]).command == str(program)
    assert launch([str(tmp_path)]).arguments == ("mcp", "--root", str(tmp_path))


def test_without_roots_it_is_the_folder_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert launch().arguments[-2:] == ("--root", str(tmp_path))


@given(
    st.sampled_from(sorted(CLIENTS)),
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.text(st.characters(codec="utf-8")),
)
def test_whatever_a_name_or_path_holds_is_read_back(client, name, word):
    spelled = CLIENTS[client].spell(Launch(name=name, command=word, arguments=("mcp", word)))

    assert server_in(client, spelled) == (name, word, ["mcp", word])


def test_an_unknown_host_is_refused_with_the_nearest():
    with pytest.raises(BadArgument, match="Did you mean 'claude-code'"):
        client_config("claude")


def test_a_root_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(NotFound, match="is not a folder"):
        client_config("cursor", [str(tmp_path / "nowhere")])


def test_standard_output_is_the_snippet_alone(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "logpith", "client-config", "cursor", "--root", str(tmp_path), "--name", "x"],
        capture_output=True,
        check=True,
    )

    assert server_in("cursor", done.stdout)[0] == "x"
    assert b".cursor/mcp.json" in done.stderr


def test_the_snippet_of_this_machine_starts_a_server_that_ends_with_its_input(tmp_path):
    snippet, _ = client_config("vscode", [str(tmp_path)])
    _, command, arguments = server_in("vscode", snippet)

    done = subprocess.run([command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=True)

    assert done.stdout == b""
