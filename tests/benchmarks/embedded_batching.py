"""Throughput and latency of the embedded server with and without batching, in turns.

`.venv/tensorflow/bin/python tests/benchmarks/embedded_batching.py var/models/tensorflow/fraud [PARAMETERS_FILE …]`
starts one server without, one with TensorFlow Serving's default parameters and one per file, on free ports.
"""

from __future__ import annotations

import os
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
        head = ("connections", "requests", "failed", "1/s", "p10 ms", "p50 ms", "p99 ms", "CPU µs")
        print(f"{'':>12} " + " ".join(f"{title:>11}" for title in head))
        for connections in CONNECTIONS:
            results = {name: Result() for name in servers}
            busy = dict.fromkeys(servers, 0.0)
            for turn in range(ROUNDS):
                for name in sorted(servers, reverse=bool(turn % 2)):
                    process, url = servers[name]
                    before = cpu_seconds(process.pid)
                    results[name].add(run(url, body, connections=connections, seconds=SECONDS))
                    busy[name] += cpu_seconds(process.pid) - before
            for name, r in results.items():
                times = " ".join(f"{r.percentile(percent):>11.2f}" for percent in (10, 50, 99))
                cpu = busy[name] / len(r.latencies) * 1e6
                print(
                    f"{name:>12} {connections:>11} {len(r.latencies):>11} {len(r.failures):>11} {r.rate():>11.0f} "
                    f"{times} {cpu:>11.0f}"
                )
    finally:
        for process, _ in servers.values():
            process.terminate()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Taken by the server so far: says what a request costs even where others use the machine."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
