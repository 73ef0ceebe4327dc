//===- AttributeMap.cpp - An operation's attributes -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/AttributeMap.h"
#include "python/bindings/Convert.h"

#include "mlir/IR/Operation.h"

#include <nanobind/stl/string.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

void setAttribute(Operation *op, const std::string &name, Attribute value) {
  if (name.empty())
    throw IRException("the name of an attribute is not empty");
  Attribute before = op->getAttr(name);
  op->setAttr(name, value);
  // MLIR silently drops an attribute of the wrong kind.
  if (op->getAttr(name) == value)
    return;
  if (before)
    op->setAttr(name, before);
  std::string text;
  llvm::raw_string_ostream(text)
      << "attribute '" << name << "' of '" << op->getName()
      << "' is of another kind than " << value;
  throw IRException(text);
}

static Attribute find(const AttributeMap &self, const std::string &name) {
  return self.operation.get()->getAttr(name);
}

static AttributeObject get(const AttributeMap &self, const std::string &name) {
  Attribute attribute = find(self, name);
  if (!attribute)
    throw nb::key_error(name.c_str());
  return {self.operation.getRoot()->context, attribute};
}

static nb::list getNames(const AttributeMap &self) {
  nb::list names;
  for (NamedAttribute entry : self.operation.get()->getAttrDictionary())
    names.append(entry.getName().str());
  return names;
}

static nb::list getItems(const AttributeMap &self) {
  nb::list items;
  for (NamedAttribute entry : self.operation.get()->getAttrDictionary())
    items.append(nb::make_tuple(
        entry.getName().str(),
        AttributeObject{self.operation.getRoot()->context, entry.getValue()}));
  return items;
}

static void bindReading(nb::class_<AttributeMap> &type) {
  type.def("__getitem__", get, "name"_a)
      .def(
          "get",
          [](const AttributeMap &self, const std::string &name,
             nb::object fallback) {
            Attribute attribute = find(self, name);
            if (!attribute)
              return fallback;
            return nb::cast(
                AttributeObject{self.operation.getRoot()->context, attribute});
          },
          "name"_a, "default"_a = nb::none())
      .def("__contains__",
           [](const AttributeMap &self, const std::string &name) {
             return bool(find(self, name));
           })
      .def("__iter__",
           [](const AttributeMap &self) { return nb::iter(getNames(self)); })
      .def("__len__",
           [](const AttributeMap &self) { return getNames(self).size(); })
      .def("keys", getNames)
      .def("items", getItems)
      .def("to_python", [](const AttributeMap &self) {
        return toPython(self.operation.getRoot()->context,
                        self.operation.get()->getAttrDictionary());
      });
}

static void bindWriting(nb::class_<AttributeMap> &type) {
  type.def(
          "__setitem__",
          [](const AttributeMap &self, const std::string &name,
             nb::handle value) {
            Operation *op = self.operation.get();
            setAttribute(op, name,
                         fromPython(self.operation.getRoot()->context, value));
          },
          "name"_a, "value"_a.none())
      .def(
          "__delitem__",
          [](const AttributeMap &self, const std::string &name) {
            if (!self.operation.get()->removeAttr(name))
              throw nb::key_error(name.c_str());
          },
          "name"_a);
}

void bindAttributeMap(nb::module_ &m) {
  nb::class_<AttributeMap> type(m, "AttributeMap");
  bindReading(type);
  bindWriting(type);
}

} // namespace bcr::python
