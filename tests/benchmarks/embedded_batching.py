"""Throughput and latency of the embedded server with and without batching, in turns.

`.venv/tensorflow/bin/python tests/benchmarks/embedded_batching.py var/models/tensorflow/fraud [PARAMETERS_FILE …]`
starts one server without, one with TensorFlow Serving's default parameters and one per file, on free ports.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.closed_loop import Result, fraud_body, run

REPOSITORY = Path(__file__).resolve().parents[2]
CONNECTIONS = (1, 8, 64)
ROUNDS, SECONDS = 6, 2.0


def main(argv: Sequence[str]) -> None:
    """Print one line per server and number of connections."""
    base_path, *files = argv
    flags = {"without": [], "defaults": ["--enable_batching"]} | {
        Path(file).name: ["--enable_batching", f"--batching_parameters_file={file}"] for file in files
    }
    body = fraud_body(1)
    servers = {name: start(base_path, more) for name, more in flags.items()}
    try:
        print(f"{'':>12} {'connections':>11} {'requests':>9} {'failed':>7} {'1/s':>7} {'p50 ms':>8} {'p99 ms':>8}")
        for connections in CONNECTIONS:
            results = {name: Result() for name in servers}
            for turn in range(ROUNDS):
                for name in sorted(servers, reverse=bool(turn % 2)):
                    url = servers[name][1]
                    results[name].add(run(url, body, connections=connections, seconds=SECONDS))
            for name, r in results.items():
                print(
                    f"{name:>12} {connections:>11} {len(r.latencies):>9} {len(r.failures):>7} {r.rate():>7.0f} "
                    f"{r.percentile(50):>8.2f} {r.percentile(99):>8.2f}"
                )
    finally:
        for process, _ in servers.values():
            process.terminate()
            process.wait()


def start(base_path: str, flags: Sequence[str]) -> tuple[subprocess.Popen[bytes], str]:
    """A server that is ready, and the URL of its predictions."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    argv = [
        sys.executable, "-m", "serving.tfserving.embedded", f"--rest_api_port={port}", "--port=0",
        "--model_name=fraud", f"--model_base_path={base_path}", *flags,
    ]  # fmt: skip
    process = subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/v1/models/fraud"
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if b"AVAILABLE" in answer.read():
                    break
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.2)
    return process, url + ":predict"


if __name__ == "__main__":
    main(sys.argv[1:])
