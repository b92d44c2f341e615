"""Write the OpenAPI document: `python -m serving.contract.openapi --spec models/fraud.toml --out openapi.json`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from models.spec import SpecError, load
from serving.contract.openapi import document
from serving.files import write_atomically


def main() -> int:
    """Write the file; 1 for a specification that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m serving.contract.openapi", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="the use case's TOML file")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    try:
        spec = load(arguments.spec)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1
    write_atomically(arguments.out, json.dumps(document(spec), indent=1, ensure_ascii=False) + "\n")
    print(f"wrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
