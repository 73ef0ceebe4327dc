//===- Attributes.cpp - bcr.ir.Attribute and Type -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Convert.h"
#include "python/bindings/Nesting.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/BuiltinTypes.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

template <typename T> static std::string print(const InContext<T> &object) {
  requireIdle(object.context);
  std::string text;
  llvm::raw_string_ostream stream(text);
  object.value.print(stream);
  return text;
}

template <typename T>
static void bindUniqued(nb::class_<InContext<T>> &type, const char *name) {
  std::string repr = name;
  type.def_prop_ro(
          "context",
          [](const InContext<T> &self) { return ContextObject{self.context}; })
      .def("__eq__",
           [](const InContext<T> &self, nb::handle other) {
             return nb::isinstance<InContext<T>>(other) &&
                    nb::cast<InContext<T> &>(other).value == self.value;
           })
      .def("__hash__",
           [](const InContext<T> &self) {
             return std::hash<const void *>()(self.value.getAsOpaquePointer());
           })
      .def("__str__", print<T>)
      .def("__repr__", [repr](const InContext<T> &self) {
        return repr + "(" + print(self) + ")";
      });
}

static AttributeObject parseAttributeText(const std::string &text,
                                          const ContextObject *context) {
  ContextRef state = resolveContext(context);
  DiagnosticCapture diagnostics(&state->context);
  requireShallow(text);
  Attribute attribute = parseAttribute(text, &state->context);
  if (!attribute)
    diagnostics.raise("cannot parse the attribute '" + text + "'");
  return {state, attribute};
}

static AttributeObject makeDenseArray(const nb::list &values,
                                      const std::string &elementType,
                                      const ContextObject *context) {
  ContextRef state = resolveContext(context);
  MLIRContext *mlirContext = &state->context;
  Attribute attribute;
  if (elementType == "i1")
    attribute = DenseBoolArrayAttr::get(
        mlirContext,
        SmallVector<bool>(llvm::map_range(nb::cast<std::vector<bool>>(values),
                                          [](bool value) { return value; })));
  else if (elementType == "i8")
    attribute = DenseI8ArrayAttr::get(mlirContext,
                                      nb::cast<std::vector<int8_t>>(values));
  else if (elementType == "i16")
    attribute = DenseI16ArrayAttr::get(mlirContext,
                                       nb::cast<std::vector<int16_t>>(values));
  else if (elementType == "i32")
    attribute = DenseI32ArrayAttr::get(mlirContext,
                                       nb::cast<std::vector<int32_t>>(values));
  else if (elementType == "i64")
    attribute = DenseI64ArrayAttr::get(mlirContext,
                                       nb::cast<std::vector<int64_t>>(values));
  else if (elementType == "f32")
    attribute = DenseF32ArrayAttr::get(mlirContext,
                                       nb::cast<std::vector<float>>(values));
  else if (elementType == "f64")
    attribute = DenseF64ArrayAttr::get(mlirContext,
                                       nb::cast<std::vector<double>>(values));
  else
    throw IRException("no dense array of '" + elementType +
                      "': use i1, i8, i16, i32, i64, f32 or f64");
  return {state, attribute};
}

static void bindAttribute(nb::class_<AttributeObject> &type) {
  bindUniqued(type, "Attribute");
  type.def_static("parse", parseAttributeText, "text"_a,
                  "context"_a = nb::none())
      .def_static(
          "from_python",
          [](nb::handle value, const ContextObject *context) {
            ContextRef state = resolveContext(context);
            return AttributeObject{state, fromPython(state, value)};
          },
          "value"_a.none(), "context"_a = nb::none())
      .def_static("dense_array", makeDenseArray, "values"_a,
                  "element_type"_a = "i64", "context"_a = nb::none())
      .def("to_python",
           [](const AttributeObject &self) {
             requireIdle(self.context);
             return toPython(self.context, self.value);
           })
      .def_prop_ro(
          "type", [](const AttributeObject &self) -> std::optional<TypeObject> {
            if (auto typed = dyn_cast<TypedAttr>(self.value))
              return TypeObject{self.context, typed.getType()};
            return std::nullopt;
          });
}

static TypeObject parseTypeText(const std::string &text,
                                const ContextObject *context) {
  ContextRef state = resolveContext(context);
  DiagnosticCapture diagnostics(&state->context);
  requireShallow(text);
  Type type = parseType(text, &state->context);
  if (!type)
    diagnostics.raise("cannot parse the type '" + text + "'");
  return {state, type};
}

static void bindType(nb::class_<TypeObject> &type) {
  bindUniqued(type, "Type");
  type.def_static("parse", parseTypeText, "text"_a, "context"_a = nb::none())
      .def_prop_ro(
          "shape",
          [](const TypeObject &self) -> std::optional<std::vector<int64_t>> {
            auto shaped = dyn_cast<ShapedType>(self.value);
            if (!shaped || !shaped.hasRank())
              return std::nullopt;
            std::vector<int64_t> shape;
            for (int64_t size : shaped.getShape())
              shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
            return shape;
          })
      .def_prop_ro("element_type",
                   [](const TypeObject &self) -> std::optional<TypeObject> {
                     if (auto shaped = dyn_cast<ShapedType>(self.value))
                       return TypeObject{self.context, shaped.getElementType()};
                     return std::nullopt;
                   });
}

void bindAttributes(nb::module_ &m) {
  // Both names exist before either's methods mention them.
  nb::class_<AttributeObject> attribute(m, "Attribute");
  nb::class_<TypeObject> type(m, "Type");
  bindAttribute(attribute);
  bindType(type);
}

} // namespace bcr::python
