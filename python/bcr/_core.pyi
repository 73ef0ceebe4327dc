"""MLIR with the bcr dialect, and its code generator. Use it through `bcr.ir`.

Every error is a `bcr.IRError` unless a docstring says otherwise. `context=None` means the context
of the innermost `with Context():` of this thread, `ip=None` the insertion point of the innermost
`with InsertionPoint(...):`, `location=None` an unknown location.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, TypeVar, overload

import numpy.typing as npt
import typing_extensions

from bcr.ir.passes import PassResult

_T = TypeVar("_T")
# NumPy calls its arrays buffers from Python 3.12 on only.
_Buffer: TypeAlias = typing_extensions.Buffer | npt.NDArray[Any]

class Context:
    """What types, attributes and modules live in: all upstream dialects and `bcr`.

    One thread uses a context at a time; another that tries while passes run gets an IRError.
    Passes run on one thread. With `with context:` it is the current one of this thread.
    """

    def __init__(self, *, allow_unregistered_dialects: bool = False) -> None: ...
    current: Context | None
    """The innermost entered context of this thread (of the class, read-only)."""
    allow_unregistered_dialects: bool
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def __hash__(self) -> int: ...

class Diagnostic:
    """What MLIR reported: an error, warning or remark, and the notes below it."""

    @property
    def severity(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def notes(self) -> list[tuple[str, str]]:
        """Location and message of each note."""

class Location:
    """Where something comes from in the user's source."""

    @staticmethod
    def unknown(context: Context | None = None) -> Location: ...
    @staticmethod
    def file(filename: str, line: int, column: int, context: Context | None = None) -> Location: ...
    @staticmethod
    def name(
        name: str, child: Location | None = None, context: Context | None = None
    ) -> Location: ...
    @property
    def context(self) -> Context: ...
    def __hash__(self) -> int: ...

class Attribute:
    """A constant that belongs to an operation; equal attributes are one object in MLIR."""

    @staticmethod
    def parse(text: str, context: Context | None = None) -> Attribute: ...
    @staticmethod
    def from_python(value: Any, context: Context | None = None) -> Attribute:
        """Make an attribute of a bool, int (i64), float (f64), str, list, dict, None (unit), Type
        or NumPy array (dense elements of its shape and dtype); attributes stay as they are.
        """
    @staticmethod
    def dense_array(
        values: list[bool] | list[int] | list[float],
        element_type: str = "i64",
        context: Context | None = None,
    ) -> Attribute:
        """Make an `array<i64: ...>`, or one of i1, i8, i16, i32, f32 or f64."""
    def to_python(self) -> Any:
        """Return the value: bool, int, float, str (also for symbols), list, dict, Type, True for
        unit, a new NumPy array for dense elements and for resources (bf16 as uint16, 8-bit floats
        as uint8), the attribute itself where Python has no such value.

        Raises:
            IRError: the attribute is a resource without data.
        """
    @property
    def context(self) -> Context: ...
    @property
    def type(self) -> Type | None:
        """The type of the value, where the attribute has one."""
    def __hash__(self) -> int: ...

class Type:
    """The type of a value."""

    @staticmethod
    def parse(text: str, context: Context | None = None) -> Type: ...
    @property
    def context(self) -> Context: ...
    @property
    def shape(self) -> list[int] | None:
        """Sizes of a ranked tensor, memref or vector, -1 for dynamic ones; else None."""
    @property
    def element_type(self) -> Type | None: ...
    def __hash__(self) -> int: ...

class Use:
    """An operand that a value is."""

    @property
    def owner(self) -> Operation: ...
    @property
    def operand_number(self) -> int: ...

class Value:
    """The result of an operation or the argument of a block."""

    @property
    def type(self) -> Type: ...
    @property
    def owner(self) -> Operation | Block: ...
    @property
    def index(self) -> int:
        """The number among the results or arguments of the owner."""
    @property
    def is_block_argument(self) -> bool: ...
    @property
    def uses(self) -> list[Use]: ...
    @property
    def location(self) -> Location: ...
    def get_name(self) -> str:
        """The name in printed text, such as `%0`."""
    def replace_all_uses_with(self, value: Value) -> None: ...
    def __hash__(self) -> int: ...

class AttributeMap:
    """The attributes of an operation, a mutable mapping from name to `Attribute`.

    What is set may be anything that `Attribute.from_python` takes.
    """

    def __getitem__(self, name: str) -> Attribute: ...
    def __setitem__(self, name: str, value: Any) -> None: ...
    def __delitem__(self, name: str) -> None: ...
    def __contains__(self, name: str) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    @overload
    def get(self, name: str) -> Attribute | None: ...
    @overload
    def get(self, name: str, default: _T) -> Attribute | _T: ...
    def keys(self) -> list[str]: ...
    def items(self) -> list[tuple[str, Attribute]]: ...
    def to_python(self) -> dict[str, Any]:
        """All attributes, each as `Attribute.to_python` gives it."""

class Block:
    """A list of operations with arguments; iterates over its operations."""

    @property
    def arguments(self) -> list[Value]: ...
    @property
    def operations(self) -> list[Operation]: ...
    @property
    def region(self) -> Region: ...
    @property
    def owner(self) -> Operation: ...
    @property
    def terminator(self) -> Operation | None: ...
    def add_argument(self, type: Type, location: Location | None = None) -> Value: ...
    def __iter__(self) -> Iterator[Operation]: ...
    def __len__(self) -> int: ...
    def __hash__(self) -> int: ...

class Region:
    """A list of blocks inside an operation; iterates over them."""

    @property
    def blocks(self) -> list[Block]: ...
    @property
    def parent(self) -> Operation: ...
    def append_block(self, argument_types: Sequence[Type] = ()) -> Block: ...
    def __iter__(self) -> Iterator[Block]: ...
    def __len__(self) -> int: ...
    def __hash__(self) -> int: ...

class WalkOrder(enum.Enum):
    """Whether a walk reaches an operation before or after those inside it."""

    PRE_ORDER = 0
    POST_ORDER = 1

class WalkResult(enum.Enum):
    """How a walk goes on; SKIP leaves out what is inside, in pre-order."""

    ADVANCE = 0
    INTERRUPT = 1
    SKIP = 2

class Operation:
    """An operation of a module. Equal if they are the same operation."""

    @staticmethod
    def create(
        name: str,
        results: Sequence[Type] = (),
        operands: Sequence[Value] = (),
        attributes: dict[str, Any] = {},
        *,
        regions: int = 0,
        successors: Sequence[Block] = (),
        ip: InsertionPoint | None = None,
        location: Location | None = None,
    ) -> Operation:
        """Make an operation with so many empty regions and put it at the insertion point.

        `attributes` takes what `Attribute.from_python` takes. The operation may still break a
        rule: `verify` tells.
        """
    @property
    def name(self) -> str: ...
    @property
    def context(self) -> Context: ...
    location: Location
    @property
    def operands(self) -> list[Value]: ...
    @property
    def results(self) -> list[Value]: ...
    @property
    def result(self) -> Value:
        """The only result."""
    @property
    def attributes(self) -> AttributeMap: ...
    @property
    def regions(self) -> list[Region]: ...
    @property
    def successors(self) -> list[Block]: ...
    @property
    def parent(self) -> Operation | None: ...
    @property
    def block(self) -> Block | None: ...
    @overload
    def walk(self, callback: None = None, order: WalkOrder = ...) -> Iterator[Operation]:
        """Iterate over this operation and all below it, as they are now."""
    @overload
    def walk(
        self, callback: Callable[[Operation], WalkResult | None], order: WalkOrder = ...
    ) -> None:
        """Call `callback` with each, but not with those erased meanwhile."""
    def set_operand(self, index: int, value: Value) -> None: ...
    def erase(self) -> None:
        """Take the operation out.

        Raises:
            IRError: something uses its results, or it is the module itself.
        """
    def move_before(self, other: Operation) -> None: ...
    def move_after(self, other: Operation) -> None: ...
    def clone(self, ip: InsertionPoint | None = None) -> Operation: ...
    def verify(self) -> None: ...
    def get_asm(
        self,
        *,
        large_elements_limit: int | None = None,
        large_resource_limit: int | None = None,
        enable_debug_info: bool = False,
        print_generic_op_form: bool = False,
    ) -> str:
        """Print as text.

        Args:
            large_elements_limit: leave constants of more elements out; None: print them all.
            large_resource_limit: leave out resources whose text has more characters; None: as
                `large_elements_limit`.
            enable_debug_info: print locations.
            print_generic_op_form: print every operation as `"dialect.name"(...)`.
        """
    def __hash__(self) -> int: ...

class InsertionPoint:
    """Where new operations go: before an operation, or at the end of a block."""

    def __init__(self, place: Block | Operation, /) -> None: ...
    current: InsertionPoint | None
    """The innermost entered point of this thread (of the class, read-only)."""
    @staticmethod
    def after(operation: Operation) -> InsertionPoint: ...
    @staticmethod
    def at_block_begin(block: Block) -> InsertionPoint: ...
    @staticmethod
    def at_block_terminator(block: Block) -> InsertionPoint: ...
    @property
    def block(self) -> Block: ...
    @property
    def before(self) -> Operation | None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

class Module:
    """A module and all that is in it."""

    @staticmethod
    def parse(
        source: str | bytes, context: Context | None = None, source_name: str = "<string>"
    ) -> Module:
        """Parse and verify text or bytecode; without a current context, in a new one.

        Args:
            source: text, or bytecode of this MLIR version. Text may be anything; bytecode must be
                what `bytecode` made, because MLIR's reader believes the sizes it finds in it.
            context: where the module lives.
            source_name: the file name in locations and errors.
        """
    @staticmethod
    def create(location: Location | None = None, context: Context | None = None) -> Module:
        """Make an empty module."""
    @property
    def context(self) -> Context: ...
    @property
    def operation(self) -> Operation: ...
    @property
    def body(self) -> Block: ...
    @overload
    def walk(self, callback: None = None, order: WalkOrder = ...) -> Iterator[Operation]:
        """Iterate over the module and all operations in it, as they are now."""
    @overload
    def walk(
        self, callback: Callable[[Operation], WalkResult | None], order: WalkOrder = ...
    ) -> None:
        """Call `callback` with each, but not with those erased meanwhile."""
    def verify(self) -> None: ...
    def bytecode(self) -> bytes: ...
    def attributes_to_python(self) -> dict[str, Any]:
        """The attributes of the module itself, each as `Attribute.to_python` gives it."""
    def set_resource(self, name: str, array: _Buffer) -> None:
        """Make `array` the data of every `dense_resource<name>` of the module, without a copy.

        The array is held until the data is replaced or freed, or the context is gone; do not
        write to it meanwhile. Modules of one context share resources of one name.

        Raises:
            IRError: no such resource, another shape or dtype (bf16 takes uint16), or the array is
                not contiguous or not aligned.
        """
    def set_resources(self, arrays: dict[str, Any]) -> None:
        """Do `set_resource` for many names; on an error none is set."""
    def resources(self) -> dict[str, Type]:
        """Name and type of every `dense_resource`, in order of use."""
    def get_asm(
        self,
        *,
        large_elements_limit: int | None = None,
        large_resource_limit: int | None = None,
        enable_debug_info: bool = False,
        print_generic_op_form: bool = False,
    ) -> str:
        """Print as `Operation.get_asm` does."""

class Remark:
    """An optimisation remark of a pass."""

    @property
    def kind(self) -> str:
        """One of "passed", "missed", "failure", "analysis"."""
    @property
    def category(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def function(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def arguments(self) -> dict[str, str]:
        """What the remark has besides plain text, by key."""

class PassManager:
    """A pipeline of passes over a module."""

    @staticmethod
    def parse(pipeline: str, context: Context | None = None) -> PassManager:
        """Check a pipeline, with or without `builtin.module(...)` around it."""
    def run(
        self,
        module: Module,
        *,
        snapshots: Sequence[str] | Literal["all"] = (),
        enable_debug_info: bool = False,
        reproducer: str | None = None,
        verify: bool = True,
    ) -> PassResult:
        """Run the pipeline on `module`; what was read from the module before is stale after.

        Args:
            module: verified first, then changed in place.
            snapshots: passes after which the module is printed, or "all".
            enable_debug_info: print locations in snapshots.
            reproducer: file for a module that `bcr-opt --run-reproducer` replays if the run fails
                (weights included); None: nowhere.
            verify: check the module after every pass.

        Raises:
            IRError: a pass failed, with its diagnostics; the module is then in between.
        """

def stage_names(pipeline: str = "bcr-to-llvm") -> list[str]:
    """Return the stages of the pipeline `bcr-to-llvm` or `bcr-to-spirv`, in order.

    Raises:
        ConfigError: there is no such pipeline.
    """

class TargetInfo:
    """What kernels need to know of a machine."""

    @property
    def triple(self) -> str: ...
    @property
    def cpu(self) -> str: ...
    @property
    def features(self) -> str: ...
    @property
    def lanes(self) -> int:
        """f32 lanes of the widest vector that is worth using."""
    @property
    def registers(self) -> int:
        """Number of vector registers."""
    @property
    def generic(self) -> bool:
        """Whether `cpu` is a baseline that fits every machine of the triple and no feature is
        known."""
    @property
    def extensions(self) -> list[str]:
        """Those of the extensions that matter to networks that the machine has, as LLVM names
        them: "sve", "dotprod", "fullfp16", "avx512f" and the like."""

def describe_target(triple: str = "", cpu: str = "", features: str = "") -> TargetInfo:
    """Describe a machine; empty strings mean this one.

    Raises:
        ConfigError: unknown triple, CPU or feature.
    """

def emit(
    module: Module,
    triple: str = "",
    cpu: str = "",
    features: str = "",
    *,
    kind: Literal["object", "assembly", "llvm"] = "object",
    times: dict[str, float] | None = None,
) -> bytes:
    """Optimise a module of the LLVM dialect and emit it: an object file, or text.

    `times` is given the seconds of each step: "translate", "optimize" and "generate".

    Raises:
        ConfigError: unknown triple, CPU, feature or kind.
        IRError: the module cannot be translated.
    """

def emit_spirv(module: Module) -> bytes:
    """Return the kernels of a module that `bcr-to-spirv` lowered as a SPIR-V binary.

    Raises:
        IRError: the module has none, or SPIR-V cannot express it.
    """

def pool_size(module: Module) -> int:
    """Return the size in bytes of the pool of constants that `bcr.pool` describes."""

def write_pool(module: Module, pool: _Buffer) -> None:
    """Copy every pooled constant into `pool`, which has at least `pool_size` bytes, and free it."""

class Jit:
    """An object file of this machine, loaded into this process; unloaded when it is collected."""

    def __init__(self, object: bytes) -> None:
        """Load what `emit` made.

        Raises:
            IRError: it is no object file of this machine, or a symbol is missing.
        """
    def lookup(self, name: str) -> int:
        """Return the address of a function, or 0."""
