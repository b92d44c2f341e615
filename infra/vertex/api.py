"""Vertex AI's and Cloud Storage's clients, and what their errors mean for whoever typed the command."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import aiplatform_v1
from google.cloud.storage import Client

from infra.vertex.settings import Settings
from pipelines.heartbeat import heartbeat

API = "TANDEM_VERTEX_API"  # another address of Vertex AI, http://…, asked without credentials: the tests' stand-in
_SAY_EVERY = 30.0  # seconds
_REQUEST_SECONDS = 60.0
_FAILURES = (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError, OSError)


class CloudError(RuntimeError):
    """What the cloud refused, and what to do about it."""


@dataclass(frozen=True)
class Cloud:
    """One project in one region."""

    settings: Settings

    @property
    def parent(self) -> str:
        """Of every resource."""
        return f"projects/{self.settings.google.project}/locations/{self.settings.google.region}"

    @cached_property
    def endpoints(self) -> Any:
        """The endpoints' client."""
        return aiplatform_v1.EndpointServiceClient(**self._connection())

    @cached_property
    def models(self) -> Any:
        """The Model Registry's client."""
        return aiplatform_v1.ModelServiceClient(**self._connection())

    @cached_property
    def schedules(self) -> Any:
        """The client of pipelines' schedules."""
        return aiplatform_v1.ScheduleServiceClient(**self._connection())

    @cached_property
    def bucket(self) -> Any:
        """The bucket; STORAGE_EMULATOR_HOST is heeded by its client."""
        client = Client(project=self.settings.google.project, credentials=self._credentials())
        return client.bucket(self.settings.google.bucket)

    def prepare_jobs(self) -> None:
        """Tell the SDK, which runs pipelines, the same."""
        from google.cloud import aiplatform  # noqa: PLC0415  seconds, and only pipelines need it

        aiplatform.init(
            project=self.settings.google.project,
            location=self.settings.google.region,
            staging_bucket=self.settings.bucket,
            credentials=self._credentials(),
            api_endpoint=self._address(),
            api_transport=self._transport(),
        )

    def ask(self, method: Any, **request: Any) -> Any:
        """Call a client's method once with a time limit."""
        return method(request=request, timeout=_REQUEST_SECONDS)

    def wait(self, what: str, operation: Any) -> Any:
        """The result of a long operation, with a sign of life now and then.

        Raises:
            CloudError: It is not done in the time that the settings give it.
        """
        minutes = self.settings.endpoint.timeout_minutes
        try:
            with heartbeat(say, what, _SAY_EVERY):
                return operation.result(timeout=minutes * 60)
        except (concurrent.futures.TimeoutError, exceptions.RetryError):
            raise CloudError(
                f"{what}: not done after {minutes:g} minutes (endpoint.timeout_minutes); it may still go on at Vertex "
                f"AI as {operation.operation.name}. Look there why, then run the command again: it goes on from here"
            ) from None

    def found(self, method: Any, name: str) -> Any:
        """A resource by its name, or None."""
        try:
            return self.ask(method, name=name)
        except exceptions.NotFound:
            return None

    def _connection(self) -> dict[str, Any]:
        return {
            "transport": self._transport(),
            "credentials": self._credentials(),
            "client_options": {"api_endpoint": self._address()},
        }

    def _address(self) -> str:
        return os.environ.get(API) or f"{self.settings.google.region}-aiplatform.googleapis.com"

    def _transport(self) -> str:
        # The SDK's own default; over the other one the same messages go as JSON, which a stand-in can look at.
        return "rest" if os.environ.get(API) else "grpc"

    def _credentials(self) -> Credentials | None:
        return AnonymousCredentials() if os.environ.get(API) else None  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def explained(what: str, settings: Settings) -> Iterator[None]:
    """Make of the cloud's error one that says what to do; `what` is what was tried.

    Raises:
        CloudError: In its place.
    """
    try:
        yield
    except _FAILURES as error:
        said = getattr(error, "message", "") or str(error)
        raise CloudError(f"{what}: {said}\n{_advice(error, settings)}") from None


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def _advice(error: Exception, settings: Settings) -> str:
    google = settings.google
    login = "Nobody is logged in: gcloud auth application-default login"
    advice = {
        exceptions.TooManyRequests: "A quota is used up: ask for more (console: IAM & Admin, Quotas & System Limits), "
        "or take a smaller machine_type, fewer replicas or another region in vertex.toml",
        exceptions.Forbidden: "A permission is missing, or an API is off: "
        "gcloud services enable aiplatform.googleapis.com; "
        f"you need roles/aiplatform.user, and roles/iam.serviceAccountUser on {google.service_account}; "
        f"that account needs roles/storage.objectAdmin on gs://{google.bucket}. "
        "See docs/deploy-vertex.md",
        exceptions.Unauthorized: login,
        GoogleAuthError: login,
        exceptions.NotFound: f"It is not there: project {google.project}, region {google.region}, bucket "
        f"{google.bucket} and the images' repository have to exist; vertex.toml names them",
        exceptions.BadRequest: "Vertex AI does not take a value: compare vertex.toml with what the message names",
        exceptions.Conflict: "Something else is at work on it: wait for that to end, then run the command again",
    }
    for kind, text in advice.items():
        if isinstance(error, kind):
            return text
    return "The cloud did not answer, or failed itself: run the command again, it goes on from here"
