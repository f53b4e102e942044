"""Write the ini files that OpenStack's services read."""

import configparser
import io
from collections.abc import Mapping
from pathlib import Path

from watari.lab.paths import write_text

Value = str | int | float | bool
Sections = Mapping[str, Mapping[str, Value]]


def render_ini(sections: Sections) -> str:
    """Sections in the order given; keys keep their case, values are written as they are (% and all)."""
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    for name, values in sections.items():
        if name != parser.default_section:  # DEFAULT is there from the start
            parser.add_section(name)
        for key, value in values.items():
            parser.set(name, key, str(value).lower() if isinstance(value, bool) else str(value))
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def write_ini(path: Path, sections: Sections) -> None:
    write_text(path, render_ini(sections), mode=0o600)
