"""The examples beside the docs do what they say."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_one_command_finds_in_five_services_what_five_commands_find(tmp_path):
    told = subprocess.run(
        ["sh", EXAMPLES / "one-command" / "count.sh", tmp_path],
        env={**os.environ, "LOGPITH": shlex.join([sys.executable, "-m", "logpith"])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout

    found = re.fullmatch(
        r"by hand: (\d+) commands, (\d+) services, (\d+) tokens\n"
        r"with logpith: (\d+) command, (\d+) services, (\d+) tokens\n",
        told,
    )
    assert found, told
    by_hand, services, tokens, with_logpith, same_services, few_tokens = map(int, found.groups())
    assert (by_hand, with_logpith) == (5, 1)
    assert same_services == services >= 4
    assert few_tokens * 5 < tokens
