//===- Machine.cpp - What a target machine is and offers ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Target/Machine.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <algorithm>
#include <mutex>

using namespace mlir::bcr;

void mlir::bcr::initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    llvm::InitializeAllAsmParsers();
  });
}

/// The three names of LLVM's `table` closest to `name`.
template <typename Entry>
static std::string getNearest(llvm::StringRef name,
                              llvm::ArrayRef<Entry> table) {
  llvm::SmallVector<std::pair<unsigned, std::string>> names;
  for (const Entry &entry : table)
    names.emplace_back(name.edit_distance(entry.Key), entry.Key);
  llvm::sort(names);
  if (names.size() > 3)
    names.resize(3);
  return llvm::join(llvm::make_second_range(names), ", ");
}

static std::string getHostFeatures() {
  llvm::SmallVector<std::string> features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    features.push_back((feature.second ? "+" : "-") + feature.first().str());
  // The map has no order of its own, and equal machines give equal code.
  llvm::sort(features);
  return llvm::join(features, ",");
}

/// The f32 lanes and the vector registers of a machine.
static std::pair<int64_t, int64_t>
getVectorUnit(const llvm::Triple &triple,
              const llvm::MCSubtargetInfo &machine) {
  if (triple.isX86()) {
    if (machine.checkFeatures("+avx512f"))
      return {16, 32};
    return {machine.checkFeatures("+avx2") ? 8 : 4, 16};
  }
  return {4, triple.isAArch64() ? 32 : 16};
}

/// The extensions that TargetInfo lists, of one family of processors.
static llvm::ArrayRef<llvm::StringRef>
getKnownExtensions(const llvm::Triple &triple) {
  static constexpr llvm::StringRef arm[] = {"fullfp16", "dotprod", "bf16",
                                            "i8mm",     "sve",     "sve2"};
  static constexpr llvm::StringRef x86[] = {
      "avx",        "avx2",       "fma",      "f16c",     "avx512f",
      "avx512vnni", "avx512bf16", "amx-int8", "amx-bf16", "avx512fp16"};
  if (triple.isAArch64())
    return arm;
  if (triple.isX86())
    return x86;
  return {};
}

bool mlir::bcr::describeTarget(const TargetMachineSpec &spec, TargetInfo &info,
                               std::string &error) {
  initializeTargets();
  llvm::Triple host(llvm::sys::getProcessTriple());
  llvm::Triple triple(spec.triple.empty()
                          ? host.normalize()
                          : llvm::Triple::normalize(spec.triple));
  std::string reason;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, reason);
  if (!target || triple.getArch() == llvm::Triple::UnknownArch) {
    error = "unknown target '" + spec.triple +
            "': use a triple such as x86_64-linux-gnu or aarch64-linux-gnu";
    return false;
  }

  if (!triple.isArch64Bit() || !triple.isLittleEndian()) {
    error = "target '" + triple.str() +
            "' is not supported: code is made for 64-bit little-endian "
            "machines such as x86_64-linux-gnu or aarch64-linux-gnu";
    return false;
  }

  // The host's CPU and features only make sense together.
  bool isHost = spec.cpu.empty() && triple.getArch() == host.getArch() &&
                triple.getOS() == host.getOS();
  std::string cpu = spec.cpu;
  std::string features = spec.features;
  if (cpu.empty() || cpu == "native") {
    if (cpu == "native" && triple.getArch() != host.getArch()) {
      error = "CPU 'native' is this machine's, which is no " +
              triple.getArchName().str() + ": name the CPU";
      return false;
    }
    if (isHost || cpu == "native") {
      cpu = llvm::sys::getHostCPUName().str();
      features = getHostFeatures();
      if (!spec.features.empty())
        features += "," + spec.features;
    } else {
      cpu = triple.getArch() == llvm::Triple::x86_64 ? "x86-64" : "generic";
    }
  }

  // LLVM itself only warns about names that it does not know.
  std::unique_ptr<llvm::MCSubtargetInfo> names(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!names) {
    error = "target '" + triple.str() + "' has no code generator";
    return false;
  }
  if (!names->isCPUStringValid(cpu)) {
    error = "unknown CPU '" + cpu + "' for target '" + triple.str() +
            "'; the nearest names are " +
            getNearest(cpu, names->getAllProcessorDescriptions());
    return false;
  }
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(spec.features)
      .split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (llvm::StringRef part : parts) {
    llvm::StringRef name = part.trim();
    if (!name.consume_front("+") && !name.consume_front("-")) {
      error = "feature '" + part.str() + "' must begin with + or -";
      return false;
    }
    auto known = names->getAllProcessorFeatures();
    if (llvm::none_of(known,
                      [&](const auto &entry) { return name == entry.Key; })) {
      error = "unknown feature '" + name.str() + "' for target '" +
              triple.str() + "'; the nearest names are " +
              getNearest(name, known);
      return false;
    }
  }

  std::unique_ptr<llvm::MCSubtargetInfo> machine(
      target->createMCSubtargetInfo(triple, cpu, features));
  info.triple = triple.str();
  info.cpu = cpu;
  info.features = features;
  std::tie(info.lanes, info.registers) = getVectorUnit(triple, *machine);
  info.byElement = triple.isAArch64();
  info.generic = features.empty() && (cpu == "generic" || cpu == "x86-64");
  info.extensions.clear();
  for (llvm::StringRef name : getKnownExtensions(triple))
    if (machine->checkFeatures(("+" + name).str()))
      info.extensions.push_back(name.str());
  return true;
}

std::unique_ptr<llvm::TargetMachine>
mlir::bcr::createTargetMachine(const TargetInfo &info, std::string &error) {
  initializeTargets();
  llvm::Triple triple(info.triple);
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, info.cpu, info.features, options, llvm::Reloc::PIC_,
      /*CM=*/std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    error = "target '" + info.triple + "' has no code generator";
  return machine;
}
