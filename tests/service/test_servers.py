"""`augrng service` as people run it, and what becomes of a run whose servers are killed."""

import itertools
import signal
import socket

import pytest

import pipelines as pl
from pipelines.commands import service
from pipelines.service import servers
from tests.service.cluster import AUG, COUNT, examples, free_port, listens, right, source, started, wait_for


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dispatcher"], "--every-interface: must be given, as TensorFlow's servers listen on every network"),
        ([], "role: must be dispatcher or worker, or else --status"),
        (
            ["worker", "--status", "grpc://localhost:1"],
            "role: must be dispatcher or worker, or else --status",
        ),
        (
            ["--status", "grpc://localhost:1", "--wait", "0.1"],
            "no dispatcher answered at grpc://localhost:1 for 0.1 s",
        ),
        (
            ["worker", "--every-interface", "--dispatcher", "grpc://localhost:1", "--wait", "0.1"],
            "no dispatcher answered at",
        ),
        (["worker", "--every-interface", "--dispatcher", "localhost:1"], 'must be "grpc://host:port"'),
        (["dispatcher", "--every-interface", "--work-dir", "/tmp/a"], "work_dir: needs a job's name"),
    ],
    ids=str,
)
def test_mistakes_are_told(refused, arguments, said):
    assert said in refused(service.main, *arguments)


def test_a_work_directory_belongs_to_one_job(refused, tmp_path):
    at = ["dispatcher", "--every-interface", "--port", free_port(), "--work-dir"]
    mine = tmp_path / "mine"
    servers.dispatcher(free_port(), mine, "a").stop()
    servers.dispatcher(free_port(), mine, "a").stop()
    assert "must be of job 'b', got that of 'a'" in refused(service.main, *at, mine, "--job", "b")
    (tmp_path / "photo.jpg").touch()
    assert "must be empty, or a dispatcher's" in refused(service.main, *at, tmp_path, "--job", "a")
    assert "photo.jpg" in refused(service.main, *at, tmp_path / "photo.jpg", "--job", "a")


def test_a_port_that_is_taken_is_told(refused):
    with socket.socket() as place:
        place.bind(("0.0.0.0", 0))
        place.listen()
        port = place.getsockname()[1]
        said = refused(service.main, "dispatcher", "--every-interface", "--port", port)
        assert f"port: {port} must be free to listen at" in said


def test_a_run_goes_on_whoever_is_killed(tmp_path, capsys):
    """A worker killed, one added, the dispatcher killed and started again, one worker told to stop."""
    port, ports = free_port(), [free_port() for _ in range(3)]
    address = f"grpc://localhost:{port}"

    def dispatcher():
        return started("dispatcher", "--port", port, "--work-dir", tmp_path / "work", "--job", "a")

    def worker(port):
        return started("worker", "--dispatcher", address, "--port", port)

    epochs = 40
    first, workers = dispatcher(), [worker(port) for port in ports[:2]]
    wait_for(lambda: all(map(listens, [port, *ports[:2]])))
    batches = pl.make_dataset(
        source(), AUG, batch_size=2, epochs=epochs, seed=1, service=address, job="it/em", sharding="dynamic"
    )
    given = iter(batches)
    found = examples(itertools.islice(given, 8))
    workers[0].kill()
    found += examples(itertools.islice(given, 8))
    workers += [worker(ports[2]), worker(ports[0])]  # one is new, one comes back
    first.kill()
    first.join()
    second = dispatcher()
    found += examples(itertools.islice(given, 8))
    found += examples(given)

    assert right(found)
    assert len(set(found)) == len(found)  # nothing comes twice
    lost = COUNT * epochs - len(found)
    assert 0 <= lost <= 64, lost  # what the killed worker had made and not handed over
    assert not service.main(["--status", address, "--wait", "60"])
    assert "a dispatcher answers, and 3 workers" in capsys.readouterr().out
    workers[2].terminate()
    workers[2].join(60)
    assert workers[2].exitcode == 0  # its tasks had ended
    second.terminate()
    workers[1].terminate()
    workers[3].terminate()
    for process in (second, workers[1], workers[3]):
        process.join(60)
    assert second.exitcode == 0
    wait_for(lambda: not any(map(listens, [port, *ports])))
    assert workers[0].exitcode == -signal.SIGKILL
