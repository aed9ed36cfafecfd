"""The processes of a run, and the commands that prepare it."""

import os
import select
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

INTEROP = Path(__file__).resolve().parents[1]
ROOT = INTEROP.parent
# all that a run installs and writes
WORK = ROOT / ".interop"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()

# How long a server may take to tell its address, a client to judge one suite, and a server to end.
START_SECONDS = 20
JUDGE_SECONDS = 240
STOP_SECONDS = 10

# apt-get does not wait for another one
ONE_INSTALLS = threading.Lock()


def say(text):
    print(f"interop: {text}", file=sys.stderr, flush=True)


def quiet(command, **options):
    """Runs a command, and shows what it said only if it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stdout)
        sys.exit(f"interop: {' '.join(map(str, command))} failed")


def build(package, *more):
    """Builds with cargo, into one target folder for all."""
    command = ["cargo", "build", "--locked", "--manifest-path", package / "Cargo.toml", "--target-dir", TARGET]
    quiet([*command, *more])


def install(missing, packages):
    """Installs Debian packages, if this is Debian and the caller may."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"interop: needs {missing}; on Debian: apt-get install {' '.join(packages)}")
    with ONE_INSTALLS:
        say(f"installing {' '.join(packages)}")
        quiet(["apt-get", "update"])
        quiet(["apt-get", "install", "--yes", "--no-install-recommends", *packages])


class Processes:
    """The processes that this run started. They end with it, whatever happens."""

    def __init__(self):
        self.servers = {}
        self.judges = set()
        self.guard = threading.Lock()
        self.over = False

    def serve(self, name, command, environment=None):
        """Starts a server and gives the address that it prints on stdout."""
        with (WORK / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environment or {})},
                cwd=WORK,
            )
        self.servers[name] = process
        return self.address(name, process)

    @staticmethod
    def address(name, process):
        deadline = time.monotonic() + START_SECONDS
        said = b""
        while time.monotonic() < deadline:
            ready, _, _ = select.select([process.stdout], [], [], 0.1)
            if not ready:
                continue
            more = os.read(process.stdout.fileno(), 4096)
            if not more:
                break
            said += more
            for word in said[: said.rfind(b"\n") + 1].decode().split():
                if word.startswith("http://127.0.0.1:"):
                    return word.rstrip("/.")
        sys.stderr.write((WORK / f"{name}.log").read_text(errors="replace"))
        sys.exit(f"interop: {name} did not tell its address; it said {said.decode()!r}")

    def judge(self, name, command):
        """Runs a client to its end; gives what it said and how it ended."""
        with self.guard:
            if self.over:
                return b"", "was not run"
            with (WORK / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
            self.judges.add(process)
        try:
            said, _ = process.communicate(timeout=JUDGE_SECONDS)
            return said, f"ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            return said, "took too long"
        finally:
            with self.guard:
                self.judges.discard(process)

    def stop(self):
        """Ends what still runs; gives how each server ended."""
        with self.guard:
            self.over = True
            running = [*self.judges, *self.servers.values()]
        for process in running:
            process.terminate()
        for process in self.servers.values():
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return {name: process.returncode for name, process in self.servers.items()}
