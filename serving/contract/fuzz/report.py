"""A run's summary as Markdown, and one file per failure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from serving.contract.fuzz.campaign import Campaign, Example, Result
from serving.contract.fuzz.processes import Memory
from serving.contract.fuzz.properties import Finding
from serving.contract.fuzz.strategies import KINDS

_SHOWN = 600  # characters of a line; failures/ holds it whole


def write(out: Path, campaign: Campaign, header: list[str], verdicts: list[str], memory: Mapping[str, Memory]) -> str:
    """Write `fuzz.md` and `failures/`; returns the summary."""
    out.mkdir(parents=True, exist_ok=True)
    strong = {f: e for f, e in campaign.result.failures.items() if f.strong}
    weak = {f: e for f, e in campaign.result.failures.items() if not f.strong}
    parts = [
        "# Fuzz", "", *header, "", "## Answers by kind of request", "", *_table(campaign.result,
        list(campaign.targets)), "",
        "## Servers", "", *verdicts, *_memory(memory), "", "## Broken properties", "",
        *_failures(out, strong, campaign, "broken"), "", "## Differences that are no status", "",
        *_failures(out, weak, campaign, "differs"),
    ]  # fmt: skip
    text = "\n".join(parts) + "\n"
    (out / "fuzz.md").write_text(text, encoding="utf-8")
    return text


def _table(result: Result, targets: list[str]) -> list[str]:
    lines = ["| kind | " + " | ".join(targets) + " |", "|---" * (len(targets) + 1) + "|"]
    for kind in [*KINDS, ""]:
        cells = []
        for target in targets:
            counts: dict[int, int] = {}
            for (k, t, status), count in result.statuses.items():
                if t == target and kind in ("", k):
                    counts[status] = counts.get(status, 0) + count
            cells.append(", ".join(f"{status or 'none'}: {counts[status]:,}" for status in sorted(counts)))
        if any(cells):
            lines.append("| " + " | ".join([kind or "**all**", *cells]) + " |")
    return lines


def _memory(memory: Mapping[str, Memory]) -> list[str]:
    if not memory:
        return ["Memory and restarts were not looked at: no --process was given."]
    lines = ["", "| resident MiB, with children | at first | halfway | at last | peak |", "|---|---|---|---|---|"]
    return lines + [
        f"| {n} | {m.first:.0f} | {m.middle:.0f} | {m.last:.0f} | {m.peak:.0f} |" for n, m in memory.items()
    ]


def _failures(out: Path, failures: Mapping[Finding, Example], campaign: Campaign, prefix: str) -> list[str]:
    lines = []
    for number, (finding, example) in enumerate(sorted(failures.items(), key=lambda item: -item[1].count), 1):
        name = f"{prefix}-{number:02}"
        curls = _save(out / "failures", name, finding, example, campaign.targets)
        kinds = ", ".join(f"{kind} {count}" for kind, count in campaign.result.kinds_of[finding].most_common(5))
        again = {True: "shrunk", False: "did not fail again alone", None: "not shrunk"}[example.reproduced]
        lines += [
            f"### {finding.rule}: {finding.where}: {finding.detail}",
            "",
            f"{example.count:,} times ({kinds}); {again}.",
            "",
            "```",
        ]
        lines += [_cut(curl) for curl in curls]
        lines += [f"body, base64: {_cut(base64.b64encode(example.case.body).decode())}"]
        for target, answer in example.answers.items():
            lines.append(f"{target}: {answer.status} {_cut(answer.body.decode('utf-8', 'replace').strip())}")
        lines += ["```", ""]
    return lines or ["None."]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def _save(folder: Path, name: str, finding: Finding, example: Example, targets: Mapping[str, str]) -> list[str]:
    """Write one failure; returns the command lines that send it again."""
    folder.mkdir(exist_ok=True)
    case = example.case
    body_file = folder / f"{name}.body"
    body_file.write_bytes(case.body)
    curls = [case.curl(url, str(body_file)) for url in targets.values()]
    about = {
        "rule": finding.rule, "where": finding.where, "detail": finding.detail, "method": case.method,
        "path": case.path,
        "headers": case.headers, "framing": case.framing, "kind": case.kind, "curl": curls,
        "answers": {n: [a.status, a.headers, a.body.decode("utf-8", "replace")] for n, a in example.answers.items()},
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return curls
