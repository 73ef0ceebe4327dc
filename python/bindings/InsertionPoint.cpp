//===- InsertionPoint.cpp - Where new operations go -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/InsertionPoint.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"

#include <nanobind/stl/optional.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

/// Insertion points entered with `with`, innermost last.
static thread_local std::vector<InsertionPoint> insertionPoints;

void InsertionPoint::insert(Operation *op) const {
  Block *target = block.get();
  if (before)
    target->getOperations().insert(before->get()->getIterator(), op);
  else
    target->push_back(op);
}

InsertionPoint resolveInsertionPoint(const InsertionPoint *argument) {
  if (argument)
    return *argument;
  if (insertionPoints.empty())
    throw IRException("nowhere to put the operation: pass ip=InsertionPoint("
                      "block) or work inside 'with InsertionPoint(block):'");
  return insertionPoints.back();
}

Operation *requireInBlock(const OperationHandle &handle, const char *what) {
  Operation *op = handle.get();
  if (!op->getBlock())
    throw IRException(std::string("cannot ") + what +
                      " the top-level operation of a module");
  return op;
}

static InsertionPoint makeBefore(const OperationHandle &op) {
  Block *block = requireInBlock(op, "insert beside")->getBlock();
  return {BlockHandle(op.getRoot(), block), op};
}

static InsertionPoint makeAfter(const OperationHandle &op) {
  Operation *operation = requireInBlock(op, "insert beside");
  BlockHandle block(op.getRoot(), operation->getBlock());
  if (Operation *next = operation->getNextNode())
    return {block, OperationHandle(op.getRoot(), next)};
  return {block, std::nullopt};
}

static InsertionPoint makeAtBegin(const BlockHandle &block) {
  Block *target = block.get();
  if (target->empty())
    return {block, std::nullopt};
  return {block, OperationHandle(block.getRoot(), &target->front())};
}

static InsertionPoint makeAtTerminator(const BlockHandle &block) {
  Block *target = block.get();
  if (target->empty() || !target->back().hasTrait<OpTrait::IsTerminator>())
    throw IRException("the block has no terminator to insert before: use "
                      "InsertionPoint(block)");
  return {block, OperationHandle(block.getRoot(), &target->back())};
}

void bindInsertionPoint(nb::module_ &m) {
  nb::class_<InsertionPoint>(m, "InsertionPoint")
      .def("__init__",
           [](InsertionPoint *self, const BlockHandle &block) {
             block.get();
             new (self) InsertionPoint{block, std::nullopt};
           })
      .def("__init__",
           [](InsertionPoint *self, const OperationHandle &before) {
             new (self) InsertionPoint(makeBefore(before));
           })
      .def_static("after", makeAfter, "operation"_a)
      .def_static("at_block_begin", makeAtBegin, "block"_a)
      .def_static("at_block_terminator", makeAtTerminator, "block"_a)
      .def_prop_ro_static("current",
                          [](nb::handle) -> std::optional<InsertionPoint> {
                            if (insertionPoints.empty())
                              return std::nullopt;
                            return insertionPoints.back();
                          })
      .def_prop_ro("block",
                   [](const InsertionPoint &self) { return self.block; })
      .def_prop_ro("before",
                   [](const InsertionPoint &self) { return self.before; })
      .def("__enter__",
           [](const InsertionPoint &self) {
             insertionPoints.push_back(self);
             return self;
           })
      .def(
          "__exit__",
          [](const InsertionPoint &, nb::handle, nb::handle, nb::handle) {
            if (!insertionPoints.empty())
              insertionPoints.pop_back();
          },
          nb::arg().none(), nb::arg().none(), nb::arg().none());
}

} // namespace bcr::python
