//===- EmitModule.cpp - From the LLVM dialect to a file -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Target/Machine.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"

#include <chrono>

using namespace mlir;
using namespace mlir::bcr;

/// Tells the optimiser and the code generator which machine a function is for.
static void setTargetAttributes(llvm::Module &module, const TargetInfo &info) {
  std::string width = std::to_string(info.lanes * 32);
  std::string features = info.features;
  // A pair of 128-bit loads takes the slots of three instructions on the cores
  // we know, so two loads are better in a loop that waits for slots. What the
  // user says comes last and wins.
  if (llvm::Triple(info.triple).isAArch64())
    features = "+slow-paired-128" + (features.empty() ? "" : "," + features);
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", info.cpu);
    if (!features.empty())
      function.addFnAttr("target-features", features);
    // Kernels are written for this width; some CPUs ask for a narrower one.
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

/// Inputs, outputs and the pool do not overlap: that is the contract of
/// bcr_run, and what lets the vectoriser take loops without checks at run time.
static void setNoAlias(llvm::Module &module) {
  llvm::Function *main = module.getFunction("main");
  if (!main || !main->hasLocalLinkage())
    return;
  for (llvm::Argument &argument : main->args())
    if (argument.getType()->isPointerTy())
      argument.addAttr(llvm::Attribute::NoAlias);
}

/// Without an instruction for it a fused multiply-add is a call of fmaf for
/// each element: there a product and a sum do.
static void splitMultiplyAdds(llvm::Module &module,
                              const llvm::TargetMachine &machine) {
  if (!machine.getTargetTriple().isX86() ||
      machine.getMCSubtargetInfo()->checkFeatures("+fma"))
    return;
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
      if (call && call->getIntrinsicID() == llvm::Intrinsic::fma)
        call->setCalledFunction(llvm::Intrinsic::getOrInsertDeclaration(
            &module, llvm::Intrinsic::fmuladd, call->getType()));
    }
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  // Kernels come with their registers already dealt out: unrolling them or
  // packing their scalars again only causes spills. Plain loops of the dense
  // remainder are what the loop vectoriser is for.
  llvm::PipelineTuningOptions options;
  options.LoopVectorization = true;
  options.LoopInterleaving = true;
  options.LoopUnrolling = false;
  options.SLPVectorization = false;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, options);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

namespace {
/// Takes the times of steps that follow each other.
class StepTimer {
public:
  explicit StepTimer(StepTimes *times) : times(times) {}

  void finish(const char *step) {
    auto now = std::chrono::steady_clock::now();
    if (times)
      times->emplace_back(step,
                          std::chrono::duration<double>(now - begin).count());
    begin = now;
  }

private:
  StepTimes *times;
  std::chrono::steady_clock::time_point begin =
      std::chrono::steady_clock::now();
};
} // namespace

bool mlir::bcr::emitModule(ModuleOp module, const TargetMachineSpec &spec,
                           OutputKind kind, std::string &output,
                           std::string &error, StepTimes *times) {
  StepTimer timer(times);
  TargetInfo info;
  if (!describeTarget(spec, info, error))
    return false;
  std::unique_ptr<llvm::TargetMachine> machine =
      createTargetMachine(info, error);
  if (!machine)
    return false;

  MLIRContext *context = module.getContext();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerOpenMPDialectTranslation(registry);
  context->appendDialectRegistry(registry);

  std::string diagnostics;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      diagnostics += (diagnostics.empty() ? "" : "\n") + diagnostic.str();
    return success();
  });
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, llvmContext, "bcr");
  if (!llvmModule) {
    error = "the module is not in the LLVM dialect alone: " + diagnostics;
    return false;
  }
  llvmModule->setTargetTriple(machine->getTargetTriple());
  llvmModule->setDataLayout(machine->createDataLayout());
  llvmModule->setPICLevel(llvm::PICLevel::BigPIC);
  setTargetAttributes(*llvmModule, info);
  setNoAlias(*llvmModule);
  splitMultiplyAdds(*llvmModule, *machine);
  timer.finish("translate");
  optimize(*llvmModule, *machine);
  timer.finish("optimize");

  if (kind == OutputKind::LLVMIR) {
    llvm::raw_string_ostream stream(output);
    llvmModule->print(stream, /*AAW=*/nullptr);
    return true;
  }
  llvm::SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  llvm::legacy::PassManager passes;
  auto type = kind == OutputKind::Object ? llvm::CodeGenFileType::ObjectFile
                                         : llvm::CodeGenFileType::AssemblyFile;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type)) {
    error = "target '" + info.triple + "' cannot emit this kind of file";
    return false;
  }
  passes.run(*llvmModule);
  output.assign(buffer.begin(), buffer.end());
  timer.finish("generate");
  return true;
}
