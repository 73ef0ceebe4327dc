"""The least cycles that the work of a loop takes on a core: a roofline of its ports.

Counted is what a layer needs, whatever the code has: the multiply-adds, the loads, shuffles and
stores that a register tile cannot do without, and the activation. A port does its own work only,
and the core dispatches so many micro-operations a cycle in all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """Limits of a core with vectors of 128 bits; all a cycle.

    Attributes:
        dispatched: micro-operations.
        multiply_adds: multiply-adds alone.
        vectors: vector operations, of which multiply-adds are some.
        loads: loads alone.
        stores: stores alone.
        store_operations: micro-operations of a store.
        store_vectors: vector operations that a store takes the place of.
        store_loads: loads that a store takes the place of.
    """

    dispatched: float
    multiply_adds: float
    vectors: float
    loads: float
    stores: float
    store_operations: int
    store_vectors: int
    store_loads: int


CORES = {
    "neoverse-n1": Core(3, 2, 2, 2, 1, 4, 2, 2),
    # Two units of 64 bits: 128 bits take both (Arm's Software Optimization Guide). LLVM's model
    # says so of all operations but multiply-adds.
    "cortex-a55": Core(2, 1, 1, 1, 1, 1, 0, 0),
}
"""By the names of llvm-mca, whose models they follow; the first is the one for Cortex-A76 too."""


@dataclass(frozen=True)
class Work:
    """What one turn of a loop needs.

    Attributes:
        multiply_adds: on vectors.
        vectors: other vector operations.
        loads: of vectors, weights and indices.
        stores: of vectors.
        others: operations of any kind: addresses, branches, and what can be a load or a shuffle.
    """

    multiply_adds: float
    vectors: float = 0
    loads: float = 0
    stores: float = 0
    others: float = 0

    def bound(self, core: Core) -> tuple[float, str]:
        """Return the cycles of the port that is busy longest, and which it is."""
        operations = self.multiply_adds + self.vectors + self.loads + self.others
        vectors = self.multiply_adds + self.vectors + self.stores * core.store_vectors
        limits = {
            "fmla": self.multiply_adds / core.multiply_adds,
            "dispatch": (operations + self.stores * core.store_operations) / core.dispatched,
            "vector": vectors / core.vectors,
            "loads": (self.loads + self.stores * core.store_loads) / core.loads,
            "stores": self.stores / core.stores,
        }
        # The first of equal ones: the multiply-adds are what there is to do.
        name = max(limits, key=lambda key: limits[key])
        return limits[name], name


def depthwise_work(
    multiply_adds: int, vectors: int, kernel: int, stride: int, channels: int
) -> Work:
    """Return the work of `vectors` output vectors of a depthwise layer with bias and ReLU6.

    `channels` is how many begin in a turn, with weights, bias and the addresses of two images.

    An output row has `stride` input rows of its own; what tiles read twice is not needed. A row is
    loaded once, and each further tap is a load or a shuffle more. With a stride of two, the columns
    of every tap are a shuffle of two vectors.
    """
    rows = vectors * stride
    shuffles = 0 if stride == 1 else rows * kernel
    return Work(
        multiply_adds,
        # Two bounds.
        vectors=2 * vectors + shuffles + channels,
        loads=rows * stride + channels * (-(-kernel * kernel // 4) + 1),
        stores=vectors,
        # The bias, which a multiply-add overwrites; taps; a counter and a branch.
        others=vectors + (rows * (kernel - 1) if stride == 1 else 0) + 2 * channels + 2,
    )


def product_work(multiply_adds: int, height: int, vectors: int, dense: bool) -> Work:
    """Return the work of columns of weights with tiles of `height` by `vectors` accumulators.

    Args:
        multiply_adds: of all columns.
        height: weights of a column, four to a load.
        vectors: input vectors of a column.
        dense: columns lie at one distance, so none has an index.
    """
    columns = multiply_adds / (height * vectors)
    return Work(
        multiply_adds,
        loads=columns * (vectors + -(-height // 4) + (not dense)),
        # The address of a column; the weights' address, a counter and a branch.
        others=columns + 3,
    )
