"""Real servers that sources ask, started on a free port of this machine and ended by their process."""

import getpass
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services import outside_program
from services.ports import free_port

HOW = "apt-get install openssh-server openssh-client"


@dataclass(frozen=True)
class SshServer:
    """OpenSSH's server; it lets in who started it, by a key made for it."""

    folder: Path
    port: int
    user: str

    @property
    def key_file(self):
        return str(self.folder / "id")

    @property
    def known_hosts(self):
        return str(self.folder / "known_hosts")


def make_key(path):
    subprocess.run(
        [outside_program("ssh-keygen", HOW), "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True
    )
    return path.with_suffix(".pub").read_text()


@contextmanager
def ssh_server(folder) -> Iterator[SshServer]:
    program = outside_program("/usr/sbin/sshd", HOW)
    outside_program("ssh", HOW)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where its unprivileged part lives
    host_key = make_key(folder / "host")
    (folder / "authorized_keys").write_text(make_key(folder / "id"))
    port = free_port()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(host_key.split()[:2])}\n")
    settings = folder / "sshd_config"
    settings.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized_keys\n"
        "KexAlgorithms curve25519-sha256\n"  # the newest takes half as long again, and tests connect often
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    server = subprocess.Popen([program, "-D", "-e", "-f", str(settings)], stderr=subprocess.PIPE)
    try:
        heard = b""
        while b"Server listening" not in heard:
            heard = server.stderr.readline()
            assert heard, "sshd ended before it listened"
        yield SshServer(folder, port, getpass.getuser())
    finally:
        server.kill()
        server.wait()
        server.stderr.close()
