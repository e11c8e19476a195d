"""What the commands of some tools do besides."""

from __future__ import annotations

import sys

from logpith.cli import main
from logpith.cli.extras import EXTRAS, Extra
from logpith.cli.words import Option


def test_what_only_the_command_line_can_do_hangs_on_an_option_of_its_own(folder, monkeypatch, capsys):
    def count_lines(question, desk, options):
        sys.stdout.write(f"{len(desk.open(question.sources))} {options['labels']} {options['format']}\n")
        return 7

    labels, format_ = Option(name="labels", value="FILE", hidden=True), Option(name="format", value="NAME")
    extra = Extra(option=labels, further=(format_,), run=count_lines)
    monkeypatch.setitem(EXTRAS, "cluster", (extra,))

    code = main(["cluster", str(folder / "app.log"), "--labels", "out.csv", "--format", "raw"])

    assert code == 7
    assert capsys.readouterr().out == "600 out.csv raw\n"
    main(["cluster", "--help"])
    assert "--labels FILE" not in capsys.readouterr().out
