//===- Buffers.cpp - NumPy arrays as raw memory ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Convert.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace bcr::python {

PinnedBuffer::PinnedBuffer(nb::handle object, const std::string &what,
                           bool writable) {
  int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT;
  if (writable)
    flags |= PyBUF_WRITABLE;
  if (PyObject_GetBuffer(object.ptr(), &view, flags) != 0) {
    PyErr_Clear();
    throw IRException(what + (writable
                                  ? ": needs a writable C-contiguous array"
                                  : ": needs a C-contiguous array "
                                    "(numpy.ascontiguousarray makes one)"));
  }
  // Complex numbers are aligned like their parts; nothing asks for more than 8.
  uintptr_t alignment = std::min<Py_ssize_t>(view.itemsize, 8);
  if (alignment && reinterpret_cast<uintptr_t>(view.buf) % alignment) {
    PyBuffer_Release(&view);
    throw IRException(what + ": the array's data is not aligned to its "
                             "elements: copy it first");
  }
}

PinnedBuffer::~PinnedBuffer() {
  // A context that a thread had entered goes after the interpreter, which took
  // the array with it.
  if (!Py_IsInitialized())
    return;
  nb::gil_scoped_acquire lock;
  PyBuffer_Release(&view);
}

std::vector<int64_t> PinnedBuffer::getShape() const {
  return std::vector<int64_t>(view.shape, view.shape + view.ndim);
}

std::string PinnedBuffer::getElementKind() const {
  std::string format = view.format ? view.format : "B";
  if (!format.empty() && (format[0] == '@' || format[0] == '='))
    format.erase(0, 1);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (!format.empty() && format[0] == '<')
    format.erase(0, 1);
#endif
  std::string size = std::to_string(view.itemsize);
  if (format == "?")
    return "b" + size;
  if (format == "Zf" || format == "Zd")
    return "c" + size;
  if (format.size() != 1)
    return "";
  if (StringRef("efd").contains(format[0]))
    return "f" + size;
  if (StringRef("bhilq").contains(format[0]))
    return "i" + size;
  if (StringRef("BHILQ").contains(format[0]))
    return "u" + size;
  return "";
}

static std::string print(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

void requireElements(const PinnedBuffer &buffer, ShapedType type,
                     const std::string &what) {
  const char *expected = getNumPyType(type.getElementType());
  if (!expected)
    throw IRException(what + ": no array can hold elements of " +
                      print(type.getElementType()));
  std::string kind = buffer.getElementKind();
  // Signs are how the elements are read, not what is stored.
  bool sameKind =
      kind == expected ||
      (expected[0] == 'i' && kind == "u" + StringRef(expected + 1).str()) ||
      (expected[0] == 'u' && kind == "i" + StringRef(expected + 1).str()) ||
      (StringRef(expected) == "b1" && kind == "u1");
  if (!sameKind)
    throw IRException(what + " is " + print(type) +
                      " and needs an array of dtype " + expected + ", not " +
                      (kind.empty() ? "this one" : kind));
  if (!type.hasStaticShape() ||
      ArrayRef<int64_t>(buffer.getShape()) != type.getShape()) {
    std::string shape;
    llvm::raw_string_ostream stream(shape);
    llvm::interleave(buffer.getShape(), stream, ", ");
    throw IRException(what + " is " + print(type) +
                      " and cannot take an array of shape (" + shape + ")");
  }
}

} // namespace bcr::python
