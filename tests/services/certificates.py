"""A certificate of a server of this machine, which is its own authority."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .server import program


@dataclass(frozen=True)
class Certificate:
    cert: Path
    """What it shows, and who trusts it trusts."""

    key: Path
    both: Path
    """One file with both, the key first."""


def certificate(folder: Path) -> Certificate:
    """The one in a folder, made when it is first asked for."""
    made = Certificate(folder / "cert.pem", folder / "key.pem", folder / "both.pem")
    if not made.both.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # fmt: off
        subprocess.run(
            [
                program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                "-out", made.cert, "-keyout", made.key,
            ],
            check=True,
            capture_output=True,
        )
        # fmt: on
        made.both.write_text(made.key.read_text() + made.cert.read_text())
    return made
