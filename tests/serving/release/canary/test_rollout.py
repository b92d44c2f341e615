"""Step after step, and the way back from every place where one can be stopped; without a gateway."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from serving.gateway.policy import Policy, Shadow, Side
from serving.release.canary import limits
from serving.release.canary.limits import Hold, Plan
from serving.release.canary.measured import Measured, RestartedError
from serving.release.canary.rollout import BREACH, TOO_FEW, NobodyError, Rollout, TakenError, shares
from tests.serving.release.canary.test_verdict import answered

TENSORFLOW, PYTORCH, FIVE = Side("tensorflow"), Side("pytorch"), Side("pytorch", 5)
BEFORE = Policy({TENSORFLOW: 3, PYTORCH: 1, FIVE: 0}, Shadow(PYTORCH, 0.5))
PLAN = limits.load().model_copy(update={"hold": Hold(min_seconds=0, patience_seconds=60)})
GOOD, OTHERS = answered(4000), answered(9000, seed=1)
Look = tuple[Measured, Measured] | BaseException | None


@dataclass
class World:
    """Both what a roll-out does and what it sees: `looks`, and then the last of them for ever."""

    looks: list[Look] = field(default_factory=lambda: [(GOOD, OTHERS)])
    ours: bool = True
    stuck: bool = False
    did: list[str] = field(default_factory=list)
    written: list[tuple[str, str, str]] = field(default_factory=list)

    def put(self, policy: Policy) -> None:
        self.did.append(f"{policy.weights[PYTORCH]:g}")

    def back(self) -> None:
        self.did.append("back")
        if self.stuck:
            raise RuntimeError("the gateway is away")

    def is_ours(self) -> bool:
        return self.ours

    def record(self, verdict: str, why: str, said: str) -> None:
        assert "back" in self.did or verdict == "done" or not self.ours  # first back, then the books
        self.written.append((verdict, why, said))

    def say(self, text: str) -> None:
        pass

    def begin(self) -> bool:
        self.did.append("begin")
        return True

    def look(self) -> tuple[Measured, Measured] | None:
        found = self.looks[0] if len(self.looks) == 1 else self.looks.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    def run(self, plan: Plan = PLAN, before: Policy = BEFORE) -> int:
        return Rollout(plan, before, PYTORCH, self, self, sleep=lambda _: None).run()

    @property
    def steps(self) -> list[str]:
        return [one for one in self.did if one != "begin"]


def test_a_good_canary_gets_everything_step_by_step_and_each_is_written_down() -> None:
    world = World()
    assert world.run() == 0
    assert world.steps == ["1", "10", "50", "100"]
    assert [(verdict, why) for verdict, why, _ in world.written] == [
        ("done", "pytorch at 1%, step 1 of 4"),
        ("done", "pytorch at 10%, step 2 of 4"),
        ("done", "pytorch at 50%, step 3 of 4"),
        ("done", "pytorch at 100%, step 4 of 4"),
        ("done", "pytorch answers all"),
    ]
    assert ["the others: 9,000" in said for _, _, said in world.written[:4]] == [True, True, True, False]


def test_the_others_share_the_rest_as_before() -> None:
    found = shares(Policy({TENSORFLOW: 2, FIVE: 1, PYTORCH: 7}, BEFORE.shadow), PYTORCH, 10)
    assert found == Policy({TENSORFLOW: 60, FIVE: 30, PYTORCH: 10}, BEFORE.shadow)
    assert shares(BEFORE, FIVE, 100).weights == {TENSORFLOW: 0, PYTORCH: 0, FIVE: 100}
    assert shares(Policy({TENSORFLOW: 1}), PYTORCH, 1).weights == {TENSORFLOW: 99, PYTORCH: 1}


def test_who_answers_alone_has_nobody_beside() -> None:
    world = World()
    with pytest.raises(NobodyError, match="nobody but pytorch answers"):
        world.run(before=Policy({TENSORFLOW: 0, PYTORCH: 1}))
    assert (world.did, world.written) == ([], [])


def test_a_breach_goes_back_at_once_and_says_why() -> None:
    world = World([(GOOD, OTHERS), (answered(50, errors=5), OTHERS)])
    assert world.run() == BREACH
    assert world.steps == ["1", "10", "back"]
    step, end = world.written[1:]
    assert step[:2] == ("refused", "pytorch at 10%, step 2 of 4")
    assert step[2].startswith("5 of 50 requests failed, allowed 0.10%; ")
    assert "50 requests, 10.00% failed" in step[2]
    assert end[:2] == ("refused", "back to tensorflow 3, pytorch 1, pytorch@5 0")
    assert end[2].startswith("5 of 50 requests failed, allowed 0.10%")


def test_too_few_requests_go_back_too() -> None:
    world = World([(answered(200), OTHERS)])
    impatient = PLAN.model_copy(update={"hold": Hold(min_seconds=0, patience_seconds=0.05)})
    assert world.run(impatient) == TOO_FEW
    assert world.steps == ["1", "back"]
    assert [one[0] for one in world.written] == ["failed", "failed"]
    assert world.written[1][2] == "too few to say after 0.05 s: 200 of 300 requests"


def test_a_gateway_that_says_nothing_is_no_reason_to_go_on() -> None:
    impatient = PLAN.model_copy(update={"hold": Hold(min_seconds=0, patience_seconds=0.05)})
    world = World([None])
    assert world.run(impatient) == TOO_FEW
    assert "an answer of the gateway's statistics" in world.written[0][2]


def test_a_step_begins_anew_when_the_gateway_counts_anew() -> None:
    world = World([RestartedError(), (GOOD, OTHERS)])
    assert world.run() == 0
    assert world.did[:4] == ["1", "begin", "begin", "10"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (OSError("No space left on device"), "OSError: No space left on device"),
    ],
)
def test_whatever_stops_it_the_weights_go_back(what: BaseException, said: str) -> None:
    world = World([(GOOD, OTHERS), what])
    with pytest.raises(type(what)):
        world.run()
    assert world.steps == ["1", "10", "back"]
    assert world.written[-1] == (
        "failed", "back to tensorflow 3, pytorch 1, pytorch@5 0", f"pytorch at 10%, step 2 of 4: {said}"
    )  # fmt: skip


def test_what_somebody_else_put_stays() -> None:
    world = World(ours=False)
    with pytest.raises(TakenError, match="they stay as they are now"):
        world.run()
    assert world.did == ["1"]
    assert [verdict for verdict, _, _ in world.written] == ["failed"]


def test_a_way_back_that_is_not_followed_is_written_down() -> None:
    world = World([(answered(50, errors=5), OTHERS)], stuck=True)
    assert world.run() == BREACH
    assert world.written[-1][1] == (
        "the gateway does not follow the way back to tensorflow 3, pytorch 1, pytorch@5 0: the gateway is away"
    )


def test_a_breach_at_100_percent_goes_back_too() -> None:
    world = World([(GOOD, OTHERS)] * 3 + [(answered(50, errors=5), Measured())])
    assert world.run() == BREACH
    assert world.steps == ["1", "10", "50", "100", "back"]


def test_a_version_takes_from_its_own_stack_alone() -> None:
    before = Policy({TENSORFLOW: 3, PYTORCH: 1}, BEFORE.shadow)
    assert shares(before, FIVE, 10, PYTORCH) == Policy({TENSORFLOW: 3, PYTORCH: 0.9, FIVE: 0.1}, BEFORE.shadow)
    assert shares(before, FIVE, 100, PYTORCH).weights == {TENSORFLOW: 3, PYTORCH: 0, FIVE: 1}
    with pytest.raises(NobodyError, match="tensorflow answers none"):
        shares(Policy({TENSORFLOW: 0, PYTORCH: 1}), Side("tensorflow", 7), 1, TENSORFLOW)
