"""PostgreSQL: any user is let in without a password; one database for each test that asks for one."""

import itertools
import subprocess
from pathlib import Path
from signal import SIGINT

from .server import Server, dying_with_us, program

HOW = "apt-get install postgresql"


def newest_programs() -> Path:
    """Where Debian keeps the server's programs: one folder for each version, none of them on the search path."""
    found = Path("/usr/lib/postgresql").glob("*/bin")
    return max(found, key=lambda folder: float(folder.parent.name), default=Path("/usr/lib/postgresql"))


class Postgres(Server):
    name = "postgres"
    end_signal = SIGINT  # SIGTERM would wait for its clients to go

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._numbers = itertools.count(1)

    @classmethod
    def missing(cls) -> str:
        has_both = program("postgres", newest_programs()) and program("initdb", newest_programs())
        return "" if has_both else f"PostgreSQL's server is not here: {HOW}"

    def lay_out(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            initdb = program("initdb", newest_programs())
            how = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
            subprocess.run([*dying_with_us(), initdb, "-D", str(data), *how], check=True, capture_output=True)

    def command(self) -> list[str]:
        postgres = program("postgres", newest_programs())
        return [postgres, "-D", str(self.folder / "data"), "-h", self.host, "-p", str(self.port), "-k", ""]

    def answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self.dsn(), connect_timeout=2) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@{self.address}/{database}"

    def new_database(self) -> str:
        """The address of a database of its own, empty."""
        import psycopg

        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.dsn(name)
