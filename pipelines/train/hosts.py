"""Hosts that train together: who they are, by TensorFlow's TF_CONFIG.

    {"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}

A host is a process. Each takes its share of every batch, on all of its devices; gradients are summed.
TensorFlow's servers listen on every interface of their machine, at the port of the host's address: where that
is not wanted, a firewall must keep others off.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf


class Cluster(NamedTuple):
    """What TF_CONFIG says: the addresses of all hosts, and which of them this is."""

    addresses: tuple[str, ...]
    host: int


@dataclasses.dataclass(frozen=True)
class Hosts:
    """The hosts that train together.

    Args:
      strategy: how they do; made before anything else of TensorFlow is used.
      host: this one, in [0, hosts); 0 writes checkpoints and logs.
      hosts: how many.
    """

    strategy: tf.distribute.Strategy
    host: int = 0
    hosts: int = 1

    @property
    def local(self) -> int:
        """How many devices of this host take part."""
        return self.strategy.num_replicas_in_sync // self.hosts

    def shares(self, batch: Any) -> Any:
        """This host's part of a batch, as the replicas' arguments: each has every so many-th row of it."""
        if self.local == 1:
            return batch

        def of_replica(context: Any) -> Any:
            number = context.replica_id_in_sync_group % self.local
            return tf.nest.map_structure(lambda part: part[number :: self.local], batch)

        return self.strategy.experimental_distribute_values_from_function(of_replica)

    def agree(self, what: bytes, name: str) -> None:
        """Refuses hosts that are not at the same point; waits for all of them.

        Args:
          what: eight bytes that must be the same on each.
          name: what it is, for the error.

        Raises:
          ValueError: on all of them, if it is not.
        """
        if self.hosts == 1:
            return
        half = [int.from_bytes(what[at : at + 4], "big") for at in (0, 4)]

        @tf.function(autograph=False)
        def summed() -> tf.Tensor:
            return self.strategy.reduce(
                "SUM", self.strategy.run(lambda: tf.constant(half, tf.int64)), axis=None
            )

        total = summed().numpy().tolist()
        if total != [part * self.strategy.num_replicas_in_sync for part in half]:
            raise ValueError(
                f"hosts: all must have the same {name}, and host {self.host} of {self.hosts} has another "
                "than some; give all the same arguments, and an --out that all of them see"
            )


def cluster_of(environment: Mapping[str, str]) -> Cluster | None:
    """What TF_CONFIG says; None if it is not set.

    Raises:
      ValueError: if it is no JSON, lacks what it must say, or names a host twice.
    """
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return None
    do = 'such as {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'
    try:
        said = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"TF_CONFIG: must be JSON, {do}, got {text!r} ({error})") from error
    cluster, task = (said.get(part) if isinstance(said, dict) else None for part in ("cluster", "task"))
    if not isinstance(cluster, dict) or not isinstance(task, dict) or not cluster:
        raise ValueError(f'TF_CONFIG: must have a "cluster" and a "task", {do}, got {text!r}')
    if set(cluster) - {"chief", "worker"}:
        raise ValueError(f'TF_CONFIG: its cluster may have "chief" and "worker", got {sorted(cluster)}')
    listed = [(kind, n, a) for kind in ("chief", "worker") for n, a in enumerate(cluster.get(kind, []))]
    addresses = [address for _, _, address in listed]
    for address in addresses:
        if not isinstance(address, str) or not address.rpartition(":")[2].isdigit():
            raise ValueError(f'TF_CONFIG: an address must be "host:port", got {address!r}')
        if addresses.count(address) > 1:
            raise ValueError(f"TF_CONFIG: must name each host once, got {address!r} twice in {addresses}")
    here = [(kind, number) for kind, number, _ in listed]
    wanted = (task.get("type"), task.get("index"))
    if wanted not in here:
        raise ValueError(f"TF_CONFIG: its task must be one of {here}, got {wanted}")
    return Cluster(tuple(addresses), here.index(wanted))


def check_batch_size(batch_size: int, hosts: int, name: str = "hosts") -> None:
    """Raises ValueError if a batch cannot be shared equally."""
    if batch_size % hosts:
        down = batch_size // hosts * hosts
        near = " or ".join(str(size) for size in (down, down + hosts) if size)
        raise ValueError(
            f"batch_size: must be a multiple of the {hosts} {name}, which share each batch, got "
            f"{batch_size}; take {near}"
        )


def joined(cluster: Cluster | None, batch_size: int) -> Hosts:
    """The hosts of a cluster, or this one alone, on all of its GPUs; waits for the others.

    Raises:
      ValueError: if a batch cannot be shared equally among hosts and their devices.
    """
    if cluster is None or len(cluster.addresses) == 1:
        devices = tf.config.list_logical_devices("GPU")
        strategy = tf.distribute.MirroredStrategy() if len(devices) > 1 else tf.distribute.get_strategy()
        hosts = Hosts(strategy)
    else:
        check_batch_size(batch_size, len(cluster.addresses))
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        hosts = Hosts(strategy, cluster.host, len(cluster.addresses))
    check_batch_size(batch_size, hosts.strategy.num_replicas_in_sync, "devices")
    return hosts
