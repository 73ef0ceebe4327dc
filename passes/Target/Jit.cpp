//===- Jit.cpp - Object files in this process -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Target/Machine.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/DynamicLibrary.h"

using namespace mlir::bcr;
using namespace llvm;

struct Jit::Implementation {
  std::unique_ptr<orc::LLJIT> jit;
};

Jit::Jit(std::unique_ptr<Implementation> implementation)
    : implementation(std::move(implementation)) {}

Jit::~Jit() = default;

/// Loads the first library of `names` that this system has.
static bool loadLibrary(ArrayRef<const char *> names) {
  return any_of(names, [](const char *name) {
    return !sys::DynamicLibrary::LoadLibraryPermanently(name);
  });
}

/// Loads what `object` needs beyond the C library of this process.
static bool loadLibraries(const object::ObjectFile &object,
                          std::string &error) {
  // Python may be linked without the mathematical functions.
  loadLibrary({"libm.so.6", "libm.so", "libm.dylib"});
  for (const object::SymbolRef &symbol : object.symbols()) {
    Expected<StringRef> name = symbol.getName();
    if (!name) {
      consumeError(name.takeError());
      continue;
    }
    if (!name->starts_with("__kmpc_") ||
        sys::DynamicLibrary::SearchForAddressOfSymbol(name->str()))
      continue;
    if (loadLibrary(
            {"libomp.so.5", "libomp.so", "libiomp5.so", "libomp.dylib"}))
      continue;
    error = "the model is compiled for several threads and needs LLVM's OpenMP "
            "runtime libomp.so, which is not installed (Debian: "
            "libomp-22-dev); install it or compile with one thread";
    return false;
  }
  return true;
}

std::unique_ptr<Jit> Jit::load(const std::string &object, std::string &error) {
  initializeTargets();
  std::unique_ptr<MemoryBuffer> buffer =
      MemoryBuffer::getMemBufferCopy(object, "bcr");
  auto fail = [&](Error failure) {
    error = "cannot load the compiled model: " + toString(std::move(failure));
    return nullptr;
  };
  auto file = object::ObjectFile::createObjectFile(buffer->getMemBufferRef());
  if (!file)
    return fail(file.takeError());
  if (!loadLibraries(**file, error))
    return nullptr;
  SmallVector<std::string> functions;
  for (const object::SymbolRef &symbol : (*file)->symbols()) {
    Expected<uint32_t> flags = symbol.getFlags();
    if (!flags)
      return fail(flags.takeError());
    Expected<object::SymbolRef::Type> type = symbol.getType();
    if (!type)
      return fail(type.takeError());
    Expected<StringRef> name = symbol.getName();
    if (!name)
      return fail(name.takeError());
    if ((*flags & object::SymbolRef::SF_Global) &&
        !(*flags & object::SymbolRef::SF_Undefined) &&
        *type == object::SymbolRef::ST_Function)
      functions.push_back(name->str());
  }

  auto jit = orc::LLJITBuilder().create();
  if (!jit)
    return fail(jit.takeError());
  // What goes wrong while linking is reported here and not to stderr.
  std::string reports;
  (*jit)->getExecutionSession().setErrorReporter([&](Error failure) {
    reports += (reports.empty() ? "" : "; ") + toString(std::move(failure));
  });
  if (Error failure = (*jit)->addObjectFile(std::move(buffer)))
    return fail(std::move(failure));
  // Linking is lazy: do it now, while the caller is ready for an error.
  for (const std::string &name : functions) {
    auto address = (*jit)->lookup(name);
    if (!address) {
      std::string reason = toString(address.takeError());
      error = "cannot load the compiled model: " +
              (reports.empty() ? reason : reports);
      return nullptr;
    }
  }
  (*jit)->getExecutionSession().setErrorReporter(
      [](Error failure) { consumeError(std::move(failure)); });
  auto implementation = std::make_unique<Implementation>();
  implementation->jit = std::move(*jit);
  return std::unique_ptr<Jit>(new Jit(std::move(implementation)));
}

uint64_t Jit::lookup(const std::string &name) {
  auto address = implementation->jit->lookup(name);
  if (!address) {
    consumeError(address.takeError());
    return 0;
  }
  return address->getValue();
}
