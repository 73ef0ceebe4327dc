"""The intermediate representation from Python, in the manner of MLIR's own bindings.

```python
from bcr import ir

module = ir.Module.parse(text)
module.set_resource("fc.weight", array)             # no copy
result = ir.PassManager.parse("bcr-raise,bcr-select").run(module, snapshots=["bcr-raise"])
print(result.snapshots["bcr-raise"], result.remarks, sep="\\n")
```

Every error MLIR reports is raised as `bcr.IRError`. Objects keep what they stand for alive; one
that a pass run or an erase took away raises `bcr.IRError` when it is used.
"""

from __future__ import annotations

from bcr._core import (
    Attribute,
    Context,
    Diagnostic,
    Location,
    Module,
    PassManager,
    Remark,
    Type,
)
from bcr._passes import PassResult

__all__ = [
    "Attribute",
    "Context",
    "Diagnostic",
    "Location",
    "Module",
    "PassManager",
    "PassResult",
    "Remark",
    "Type",
]
