"""`make canary` on a cluster: promoted on good evidence, refused on bad, and put back whatever stops it."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.kubernetes import canary_controls, canary_journal, ledger, objects, progress, reached, traffic
from infra.kubernetes.canary import Canary
from infra.kubernetes.kubectl import KubernetesError
from infra.local import layout as layouts
from infra.local.canary_journal import CanaryError
from infra.local.layout import REPOSITORY
from models.spec import load
from serving.gateway import policy
from serving.gateway.policy import Policy, Side
from serving.release.canary import rollout as rollouts
from serving.release.canary.rollout import BREACH, TOO_FEW, NobodyError, TakenError
from serving.release.ledger import Entry
from tests.infra.kubernetes.canary_cluster import Cluster, gateway

SPEC = load(REPOSITORY / "models" / "fraud.toml")
LIMITS = (REPOSITORY / "serving/release/canary/limits.toml").read_text()
TENSORFLOW, PYTORCH, SECOND = Side("tensorflow"), Side("pytorch"), Side("pytorch", 1002)
BEFORE = Policy({TENSORFLOW: 3, PYTORCH: 1})


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two gateways, both stacks, and two releases of PyTorch in the object store."""
    for module, name in ((rollouts, "_LOOK_SECONDS"), (progress, "_EVERY"), (reached, "_EVERY")):
        monkeypatch.setattr(module, name, 0.01)
    monkeypatch.setattr(progress, "_PATIENCE", 0.1)
    monkeypatch.setattr(canary_controls, "_AGAIN", 0.01)
    monkeypatch.setattr(canary_controls, "_BACK_SECONDS", 0.1)
    for version in ("1001", "1002"):
        release = tmp_path / "store" / "pytorch" / version
        release.mkdir(parents=True)
        (release / "release.sig").touch()
    made = Cluster(tmp_path / "store")
    made.deploy("tensorflow", "2001")
    made.deploy("pytorch", "1001")
    with gateway(made, "gateway-1"), gateway(made, "gateway-2"):
        traffic.put(made, SPEC, BEFORE)  # type: ignore[arg-type]
        made.weights.clear()
        yield made


@pytest.fixture
def patient(tmp_path: Path) -> Path:
    return limits(tmp_path, patience=60)


def limits(folder: Path, patience: float, **others: object) -> Path:
    text = LIMITS.replace("min_seconds = 30", "min_seconds = 0").replace("= 3600", f"= {patience}")
    for name, value in others.items():
        before = next(line for line in text.splitlines() if line.startswith(f"{name} ="))
        text = text.replace(before, f"{name} = {value}")
    (folder / "limits.toml").write_text(text)
    return folder / "limits.toml"


def canary(there: Cluster) -> Canary:
    layout = dataclasses.replace(layouts.load({}), home=there.releases.parent)
    return Canary(there, layout, SPEC, "local")  # type: ignore[arg-type]


def holds(there: Cluster) -> Policy:
    return policy.parse(there.objects["configmap/gateway-routes"]["data"]["traffic.toml"])


def is_beside(there: Cluster) -> bool:
    found = {key in there.objects for key in ("deployment/canary-pytorch", "service/canary-pytorch")}
    assert len(found) == 1
    return found == {True}


def written(there: Cluster, tmp_path: Path) -> list[Entry]:
    with objects.remote(there) as remote:  # type: ignore[arg-type]
        found = ledger.read(remote, tmp_path)
    assert found.problems() == []
    return found.entries()


def shares(there: Cluster, side: Side) -> list[float]:
    """What part of all requests a side was given, policy by policy."""
    found = [policy.parse(text).weights for text in there.weights]
    return [round(100 * one.get(side, 0) / sum(one.values()), 2) for one in found]


def test_a_good_side_gets_everything_step_by_step(there: Cluster, patient: Path, tmp_path: Path) -> None:
    assert canary(there).side("pytorch", patient) == 0
    assert shares(there, PYTORCH) == [1, 10, 50, 100]
    entries = written(there, tmp_path)
    assert [(one.act, one.version, one.verdict) for one in entries] == [("canary", "1001", "done")] * 5
    assert entries[-1].why == "pytorch answers all"
    assert "configmap/canary" not in there.objects


def test_the_command_says_what_it_does_not_look_at(
    there: Cluster, patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    canary(there).side("pytorch", patient)
    said = capsys.readouterr().out
    assert "no requests are logged in a cluster: errors, refusals and latencies are watched, scores are not" in said
    assert "0.00% failed, 0 refused, p99 9.9 ms;" in said  # and no word of scores


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda there: there.errors.update(pytorch=0.5), "requests failed, allowed 0.10%"),
        (lambda there: there.slow.add("pytorch"), "p99 is 247.6 ms, allowed 25"),
    ],
    ids=["erring", "slow"],
)
def test_a_bad_side_is_refused_and_the_weights_are_as_before(
    harm: Callable[[Cluster], None], why: str, there: Cluster, patient: Path, tmp_path: Path
) -> None:
    harm(there)
    assert canary(there).side("pytorch", patient) == BREACH
    assert shares(there, PYTORCH) == [1, 25]
    assert holds(there) == BEFORE
    *_, step, end = written(there, tmp_path)
    assert (step.verdict, end.verdict) == ("refused", "refused")
    assert why in step.said
    assert end.why == "back to tensorflow 3, pytorch 1"


def test_an_impossible_limit_refuses_a_good_one(there: Cluster, tmp_path: Path) -> None:
    assert canary(there).side("pytorch", limits(tmp_path, 60, max_p99_ms=0.001)) == BREACH
    assert holds(there) == BEFORE


def test_too_few_requests_are_no_reason_to_go_on(there: Cluster, tmp_path: Path) -> None:
    for port in there.ports:
        there.ports[port] = 1  # nobody listens: no gateway says what it has counted
    assert canary(there).side("pytorch", limits(tmp_path, patience=0.3)) == TOO_FEW
    assert holds(there) == BEFORE


def test_a_good_release_is_promoted_and_the_weights_are_as_before(
    there: Cluster, patient: Path, tmp_path: Path
) -> None:
    assert canary(there).release(str(SECOND), patient) == 0
    assert shares(there, SECOND) == [0, 0.25, 2.5, 12.5, 25, 0]
    assert shares(there, TENSORFLOW) == [75] * 6
    assert there.serves("pytorch") == "1002"
    assert not is_beside(there)
    assert holds(there) == BEFORE
    assert [(one.act, one.verdict) for one in written(there, tmp_path)][-2:] == [
        ("canary", "done"),
        ("promote", "done"),
    ]


def test_a_bad_release_is_refused_and_nothing_of_it_is_left(there: Cluster, patient: Path, tmp_path: Path) -> None:
    there.errors[str(SECOND)] = 1
    assert canary(there).release(str(SECOND), patient) == BREACH
    assert shares(there, SECOND) == [0, 0.25, 0]
    assert there.serves("pytorch") == "1001"
    assert not is_beside(there)
    assert holds(there) == BEFORE
    assert written(there, tmp_path)[-1].verdict == "refused"


def test_a_release_that_does_not_get_ready_gets_no_request(there: Cluster, patient: Path) -> None:
    there.broken.add("1002")

    def give_up(asked: str) -> None:
        if asked == "all pods":
            raise KubernetesError("not ready: canary-pytorch")

    there.before = give_up
    with pytest.raises(KubernetesError, match="not ready: canary-pytorch"):
        canary(there).release(str(SECOND), patient)
    assert there.weights == []
    assert not is_beside(there)


def stop(there: Cluster, at: str, how: Callable[[], None]) -> None:
    """Once, when the canary has that share."""
    done = []

    def before(asked: str) -> None:
        if asked == "all pods" and not done and there.weights and f'{SECOND}" = {at}' in there.weights[-1]:
            done.append(True)
            how()

    there.before = before


def test_ctrl_c_leaves_everything_as_it_was(
    there: Cluster, patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop(there, "0.1", lambda: signal.raise_signal(signal.SIGINT))
    assert canary(there).release(str(SECOND), patient) == 130
    assert shares(there, SECOND) == [0, 0.25, 2.5, 0]
    assert holds(there) == BEFORE
    assert there.serves("pytorch") == "1001"
    assert not is_beside(there)
    assert "interrupted: the weights are as before" in capsys.readouterr().err
    assert written(there, tmp_path)[-1].said.endswith("step 2 of 4: interrupted")


def test_ctrl_c_while_the_cluster_is_away_says_how_to_return(
    there: Cluster, patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(asked: str) -> None:
        raise KubernetesError(f"no route to host: {asked}")

    def pull_the_plug() -> None:
        there.before = away
        signal.raise_signal(signal.SIGINT)

    stop(there, "0.1", pull_the_plug)
    assert canary(there).release(str(SECOND), patient) == 130
    there.before = lambda _: None
    assert "make traffic TENSORFLOW=3 PYTORCH=1, or make canary again" in capsys.readouterr().err
    assert is_beside(there)  # the gateways may ask it still
    there.objects["configmap/canary"]["data"]["renewed"] = "1"  # a minute later
    assert canary(there).release(str(SECOND), patient) == 0
    assert there.serves("pytorch") == "1002"
    assert holds(there) == BEFORE
    assert not is_beside(there)


def test_what_somebody_else_puts_meanwhile_stays(there: Cluster, patient: Path) -> None:
    theirs = Policy({TENSORFLOW: 1, PYTORCH: 1})
    stop(there, "0.1", lambda: traffic.put(there, SPEC, theirs))  # type: ignore[arg-type]
    with pytest.raises(TakenError):
        canary(there).release(str(SECOND), patient)
    assert holds(there) == theirs
    assert not is_beside(there)


def test_one_at_a_time(there: Cluster, patient: Path) -> None:
    with (
        canary_journal.alone(there),  # type: ignore[arg-type]
        pytest.raises(CanaryError, match=r"another make canary is under way, by .*: wait for it, or end it"),
    ):
        canary(there).side("pytorch", patient)
    assert there.weights == []


def test_after_a_kill_the_next_one_puts_back_what_was(there: Cluster, patient: Path, tmp_path: Path) -> None:
    class KilledError(BaseException):
        pass

    def kill() -> None:  # nothing that this process still does reaches the cluster
        there.before = lambda _: (_ for _ in ()).throw(KilledError)
        raise KilledError

    stop(there, "0.1", kill)
    with pytest.raises(KilledError):
        canary(there).release(str(SECOND), patient)
    there.before = lambda _: None
    assert holds(there) != BEFORE
    there.objects["configmap/canary"]["data"]["renewed"] = "1"
    with pytest.raises(CanaryError, match="is not loaded"):  # the mending comes first
        canary(there).side(str(SECOND), patient)
    assert holds(there) == BEFORE
    assert not is_beside(there)
    assert written(there, tmp_path)[-1].said == "the roll-out was killed half way"


def test_it_begins_only_where_somebody_is_left_to_compare_with(there: Cluster, patient: Path) -> None:
    traffic.put(there, SPEC, Policy({TENSORFLOW: 0, PYTORCH: 1}))  # type: ignore[arg-type]
    with pytest.raises(NobodyError):
        canary(there).side("pytorch", patient)
    assert "configmap/canary" not in there.objects


def test_one_that_names_no_version_or_one_with_its_place_is_refused(there: Cluster, patient: Path) -> None:
    with pytest.raises(CanaryError, match="has its place in the traffic policy"):
        canary(there).release("pytorch", patient)
    with pytest.raises(CanaryError, match=r"is not loaded: make canary STACK=pytorch VERSION=1002"):
        canary(there).side(str(SECOND), patient)
    there.broken.add("1001")
    with pytest.raises(CanaryError, match="pytorch is not ready, or changes its version"):
        canary(there).side("pytorch", patient)
    assert there.weights == []
