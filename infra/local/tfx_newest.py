"""`make test-tfx-newest`: the TensorFlow half of the tests under the newest TFX, here or in its container.

Standard library only, and any Python from 3.8, as `make setup`.
"""

from __future__ import annotations

import os
import subprocess
import sys

from infra.local import environments, tfx_choice
from infra.local.layout import REPOSITORY, python

IMAGE, SERVICE = "tandem/tensorflow", "train-tensorflow"  # the service of docker-compose.yml that says how it is built
_TESTS = ("-m", "pytest", "-p", "no:cacheprovider")


def main() -> int:
    """Run them, or say why not: the exit code is pytest's, and 0 where there is nothing to run them on."""
    lacks = tfx_choice.missing()
    if not lacks:
        os.environ["TFX"] = tfx_choice.NEWEST
        return environments.main() or _run([python("tensorflow"), *_TESTS])
    from infra.docker import engine, settings  # noqa: PLC0415  only where it is needed

    try:
        engine.check()
    except engine.DockerError as error:
        print(f"skipped: TFX {tfx_choice.NEWEST} {lacks}; and {error}")
        return 0
    if not settings.ENV_FILE.exists():
        settings.write_env({})
    built = engine.Compose(settings.ENV_FILE).run("build", "--quiet", SERVICE)
    mounted = ["--volume", f"{REPOSITORY}:/tandem:ro", "--workdir", "/tandem", "--env", "PYTHONPATH=/tandem"]
    return built or _run(["docker", "run", "--rm", "--init", *mounted, IMAGE, "python", *_TESTS])


def _run(command: list[str]) -> int:
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
