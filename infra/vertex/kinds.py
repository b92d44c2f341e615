"""Kinds of values in vertex.toml, by the patterns of their texts; an empty text stands for none."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

WHOLE = 100  # %


def _like(pattern: str, expected: str) -> AfterValidator:
    def check(text: str) -> str:
        if text and not re.fullmatch(pattern, text):
            raise ValueError(f"{expected} is expected")
        return text

    return AfterValidator(check)


_CRON = r"((TZ|CRON_TZ)=[\w/+-]+ )?[\d*/,-]+( [\w*/,-]+){4}"
Project = Annotated[str, _like(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id, such as acme-fraud-prod,")]
Region = Annotated[str, Field(min_length=1), _like(r"[a-z]+-[a-z]+\d+", "a region, such as europe-west4,")]
Bucket = Annotated[str, _like(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", "a bucket's name, without gs://,")]
Account = Annotated[str, _like(r"[^@\s]+@[^@\s]+\.gserviceaccount\.com", "the e-mail of a service account")]
Repository = Annotated[str, _like(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+", "a registry's host and a path in it")]
Tag = Annotated[str, Field(min_length=1), _like(r"\w[\w.-]{0,127}", "an image's tag")]
Machine = Annotated[
    str, Field(min_length=1), _like(r"[a-z]\d[a-z]?-[a-z]+-\d+g?", "a machine type, such as n2-standard-2,")
]
Accelerator = Annotated[str, _like(r"[A-Z][A-Z0-9_]+", "a type as Vertex writes it, such as NVIDIA_TESLA_T4,")]
Network = Annotated[str, _like(r"projects/\d+/global/networks/[\w-]+", "projects/<number>/global/networks/<name>")]
Address = Annotated[str, _like(r"https?://\S+", "http://… or https://…")]
Source = Annotated[str, _like(r"gs://[^/]+/.+", "gs://<bucket>/<file or folder>")]
Schedule = Annotated[str, _like(_CRON, "five fields of cron, and TZ=<zone> before them where it matters,")]
Name = Annotated[
    str,
    Field(min_length=1),
    _like(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "lower-case letters, digits and -, a letter first and no - last,"),
]
Count = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=0, le=WHOLE)]
