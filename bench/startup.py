"""Start-up time and memory of `v2g secc`, beside a bare interpreter and one that has imported the TLS library."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
COMMAND = [sys.executable, "-m", "v2gkit"]


def run() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        certs = str(Path(folder) / "pki")
        subprocess.run([*COMMAND, "pki", "create", certs], check=True, capture_output=True)
        bare = [_started([sys.executable, "-c", "print('{}', flush=True); input()"]) for _ in range(ROUNDS)]
        library = [_started([sys.executable, "-c", "import OpenSSL.SSL; print('{}', flush=True); input()"]) for _ in range(ROUNDS)]
        station = [_started([*COMMAND, "secc", "--port", "0", "--pki", certs, "--json"]) for _ in range(ROUNDS)]
    for name, measured in (("bare interpreter", bare), ("with pyOpenSSL", library), ("v2g secc, ready", station)):
        print(f"{name:18} {min(t for t, _ in measured) * 1e3:7.0f} ms {min(m for _, m in measured) / 1024:7.1f} MiB resident")
    print(f"ready in {min(t for t, _ in station) / min(t for t, _ in library):.1f} times the time that importing the TLS library takes")


def _started(command: list[str]) -> tuple[float, float]:
    """Seconds to the first line of JSON, and resident memory (KiB) then."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        taken = time.perf_counter() - begin
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
    resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return taken, float(resident)
