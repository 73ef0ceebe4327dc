//===- Contexts.cpp - bcr.ir.Context and Location -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Printing.h"
#include "python/bindings/State.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

/// Contexts entered with `with`, innermost last.
static thread_local std::vector<ContextRef> contextStack;

ContextRef resolveContext(const ContextObject *argument) {
  if (argument) {
    requireIdle(argument->state);
    return argument->state;
  }
  if (contextStack.empty())
    throw IRException("no bcr.ir.Context: pass context=... or work inside "
                      "'with bcr.ir.Context():'");
  requireIdle(contextStack.back());
  return contextStack.back();
}

ContextRef resolveOrCreateContext(const ContextObject *argument) {
  if (!argument && contextStack.empty())
    return std::make_shared<ContextState>();
  return resolveContext(argument);
}

static void bindContext(nb::module_ &m) {
  nb::class_<ContextObject>(m, "Context")
      .def(
          "__init__",
          [](ContextObject *self, bool allowUnregisteredDialects) {
            ContextRef state = std::make_shared<ContextState>();
            state->context.allowUnregisteredDialects(allowUnregisteredDialects);
            new (self) ContextObject{std::move(state)};
          },
          nb::kw_only(), "allow_unregistered_dialects"_a = false)
      .def_prop_rw(
          "allow_unregistered_dialects",
          [](const ContextObject &self) {
            return self.state->context.allowsUnregisteredDialects();
          },
          [](ContextObject &self, bool allow) {
            requireIdle(self.state);
            self.state->context.allowUnregisteredDialects(allow);
          })
      .def_prop_ro_static("current",
                          [](nb::handle) -> std::optional<ContextObject> {
                            if (contextStack.empty())
                              return std::nullopt;
                            return ContextObject{contextStack.back()};
                          })
      .def("__enter__",
           [](ContextObject &self) {
             contextStack.push_back(self.state);
             return self;
           })
      .def(
          "__exit__",
          [](ContextObject &self, nb::handle, nb::handle, nb::handle) {
            if (contextStack.empty() || contextStack.back() != self.state)
              throw IRException("contexts are left in another order than they "
                                "were entered");
            contextStack.pop_back();
          },
          nb::arg().none(), nb::arg().none(), nb::arg().none())
      .def("__eq__",
           [](const ContextObject &self, nb::handle other) {
             return nb::isinstance<ContextObject>(other) &&
                    nb::cast<ContextObject &>(other).state == self.state;
           })
      .def("__hash__", [](const ContextObject &self) {
        return std::hash<ContextRef>()(self.state);
      });
}

static void bindLocation(nb::module_ &m) {
  nb::class_<LocationObject>(m, "Location")
      .def_static(
          "unknown",
          [](const ContextObject *context) {
            ContextRef state = resolveContext(context);
            return LocationObject{state, UnknownLoc::get(&state->context)};
          },
          "context"_a = nb::none())
      .def_static(
          "file",
          [](const std::string &filename, unsigned line, unsigned column,
             const ContextObject *context) {
            ContextRef state = resolveContext(context);
            return LocationObject{
                state,
                FileLineColLoc::get(&state->context, filename, line, column)};
          },
          "filename"_a, "line"_a, "column"_a, "context"_a = nb::none())
      .def_static(
          "name",
          [](const std::string &name, const LocationObject *child,
             const ContextObject *context) {
            if (child) {
              requireIdle(child->context);
              return LocationObject{
                  child->context,
                  NameLoc::get(StringAttr::get(&child->context->context, name),
                               child->value)};
            }
            ContextRef state = resolveContext(context);
            return LocationObject{
                state, NameLoc::get(StringAttr::get(&state->context, name))};
          },
          "name"_a, "child"_a = nb::none(), "context"_a = nb::none())
      .def_prop_ro("context",
                   [](const LocationObject &self) {
                     return ContextObject{self.context};
                   })
      .def("__eq__",
           [](const LocationObject &self, nb::handle other) {
             return nb::isinstance<LocationObject>(other) &&
                    nb::cast<LocationObject &>(other).value == self.value;
           })
      .def("__hash__",
           [](const LocationObject &self) {
             return std::hash<const void *>()(self.value.getAsOpaquePointer());
           })
      .def("__str__", [](const LocationObject &self) {
        requireIdle(self.context);
        return printLocation(self.value);
      });
}

void bindContexts(nb::module_ &m) {
  bindContext(m);
  bindLocation(m);
}

} // namespace bcr::python
