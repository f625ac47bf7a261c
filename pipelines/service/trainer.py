"""A trainer's side of tf.data service: its batches made by workers, and only those that it asked for.

TensorFlow's service does the work: datasets are registered with a dispatcher, run by workers, and read over
the network. What is added is the handshake: a job's first trainer registers what the job makes as the
structure of a small dataset, under the job's name; all others read it from the dispatcher, and refuse a job
that makes something else before they ask for a batch.
"""

import dataclasses
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import tensorflow as tf

import augrng as ar
from pipelines.service.identity import differences, identity_of
from pipelines.sources.source import Source

_POLICIES = {
    "off": tf.data.experimental.service.ShardingPolicy.OFF,
    "dynamic": tf.data.experimental.service.ShardingPolicy.DYNAMIC,
    "static": tf.data.experimental.service.ShardingPolicy.HINT,
}
_PAUSE = 0.2  # seconds between two tries to connect
_Made = TypeVar("_Made")


class ServiceOptions(TypedDict, total=False):
    """What `make_dataset` takes beside `service`; see `Service`."""

    job: str | None
    sharding: str
    consumers: tuple[int, int] | None
    trainer: str | None
    compression: bool
    wait: float


@dataclasses.dataclass(frozen=True)
class Service:
    """Where batches are made, and how they are shared.

    Args:
      address: of the dispatcher, "grpc://host:port".
      job: trainers that give one name share one job: each batch goes to one of them. A job that has ended
        gives nothing more, so take a name for each run. None is a job of one's own, for each iteration.
      sharding: how workers share the run. "off": each makes all of it. "dynamic": each batch is made by one
        of them, whichever is free, in no fixed order. "static": worker i of W makes every W-th batch; the
        dispatcher must know its workers' addresses.
      consumers: (index, count), for training in lock-step: of each global batch this trainer gets the rows
        that host `index` of `count` has, and all of them get the same batch in the same step.
      trainer: this trainer's name, for trainers of a job that all are to have every batch: workers make it
        once, and keep it a while. None shares batches out.
      compression: whether batches are compressed on their way; pixels of photographs hardly shrink.
      wait: seconds that the dispatcher has to answer.

    Raises:
      TypeError: if something is of the wrong type.
      ValueError: if an argument is out of range, or needs another one.
    """

    address: str
    job: str | None = None
    sharding: str = "off"
    consumers: tuple[int, int] | None = None
    trainer: str | None = None
    compression: bool = False
    wait: float = 60.0

    def __post_init__(self) -> None:
        place_of(self.address)
        for name in ("job", "trainer"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise TypeError(f"{name}: must be a name, or None, got {value!r}")
        if self.sharding not in _POLICIES:
            raise ValueError(f"sharding: must be one of {tuple(_POLICIES)}, got {self.sharding!r}")
        if self.wait <= 0:
            raise ValueError(f"wait: must be seconds above 0, got {self.wait}")
        for name in ("consumers", "trainer"):
            if getattr(self, name) is not None and self.job is None:
                raise ValueError(f"{name}: needs a job that trainers share; give job= a name")
        if self.trainer is not None and self.consumers is not None:
            raise ValueError("trainer: must be None with consumers=, which share each batch; leave one out")
        if self.consumers is None:
            return
        index, count = self.consumers
        if count < 1 or not 0 <= index < count:
            raise ValueError(
                f"consumers: must be (index, count) with 0 <= index < count, got {self.consumers}"
            )
        if self.sharding == "static":
            raise ValueError('consumers: need sharding="off" or "dynamic", got "static"')

    @classmethod
    def of(cls, address: str | None, options: ServiceOptions) -> "Service | None":
        """The service of `make_dataset`'s arguments, None if there is no address.

        Raises:
          TypeError: for an option that there is not, or if there is one but no address.
        """
        known = list(ServiceOptions.__annotations__)
        for name in options:
            if name not in known:
                raise TypeError(f"{name}: make_dataset has no such argument; with service= it has {known}")
            if address is None:
                raise TypeError(f"{name}: needs a dispatcher; pass service='grpc://host:port' too")
        return None if address is None else cls(address, **options)

    def parts(
        self, source: Source, host: int, hosts: int, *, batch_size: int, epochs: int | None, only_epoch: Any
    ) -> int:
        """Of how many parts each batch of the workers is: of one for each consumer.

        Raises:
          ValueError: if workers cannot make such a run; says what to do.
        """
        if (host, hosts) != (0, 1):
            raise ValueError(
                f"hosts: must be 1 with service=, got host={host}, hosts={hosts}; "
                f"consumers=({host}, {hosts}) shares batches alike"
            )
        if callable(only_epoch):
            raise ValueError(
                "only_epoch: must be a number with service=, as workers have nothing of a trainer's program "
                "(so for_keras has no service; give fit the dataset of epochs=None, and steps_per_epoch=)"
            )
        if source.records is None and (self.sharding != "off" or self.consumers):
            name, needs = ("consumers", "None") if self.consumers else ("sharding", '"off"')
            raise ValueError(
                f"{name}: must be {needs} for a stream, which no worker can enter in its middle; "
                f"{source.name} has no random access"
            )
        if (epochs is not None or only_epoch is not None) and (self.consumers or self.trainer):
            name = "consumers" if self.consumers else "trainer"
            raise ValueError(
                f"{name}: needs epochs=None and no only_epoch, as no trainer may come to an end before the "
                f"others, got epochs={epochs}; take(steps) ends each"
            )
        count = 1 if self.consumers is None else self.consumers[1]
        if batch_size % count:
            raise ValueError(f"batch_size: must be a multiple of the {count} consumers, got {batch_size}")
        return count

    def served(
        self, batches: tf.data.Dataset, source: Source, aug: ar.Compose, *, endless: bool, **run: Any
    ) -> tf.data.Dataset:
        """The batches as workers make them.

        Args:
          batches: what is to be made.
          source: of their records.
          aug: the recipe.
          endless: whether they never end.
          run: what else they depend on; see `identity_of`.

        Raises:
          ConnectionError: if nothing answers at the address in time, or no dispatcher.
          OSError: if the dispatcher cannot take the batches, as where its disk is full.
          TimeoutError: if what answers does not go on.
          ValueError: if the job makes something else; says both.
        """
        if endless:  # which cannot be seen, and trainers in lock-step must be sure of
            batches = batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        reach(self.address, self.wait)
        identity = identity_of(source, aug, {"compression": self.compression, **run})
        spec = batches.element_spec
        dataset_id = within(
            self.wait, lambda: self._registered(batches, identity), f"{self.address} is no dispatcher's"
        )
        index, count = self.consumers or (None, None)
        cache = tf.data.experimental.service.CrossTrainerCache(self.trainer) if self.trainer else None
        return tf.data.experimental.service.from_dataset_id(
            _POLICIES[self.sharding], self.address, dataset_id, spec, job_name=self.job,
            consumer_index=index, num_consumers=count, cross_trainer_cache=cache,
        )  # fmt: skip

    def _registered(self, batches: tf.data.Dataset, identity: str) -> tf.Tensor:
        """The id of the batches at the dispatcher; those of a job are registered once."""
        if self.job is None:
            return self._register(batches)
        said = self._said()
        if said is None:
            self._register(tf.data.Dataset.from_tensors({identity: 0}), self._makes)
            said = self._said()
        if said != identity:
            assert said is not None
            raise ValueError(
                f"job: {self.job!r} at {self.address} must be of the same run; "
                f"{'; '.join(differences(said, identity))}; make them equal, or take another name for the job"
            )
        return self._register(batches, self._id)

    @property
    def _id(self) -> str:
        """The id of the job's batches; a dispatcher's name for a file of its work directory, too."""
        return f"augrng-{urllib.parse.quote(str(self.job), safe='')}"

    @property
    def _makes(self) -> str:
        """The id of the dataset whose structure says what a job makes."""
        return f"{self._id}@makes"

    def _said(self) -> str | None:
        """What the job makes that has this name at the dispatcher; None if there is none."""
        try:
            known = tf.data.experimental.service.from_dataset_id("parallel_epochs", self.address, self._makes)
        except ValueError:
            return None
        return str(next(iter(known.element_spec)))

    def _register(self, dataset: tf.data.Dataset, name: str | None = None) -> tf.Tensor:
        """Registers a dataset; where there is one of that name, with the same structure, it stays."""
        compression = "AUTO" if self.compression and name != self._makes else None
        try:
            return tf.data.experimental.service.register_dataset(self.address, dataset, compression, name)
        except tf.errors.UnimplementedError as error:
            raise ConnectionError(
                f"service: must be a dispatcher's address, got {self.address}, where something else answers, "
                "perhaps a worker"
            ) from error
        except tf.errors.OpError as error:
            other = isinstance(error, tf.errors.InvalidArgumentError) and "same structure" in error.message
            if other and name == self._makes:  # of a trainer that came first in the same moment
                return name
            if other:
                raise ValueError(
                    f"job: {self.job!r} at {self.address} must make elements of one structure for all "
                    f"trainers; {error.message}"
                ) from error
            raise OSError(f"service: {self.address} cannot take the dataset: {error.message}") from error


def place_of(address: str) -> tuple[str, int]:
    """Host and port of "grpc://host:port".

    Raises:
      ValueError: if an address is none.
    """
    protocol, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    if protocol != "grpc" or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'service: must be "grpc://host:port", got {address!r}')
    return host.strip("[]"), int(port)


def reach(address: str, wait: float) -> None:
    """Waits until something answers at an address.

    Raises:
      ConnectionError: if nothing does in so many seconds; names the address.
    """
    end = time.monotonic() + wait
    while True:
        try:
            socket.create_connection(place_of(address), timeout=wait).close()
            return
        except OSError as error:
            if time.monotonic() + _PAUSE >= end:
                raise ConnectionError(
                    f"service: no dispatcher answered at {address} for {wait} s ({error}); start one with "
                    "augrng service dispatcher, or correct the address"
                ) from error
            time.sleep(_PAUSE)


def within(seconds: float, make: Callable[[], _Made], otherwise: str) -> _Made:
    """What a call returns or raises; TensorFlow's own would wait for ever.

    Raises:
      TimeoutError: if it takes longer; says `otherwise`.
    """
    made: list[_Made] = []
    raised: list[Exception] = []

    def run() -> None:
        try:
            made.append(make())
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not made:
        raise TimeoutError(f"service: it did not answer in {seconds} s; {otherwise} address, or it hangs")
    return made[0]
