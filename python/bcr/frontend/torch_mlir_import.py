"""From an exported program to linalg: torch-mlir's importer with the weights kept outside."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind, OutputSpec, TensorArgument
from torch.fx import Graph, Node
from torch_mlir import ir
from torch_mlir.dialects import func
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras.fx_importer import (
    ContextCache,
    FxImporter,
    FxImporterHooks,
    GraphNodeImporter,
    InputInfo,
)
from torch_mlir.passmanager import PassManager

from bcr.errors import UnsupportedError
from bcr.frontend.checks import check_finite
from bcr.frontend.declared_calls import declare, describe
from bcr.frontend.index_check_loops import lower_index_checks
from bcr.frontend.locations import file_name, line_of, module_of
from bcr.frontend.lowering_error import LoweringError
from bcr.frontend.ordered_loops import lower_tm_tensor
from bcr.frontend.results import entry
from bcr.frontend.signature import DTYPE_NAMES
from bcr.frontend.unused_results import drop_unused_results

Array = npt.NDArray[np.generic]

_TO_TORCH = (
    "builtin.module(func.func(torch-match-quantized-custom-ops),"
    "torchdynamo-export-to-torch-backend-pipeline{extra-library=})"
)
_TO_LINALG = (
    "builtin.module(torch-backend-to-linalg-on-tensors-backend-pipeline{allow-non-finites=true})"
)
_VERIFY = "torch-verify-linalg-on-tensors-backend-contract"
_CLEAN_UP = "builtin.module(lower-affine,func.func(canonicalize,cse))"

_DIALECTS = {"affine", "builtin", "func", "linalg", "tensor", "arith", "math", "scf", "cf"}


def new_context() -> ir.Context:
    """Return a context with torch-mlir's dialects."""
    context = ir.Context()
    torch_dialect.register_dialect(context)
    return context


class WeightStore(FxImporterHooks):  # type: ignore[misc]
    """Makes each weight a named resource of the module and remembers its array.

    Attributes:
        arrays: resource name to values.
    """

    def __init__(self, program: ExportedProgram) -> None:
        self.arrays: dict[str, Array] = {}
        self._attributes: dict[str, ir.Attribute] = {}
        self._taken = set(program.state_dict) | set(program.graph_signature.buffers)
        self._names: dict[tuple[Any, ...], str] = {}
        for name, value in program.state_dict.items():
            # torch.export names a shared weight after its last owner; people look for the first.
            self._names.setdefault(_place(value), name)

    def resolve_input(self, gni: GraphNodeImporter, value: Any, info: InputInfo) -> ir.Value:
        """Return the IR value of a parameter or buffer."""
        return self.literal(gni, value, info.input_spec.target)

    def resolve_literal(
        self, gni: GraphNodeImporter, literal: Any, info: InputInfo | None
    ) -> ir.Value | None:
        """Return the IR value of a tensor that decompositions or the importer made."""
        if not isinstance(literal, torch.Tensor):
            return None
        return self.literal(gni, literal, self._unique("constant"))

    def constant_name(self, node: Node) -> str:
        """Return a name for a tensor that `forward` makes itself, after the module that uses it."""
        module = next((module_of(user) for user in node.users), "")
        name = node.name.removeprefix("c_")
        return self._unique(f"{module}.{name}" if module else name)

    def _unique(self, wanted: str) -> str:
        name, number = wanted, 0
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name

    def literal(self, gni: GraphNodeImporter, tensor: torch.Tensor, name: str) -> ir.Value:
        """Return the IR value of a tensor that is known at compile time."""
        if tensor.dtype not in DTYPE_NAMES:
            raise UnsupportedError(
                f"the weight {name} has the element type "
                f"{str(tensor.dtype).removeprefix('torch.')}; supported are "
                f"{', '.join(DTYPE_NAMES.values())}"
            )
        if tensor.layout is not torch.strided:
            raise UnsupportedError(
                f"the weight {name} is a sparse tensor; keep it dense, with zeros: "
                f"bcr finds the blocks itself"
            )
        array = _view(tensor)
        check_finite(name, array, tensor)
        # A resource cannot hold single bits: truth values travel as bytes.
        stored = tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor
        attribute = self._attribute(gni, tensor, stored.dtype, array, name)
        value = _literal_op(gni, attribute, tensor, stored.dtype)
        if stored is tensor:
            return value
        return gni._convert_type(value, torch.Tensor, tensor.dtype, tensor.size())

    def _attribute(
        self,
        gni: GraphNodeImporter,
        tensor: torch.Tensor,
        dtype: torch.dtype,
        array: Array,
        name: str,
    ) -> ir.Attribute:
        element = gni._cc.dtype_to_type(dtype)
        kind = ir.RankedTensorType.get(list(tensor.shape), element)
        if tensor.numel() == 1:
            # torch-mlir folds scalars, and a resource hides its value from it.
            item = tensor.reshape(()).item()
            scalar = (
                ir.FloatAttr.get(element, item)
                if tensor.is_floating_point()
                else ir.IntegerAttr.get(element, int(item))
            )
            return ir.DenseElementsAttr.get_splat(kind, scalar)
        if tensor.numel() == 0:
            return ir.Attribute.parse(f"dense<> : {kind}")
        name = self._names.setdefault(_place(tensor), name)
        if name not in self._attributes:
            self.arrays[name] = array
            # Only the name: with the values attached, printing formats all of them before it
            # leaves them out.
            self._attributes[name] = ir.Attribute.parse(f"dense_resource<{_quote(name)}> : {kind}")
        return self._attributes[name]


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Return what two tensors have in common exactly if they are the same memory, read alike."""
    return (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)


def _quote(text: str) -> str:
    """Return a string literal of MLIR."""
    plain = (chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\{c:02X}" for c in text.encode())
    return f'"{"".join(plain)}"'


def _view(tensor: torch.Tensor) -> Array:
    """Return a tensor's values as an array, without a copy if they are contiguous."""
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy()
    if tensor.dtype == torch.bool:
        return tensor.view(torch.uint8).numpy()
    return tensor.numpy()


def _literal_op(
    gni: GraphNodeImporter, attribute: ir.Attribute, tensor: torch.Tensor, dtype: torch.dtype
) -> ir.Value:
    kind = gni._cc.create_vtensor_type(dtype, tensor.size())
    return ir.Operation.create(
        "torch.vtensor.literal", results=[kind], attributes={"value": attribute}
    ).result


class _NodeImporter(GraphNodeImporter):  # type: ignore[misc]
    """Gives tensors that `forward` makes itself a name, and calls what has no operation."""

    def _import_torch_op_overload(
        self, loc: ir.Location, node: Node, concrete_target: Any = None
    ) -> None:
        declared = describe(node)
        if declared is None:
            super()._import_torch_op_overload(loc, node, concrete_target)
            return
        operands = [self._import_argument(loc, value) for value in declared.operands]
        value = node.meta["val"]
        several = isinstance(value, (tuple, list))
        results = [self._cc.value_info_to_type(v) for v in (value if several else [value])]
        callee = declare(self.fx_importer.module, declared, operands, results)
        call = func.CallOp(results, callee, operands, loc=loc)
        if several:
            self._multi_result_nodes.add(node)
        for position, result in enumerate(call.results):
            self.bind_node_value(node, result, position)

    def import_constant(self, loc: ir.Location, node: Node, constant: Any) -> ir.Value:
        if not isinstance(constant, torch.Tensor):
            return super().import_constant(loc, node, constant)
        store = self.fx_importer._hooks
        with loc, ir.InsertionPoint(self._b):
            value = store.literal(self, constant, store.constant_name(node))
            self.bind_node_value(node, value)
        return value


class _Cache(ContextCache):  # type: ignore[misc]
    """Locations that name the module and the user's line instead of torch's own files."""

    def get_node_location(self, node: Node) -> ir.Location | None:
        line = line_of(node)
        if line is None:
            return None
        # The file's name alone: the text must not depend on where the checkout lies.
        file = ir.Location.file(file_name(line[0]), line[1], 0, context=self._c)
        return ir.Location.name(module_of(node) or "forward", file, context=self._c)


class Importer(FxImporter):  # type: ignore[misc]
    """torch-mlir's importer with our names and locations."""

    def __init__(self, context: ir.Context, hooks: FxImporterHooks | None = None) -> None:
        super().__init__(context=context, hooks=hooks, graph_node_importer_cls=_NodeImporter)
        self._cc = _Cache(context, py_attr_tracker=self._py_attr_tracker)


def import_program(program: ExportedProgram, results: list[Node], store: WeightStore) -> ir.Module:
    """Import a program as `@main`, which returns the given nodes and nothing else."""
    # Constants, repetitions and inputs among the results are the signature's business.
    program.graph_signature.output_specs[:] = [
        OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(node.name), None) for node in results
    ]
    importer = Importer(new_context(), store)
    importer.import_program(program, func_name="main")
    return importer.module


def import_graph(graph: Graph) -> ir.Module:
    """Import a graph without weights, for probing what torch-mlir can lower."""
    importer = Importer(new_context())
    importer.import_stateless_graph(graph)
    return importer.module


def lower(module: ir.Module) -> None:
    """Lower torch operations to linalg on tensors, in place.

    Raises:
        LoweringError: some operation has no lowering.
    """
    _run(module, _TO_TORCH)
    _run(module, _linalg_pipeline(module))
    with module.context:
        lower_index_checks(module)
        left = lower_tm_tensor(module)
    drop_unused_results(module)
    left += sorted(_foreign_operations(module) - set(left))
    if left:
        raise LoweringError(f"no lowering for {', '.join(left)}")
    _run(module, _CLEAN_UP)


def _linalg_pipeline(module: ir.Module) -> str:
    """Return the passes to linalg, without torch-mlir's last check where it does not apply.

    The check refuses calls (`declared_calls`); `lower` does its own.
    """
    if sum(1 for _ in module.body.operations) == 1:
        return _TO_LINALG
    with module.context:
        passes = str(PassManager.parse(_TO_LINALG))
    return re.sub(rf",\s*{_VERIFY}", "", passes)


def _run(module: ir.Module, pipeline: str) -> None:
    with module.context:
        try:
            PassManager.parse(pipeline).run(module.operation)
        except ir.MLIRError as error:
            messages = [diagnostic.message for diagnostic in error.error_diagnostics]
            raise LoweringError("\n".join(messages) or str(error)) from None


def print_text(module: ir.Module) -> str:
    """Return a module as text, with locations and without the values of resources."""
    main = entry(module)
    with module.context:
        # Bufferization would otherwise update a caller's tensor in place.
        read_only = ir.DictAttr.get({"bufferization.writable": ir.BoolAttr.get(False)})
        main.arg_attrs = ir.ArrayAttr.get([read_only] * len(main.arguments))
    text: str = module.operation.get_asm(enable_debug_info=True)
    # The section of resources is empty: they have names here and values elsewhere.
    return text.partition("\n{-#")[0].rstrip() + "\n"


def _foreign_operations(module: ir.Module) -> set[str]:
    names: set[str] = set()

    def collect(op: ir.Operation) -> ir.WalkResult:
        if op.name.partition(".")[0] not in _DIALECTS:
            names.add(op.name)
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    return names
