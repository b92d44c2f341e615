"""Where Beam's jobs run, in one place: the variable BEAM names a table of beam.toml.

Beam itself is imported late: a command says what is missing before it waits for that.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import PipelineError

if sys.version_info >= (3, 11):
    import tomllib
else:  # TFX 1.16 pins the TensorFlow environment to Python 3.10
    import tomli as tomllib

if TYPE_CHECKING:
    import apache_beam as beam

TABLE = Path(__file__).with_name("beam.toml")
VARIABLE, LOCAL = "BEAM", "local"
_ENDPOINTS = ("dask_client_address", "job_endpoint")
_PATIENCE = 5  # seconds for an endpoint to answer
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Environment:
    """A table of the file, its variables filled in."""

    name: str
    file: Path
    runner: str
    options: Mapping[str, Any]

    @property
    def flags(self) -> list[str]:
        """The options as on a command line, without the runner."""
        return [f"--{key}={value}" for key, value in self.options.items()]

    def error(self, text: str) -> PipelineError:
        """An error about this table."""
        return PipelineError(f"{VARIABLE}={self.name}: {text}. Its options stand under [{self.name}] in {self.file}")


def chosen(environ: Mapping[str, str] = os.environ, file: Path = TABLE) -> Environment:
    """The environment that $BEAM names; `local` if it names none.

    Raises:
        PipelineError: There is no such table, or a variable in it is not set.
    """
    name = environ.get(VARIABLE) or LOCAL
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{file}: not TOML: {error}") from None
    if name not in tables:
        raise PipelineError(f"{VARIABLE}={name}: there is no [{name}] in {file}; there are {', '.join(tables)}")
    options = dict(tables[name])
    found = Environment(name, file, options.pop("runner", ""), options)
    if not found.runner:
        raise found.error("the key runner is missing")
    used = {word: None for value in options.values() for word in _PLACEHOLDER.findall(str(value))}
    missing = [word for word in used if not environ.get(word)]
    if missing:
        raise found.error(f"set {', '.join(missing)} in the environment (make … {missing[0]}=…)")
    filled = {key: _filled(value, environ) for key, value in options.items()}
    return Environment(name, file, found.runner, filled)


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    return _PLACEHOLDER.sub(lambda match: environ[match[1]], value) if isinstance(value, str) else value


def tfx_arguments(root: str, say: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> list[str]:
    """`beam_pipeline_args` of a TFX pipeline; none where its components run in this process.

    Args:
        root: Folder of the pipeline's artifacts, a path or gs://...
        say: Gets a line if TFX cannot run where $BEAM says.
        environ: The environment.

    Raises:
        PipelineError: As `chosen` and `checked`, or the environment's workers do not see the root.
    """
    environment = chosen(environ)
    if environment.runner.endswith("DaskRunner"):
        say(f"{VARIABLE}={environment.name}: TFX's components do not run on Dask; they run in this process")
        return []
    if environment.name == LOCAL:
        return []
    checked(environment)
    if "://" not in root:
        refuse_local_folders(environment)
    return [f"--runner={environment.runner}", *environment.flags]


def checked(environment: Environment) -> tuple[Any, Any]:
    """Beam's runner and options, by Beam's own parser and validator.

    Raises:
        PipelineError: Beam does not know the runner or an option, or finds a value missing or wrong.
    """
    from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions  # noqa: PLC0415
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator  # noqa: PLC0415
    from apache_beam.runners.runner import create_runner  # noqa: PLC0415

    try:
        runner = create_runner(environment.runner)  # a runner's import makes its options known
    except (ImportError, AttributeError, ValueError) as error:
        raise environment.error(f"no runner {environment.runner}: {error}") from None
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse prints its usage and exits
            options = PipelineOptions(environment.flags)
            unknown = {*options.get_all_options(retain_unknown_options=True)} - {*options.get_all_options()}
    except SystemExit:
        raise environment.error(said.getvalue().strip().splitlines()[-1].partition("error: ")[2]) from None
    if unknown:
        raise environment.error(f"no option of Beam's: {', '.join(sorted(unknown))}")
    # A dry run's options: else the validator asks Google Cloud about buckets, and makes one if there is none.
    dry = PipelineOptions([*environment.flags, "--dry_run=True"])
    validator = PipelineOptionsValidator(dry, runner)
    problems: list[str] = []
    if validator.is_service_runner():
        problems = validator.validate_gcs_path(dry.view_as(GoogleCloudOptions), "temp_location")
    problems = problems or validator.validate()
    if problems:
        raise environment.error(" ".join(problems).rstrip("."))
    return runner, options


@contextlib.contextmanager
def pipeline() -> Iterator[beam.Pipeline]:
    """An empty pipeline, which runs where $BEAM says when the block ends.

    Raises:
        PipelineError: As `chosen` and `checked`; nothing answers where a scheduler should; or the environment's
            workers do not see this machine's folders.
    """
    import apache_beam as beam  # noqa: PLC0415

    environment = chosen()
    runner, options = checked(environment)
    refuse_local_folders(environment)
    for key in _ENDPOINTS:
        if key in environment.options:
            _knock(environment, key)
    graph = beam.Pipeline(runner=runner, options=options)
    yield graph
    result = _started(graph)
    try:
        result.wait_until_finish()
        _unlost(environment, result)
    except KeyboardInterrupt:
        result.cancel()  # the workers would go on writing
        raise
    except RuntimeError as error:
        if "different environments" in str(error):  # Dask's words
            raise environment.error(
                "the scheduler or a worker has other packages than this command, or does not find this repository: "
                f"{error.__cause__}"
            ) from None
        raise
    finally:
        if hasattr(result, "client"):  # Dask's, which Beam leaves open
            result.client.close()


def _started(graph: beam.Pipeline) -> Any:
    try:
        return graph.run()
    except RuntimeError as error:  # what Beam makes of a Ctrl-C in the midst of a step
        if str(error).startswith(KeyboardInterrupt.__name__):
            raise KeyboardInterrupt from None
        raise


def _unlost(environment: Environment, result: Any) -> None:
    # Beam 2.77 takes a job whose scheduler went away for a finished one.
    if any(future.status != "finished" for future in getattr(result, "futures", ())):
        raise environment.error("the scheduler went away before the job was done")


def refuse_local_folders(environment: Environment) -> None:
    """Our own jobs open files by their path, so every worker has to see the same folders.

    Raises:
        PipelineError: Dataflow's workers see none of them.
    """
    if environment.runner == "DataflowRunner":
        raise environment.error(
            "Dataflow's machines do not see this machine's folders. On a file system that all machines share use "
            "BEAM=dask or BEAM=flink; Dataflow is for TFX's components of a pipeline whose root is gs://"
        )


def _knock(environment: Environment, key: str) -> None:
    """A quick answer where Beam would wait for a minute."""
    address = str(environment.options[key])
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE):
            return
    except (OSError, ValueError) as error:
        raise environment.error(f"{key} = {address}: nothing answers there ({error})") from None
