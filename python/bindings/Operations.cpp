//===- Operations.cpp - bcr.ir.Operation ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/AttributeMap.h"
#include "python/bindings/Convert.h"
#include "python/bindings/InsertionPoint.h"
#include "python/bindings/PrintMethods.h"

#include "mlir/IR/Operation.h"
#include "mlir/IR/Verifier.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

template <typename RangeT>
static std::vector<ValueHandle> toValues(const RootRef &root, RangeT range) {
  std::vector<ValueHandle> values;
  for (Value value : range)
    values.emplace_back(root, value);
  return values;
}

static ValueHandle getResult(const OperationHandle &self) {
  Operation *op = self.get();
  if (op->getNumResults() != 1)
    throw IRException("'" + op->getName().getStringRef().str() + "' has " +
                      std::to_string(op->getNumResults()) +
                      " results, not one: use results");
  return ValueHandle(self.getRoot(), op->getResult(0));
}

static std::vector<RegionHandle> getRegions(const OperationHandle &self) {
  std::vector<RegionHandle> regions;
  for (Region &region : self.get()->getRegions())
    regions.emplace_back(self.getRoot(), &region);
  return regions;
}

static std::vector<BlockHandle> getSuccessors(const OperationHandle &self) {
  std::vector<BlockHandle> successors;
  for (Block *block : self.get()->getSuccessors())
    successors.emplace_back(self.getRoot(), block);
  return successors;
}

static std::optional<OperationHandle> getParent(const OperationHandle &self) {
  if (Operation *parent = self.get()->getParentOp())
    return OperationHandle(self.getRoot(), parent);
  return std::nullopt;
}

static std::optional<BlockHandle> getBlock(const OperationHandle &self) {
  if (Block *block = self.get()->getBlock())
    return BlockHandle(self.getRoot(), block);
  return std::nullopt;
}

static void bindReading(nb::class_<OperationHandle> &type) {
  type.def_prop_ro("name",
                   [](const OperationHandle &self) {
                     return self.get()->getName().getStringRef().str();
                   })
      .def_prop_ro("context",
                   [](const OperationHandle &self) {
                     return ContextObject{self.getRoot()->context};
                   })
      .def_prop_rw(
          "location",
          [](const OperationHandle &self) {
            return LocationObject{self.getRoot()->context,
                                  self.get()->getLoc()};
          },
          [](const OperationHandle &self, const LocationObject &location) {
            requireSameContext(self.getRoot()->context, location.context,
                               "the location");
            self.get()->setLoc(location.value);
          })
      .def_prop_ro("operands",
                   [](const OperationHandle &self) {
                     return toValues(self.getRoot(), self.get()->getOperands());
                   })
      .def_prop_ro("results",
                   [](const OperationHandle &self) {
                     return toValues(self.getRoot(), self.get()->getResults());
                   })
      .def_prop_ro("result", getResult)
      .def_prop_ro("attributes",
                   [](const OperationHandle &self) {
                     self.get();
                     return AttributeMap{self};
                   })
      .def_prop_ro("regions", getRegions)
      .def_prop_ro("successors", getSuccessors)
      .def_prop_ro("parent", getParent)
      .def_prop_ro("block", getBlock);
}

//===----------------------------------------------------------------------===//
// Walking
//===----------------------------------------------------------------------===//

namespace {
enum class WalkOrderKind { PreOrder, PostOrder };
enum class WalkResultKind { Advance, Interrupt, Skip };
} // namespace

/// Every operation below and with `self`. A list made at once, so that the loop
/// over it may change the module.
static std::vector<OperationHandle> listOperations(const OperationHandle &self,
                                                   WalkOrderKind order) {
  std::vector<OperationHandle> operations;
  auto add = [&](Operation *op) {
    operations.emplace_back(self.getRoot(), op);
  };
  if (order == WalkOrderKind::PreOrder)
    self.get()->walk<WalkOrder::PreOrder>(add);
  else
    self.get()->walk<WalkOrder::PostOrder>(add);
  return operations;
}

/// Calls `callback` on each operation that is still there.
static void walkWith(const OperationHandle &self, const nb::callable &callback,
                     WalkOrderKind order) {
  std::vector<OperationHandle> skipped;
  for (const OperationHandle &op : listOperations(self, order)) {
    if (op.isGone())
      continue;
    bool skip = llvm::any_of(skipped, [&](const OperationHandle &ancestor) {
      return !ancestor.isGone() && ancestor.get()->isAncestor(op.get());
    });
    if (skip)
      continue;
    nb::object result = callback(op);
    if (result.is_none())
      continue;
    auto kind = nb::cast<WalkResultKind>(result);
    if (kind == WalkResultKind::Interrupt)
      return;
    if (kind == WalkResultKind::Skip)
      skipped.push_back(op);
  }
}

static nb::object walk(const OperationHandle &self, nb::object callback,
                       WalkOrderKind order) {
  if (callback.is_none())
    return nb::iter(nb::cast(listOperations(self, order)));
  walkWith(self, nb::cast<nb::callable>(callback), order);
  return nb::none();
}

static void bindWalk(nb::module_ &m, nb::class_<OperationHandle> &type) {
  nb::enum_<WalkOrderKind>(m, "WalkOrder")
      .value("PRE_ORDER", WalkOrderKind::PreOrder)
      .value("POST_ORDER", WalkOrderKind::PostOrder);
  nb::enum_<WalkResultKind>(m, "WalkResult")
      .value("ADVANCE", WalkResultKind::Advance)
      .value("INTERRUPT", WalkResultKind::Interrupt)
      .value("SKIP", WalkResultKind::Skip);
  type.def("walk", walk, "callback"_a = nb::none(),
           "order"_a = WalkOrderKind::PostOrder);
}

//===----------------------------------------------------------------------===//
// Changing
//===----------------------------------------------------------------------===//

static void setOperand(const OperationHandle &self, unsigned index,
                       const ValueHandle &value) {
  Operation *op = self.get();
  if (index >= op->getNumOperands())
    throw nb::index_error("the operation has fewer operands");
  if (self.getRoot() != value.getRoot())
    throw IRException("the operand belongs to another module");
  op->setOperand(index, value.get());
}

static void erase(const OperationHandle &self) {
  Operation *op = requireInBlock(self, "erase");
  for (OpOperand &use : op->getUses())
    if (!op->isAncestor(use.getOwner()))
      throw IRException("'" + op->getName().getStringRef().str() +
                        "' cannot be erased while '" +
                        use.getOwner()->getName().getStringRef().str() +
                        "' uses its result");
  self.getRoot()->erase(op);
}

static Operation *requireMovable(const OperationHandle &self,
                                 const OperationHandle &other) {
  Operation *op = requireInBlock(self, "move");
  if (self.getRoot() != other.getRoot())
    throw IRException("an operation cannot move to another module");
  if (op->isAncestor(requireInBlock(other, "move beside")))
    throw IRException("an operation cannot move into or beside itself");
  return op;
}

static OperationHandle clone(const OperationHandle &self,
                             const InsertionPoint *argument) {
  InsertionPoint ip = resolveInsertionPoint(argument);
  Operation *op = self.get();
  ip.block.get();
  if (ip.block.getRoot() != self.getRoot())
    throw IRException("an operation cannot be cloned into another module");
  Operation *copy = op->clone();
  ip.insert(copy);
  return OperationHandle(self.getRoot(), copy);
}

static void verifyOperation(const OperationHandle &self) {
  Operation *op = self.get();
  DiagnosticCapture diagnostics(op->getContext());
  if (failed(verify(op)))
    diagnostics.raise("'" + op->getName().getStringRef().str() +
                      "' breaks a rule");
}

static void bindChanging(nb::class_<OperationHandle> &type) {
  type.def("set_operand", setOperand, "index"_a, "value"_a)
      .def("erase", erase)
      .def(
          "move_before",
          [](const OperationHandle &self, const OperationHandle &other) {
            requireMovable(self, other)->moveBefore(other.get());
          },
          "other"_a)
      .def(
          "move_after",
          [](const OperationHandle &self, const OperationHandle &other) {
            requireMovable(self, other)->moveAfter(other.get());
          },
          "other"_a)
      .def("clone", clone, "ip"_a = nb::none())
      .def("verify", verifyOperation);
}

//===----------------------------------------------------------------------===//
// Creating
//===----------------------------------------------------------------------===//

static OperationName resolveName(const ContextRef &context,
                                 const std::string &name) {
  MLIRContext *mlirContext = &context->context;
  StringRef dialect = StringRef(name).split('.').first;
  if (name.empty() || dialect.empty())
    throw IRException("the name of an operation is 'dialect.operation', not '" +
                      name + "'");
  mlirContext->getOrLoadDialect(dialect);
  OperationName operationName(name, mlirContext);
  if (!operationName.isRegistered() &&
      !mlirContext->allowsUnregisteredDialects())
    throw IRException("unknown operation '" + name +
                      "' (Context(allow_unregistered_dialects=True) would "
                      "take it)");
  return operationName;
}

static OperationHandle
create(const std::string &name, const std::vector<TypeObject> &results,
       const std::vector<ValueHandle> &operands, const nb::dict &attributes,
       unsigned regions, const std::vector<BlockHandle> &successors,
       const InsertionPoint *argument, const LocationObject *location) {
  InsertionPoint ip = resolveInsertionPoint(argument);
  const RootRef &root = ip.block.getRoot();
  const ContextRef &context = root->context;
  ip.block.get();
  if (location)
    requireSameContext(context, location->context, "the location");

  OperationState state(location ? location->value
                                : UnknownLoc::get(&context->context),
                       resolveName(context, name));
  for (const TypeObject &type : results) {
    requireSameContext(context, type.context, "a result type");
    state.types.push_back(type.value);
  }
  for (const ValueHandle &operand : operands) {
    if (operand.getRoot() != root)
      throw IRException("an operand belongs to another module");
    state.operands.push_back(operand.get());
  }
  for (const BlockHandle &successor : successors) {
    if (successor.getRoot() != root)
      throw IRException("a successor belongs to another module");
    state.successors.push_back(successor.get());
  }
  std::vector<std::pair<std::string, Attribute>> converted;
  for (auto [key, value] : attributes)
    converted.emplace_back(nb::cast<std::string>(key),
                           fromPython(context, value));
  for (unsigned i = 0; i < regions; ++i)
    state.addRegion();

  Operation *op = Operation::create(state);
  try {
    for (const auto &[key, value] : converted)
      setAttribute(op, key, value);
  } catch (...) {
    op->destroy();
    throw;
  }
  ip.insert(op);
  return OperationHandle(root, op);
}

void bindOperations(nb::module_ &m) {
  nb::class_<OperationHandle> type(m, "Operation");
  bindReading(type);
  bindWalk(m, type);
  bindChanging(type);
  bindPrinting(type);
  type.def_static("create", create, "name"_a,
                  "results"_a = std::vector<TypeObject>(),
                  "operands"_a = std::vector<ValueHandle>(),
                  "attributes"_a = nb::dict(), nb::kw_only(), "regions"_a = 0,
                  "successors"_a = std::vector<BlockHandle>(),
                  "ip"_a = nb::none(), "location"_a = nb::none())
      .def("__eq__",
           [](const OperationHandle &self, nb::handle other) {
             return nb::isinstance<OperationHandle>(other) &&
                    nb::cast<OperationHandle &>(other) == self;
           })
      .def("__hash__", [](const OperationHandle &self) {
        return std::hash<const void *>()(self.getAddress());
      });
}

} // namespace bcr::python
