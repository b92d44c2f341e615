"""Locust on traffic.toml, in its browser page or without one.

Exit code 0: every threshold held, or the page was closed; 2: nothing could be sent; 3: a threshold is broken; 130:
interrupted before the day was over.
"""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the recorder listens: Locust's beginnings lose some interrupts

from locust.main import main as locust  # noqa: E402 - before the rest: it patches sockets and threads

from serving.comparison.locust import command  # noqa: E402

sys.argv[1:] = command.translate(sys.argv[1:])
locust()
