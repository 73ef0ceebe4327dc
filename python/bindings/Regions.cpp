//===- Regions.cpp - bcr.ir.Region and Block ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/State.h"

#include "mlir/IR/Operation.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

template <typename HandleT>
static void bindIdentity(nb::class_<HandleT> &type) {
  type.def("__eq__",
           [](const HandleT &self, nb::handle other) {
             return nb::isinstance<HandleT>(other) &&
                    nb::cast<HandleT &>(other) == self;
           })
      .def("__hash__", [](const HandleT &self) {
        return std::hash<const void *>()(self.getAddress());
      });
}

static std::vector<BlockHandle> getBlocks(const RegionHandle &self) {
  std::vector<BlockHandle> blocks;
  for (Block &block : *self.get())
    blocks.emplace_back(self.getRoot(), &block);
  return blocks;
}

static BlockHandle appendBlock(const RegionHandle &self,
                               const std::vector<TypeObject> &types) {
  Region *region = self.get();
  const ContextRef &context = self.getRoot()->context;
  for (const TypeObject &type : types)
    requireSameContext(context, type.context, "the type of an argument");
  auto *block = new Block();
  for (const TypeObject &type : types)
    block->addArgument(type.value, UnknownLoc::get(&context->context));
  region->push_back(block);
  return BlockHandle(self.getRoot(), block);
}

static void bindRegion(nb::class_<RegionHandle> &type) {
  bindIdentity(type);
  type.def_prop_ro("blocks", getBlocks)
      .def_prop_ro("parent",
                   [](const RegionHandle &self) {
                     return OperationHandle(self.getRoot(),
                                            self.get()->getParentOp());
                   })
      .def("append_block", appendBlock,
           "argument_types"_a = std::vector<TypeObject>())
      .def("__iter__",
           [](const RegionHandle &self) {
             return nb::iter(nb::cast(getBlocks(self)));
           })
      .def("__len__", [](const RegionHandle &self) {
        return self.get()->getBlocks().size();
      });
}

static std::vector<OperationHandle> getOperations(const BlockHandle &self) {
  std::vector<OperationHandle> operations;
  for (Operation &op : *self.get())
    operations.emplace_back(self.getRoot(), &op);
  return operations;
}

static std::vector<ValueHandle> getArguments(const BlockHandle &self) {
  std::vector<ValueHandle> arguments;
  for (BlockArgument argument : self.get()->getArguments())
    arguments.emplace_back(self.getRoot(), argument);
  return arguments;
}

static ValueHandle addArgument(const BlockHandle &self, const TypeObject &type,
                               const LocationObject *location) {
  Block *block = self.get();
  const ContextRef &context = self.getRoot()->context;
  requireSameContext(context, type.context, "the type");
  if (location)
    requireSameContext(context, location->context, "the location");
  Location place =
      location ? location->value : UnknownLoc::get(&context->context);
  return ValueHandle(self.getRoot(), block->addArgument(type.value, place));
}

static std::optional<OperationHandle> getTerminator(const BlockHandle &self) {
  Block *block = self.get();
  if (block->empty() || !block->back().hasTrait<OpTrait::IsTerminator>())
    return std::nullopt;
  return OperationHandle(self.getRoot(), &block->back());
}

static void bindBlock(nb::class_<BlockHandle> &type) {
  bindIdentity(type);
  type.def_prop_ro("arguments", getArguments)
      .def_prop_ro("operations", getOperations)
      .def_prop_ro("region",
                   [](const BlockHandle &self) {
                     return RegionHandle(self.getRoot(),
                                         self.get()->getParent());
                   })
      .def_prop_ro("owner",
                   [](const BlockHandle &self) {
                     return OperationHandle(self.getRoot(),
                                            self.get()->getParentOp());
                   })
      .def_prop_ro("terminator", getTerminator)
      .def("add_argument", addArgument, "type"_a, "location"_a = nb::none())
      .def("__iter__",
           [](const BlockHandle &self) {
             return nb::iter(nb::cast(getOperations(self)));
           })
      .def("__len__",
           [](const BlockHandle &self) {
             return self.get()->getOperations().size();
           })
      .def("__str__", [](const BlockHandle &self) {
        std::string text;
        llvm::raw_string_ostream stream(text);
        self.get()->print(stream);
        return text;
      });
}

void bindRegions(nb::module_ &m) {
  nb::class_<RegionHandle> region(m, "Region");
  nb::class_<BlockHandle> block(m, "Block");
  bindRegion(region);
  bindBlock(block);
}

} // namespace bcr::python
