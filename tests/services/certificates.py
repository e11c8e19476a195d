"""Certificates of servers of this machine: one that is its own authority, and one that an authority has signed."""

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


def signed_certificate(folder: Path) -> tuple[Path, Certificate]:
    """An authority, and what it has signed: for clients that take no authority for a server."""
    authority = certificate(folder / "authority")
    made = Certificate(folder / "cert.pem", folder / "key.pem", folder / "both.pem")
    if not made.both.exists():
        extensions = folder / "extensions"
        extensions.write_text("basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n")
        # fmt: off
        for arguments in (
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=server",
             "-keyout", made.key, "-out", folder / "request.pem"],
            ["x509", "-req", "-in", folder / "request.pem", "-CA", authority.cert, "-CAkey", authority.key,
             "-days", "2", "-extfile", extensions, "-out", made.cert],
        ):
            subprocess.run([program("openssl"), *arguments], check=True, capture_output=True)
        # fmt: on
        made.both.write_text(made.key.read_text() + made.cert.read_text())
    return authority.cert, made
