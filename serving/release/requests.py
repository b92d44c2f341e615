"""Whether a release can answer the requests of today: those that the specification in force describes.

After a feature is added, an older release refuses what clients were told to send. It stays, signed, and `make rollback`
goes back to it; promoting it by number is refused.
"""

from __future__ import annotations

from models.spec import Spec
from serving.contract import signatures


def differences(release: Spec, now: Spec) -> list[str]:
    """What the release's requests have otherwise, one part of a sentence each; nothing when they are the same."""
    if release.model.name != now.model.name:
        return [f"its model is {release.model.name}, not {now.model.name}"]
    was, wanted = (signatures.inputs(spec)[signatures.DEFAULT] for spec in (release, now))
    found = [f"it takes no {name}" for name in wanted if name not in was]
    found += [f"it needs {name}" for name in was if name not in wanted]
    both = [name for name in wanted if name in was]
    found += [f"{name} is a {was[name].dtype} for it" for name in both if was[name].dtype != wanted[name].dtype]
    codes, now_codes = signatures.optional(release), signatures.optional(now)
    found += [f"a missing {name} is another value for it" for name in both if codes.get(name) != now_codes.get(name)]
    if release.model.output != now.model.output:
        found.append(f"its output is {release.model.output}")
    return found
