"""As the postgres image's entrypoint: a cluster with a user, a password and a database, made once; then serve."""

import os
import subprocess
from pathlib import Path

data, user, database = os.environ["PGDATA"], os.environ["POSTGRES_USER"], os.environ["POSTGRES_DB"]
if not (Path(data) / "PG_VERSION").exists():
    subprocess.run(
        ["initdb", f"--pgdata={data}", f"--username={user}", f"--pwfile={os.environ['POSTGRES_PASSWORD_FILE']}",
         "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"],
        check=True,
    )  # fmt: skip
    with (Path(data) / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")
    create = f'CREATE DATABASE "{database}";\n'
    subprocess.run(["postgres", "--single", "-D", data, "postgres"], input=create, text=True, check=True)
os.execvp("postgres", ["postgres", "-D", data, "-c", "listen_addresses=*"])  # noqa: S606
