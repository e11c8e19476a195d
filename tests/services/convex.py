"""The functions of `examples/convex`, run by Convex's own stand-in for tests: its service is nobody else's to run.

What is stored is in memory, and gone when it stops.
"""

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from .cache import PREPARE, keep, kept, run
from .server import NotReadyError, Server, program

VERSION, TESTING_VERSION = "1.48.0", "0.0.60"
EXAMPLE = Path(__file__).parents[2] / "examples" / "convex" / "convex"
APP = Path(__file__).parent / "convex_app"


class Convex(Server):
    name = "convex"
    api_key = "correct-horse"

    @classmethod
    def missing(cls) -> str:
        return "" if packages().exists() else f"Convex's packages are not here: {PREPARE} convex"

    @classmethod
    def prepare(cls) -> None:
        keep(packages().name, install)

    def lay_out(self) -> None:
        shutil.copytree(APP, self.folder, dirs_exist_ok=True)
        shutil.copytree(EXAMPLE, self.folder / "convex", dirs_exist_ok=True)
        modules = self.folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(packages() / "node_modules", target_is_directory=True)
        bundled = ["--bundle", "--platform=node", "--format=esm", "--outfile=app.mjs", "--log-level=warning"]
        run(self.folder, str(modules / ".bin" / "esbuild"), "main.mjs", *bundled)

    def command(self) -> list[str]:
        return [program("node"), "app.mjs", str(self.port)]

    def environment(self) -> dict[str, str]:
        return {"LOGS_API_KEY": self.api_key}

    def answers(self) -> bool:
        return self.stored() is not None

    def stored(self) -> list[dict[str, Any]]:
        """The documents, in the order in which they came."""
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            documents: list[dict[str, Any]] = json.load(answer)
            return documents

    def forget(self) -> None:
        """Lets a test begin with none."""
        with urllib.request.urlopen(urllib.request.Request(self.url, method="DELETE"), timeout=30):
            pass


def packages() -> Path:
    return kept(f"convex-{VERSION}-{TESTING_VERSION}")


def install(part: Path) -> None:
    if not program("npm"):
        raise NotReadyError("npm is not here, which brings Convex's packages")
    (part / "package.json").write_text("{}")
    wanted = [f"convex@{VERSION}", f"convex-test@{TESTING_VERSION}"]
    run(part, program("npm"), "install", "--ignore-scripts", "--no-audit", "--no-fund", *wanted)
