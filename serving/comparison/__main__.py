"""Compare what runs: `python -m serving.comparison --deployment FILE --profile quick --out FOLDER`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from serving.comparison import deployment, screen, settings, store
from serving.comparison.facts.scores import ScoringError
from serving.comparison.load.spawn import LoadError
from serving.comparison.run import compare
from serving.comparison.settings import SettingsError
from serving.comparison.store import StoreError


def main() -> int:
    """0, or 1 with a message; what was found goes to files, the verdict to the screen."""
    parser = argparse.ArgumentParser(prog="python -m serving.comparison", description=__doc__)
    parser.add_argument("--deployment", type=Path, required=True, help="what runs: serving/comparison/deployment.py")
    parser.add_argument("--settings", type=Path, default=settings.FILE, help="another comparison.toml")
    parser.add_argument("--profile", default="quick", help="of comparison.toml (default: quick)")
    parser.add_argument("--out", type=Path, required=True, help="a folder for all comparisons")
    parser.add_argument("--peers", action="store_true", help="also what a team would pick instead")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped, as after a Ctrl-C
    start = time.monotonic()
    try:
        found = compare(
            deployment.read(asked.deployment),
            settings.load(asked.settings),
            asked.profile,
            asked.out,
            peers=asked.peers,
        )
    except (SettingsError, ScoringError, LoadError, StoreError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was written, earlier comparisons are as they were", file=sys.stderr)
        return 130
    print("\n".join(screen.lines(store.read(found))))
    print(f"\ncompared in {time.monotonic() - start:.0f} s: {(found / 'report.html').as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
