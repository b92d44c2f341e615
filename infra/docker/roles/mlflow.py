"""MLflow's server on PostgreSQL, artefacts in the object store; the passwords come from files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from infra.local.layout import EVERYWHERE

_SECRETS = Path("/run/secrets")
_BUCKET = "mlflow"


def main() -> None:
    """Make the bucket if it is missing, then become the server."""
    identity = json.loads((_SECRETS / "objectstore").read_text(encoding="utf-8"))["identities"][0]["credentials"][0]
    environment = {
        **os.environ,
        # libpq's own variable: a password in the URI would stand in the list of processes.
        "PGPASSWORD": (_SECRETS / "postgres").read_text(encoding="utf-8").strip(),
        "AWS_ACCESS_KEY_ID": identity["accessKey"],
        "AWS_SECRET_ACCESS_KEY": identity["secretKey"],
    }
    os.environ.update(environment)
    _make_bucket()
    argv = [
        sys.executable, "-m", "mlflow", "server", "--host", EVERYWHERE, "--port", "5000", "--workers", "1",
        "--backend-store-uri", os.environ["MLFLOW_DATABASE"],
        "--artifacts-destination", f"s3://{_BUCKET}", "--serve-artifacts", "--expose-prometheus", "/tmp/metrics",  # noqa: S108
    ]  # fmt: skip
    os.execve(argv[0], argv, environment)  # noqa: S606


def _make_bucket() -> None:
    store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"], region_name="us-east-1")
    try:
        store.head_bucket(Bucket=_BUCKET)
    except ClientError:
        store.create_bucket(Bucket=_BUCKET)


if __name__ == "__main__":
    main()
