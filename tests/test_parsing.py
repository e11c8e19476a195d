"""`parse test`: what was read of each line, and which lines fit no format."""

from logpith.cli import main

FORMATS = """[[format]]
name = "meter"
grok = '@%{NUMBER:time} %{LOGLEVEL:level} <%{WORD:service}> used=%{INT:used} %{GREEDYDATA:message}'
"""


def test_matched_and_unmatched_lines_are_shown(tmp_path, monkeypatch, capsys):
    (tmp_path / "own.toml").write_text(FORMATS)
    monkeypatch.setenv("LOGPITH_FORMATS", str(tmp_path / "own.toml"))
    sample = tmp_path / "sample.log"
    sample.write_text("@1795182302 warn <tts> used=7 quota is low\nnothing of the kind\n")

    code = main(["parse", "test", str(sample)])

    printed = capsys.readouterr().out
    assert code == 1
    assert "2 records, of which 1 fits no format" in printed
    for part in ("meter", "2026-11-20T13:45:02Z", "warn", "tts", "quota is low", "used = 7"):
        assert part in printed
    assert printed.rstrip().endswith("line 2: nothing of the kind")


def test_a_file_whose_lines_all_fit_ends_well(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path))
    sample = tmp_path / "sample.log"
    sample.write_text("ts=2026-11-20T13:45:02Z level=warn msg=slow\n")

    assert main(["parse", "test", str(sample)]) == 0
    assert "logfmt" in capsys.readouterr().out


def test_hidden_characters_of_a_sample_are_shown(tmp_path, capsys):
    sample = tmp_path / "sample.log"
    sample.write_text('level=warn msg="\x1b[31mred" k=v\n')

    main(["parse", "test", str(sample)])

    assert "\x1b" not in capsys.readouterr().out


def test_without_a_file_it_says_what_to_write(capsys):
    assert main(["parse", "sample.log"]) == 2
    assert "logpith parse test FILE" in capsys.readouterr().err


def test_records_that_are_not_shown_are_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path))
    sample = tmp_path / "sample.log"
    fitting = "".join(f"ts=2026-11-20T13:45:02Z level=warn msg=slow{i}\n" for i in range(25))
    sample.write_text(fitting + "".join(f"nothing of the kind {chr(97 + i)}\n" for i in range(23)))

    main(["parse", "test", str(sample)])

    shown = capsys.readouterr().out
    assert "… and 5 more records that fit a format." in shown
    assert "… and 3 more records that fit none." in shown
