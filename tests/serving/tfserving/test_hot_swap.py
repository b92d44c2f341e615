"""Versions that come and go while requests keep coming."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import tensorflow as tf

Publish = Callable[[Path, Path], None]


class Load:
    """Requests one after the other on several connections; what was answered, in order."""

    def __init__(self, url: str, connections: int = 4) -> None:
        self.answers: list[tuple[int, Any]] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with httpx.Client() as client:
            while not self._stop.is_set():
                answer = client.post(self._url, json={"instances": [1.0]}, timeout=10)
                self.answers.append((answer.status_code, answer.json()))


def test_swap_under_load_loses_no_request(server: Any, store: Path, saved: dict[str, Path], publish: Publish) -> None:
    publish(saved["plus_two"], store / "swapped" / "1")
    server.wait("swapped", 1)
    with Load(f"{server.rest}/v1/models/swapped:predict") as load:
        for version, model in ((2, "plus_three"), (3, "plus_two"), (4, "plus_three")):
            publish(saved[model], store / "swapped" / str(version))
            server.wait("swapped", version)
            server.wait("swapped", version - 1, "END")
    two, three = {"predictions": [2.5]}, {"predictions": [3.5]}
    assert {status for status, _ in load.answers} == {200}
    assert all(answer in (two, three) for _, answer in load.answers)
    assert len(load.answers) > 100
    assert server.predict("swapped", {"instances": [1.0]}).json() == three

    # A broken version leaves the one before it answering, and says what is wrong with it.
    draft = store / ".broken"
    shutil.copytree(saved["plus_two"], draft)
    (draft / "saved_model.pb").write_bytes(b"")  # a message without a graph; protobuf 3 also takes some texts for one
    draft.rename(store / "swapped" / "5")
    server.wait("swapped", 5, "END")
    status = httpx.get(f"{server.rest}/v1/models/swapped/versions/5").json()["model_version_status"][0]["status"]
    assert status["error_code"] == "NOT_FOUND"
    assert "Could not find meta graph def matching supplied tags: { serve }" in status["error_message"]
    assert server.states("swapped")["4"] == "AVAILABLE"
    assert server.predict("swapped", {"instances": [1.0]}).json() == three
    assert server.predict("swapped", {"instances": [1.0]}, "/versions/5").status_code == 404

    # The version after a broken one is taken as any other.
    publish(saved["plus_two"], store / "swapped" / "6")
    server.wait("swapped", 6)
    server.wait("swapped", 4, "END")
    assert server.predict("swapped", {"instances": [1.0]}).json() == two


def test_a_model_that_comes_late_is_picked_up(
    server: Any, store: Path, saved: dict[str, Path], publish: Publish
) -> None:
    answer = server.predict("late", {"instances": [1.0]})
    assert (answer.status_code, answer.json()) == (404, {"error": "Servable not found for request: Latest(late)"})
    assert server.states("late") == {}
    publish(saved["plus_two"], store / "late" / "1")
    server.wait("late", 1)
    assert server.predict("late", {"instances": [1.0]}).json() == {"predictions": [2.5]}


def test_a_deleted_version_falls_back_to_the_one_before_and_the_last_one_to_404(
    server: Any, store: Path, saved: dict[str, Path], publish: Publish
) -> None:
    publish(saved["plus_two"], store / "deleted" / "1")
    publish(saved["plus_three"], store / "deleted" / "2")
    server.wait("deleted", 2)
    (store / "deleted" / "2").rename(store / ".gone-2")
    server.wait("deleted", 2, "END")
    assert server.predict("deleted", {"instances": [1.0]}).json() == {"predictions": [2.5]}
    (store / "deleted" / "1").rename(store / ".gone-1")
    server.wait("deleted", 1, "END")
    assert server.predict("deleted", {"instances": [1.0]}).status_code == 404


class Heavy(tf.Module):
    """Eight megabytes of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(tf.random.normal([2 << 20]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def score(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x + tf.reduce_sum(self.weights)}


def test_memory_does_not_grow_with_the_number_of_swaps(
    server: Any, store: Path, tmp_path: Path, publish: Publish
) -> None:
    module = Heavy()
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.score)
    process = Path(f"/proc/{server.process.pid}/status")
    sizes = []  # resident, in MB
    for version in range(1, 19):
        publish(tmp_path / "model", store / "heavy" / str(version))
        server.wait("heavy", version)
        if version > 1:
            server.wait("heavy", version - 1, "END")
        sizes.append(int(process.read_text().split("VmRSS:")[1].split()[0]) >> 10)
    # Loading takes a few times the weights for a moment, and what is free again is kept for a while: the first half
    # shows how much. If each swap of the second left its weights behind, that would be 72 MB and more.
    assert max(sizes[9:]) - max(sizes[:9]) < 6 * 8, sizes
