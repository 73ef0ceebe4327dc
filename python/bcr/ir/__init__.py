"""The intermediate representation from Python, in the manner of MLIR's own bindings.

```python
from bcr import ir

module = ir.Module.parse(text)
module.set_resource("fc.weight", array)             # no copy
result = ir.PassManager.parse("bcr-raise,bcr-select").run(module, snapshots=["bcr-raise"])
print(result.snapshots["bcr-raise"], *result.remarks, sep="\\n")
for op in module.walk():
    if op.name == "bcr.conv2d":
        print(op.attributes.to_python(), op.location)
```

Building goes through `Operation.create`, or `func`, `return_`, `constant`, `matmul` and `conv2d`:

```python
with ir.Context(), ir.InsertionPoint(module.body):
    ...
```

Every error MLIR reports is raised as `bcr.IRError`. Objects keep what they stand for alive; one
that a pass run or an erase took away raises `bcr.IRError` when it is used. A context belongs to
one thread at a time: another thread that uses it while passes run gets a `bcr.IRError`.
"""

from __future__ import annotations

from bcr._core import (
    Attribute,
    AttributeMap,
    Block,
    Context,
    Diagnostic,
    InsertionPoint,
    Jit,
    Location,
    Module,
    Operation,
    PassManager,
    Region,
    Remark,
    TargetInfo,
    Type,
    Use,
    Value,
    WalkOrder,
    WalkResult,
    describe_target,
    emit,
    pool_size,
    write_pool,
)
from bcr.ir.builders import constant, conv2d, func, matmul, return_
from bcr.ir.passes import PassResult

__all__ = [
    "Attribute",
    "AttributeMap",
    "Block",
    "Context",
    "Diagnostic",
    "InsertionPoint",
    "Jit",
    "Location",
    "Module",
    "Operation",
    "PassManager",
    "PassResult",
    "Region",
    "Remark",
    "TargetInfo",
    "Type",
    "Use",
    "Value",
    "WalkOrder",
    "WalkResult",
    "constant",
    "conv2d",
    "describe_target",
    "emit",
    "func",
    "matmul",
    "pool_size",
    "return_",
    "write_pool",
]
