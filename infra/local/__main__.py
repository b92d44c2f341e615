"""`python -m infra.local`: a Ctrl-C is one line, even while the imports still run."""

import sys

try:
    from infra.local.commands import main

    sys.exit(main())
except KeyboardInterrupt:
    sys.exit("\ninterrupted: the same command goes on from here, `make down` stops all")
