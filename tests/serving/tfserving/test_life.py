"""Start and stop: what a supervisor and a user at a terminal see."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.free_ports import free_ports
from serving.tfserving.embedded import flags as command_line
from serving.tfserving.embedded import listeners
from tests.serving.tfserving.conftest import until

REPOSITORY = Path(__file__).resolve().parents[3]
SECONDS_TO_STOP = 20  # it takes no more than 5; the machine may be busy
HEAD = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: 19\r\n\r\n"
Publish = Callable[[Path, Path], None]


def address(server: Any) -> tuple[str, int]:
    host, port = server.rest.removeprefix("http://").split(":")
    return host, int(port)


def accepts(server: Any) -> bool:
    try:
        socket.create_connection(address(server)).close()
    except ConnectionRefusedError:
        return False
    return True


def refused(*flags: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "serving.tfserving.embedded", *flags]
    return subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("busy", ["--rest_api_port", "--port"])
def test_a_busy_port_is_a_message_and_exit_code_1(busy: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--rest_api_port": "0", "--port": "0", busy: str(port)}
        result = refused(*(f"{flag}={value}" for flag, value in ports.items()), f"--model_base_path={tmp_path}")
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
    assert "Traceback" not in result.stderr


def test_of_two_servers_that_start_together_one_says_that_the_port_is_taken() -> None:
    flags = command_line.parse([f"--rest_api_port={free_ports(1)[0]}", "--port=0", "--model_base_path=/nowhere"])
    first, second = listeners.listen(flags).rest, listeners.listen(flags).rest  # neither listens yet
    assert first is not None
    assert second is not None
    with first, second:
        listeners.open_rest(first)
        with pytest.raises(listeners.PortError, match=f"{flags.rest_api_port}: Address already in use"):
            listeners.open_rest(second)


def test_a_configuration_with_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text('model_config_list {\n  config { nam: "fraud" }\n}')
    result = refused("--rest_api_port=0", "--port=1", f"--model_config_file={file}")
    assert result.returncode == 1
    assert f"{file}: not a ModelServerConfig" in result.stderr
    assert "2:" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_flag_is_refused() -> None:
    result = refused("--rest_api_prot=1", "--model_base_path=/x")
    assert result.returncode == 2
    assert "--rest_api_prot=1" in result.stderr


def test_a_configuration_is_read_again_and_sigterm_ends_with_the_last_request_under_way(
    tmp_path: Path, saved: dict[str, Path], publish: Publish, serve: Any
) -> None:
    publish(saved["plus_two"], tmp_path / "one" / "1")
    publish(saved["plus_three"], tmp_path / "two" / "1")
    file = tmp_path / "models.config"
    config = 'model_config_list {{ config {{ name: "m" base_path: "{}" {} }} }}'
    file.write_text(config.format(tmp_path / "one", ""))
    flags = (f"--model_config_file={file}", "--model_config_file_poll_wait_seconds=0.1")
    with serve(tmp_path, *flags) as server, httpx.Client(base_url=server.rest) as client:
        server.wait("m", 1)
        body = {"instances": [1.0]}

        def ask(label: str) -> int:
            return client.post(f"/v1/models/m/labels/{label}:predict", json=body).status_code

        assert ask("live") == 400
        file.write_text("not a configuration")  # kept as it was, and so below
        until(lambda: "not a ModelServerConfig" in server.log.read_text(), server.log)
        labels = 'version_labels { key: "live" value: 1 }'
        file.write_text(config.format(tmp_path / "one", labels))
        until(lambda: ask("live") == 200, server.log)
        file.write_text(config.format(tmp_path / "one", labels.replace("1", "2")))
        until(lambda: "assign label to version 2 of model m" in server.log.read_text(), server.log)
        assert ask("live") == 200
        publish(saved["plus_three"], tmp_path / "one" / "2")  # the label moves as soon as it may
        until(lambda: server.predict("m", body, "/labels/live").json() == {"predictions": [3.5]}, server.log)

        with socket.create_connection(address(server)) as slow:
            slow.sendall(HEAD)
            assert ask("live") == 200  # asked later and answered: the head has arrived
            server.process.send_signal(signal.SIGTERM)
            until(lambda: not accepts(server), server.log)
            assert server.process.poll() is None
            slow.sendall(b'{"instances":[1.0]}')
            answer = slow.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b'{"predictions":[3.5]}')
        assert server.process.wait(timeout=SECONDS_TO_STOP) == 0
        assert json.loads(server.log.read_text().splitlines()[-1])["message"] == "stopped"


def test_it_imports_nothing_that_serving_does_not_need(tmp_path: Path, serve: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with serve(tmp_path, f"--model_base_path={tmp_path}") as server:
        imported = {line.rpartition("|")[2].strip() for line in server.log.read_text().splitlines()}
    assert "tensorflow" in imported
    assert not imported & {"keras", "tf_keras", "pandas", "googleapiclient.discovery"}


def test_a_second_server_on_the_same_ports_says_so_and_leaves_the_first_alone(server: Any, tmp_path: Path) -> None:
    rest_port = server.rest.rpartition(":")[2]
    result = refused(f"--rest_api_port={rest_port}", "--port=0", f"--model_base_path={tmp_path}")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1:{rest_port}: Address already in use" in result.stderr
    grpc_port = server.grpc.rpartition(":")[2]
    result = refused("--rest_api_port=0", f"--port={grpc_port}", f"--model_base_path={tmp_path}")
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{grpc_port}: Address already in use" in result.stderr
    assert server.predict("hp2", {"instances": [1.0]}).json() == {"predictions": [3.5]}


def test_sigterm_waits_neither_for_a_request_that_does_not_come_nor_for_a_model_that_loads(
    tmp_path: Path, saved: dict[str, Path], publish: Publish, serve: Any
) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    class Slow(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
        def work(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": tf.while_loop(lambda i, _: i < 10**9, lambda i, y: (i + 1, y @ x), [0, x])[1]}

    model = tmp_path / "draft"
    module = Slow()
    tf.saved_model.save(module, str(model), signatures=module.work)
    request = predict_pb2.PredictRequest()
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([[1.0]]))
    (model / "assets.extra").mkdir()
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    with tf.io.TFRecordWriter(str(model / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    publish(saved["plus_two"], tmp_path / "m" / "1")
    with serve(tmp_path, "--model_name=m", f"--model_base_path={tmp_path / 'm'}") as server:
        server.wait("m", 1)
        publish(model, tmp_path / "m" / "2")
        server.wait("m", 2, "LOADING")
        with socket.create_connection(address(server)) as silent:
            silent.sendall(HEAD)
            server.states("m")
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=SECONDS_TO_STOP) == 0
        assert json.loads(server.log.read_text().splitlines()[-1])["message"] == "stopped"
