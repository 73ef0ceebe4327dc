//===- PrintMethods.h - Text of what has an operation ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_PRINTMETHODS_H
#define BCR_PYTHON_PRINTMETHODS_H

#include "python/bindings/Printing.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

namespace bcr::python {

/// Binds `get_asm` and `__str__` of what has an operation to `get()`.
template <typename T> void bindPrinting(nanobind::class_<T> &type) {
  using namespace nanobind::literals;
  type.def(
          "get_asm",
          [](const T &self, std::optional<int64_t> elements,
             std::optional<int64_t> resources, bool debugInfo, bool generic) {
            return printOperation(self.get(),
                                  {elements, resources ? resources : elements,
                                   debugInfo, generic});
          },
          nanobind::kw_only(), "large_elements_limit"_a = nanobind::none(),
          "large_resource_limit"_a = nanobind::none(),
          "enable_debug_info"_a = false, "print_generic_op_form"_a = false)
      .def("__str__", [](const T &self) {
        return printOperation(self.get(), PrintOptions());
      });
}

} // namespace bcr::python

#endif // BCR_PYTHON_PRINTMETHODS_H
