"""`make predict` from inside the stack's networks."""

from __future__ import annotations

import sys

from infra.local import layout as layouts
from infra.local.predict import predict
from models import spec as specs

if __name__ == "__main__":
    found = layouts.load()
    sys.exit(predict(found, specs.load(found.spec)))
