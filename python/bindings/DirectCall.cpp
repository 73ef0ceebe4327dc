//===- DirectCall.cpp - A call with arrays as they are
//---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A network leaves nothing of the interpreter in the caches of the core, so
// each line of Python around a call waits for memory: 80 us beside the 800 of a
// MobileNet-V2 on two threads. A call with arrays that need no conversion takes
// none.
//
//===----------------------------------------------------------------------===//

#include "DirectCall.h"
#include "Entry.h"

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL bcr_stream_numpy
#define NO_IMPORT_ARRAY
#include <numpy/arrayobject.h>

#include <algorithm>
#include <vector>

namespace nb = nanobind;
using namespace nanobind::literals;

namespace {
/// Element type and shape of an input or a result.
class Spec {
public:
  explicit Spec(nb::handle pair)
      : dtype(nb::borrow(pair[0])), shape(nb::cast<nb::tuple>(pair[1])) {
    if (!PyArray_DescrCheck(dtype.ptr()))
      throw nb::type_error("an element type is a numpy.dtype");
    for (nb::handle size : shape)
      dims.push_back(nb::cast<npy_intp>(size));
  }

  /// Whether the compiled code can read the value where it is.
  bool fits(PyObject *value) const {
    if (!PyArray_CheckExact(value))
      return false;
    auto *array = reinterpret_cast<PyArrayObject *>(value);
    return PyArray_DESCR(array) == getDescr() &&
           PyArray_NDIM(array) == getRank() &&
           std::equal(dims.begin(), dims.end(), PyArray_DIMS(array)) &&
           PyArray_IS_C_CONTIGUOUS(array) && PyArray_ISALIGNED(array);
  }
  nb::object makeArray() const {
    Py_INCREF(dtype.ptr());
    PyObject *array = PyArray_Empty(
        getRank(), const_cast<npy_intp *>(dims.data()), getDescr(), 0);
    if (!array)
      throw nb::python_error();
    return nb::steal(array);
  }

private:
  PyArray_Descr *getDescr() const {
    return reinterpret_cast<PyArray_Descr *>(dtype.ptr());
  }
  int getRank() const { return static_cast<int>(dims.size()); }

  nb::object dtype;
  nb::tuple shape;
  std::vector<npy_intp> dims;
};

void *getData(nb::handle array) {
  return PyArray_DATA(reinterpret_cast<PyArrayObject *>(array.ptr()));
}

/// A workspace out of a list, for the time of a call.
class Lease {
public:
  explicit Lease(nb::list &free) : free(free) {
    size_t count = nb::len(free);
    workspace = free[count - 1];
    if (PyList_SetSlice(free.ptr(), static_cast<Py_ssize_t>(count) - 1,
                        static_cast<Py_ssize_t>(count), nullptr) < 0)
      throw nb::python_error();
  }
  ~Lease() {
    // Without room in the list the workspace is lost and made again.
    if (PyList_Append(free.ptr(), workspace.ptr()) < 0)
      PyErr_Clear();
  }
  void *getMemory() const { return getData(workspace); }

private:
  nb::list &free;
  nb::object workspace;
};

class DirectCall {
public:
  DirectCall(uintptr_t entry, uintptr_t weights, nb::list workspaces,
             const nb::sequence &inputSpecs, const nb::sequence &outputSpecs)
      : entry(reinterpret_cast<Entry>(entry)),
        weights(reinterpret_cast<const void *>(weights)),
        workspaces(std::move(workspaces)) {
    for (nb::handle spec : inputSpecs)
      inputs.emplace_back(spec);
    for (nb::handle spec : outputSpecs)
      outputs.emplace_back(spec);
  }

  nb::object call(const nb::tuple &values) {
    if (nb::len(values) != inputs.size() || nb::len(workspaces) == 0)
      return nb::none();
    std::vector<const void *> sources;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].fits(nb::handle(values[i]).ptr()))
        return nb::none();
      sources.push_back(getData(values[i]));
    }
    // Before anything is made: that may run a finaliser, and other threads.
    Lease lease(workspaces);
    nb::list results;
    std::vector<void *> targets;
    for (const Spec &output : outputs) {
      nb::object array = output.makeArray();
      targets.push_back(getData(array));
      results.append(std::move(array));
    }
    int64_t noDims = 0;
    int32_t code;
    {
      nb::gil_scoped_release released;
      code = entry(sources.data(), targets.data(), weights, lease.getMemory(),
                   &noDims, /*profile=*/nullptr);
    }
    if (code != 0)
      return nb::int_(code);
    return results;
  }

private:
  Entry entry;
  const void *weights;
  nb::list workspaces;
  std::vector<Spec> inputs, outputs;
};
} // namespace

void addDirectCall(nb::module_ &module) {
  nb::class_<DirectCall>(module, "DirectCall")
      .def(nb::init<uintptr_t, uintptr_t, nb::list, const nb::sequence &,
                    const nb::sequence &>(),
           "entry"_a, "weights"_a, "workspaces"_a, "inputs"_a, "outputs"_a)
      .def("__call__", &DirectCall::call, "values"_a);
}
