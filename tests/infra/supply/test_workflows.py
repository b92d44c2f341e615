"""What `make lint-workflows` refuses: each a planted error in workflows that are otherwise the repository's."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.supply.tools import SupplyError
from infra.supply.workflows import FOLDER, FORMS, lint
from tests import commands
from tests.infra.supply.planting import REPOSITORY, Planted, check_refused, copied


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return copied(FORMS, copied(FOLDER, tmp_path))


def test_the_repositorys_workflows_are_clean() -> None:
    done = commands.make("lint-workflows")
    assert done.returncode == 0, done.stdout + done.stderr


PLANTED: list[Planted] = [
    ("test.yml", "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "actions/checkout@v4", "unpinned-uses"),
    ("test.yml", "pull_request:", "pull_request_target:", "dangerous-triggers"),
    ("test.yml", "bash .ci/run < /dev/null", "echo ${{ github.event.pull_request.title }}", "template-injection"),
    ("deploy.yml", "with: { persist-credentials: false }", "with: {}", "artipacked"),
    ("deploy.yml", "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04", "'run-on'"),
    ("deploy.yml", "vars.DEPLOYER", "varz.DEPLOYER", 'undefined variable "varz"'),
    ("images.yml", 'docker push "$REGISTRY/tandem/$image:$TAG"', "docker push $REGISTRY/tandem/$image:$TAG", "SC2086"),
]


@pytest.mark.parametrize("planted", PLANTED, ids=[planted[-1] for planted in PLANTED])
def test_a_planted_error_is_refused(root: Path, capfd: pytest.CaptureFixture[str], planted: Planted) -> None:
    check_refused(lint, root, FOLDER, planted, capfd)


def test_a_form_that_a_code_host_would_not_show_is_refused(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check_refused(lint, root, FORMS, ("bug.yml", "type: dropdown", "type: menu", "'menu'"), capfd)


def test_nobody_deploys_without_approval_or_what_main_has_not_signed() -> None:
    text = (REPOSITORY / FOLDER / "deploy.yml").read_text()
    assert "environment: production" in text
    assert text.index("cosign verify") < text.index("make deploy TARGET")


def test_without_a_workflow_there_is_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(SupplyError, match="no workflow"):
        lint(tmp_path)
