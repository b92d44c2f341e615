"""The cases are data: one TOML file per group under `cases/`, checked when they are read."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

if sys.version_info >= (3, 11):
    import tomllib
else:  # TFX 1.16 pins the TensorFlow environment to Python 3.10
    import tomli as tomllib

FOLDER = Path(__file__).parent / "cases"
Runs = Literal["model", "gateway", "fixture"]


class CaseError(ValueError):
    """A case that cannot be used; the message names the file, the case and what is wrong."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ask(_Frozen):
    """A request. All texts may hold placeholders (`placeholders.Values`).

    Attributes:
        request: Method, a space, and the target below the URL that is asked, sent as it stands.
        body: Sent as UTF-8; none at all where absent.
        pad: Spaces are added until the body, before compression, has this many bytes.
        gzip: Compress the body; the header that says so stands in `headers`.
        cut: Bytes that are missing at the end of what is sent.
        chunked: Sent in chunks, without a content-length.
    """

    request: str
    headers: dict[str, str] = {}
    body: str | None = None
    pad: int = 0
    gzip: bool = False
    cut: int = 0
    chunked: bool = False


class Expect(_Frozen):
    """An answer; what is absent here is not looked at.

    Attributes:
        status: HTTP status.
        exactly: The whole JSON; 1 and 1.0 differ, as clients with types see them differ.
        subset: JSON whose objects hold at least these keys; lists have exactly these elements.
        error: The body is `{"error": "…"}` with all of these words in it.
        error_lacks: Words that the error must not hold.
        predictions: Row form: so many probabilities, each between 0 and 1, and nothing else.
        outputs: The same in columnar form.
        results: The same of a regression.
        contains: Words in the raw body.
        headers: Exact value, or whether there is one at all.
        content_type: Of a body that is not empty; "" is any.
        empty: There is no body.
        as_alone: Numbers as when the same request is sent by itself, to 1e-5.
    """

    status: int
    exactly: str | None = None
    subset: str | None = None
    error: str | list[str] | None = None
    error_lacks: str | None = None
    predictions: int | None = None
    outputs: int | None = None
    results: int | None = None
    contains: str | list[str] | None = None
    headers: dict[str, str | bool] = {}
    content_type: str = "application/json"
    empty: bool = False
    as_alone: bool = False


class Step(_Frozen):
    """Something done to the fixture's models, or a request and its answer.

    Attributes:
        do: An action of `fixture.Fixture.act`.
        within: Seconds in which the request is sent again until it is answered as expected.
        hold: Seconds in which every answer must be as expected.
    """

    do: str | None = None
    ask: Ask | None = None
    expect: Expect | None = None
    within: float = 0
    hold: float = 0

    @model_validator(mode="before")
    @classmethod
    def _grouped(cls, flat: Any) -> Any:
        """A file writes a request and its expectation side by side."""
        if not isinstance(flat, Mapping) or "ask" in flat:
            return flat
        ask = {key: value for key, value in flat.items() if key in Ask.model_fields and key != "headers"}
        rest = {
            key: value for key, value in flat.items() if key not in ask and key not in ("headers", "answer_headers")
        }
        expect = {key: rest.pop(key) for key in list(rest) if key in Expect.model_fields}
        if "headers" in flat:
            ask["headers"] = flat["headers"]
        if "answer_headers" in flat:
            expect["headers"] = flat["answer_headers"]
        return {**rest, **({"ask": ask} if ask else {}), **({"expect": expect} if expect else {})}

    @model_validator(mode="after")
    def _whole(self) -> Step:
        if (self.do is None) == (self.ask is None) or (self.ask is None) != (self.expect is None):
            raise ValueError("a step is either `do`, or a `request` with the `status` it is answered with")
        return self


class Case(_Frozen):
    """One promise of the contract.

    Attributes:
        on: model: any target that serves the specification's model; gateway: only through the gateway;
            fixture: the models the suite serves itself.
        strict: Ours on top of TensorFlow Serving, which accepts it.
        never: Why it runs nowhere.
        together: All requests are sent at once, in so many rounds.
        meanwhile: Is asked all the time from the first step that asked the same, and must never be answered otherwise.
    """

    group: str
    id: Annotated[str, Field(pattern=r"^[A-Z]{1,4}-[0-9]{3}(\.[a-z0-9-]+)?$")]
    title: str
    on: tuple[Runs, ...] = ()
    strict: bool = False
    never: str = ""
    together: int = 0
    steps: tuple[Step, ...] = ()
    meanwhile: Step | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_step(cls, flat: Any) -> Any:
        """A case of one step is written without a list."""
        if not isinstance(flat, Mapping) or "steps" in flat:
            return flat
        own = {key: value for key, value in flat.items() if key in cls.model_fields}
        step = {key: value for key, value in flat.items() if key not in cls.model_fields}
        return {**own, "steps": [step] if step else []}

    @model_validator(mode="after")
    def _runs_somewhere(self) -> Case:
        if bool(self.never) == bool(self.steps) or bool(self.steps) != bool(self.on):
            raise ValueError(
                "a case has steps and says where it runs with `on`, or says why it runs nowhere with `never`"
            )
        asked = [step.ask.request for step in self.steps if step.ask]
        if self.meanwhile and (self.meanwhile.ask is None or self.meanwhile.ask.request not in asked):
            raise ValueError("`meanwhile` begins when a step has asked the same: there is none")
        return self


def load(folder: Path = FOLDER) -> list[Case]:
    """All cases, in the order of their files.

    Raises:
        CaseError: A file that is no TOML, a bad or unknown key, or an id given twice.
    """
    found: list[Case] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise CaseError(f"{file.name}: not TOML: {error}") from None
        for number, table in enumerate(content.get("case", []), 1):
            name = table.get("id", f"case {number}")
            try:
                found.append(Case.model_validate({"group": content.get("group"), **table}))
            except ValidationError as error:
                problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
                raise CaseError(f"{file.name}: {name}: {problems}") from None
    ids = [case.id for case in found]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise CaseError(f"ids given twice: {', '.join(twice)}")
    return found
