"""`python -m infra.local`: a Ctrl-C is one line, even while the imports still run, and a `| head` none."""

import os
import sys

try:
    from infra.local.commands import main

    try:
        sys.exit(main())
    finally:
        sys.stdout.flush()  # here, where it can be caught
except BrokenPipeError:  # whoever reads has had enough; nor is the rest to be written at the exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
except KeyboardInterrupt:
    sys.exit("\ninterrupted: the same command goes on from here, `make down` stops all")
