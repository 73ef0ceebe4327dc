//===- Convert.cpp - Attributes to and from Python values -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Convert.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/StringExtras.h"

#include <nanobind/stl/string.h>

using namespace mlir;

namespace bcr::python {

//===----------------------------------------------------------------------===//
// To Python
//===----------------------------------------------------------------------===//

const char *getNumPyType(Type type) {
  if (type.isIndex())
    return "i8";
  if (auto integer = dyn_cast<IntegerType>(type)) {
    switch (integer.getWidth()) {
    case 1:
      return "b1";
    case 8:
      return integer.isUnsigned() ? "u1" : "i1";
    case 16:
      return integer.isUnsigned() ? "u2" : "i2";
    case 32:
      return integer.isUnsigned() ? "u4" : "i4";
    case 64:
      return integer.isUnsigned() ? "u8" : "i8";
    }
    return nullptr;
  }
  if (type.isF16())
    return "f2";
  if (type.isF32())
    return "f4";
  if (type.isF64())
    return "f8";
  if (type.isBF16())
    return "u2";
  if (isa<FloatType>(type) && type.getIntOrFloatBitWidth() == 8)
    return "u1";
  if (auto complex = dyn_cast<ComplexType>(type)) {
    if (complex.getElementType().isF32())
      return "c8";
    if (complex.getElementType().isF64())
      return "c16";
  }
  return nullptr;
}

static nb::object toPythonInteger(const APInt &value, bool isSigned) {
  SmallString<40> digits;
  value.toString(digits, 10, isSigned);
  return nb::steal(PyLong_FromString(digits.c_str(), nullptr, 10));
}

/// Strings of MLIR are bytes; what is no UTF-8 comes out as Python's file names
/// do.
static nb::object toPythonString(StringRef value) {
  return nb::steal(
      PyUnicode_DecodeUTF8(value.data(), value.size(), "surrogateescape"));
}

static nb::object makeArray(ShapedType type, const char *dtype) {
  nb::list shape;
  for (int64_t size : type.getShape())
    shape.append(size);
  return nb::module_::import_("numpy").attr("empty")(nb::tuple(shape), dtype);
}

/// `data` has every element, or one that stands for all.
static nb::object copyElements(ShapedType type, const char *dtype,
                               ArrayRef<char> data) {
  nb::object array = makeArray(type, dtype);
  PinnedBuffer buffer(array, "array", /*writable=*/true);
  if (data.empty() && buffer.getSize() > 0)
    return nb::none();
  if (data.size() == buffer.getSize()) {
    std::copy(data.begin(), data.end(), buffer.getData());
    return array;
  }
  for (size_t offset = 0; offset + data.size() <= buffer.getSize();
       offset += data.size())
    std::copy(data.begin(), data.end(), buffer.getData() + offset);
  return array;
}

static nb::object toPythonElements(const ContextRef &context,
                                   ElementsAttr attribute) {
  ShapedType type = attribute.getShapedType();
  const char *dtype = getNumPyType(type.getElementType());
  if (dtype && type.hasStaticShape()) {
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
      AsmResourceBlob *blob = resource.getRawHandle().getBlob();
      if (!blob)
        throw IRException("dense_resource<" +
                          resource.getRawHandle().getKey().str() +
                          "> has no data: attach an array with "
                          "Module.set_resource");
      return copyElements(type, dtype, blob->getData());
    }
    if (auto dense = dyn_cast<DenseIntOrFPElementsAttr>(attribute)) {
      // Bits of i1 are packed differently from MLIR to MLIR: read them one
      // by one.
      if (type.getElementType().isInteger(1)) {
        SmallVector<char> bytes;
        for (bool value : dense.getValues<bool>())
          bytes.push_back(value);
        return copyElements(type, dtype, bytes);
      }
      return copyElements(type, dtype, dense.getRawData());
    }
  }
  return nb::cast(AttributeObject{context, attribute});
}

template <typename ArrayT> static nb::object toList(ArrayT array) {
  nb::list list;
  for (auto value : array.asArrayRef())
    list.append(value);
  return list;
}

nb::object toPython(const ContextRef &context, Attribute attribute) {
  if (isa<UnitAttr>(attribute))
    return nb::bool_(true);
  if (auto boolean = dyn_cast<BoolAttr>(attribute))
    return nb::bool_(boolean.getValue());
  if (auto integer = dyn_cast<IntegerAttr>(attribute))
    return toPythonInteger(integer.getValue(),
                           !integer.getType().isUnsignedInteger());
  if (auto number = dyn_cast<FloatAttr>(attribute))
    return nb::float_(number.getValueAsDouble());
  if (auto string = dyn_cast<StringAttr>(attribute))
    return toPythonString(string.getValue());
  if (auto symbol = dyn_cast<SymbolRefAttr>(attribute)) {
    std::string path = symbol.getRootReference().str();
    for (FlatSymbolRefAttr nested : symbol.getNestedReferences())
      path += "::" + nested.getValue().str();
    return nb::cast(path);
  }
  if (auto type = dyn_cast<TypeAttr>(attribute))
    return nb::cast(TypeObject{context, type.getValue()});
  if (auto array = dyn_cast<ArrayAttr>(attribute)) {
    nb::list list;
    for (Attribute element : array)
      list.append(toPython(context, element));
    return list;
  }
  if (auto dictionary = dyn_cast<DictionaryAttr>(attribute)) {
    nb::dict dict;
    for (NamedAttribute entry : dictionary)
      dict[nb::cast(entry.getName().str())] =
          toPython(context, entry.getValue());
    return dict;
  }
  if (auto array = dyn_cast<DenseBoolArrayAttr>(attribute))
    return toList(array);
  if (auto array = dyn_cast<DenseI8ArrayAttr>(attribute)) {
    nb::list list;
    for (int8_t value : array.asArrayRef())
      list.append(static_cast<int>(value));
    return list;
  }
  if (auto array = dyn_cast<DenseI16ArrayAttr>(attribute))
    return toList(array);
  if (auto array = dyn_cast<DenseI32ArrayAttr>(attribute))
    return toList(array);
  if (auto array = dyn_cast<DenseI64ArrayAttr>(attribute))
    return toList(array);
  if (auto array = dyn_cast<DenseF32ArrayAttr>(attribute))
    return toList(array);
  if (auto array = dyn_cast<DenseF64ArrayAttr>(attribute))
    return toList(array);
  if (auto elements = dyn_cast<ElementsAttr>(attribute))
    return toPythonElements(context, elements);
  return nb::cast(AttributeObject{context, attribute});
}

//===----------------------------------------------------------------------===//
// From Python
//===----------------------------------------------------------------------===//

static Type getElementType(Builder &builder, StringRef kind) {
  if (kind == "b1")
    return builder.getI1Type();
  if (kind == "f2")
    return builder.getF16Type();
  if (kind == "f4")
    return builder.getF32Type();
  if (kind == "f8")
    return builder.getF64Type();
  unsigned bytes = 0;
  if (kind.empty() || kind.drop_front().getAsInteger(10, bytes))
    return {};
  if (kind[0] == 'i')
    return builder.getIntegerType(bytes * 8);
  if (kind[0] == 'u')
    return builder.getIntegerType(bytes * 8, /*isSigned=*/false);
  if (kind == "c8")
    return ComplexType::get(builder.getF32Type());
  if (kind == "c16")
    return ComplexType::get(builder.getF64Type());
  return {};
}

static Attribute fromArray(const ContextRef &context, nb::handle value) {
  PinnedBuffer buffer(value, "the attribute", /*writable=*/false);
  Builder builder(&context->context);
  Type elementType = getElementType(builder, buffer.getElementKind());
  if (!elementType)
    throw IRException("no attribute holds elements of this array's dtype");
  auto type = RankedTensorType::get(buffer.getShape(), elementType);
  if (elementType.isInteger(1))
    return DenseElementsAttr::get(
        type, ArrayRef<bool>(reinterpret_cast<const bool *>(buffer.getData()),
                             buffer.getSize()));
  return DenseElementsAttr::getFromRawBuffer(
      type, ArrayRef<char>(buffer.getData(), buffer.getSize()));
}

static Attribute fromSequence(const ContextRef &context, nb::handle value) {
  SmallVector<Attribute> elements;
  for (nb::handle element : value)
    elements.push_back(fromPython(context, element));
  return ArrayAttr::get(&context->context, elements);
}

static Attribute fromDict(const ContextRef &context, nb::handle value) {
  NamedAttrList entries;
  for (auto [key, element] : nb::borrow<nb::dict>(value)) {
    if (!nb::isinstance<nb::str>(key))
      throw IRException("keys of a dictionary attribute are strings");
    std::string name = nb::cast<std::string>(key);
    if (name.empty())
      throw IRException("keys of a dictionary attribute are not empty");
    entries.set(name, fromPython(context, element));
  }
  return entries.getDictionary(&context->context);
}

static Attribute fromInteger(Builder &builder, nb::handle value) {
  int overflow = 0;
  long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow)
    throw IRException("an int of more than 64 bits needs Attribute.parse with "
                      "a type");
  return builder.getI64IntegerAttr(number);
}

namespace {
/// Counts a level of Python's recursion limit: lists may hold themselves.
class RecursionLevel {
public:
  RecursionLevel() {
    if (Py_EnterRecursiveCall(" while making an attribute"))
      throw nb::python_error();
  }
  ~RecursionLevel() { Py_LeaveRecursiveCall(); }
};
} // namespace

Attribute fromPython(const ContextRef &context, nb::handle value) {
  RecursionLevel level;
  Builder builder(&context->context);
  if (nb::isinstance<AttributeObject>(value)) {
    auto &object = nb::cast<AttributeObject &>(value);
    requireSameContext(context, object.context, "the attribute");
    return object.value;
  }
  if (nb::isinstance<TypeObject>(value)) {
    auto &object = nb::cast<TypeObject &>(value);
    requireSameContext(context, object.context, "the type");
    return TypeAttr::get(object.value);
  }
  if (value.is_none())
    return builder.getUnitAttr();
  if (PyBool_Check(value.ptr()))
    return builder.getBoolAttr(value.ptr() == Py_True);
  if (PyLong_Check(value.ptr()))
    return fromInteger(builder, value);
  if (PyFloat_Check(value.ptr()))
    return builder.getF64FloatAttr(PyFloat_AsDouble(value.ptr()));
  if (PyUnicode_Check(value.ptr()))
    return builder.getStringAttr(nb::cast<std::string>(value));
  if (PyDict_Check(value.ptr()))
    return fromDict(context, value);
  if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr()))
    return fromSequence(context, value);
  if (PyObject_CheckBuffer(value.ptr()))
    return fromArray(context, value);
  throw IRException(
      "no attribute for a value of type " +
      nb::cast<std::string>(nb::str(value.type().attr("__name__"))) +
      ": use an Attribute, bool, int, float, str, list, dict, "
      "None, Type or NumPy array");
}

} // namespace bcr::python
