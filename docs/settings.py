"""The reference of the settings is written from the classes that read them.

python docs/settings.py   writes docs/reference/settings.md anew; a test compares it
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from logpith.component import describe, field_docs
from logpith.settings import (
    CollectSettings,
    HoldSettings,
    QualitySettings,
    RetentionClass,
    SearchSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    TokenSettings,
)
from logpith.sources import source_types
from logpith.stages import stage_types
from logpith_emit import EmitSettings

PAGE = Path(__file__).parent / "reference" / "settings.md"

SECTIONS: Mapping[str, type] = {
    "[store]": StoreSettings,
    "[[store.classes]]": RetentionClass,
    "[[store.holds]]": HoldSettings,
    "[server]": ServerSettings,
    "[[server.tokens]]": TokenSettings,
    "[collect]": CollectSettings,
    "[search]": SearchSettings,
    "[quality]": QualitySettings,
}

HEAD = """\
# Settings

This page is written from the code: `python docs/settings.py`.

No settings at all is a good setting. Else one TOML file is read, the first of these that is there:

1. what `--config` names,
2. what `$LOGPITH_CONFIG` names,
3. `logpith.toml` in the working directory,
4. `[tool.logpith]` in its `pyproject.toml`,
5. `config.toml` in the folder of settings: `$LOGPITH_CONFIG_DIR`, or `$XDG_CONFIG_HOME/logpith`.

The environment outranks the file: `LOGPITH_STORE_RETENTION=7d` is `retention` in `[store]`. `LOGPITH_DATA_DIR` is the
folder of all data, `LOGPITH_TOKEN` a token that may do everything. `${VAR}` and `${VAR:-default}` in a text are filled
in from the environment, which is where secrets belong. An unknown name is refused with the nearest one; `logpith check`
shows all of these, what is wrong with each thing that is named (of values that do not fit the first), and reads each
source once; `logpith config show --sources` shows what counts, and which file, line or variable has said it. A list of
`name=value` may also be written as a table.
"""


PROGRAMS = """\
## Of programs that log by logpith_emit

These are no part of the file above: a program names them by `configure(…)`, in the environment
(`LOGPITH_EMIT_LEVEL`), or in a file of TOML of its own that `LOGPITH_EMIT_SETTINGS` names.
"""


def page() -> str:
    """The text of the page."""
    return "\n".join(
        [
            HEAD,
            *_top(),
            *_sections(),
            *_kinds("sources", source_types()),
            *_kinds("stages", stage_types()),
            *_programs(),
        ]
    )


def _top() -> Iterator[str]:
    docs = field_docs(Settings)
    yield "## At the top\n"
    yield "| name | what |\n| --- | --- |"
    for name in ("redact", "groups", "sources", "stages"):
        yield f"| `{name}` | {_cell(docs[name])} |"
    yield ""


def _sections() -> Iterator[str]:
    for title, kind in SECTIONS.items():
        yield f"## {title}\n\n{_text(kind)}\n"
        yield "| name | default | what |\n| --- | --- | --- |"
        for field in dataclasses.fields(kind):
            yield f"| `{field.name}` | {_default(kind, field)} | {_cell(field_docs(kind)[field.name])} |"
        yield ""


def _kinds(section: str, types: Mapping[str, Any]) -> Iterator[str]:
    place = f"[{section}.NAME]" if section == "sources" else f"[[{section}]]"
    for name, kind in types.items():
        yield f'## {place} with type = "{name}"\n\n{_text(kind)}\n'
        yield "| name | default | what |\n| --- | --- | --- |"
        for argument in describe(kind):
            default = "required" if argument.required else _spelled(argument.default)
            choices = (
                f" One of {', '.join(f'`{one}`' for one in argument.choices)}." if argument.choices else ""
            )
            yield f"| `{argument.name}` | {default} | {_cell(argument.doc)}{choices} |"
        yield ""


def _programs() -> Iterator[str]:
    yield PROGRAMS
    yield "| name | default | what |\n| --- | --- | --- |"
    docs = field_docs(EmitSettings)
    for field in dataclasses.fields(EmitSettings):
        default = "" if field.name in ("folder", "destinations") else _default(EmitSettings, field)
        yield f"| `{field.name}` | {default} | {_cell(docs[field.name])} |"
    yield ""


def _text(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(kind: type, field: dataclasses.Field[Any]) -> str:
    if field.name == "folder":
        return "`store` in the folder of data (`~/.local/state/logpith/store` where nothing else is said)"
    if field.default is not dataclasses.MISSING:
        return _spelled(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return _spelled(field.default_factory())
    return "required"


def _spelled(value: object) -> str:
    if value in (None, "", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in typing.cast("tuple[object, ...]", value)) + "]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
