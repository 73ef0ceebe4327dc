//===- Values.cpp - bcr.ir.Value and Use ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/State.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Operation.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

namespace {
/// An operand that a value is.
struct Use {
  OperationHandle owner;
  unsigned operandNumber;
};
} // namespace

static nb::object getOwner(const ValueHandle &self) {
  Value value = self.get();
  if (auto argument = dyn_cast<BlockArgument>(value))
    return nb::cast(BlockHandle(self.getRoot(), argument.getOwner()));
  return nb::cast(OperationHandle(self.getRoot(), value.getDefiningOp()));
}

static unsigned getIndex(const ValueHandle &self) {
  Value value = self.get();
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber();
  return cast<OpResult>(value).getResultNumber();
}

static std::vector<Use> getUses(const ValueHandle &self) {
  std::vector<Use> uses;
  for (OpOperand &use : self.get().getUses())
    uses.push_back({OperationHandle(self.getRoot(), use.getOwner()),
                    use.getOperandNumber()});
  return uses;
}

static void replaceAllUses(const ValueHandle &self, const ValueHandle &with) {
  if (self.getRoot() != with.getRoot())
    throw IRException("the new value belongs to another module");
  Value value = self.get(), replacement = with.get();
  if (value.getType() != replacement.getType()) {
    std::string text;
    llvm::raw_string_ostream(text)
        << "a value of type " << value.getType()
        << " cannot be replaced by one of type " << replacement.getType();
    throw IRException(text);
  }
  value.replaceAllUsesWith(replacement);
}

static std::string getName(const ValueHandle &self) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  self.get().printAsOperand(stream, OpPrintingFlags());
  return text;
}

void bindValues(nb::module_ &m) {
  nb::class_<ValueHandle>(m, "Value")
      .def_prop_ro("type",
                   [](const ValueHandle &self) {
                     return TypeObject{self.getRoot()->context,
                                       self.get().getType()};
                   })
      .def_prop_ro("owner", getOwner)
      .def_prop_ro("index", getIndex)
      .def_prop_ro("is_block_argument",
                   [](const ValueHandle &self) {
                     return isa<BlockArgument>(self.get());
                   })
      .def_prop_ro("uses", getUses)
      .def_prop_ro("location",
                   [](const ValueHandle &self) {
                     return LocationObject{self.getRoot()->context,
                                           self.get().getLoc()};
                   })
      .def("get_name", getName)
      .def("replace_all_uses_with", replaceAllUses, "value"_a)
      .def("__eq__",
           [](const ValueHandle &self, nb::handle other) {
             return nb::isinstance<ValueHandle>(other) &&
                    nb::cast<ValueHandle &>(other) == self;
           })
      .def("__hash__",
           [](const ValueHandle &self) {
             return std::hash<const void *>()(self.getAddress());
           })
      .def("__str__", [](const ValueHandle &self) {
        std::string text;
        llvm::raw_string_ostream stream(text);
        self.get().print(stream);
        return text;
      });
  nb::class_<Use>(m, "Use")
      .def_ro("owner", &Use::owner)
      .def_ro("operand_number", &Use::operandNumber);
}

} // namespace bcr::python
