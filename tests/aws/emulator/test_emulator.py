"""The emulator ends what a test started, and reports what it no longer finds in MiniStack."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.aws.harness import toys
from tests.aws.harness.pipeline import Aws, pipeline, until
from tests.emulators import MINISTACK, ROOT, environment, make_bucket, started


def test_a_reset_ends_everything(pipe: Aws) -> None:
    """Tasks, executions, and events to be retried: nothing affects the next test's AWS."""
    fails = toys.function(pipe, "fails", toys.FAILS)
    state = toys.task_state(
        toys.task_definition(pipe, toys.OBEDIENT), Retry=[{"ErrorEquals": ["States.ALL"]}], End=True
    )
    toys.start(pipe, toys.machine(pipe, {"Work": state}))
    task = toys.until_ready(pipe)
    pipe.client("lambda").invoke(FunctionName=fails, InvocationType="Event", Payload=b"{}")
    with pytest.MonkeyPatch.context() as monkeypatch, pipeline(pipe.emulator, monkeypatch):
        assert not toys.is_alive(task["pid"])
        toys.function(pipe, "fails", toys.FAILS)
        time.sleep(0.5)
        assert pipe.tasks() == []
        assert pipe.client("ecs").list_clusters()["clusterArns"] == []
        assert pipe.client("logs").describe_log_groups()["logGroups"] == []


def test_tasks_die_with_the_emulator(tmp_path: Path) -> None:
    """Even if it is killed."""
    with (
        started("ministack", tmp_path) as emulator,
        pytest.MonkeyPatch.context() as monkeypatch,
        pipeline(emulator, monkeypatch) as aws,
    ):
        aws.client("ecs").run_task(taskDefinition=toys.task_definition(aws, toys.OBEDIENT), launchType="FARGATE")
        task = toys.until_ready(aws)
        os.kill(int((tmp_path / f"ministack-{emulator.url.rsplit(':', 1)[1]}.pid").read_text()), signal.SIGKILL)
        until(lambda: not toys.is_alive(task["pid"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("del ecs._stop_task", "the patch point ministack.services.ecs._stop_task is gone: it is not there."),
        (
            "ecs._stop_task = lambda data, more: None",
            "the patch point ministack.services.ecs._stop_task is gone: it takes (data, more) instead of (data).",
        ),
    ],
)
def test_a_changed_ministack_is_refused(tmp_path: Path, change: str, said: str) -> None:
    """The message names what is missing."""
    if not MINISTACK.exists():
        pytest.skip(f"MiniStack is not installed ({MINISTACK}); `make test` installs it")
    code = f"from ministack.services import ecs; {change}; from tests.aws_emulator.launch import main; main('0', '.', 'python')"
    command = [str(MINISTACK.with_name("python")), "-c", code]
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert said in ended.stderr


def test_the_command_line_of_aws_reaches_it(pipe: Aws, aws_command_line: Path, tmp_path: Path) -> None:
    """As in the README."""
    make_bucket(pipe.emulator.clients)
    (tmp_path / "products.csv").write_bytes(b"id\n")
    command = [str(aws_command_line), "s3", "cp", "products.csv", "s3://shop/raw-data/products/"]
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | environment(pipe.url)
    ended = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert pipe.client("s3").get_object(Bucket="shop", Key="raw-data/products/products.csv")["Body"].read() == b"id\n"
