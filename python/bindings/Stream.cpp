//===- Stream.cpp - The Python extension bcr._stream ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A frame of a small recurrent network takes a few microseconds, and its
// weights drive whatever Python needs for a call out of the caches of the core.
// So a call that is like the one before goes from the interpreter to the
// compiled code without a line of Python. Knows neither MLIR nor LLVM: a model
// that was saved streams without a compiler.
//
//===----------------------------------------------------------------------===//

#include "DirectCall.h"
#include "Entry.h"

#include <nanobind/nanobind.h>

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL bcr_stream_numpy
#include <numpy/arrayobject.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

namespace nb = nanobind;
using namespace nanobind::literals;

namespace {
/// Memory of the stream that an input is copied to. NumPy's own structure is
/// read and no buffer asked for, which makes a text of the element type.
class Memory {
public:
  explicit Memory(nb::handle memory) : owner(nb::borrow(memory)) {
    if (!PyArray_CheckExact(memory.ptr()))
      throw nb::type_error("the memory of an input is a numpy.ndarray");
  }

  /// Copies an array of the same element type and shape, in C order; returns
  /// false if it is no such.
  bool copy(PyObject *value) const {
    if (!PyArray_CheckExact(value))
      return false;
    auto *own = reinterpret_cast<PyArrayObject *>(owner.ptr());
    auto *given = reinterpret_cast<PyArrayObject *>(value);
    int rank = PyArray_NDIM(own);
    if (PyArray_DESCR(given) != PyArray_DESCR(own) ||
        PyArray_NDIM(given) != rank || !PyArray_IS_C_CONTIGUOUS(given) ||
        !std::equal(PyArray_DIMS(own), PyArray_DIMS(own) + rank,
                    PyArray_DIMS(given)))
      return false;
    std::memcpy(PyArray_DATA(own), PyArray_DATA(given), PyArray_NBYTES(own));
    return true;
  }

private:
  nb::object owner;
};

/// What a call of one phase passes to the compiled code.
struct Arguments {
  Entry entry = nullptr;
  const void *const *inputs = nullptr;
  void *const *outputs = nullptr;
  const void *weights = nullptr;
  void *workspace = nullptr;
  const int64_t *dims = nullptr;
  nb::object result;
};

class Repeater {
public:
  /// `arrays` has one item for each input: memory for it, or None.
  explicit Repeater(const nb::sequence &arrays) {
    for (nb::handle array : arrays)
      if (array.is_none())
        complete = false;
      else
        memories.emplace_back(array);
  }

  void keep(uintptr_t entry, uintptr_t inputs, uintptr_t outputs,
            uintptr_t weights, uintptr_t workspace, uintptr_t dims,
            nb::object result) {
    if (!complete)
      return;
    kept[phase] = {reinterpret_cast<Entry>(entry),
                   reinterpret_cast<const void *const *>(inputs),
                   reinterpret_cast<void *const *>(outputs),
                   reinterpret_cast<const void *>(weights),
                   reinterpret_cast<void *>(workspace),
                   reinterpret_cast<const int64_t *>(dims),
                   std::move(result)};
  }
  void forget() { kept[phase] = Arguments(); }
  int getPhase() const { return phase; }
  void swap() { phase ^= 1; }

  void acquire() {
    if (mutex.try_lock())
      return;
    // Who holds it needs the interpreter to go on.
    nb::gil_scoped_release released;
    mutex.lock();
  }
  void release() { mutex.unlock(); }

  /// Calls as before with other inputs; returns false if this is not possible.
  /// `code` becomes what the compiled code returned.
  bool repeat(PyObject *inputs, PyObject *named, int32_t &code) {
    const Arguments &call = kept[phase];
    auto count = static_cast<Py_ssize_t>(memories.size());
    if (!call.entry || (named && PyDict_GET_SIZE(named) > 0) ||
        PyTuple_GET_SIZE(inputs) != count)
      return false;
    for (Py_ssize_t i = 0; i < count; ++i)
      if (!memories[i].copy(PyTuple_GET_ITEM(inputs, i)))
        return false;
    nb::gil_scoped_release released;
    code = call.entry(call.inputs, call.outputs, call.weights, call.workspace,
                      call.dims, /*profile=*/nullptr);
    return true;
  }
  nb::object getResult() const { return kept[phase].result; }

private:
  std::mutex mutex;
  std::vector<Memory> memories;
  bool complete = true;
  int phase = 0;
  Arguments kept[2];
};

/// Holds a stream while it works on a call.
class Turn {
public:
  explicit Turn(Repeater &repeater) : repeater(repeater) { repeater.acquire(); }
  ~Turn() { repeater.release(); }

private:
  Repeater &repeater;
};
} // namespace

static PyObject *call(PyObject *self, PyObject *inputs, PyObject *named) {
  if (!nb::inst_ready(self)) {
    PyErr_SetString(PyExc_TypeError, "the stream is not initialised");
    return nullptr;
  }
  auto &repeater = *nb::inst_ptr<Repeater>(self);
  Turn turn(repeater);
  int32_t code = 0;
  if (!repeater.repeat(inputs, named, code)) {
    PyObject *run = PyObject_GetAttrString(self, "_run");
    PyObject *result = run ? PyObject_Call(run, inputs, named) : nullptr;
    Py_XDECREF(run);
    return result;
  }
  if (code != 0)
    return PyObject_CallMethod(self, "_fail", "i", code);
  PyObject *result = repeater.getResult().release().ptr();
  repeater.swap();
  return result;
}

NB_MODULE(_stream, m) {
  m.doc() = "Calls without Python; use bcr.Executable and bcr.Stream.";
  if (_import_array() < 0)
    throw nb::python_error();
  // A stream that lives as long as the process is no mistake.
  nb::set_leak_warnings(false);
  static PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void *>(call)},
                                {0, nullptr}};
  nb::class_<Repeater>(m, "Repeater", nb::type_slots(slots))
      .def(nb::init<const nb::sequence &>(), "memories"_a)
      .def("_keep", &Repeater::keep, "entry"_a, "inputs"_a, "outputs"_a,
           "weights"_a, "workspace"_a, "dims"_a, "result"_a.none())
      .def("_forget", &Repeater::forget)
      .def("_swap", &Repeater::swap)
      .def("_acquire", &Repeater::acquire)
      .def("_release", &Repeater::release)
      .def_prop_ro("_phase", &Repeater::getPhase);
  addDirectCall(m);
}
