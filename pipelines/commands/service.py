"""Runs TensorFlow's data service: one dispatcher, any number of workers, for make_dataset(service=...).

TensorFlow's servers listen on every network interface and ask nobody who they are: run them where only
machines of yours come through, and say --every-interface. Both stop at SIGTERM or Ctrl-C. A worker that is
told to stop serves on until its tasks have ended, at most --drain seconds, or until it is told a second time.
A dispatcher with --work-dir knows its jobs and workers when it is started again. Exit status: 0 if it was
stopped, or --status found a worker; 1 if --status found none, or a worker had tasks left when it stopped; 2
if an argument is wrong or it could not start.
"""

import argparse
import signal
import threading
from pathlib import Path
from types import FrameType

import tensorflow as tf

from pipelines.commands.starting import Parser, failed
from pipelines.service import servers

EXAMPLES = """
    augrng service dispatcher --every-interface --work-dir out/dispatcher --job first-run
    augrng service worker --every-interface --dispatcher grpc://localhost:5050
    augrng service --status grpc://localhost:5050"""


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    try:
        if args.status:
            return status(args)
        return serve_jobs(args) if args.role == "dispatcher" else serve_batches(args)
    except (OSError, ValueError, tf.errors.OpError) as error:
        return failed("service", error, args, said=str(getattr(error, "message", error)))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser("service", __doc__, EXAMPLES)
    add = parser.add_argument
    add("role", nargs="?", choices=["dispatcher", "worker"])
    add("--status", metavar="ADDRESS", help="say how many workers of a dispatcher answer, and end")
    add("--every-interface", action="store_true", help="yes, listen on every network interface")
    add("--port", type=int, help="to listen at (default: a dispatcher 5050, a worker one that is free)")
    add("--work-dir", type=Path, help="a dispatcher's: folder of what it is to know when started again")
    add("--job", help="with --work-dir: what the folder is for; that of another job is refused")
    add("--workers", help='a dispatcher\'s: "host:port,..." of all workers, for sharding="static"')
    add("--dispatcher", default="grpc://localhost:5050", help="a worker's (default %(default)s)")
    add(
        "--host",
        default="localhost",
        help="a worker's: this machine's name for trainers (default %(default)s)",
    )
    add(
        "--drain",
        type=float,
        default=30,
        help="a worker's: seconds for its tasks to end (default %(default)s)",
    )
    add("--wait", type=float, default=60, help="seconds for a dispatcher to answer (default %(default)s)")
    args = parser.parse_args(arguments)
    if (args.role is None) == (args.status is None):
        parser.error("role: must be dispatcher or worker, or else --status ADDRESS")
    if args.role and not args.every_interface:
        parser.error(
            "--every-interface: must be given, as TensorFlow's servers listen on every network interface and "
            "ask nobody who they are; run them where only machines of yours come through"
        )
    return args


def status(args: argparse.Namespace) -> int:
    count = servers.workers_that_answer(args.status, args.wait)
    print(f"{args.status}: a dispatcher answers, and {count} worker{'s' * (count != 1)}")
    return 0 if count else 1


def serve_jobs(args: argparse.Namespace) -> int:
    port = 5050 if args.port is None else args.port
    workers = args.workers.split(",") if args.workers else None
    server = servers.dispatcher(port, args.work_dir, args.job, workers)
    stop, _ = told_to_stop()
    print(f"dispatcher: {server.target}, on every interface", flush=True)
    stop.wait()
    print("dispatcher: stopped", flush=True)
    return 0


def serve_batches(args: argparse.Namespace) -> int:
    server = servers.worker(args.dispatcher, args.port or 0, args.host, args.wait)
    stop, at_once = told_to_stop()
    print(f"worker: of {args.dispatcher}, on every interface", flush=True)
    stop.wait()
    print(f"worker: told to stop; its tasks have {args.drain:g} s to end", flush=True)
    ended = servers.drain(server, args.drain, at_once)
    print("worker: stopped" if ended else "worker: stopped with tasks left", flush=True)
    return 0 if ended else 1


def told_to_stop() -> tuple[threading.Event, threading.Event]:
    """Events for the first and the second signal to stop."""
    first, second = threading.Event(), threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        (second if first.is_set() else first).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return first, second
