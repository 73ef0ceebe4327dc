//===- Instrument.td - bcr-instrument ----------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_INSTRUMENT_TD
#define BCR_PASSES_TRANSFORMS_INSTRUMENT_TD

include "mlir/Pass/PassBase.td"

def BCRInstrumentPass : Pass<"bcr-instrument", "::mlir::ModuleOp"> {
  let summary = "Let the code stamp the time at the borders of each layer";
  let description = [{
    `@main` gets a last argument, `memref<?xi64>` with the attribute
    `bcr.profile`. Where it is not empty, the code stores a counter at the start
    and end of the function (elements 0 and 1) and of layer i (elements 2 i and
    2 i + 1); where it is empty, a layer costs two branches. `bcr.layers` gets
    `profile_slot` (i) and `positions` (output positions: samples of a matmul,
    samples times pixels of a conv2d; -1 if dynamic).

    Requires: layers on memrefs.
    Ensures: nothing but the argument and the stamps is new.
    Fails when: `@main` is missing.
  }];
  let options = [
    Option<"counter", "counter", "::mlir::bcr::Counter",
           "::mlir::bcr::Counter::Cycle", "what to stamp",
           [{::llvm::cl::values(
             clEnumValN(::mlir::bcr::Counter::Cycle, "cycle",
                        "processor cycles (x86: time stamp counter)"),
             clEnumValN(::mlir::bcr::Counter::Steady, "steady",
                        "a counter of constant rate (AArch64)"))}]>
  ];
  let statistics = [
    Statistic<"numLayers", "num-layers", "layers with time stamps">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

#endif // BCR_PASSES_TRANSFORMS_INSTRUMENT_TD
