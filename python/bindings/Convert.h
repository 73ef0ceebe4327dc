//===- Convert.h - Attributes to and from Python values --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_CONVERT_H
#define BCR_PYTHON_CONVERT_H

#include "python/bindings/State.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace bcr::python {

/// The Python value of an attribute, or the attribute itself where Python has
/// none. Elements become a NumPy array of their own.
nb::object toPython(const ContextRef &context, mlir::Attribute attribute);

/// The attribute of a Python value: bool, int (i64), float (f64), str, list,
/// dict, None (unit), NumPy array, Type, or an attribute as it is.
mlir::Attribute fromPython(const ContextRef &context, nb::handle value);

/// The NumPy name of an element type (bf16 and 8-bit floats as unsigned bits),
/// or null if NumPy has none.
const char *getNumPyType(mlir::Type elementType);

/// A buffer of Python's buffer protocol, held until destroyed.
class PinnedBuffer {
public:
  /// Raises an IRError naming `what` unless the object has a C-contiguous,
  /// aligned buffer (writable if asked).
  PinnedBuffer(nb::handle object, const std::string &what, bool writable);
  PinnedBuffer(const PinnedBuffer &) = delete;
  /// Takes the interpreter lock.
  ~PinnedBuffer();

  char *getData() const { return static_cast<char *>(view.buf); }
  size_t getSize() const { return static_cast<size_t>(view.len); }
  size_t getItemSize() const { return static_cast<size_t>(view.itemsize); }
  std::vector<int64_t> getShape() const;
  /// Kind of an element as NumPy writes it: "f4", "i8", "u2", "b1", "c8"; empty
  /// if it has no such kind.
  std::string getElementKind() const;

private:
  Py_buffer view;
};

/// Raises an IRError naming `what` unless the buffer holds the elements of
/// `type`. Types that NumPy lacks (bf16) are taken as unsigned bits.
void requireElements(const PinnedBuffer &buffer, mlir::ShapedType type,
                     const std::string &what);

} // namespace bcr::python

#endif // BCR_PYTHON_CONVERT_H
