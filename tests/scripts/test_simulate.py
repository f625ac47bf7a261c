"""Claims about scale hold for what augrng does, and would not for what is known to be wrong."""

import numpy as np
import pytest

from pipelines.run.order import ordered
from scripts import simulate


def held(claims):
    return [holds for _, holds in claims]


def test_claims_hold_in_small(capsys, monkeypatch):
    monkeypatch.setattr(
        "sys.argv",
        ["simulate.py", "--examples", "40000", "--size", "3000", "--hosts", "10", "7", "--rows", "70"],
    )
    assert simulate.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 14
    assert all(line.startswith("holds") for line in lines)
    assert "each of 10 hosts has 294 rows of 3,000 examples, none twice" in "\n".join(lines)


def random(numbers):
    return np.random.default_rng(1).integers(0, 2**64, len(numbers), np.uint64)


@pytest.mark.parametrize(
    ("values_of", "which"),
    [
        (random, []),
        (lambda numbers: random(numbers) >> np.uint64(1), [0]),  # the lower half of all shares
        (lambda numbers: random(numbers) & ~np.uint64(2**44 - 1), [1, 2, 3, 4]),  # 20 random bits
        (lambda numbers: np.repeat(random(numbers)[::2], 2), [1, 2, 3, 4]),
    ],
    ids=["random", "one bit less", "20 bits", "each twice"],
)
def test_values_that_are_not_random_are_found(values_of, which):
    found = held(simulate.collisions("values", values_of, 200_000))
    assert [place for place, holds in enumerate(found) if not holds] == which


def test_an_uneven_load_and_another_order_are_found(monkeypatch):
    monkeypatch.setattr(
        simulate,
        "ordered",
        lambda source, order: ordered(source, order).map(lambda r: {"id": r["id"] // 2 * 2}),
    )
    assert held(simulate.loads(3000, 10, 70)) == [False, True]
    monkeypatch.setattr(
        simulate, "ordered",
        lambda source, order: ordered(source, order).map(lambda r: {"id": r["id"] + order.hosts}),
    )  # fmt: skip
    assert held(simulate.elastic(3000, 70, 10, 7)) == [False, True]
