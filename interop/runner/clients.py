"""The clients that judge: what each is, how it is installed, and which of its transports are tried."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

from runner.processes import INTEROP, TARGET, WORK, build, install, quiet, say

# A2A's names of the transports, and those of the table.
TRANSPORTS = {"JSONRPC": "JSON-RPC", "HTTP+JSON": "HTTP+JSON", "GRPC": "gRPC"}
# The gateway's bindings, as they are by default.
BINDINGS = "jsonrpc,http,grpc"


def once(name, files, make):
    """Calls `make` unless it was done for just these files before."""
    mark = WORK / f"{name}.done"
    state = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    if mark.is_file() and mark.read_text() == state:
        return
    mark.unlink(missing_ok=True)
    say(f"installing {name}")
    make()
    mark.write_text(state)


@dataclass(kw_only=True, eq=False)
class Client:
    """A client and its judge, which is a script in a folder of its own."""

    folder: str
    # the package that is judged, and what the table calls it
    package: str
    title: str
    a2a: str
    transports: tuple = tuple(TRANSPORTS)
    # whether it takes the suites; else it has one check for each column of the table
    deep: bool = True
    # the gateway's bindings that it gets to see
    bindings: str = BINDINGS
    # whether it is one of A2A 1.0 that gets to see a card with the interfaces of A2A 0.3 alone
    old_card: bool = False
    # the transports over which it does not send the names of files
    nameless: tuple = ()
    # what the table says of it below
    note: str = ""

    @property
    def name(self):
        return f"{self.folder} at {self.a2a}" if self.old_card else self.folder

    @property
    def home(self):
        return INTEROP / self.folder

    @property
    def rows(self):
        return [(self, transport) for transport in self.transports]


@dataclass(kw_only=True, eq=False)
class Python(Client):
    """A Python client, in a venv."""

    script: str

    @property
    def python(self):
        return WORK / self.folder / "bin" / "python"

    def prepare(self):
        requirements = self.home / "requirements.txt"

        def make():
            venv = WORK / self.folder
            shutil.rmtree(venv, ignore_errors=True)
            probe = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True)
            if probe.returncode != 0:
                install("Python's venv", ["python3-venv"])
            quiet([sys.executable, "-m", "venv", venv])
            quiet([self.python, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements])

        once(self.folder, [requirements], make)

    def command(self):
        return [self.python, self.home / self.script]

    def version(self):
        """That of what is installed."""
        ask = f"import importlib.metadata as m; print(m.version({self.package!r}))"
        return subprocess.run([self.python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


@dataclass(kw_only=True, eq=False)
class JavaScript(Client):
    """A JavaScript client, with its node_modules."""

    def prepare(self):
        if not (shutil.which("node") and shutil.which("npm")):
            install("node and npm", ["nodejs", "npm"])
        files = [self.home / "package.json", self.home / "package-lock.json"]
        if not (self.home / "node_modules").is_dir():
            (WORK / f"{self.folder}.done").unlink(missing_ok=True)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        once(self.folder, files, lambda: quiet(command, cwd=self.home))

    def command(self):
        return ["node", self.home / "judge.mjs"]

    def version(self):
        package = self.home / "node_modules" / self.package / "package.json"
        return json.loads(package.read_text(encoding="utf-8"))["version"]


@dataclass(kw_only=True, eq=False)
class Rust(Client):
    """The Rust client, a package of its own that shares the gateway's target folder."""

    def prepare(self):
        say(f"building {self.folder}")
        build(self.home)

    def command(self):
        return [TARGET / "debug" / "interop-rust"]

    def version(self):
        lock = (self.home / "Cargo.lock").read_text(encoding="utf-8")
        return re.search(rf'name = "{self.package}"\nversion = "(.+)"', lock).group(1)


HTTP = ("JSONRPC", "HTTP+JSON")
OLD_CARD = "It was given a card that names interfaces of A2A 0.3 only."

CLIENTS = [
    Python(folder="python-1.0", script="judge_1_0.py", package="a2a-sdk", title="a2a-sdk (Python)", a2a="1.0"),
    Python(folder="python-0.3", script="judge_0_3.py", package="a2a-sdk", title="a2a-sdk (Python)", a2a="0.3"),
    Python(
        folder="python-1.0",
        script="judge_1_0.py",
        package="a2a-sdk",
        title="a2a-sdk (Python)",
        a2a="0.3",
        old_card=True,
        note=OLD_CARD,
    ),
    JavaScript(folder="js", package="@a2a-js/sdk", title="@a2a-js/sdk", a2a="1.0"),
    JavaScript(folder="js-0.3", package="@a2a-js/sdk", title="@a2a-js/sdk", a2a="0.3", deep=False),
    JavaScript(
        folder="js",
        package="@a2a-js/sdk",
        title="@a2a-js/sdk",
        a2a="0.3",
        old_card=True,
        nameless=("HTTP+JSON", "GRPC"),
        note=OLD_CARD,
    ),
    Rust(folder="rust", package="a2a-client-lf", title="a2a-client-lf (Rust)", a2a="1.0"),
    Python(
        folder="adk",
        script="judge_adk.py",
        package="google-adk",
        title="google-adk, RemoteA2aAgent",
        a2a="1.0",
        transports=HTTP,
        deep=False,
        bindings="jsonrpc,http",
        note="google-adk refuses cards with a gRPC address, since that has no scheme, if it is given the card's address: "
        "set `BINDINGS=jsonrpc,http` for it, or hand it the card itself.",
    ),
    Python(
        folder="agent-framework",
        script="judge_agent_framework.py",
        package="agent-framework-a2a",
        title="agent-framework-a2a (Microsoft)",
        a2a="1.0",
        transports=HTTP,
        deep=False,
    ),
]
