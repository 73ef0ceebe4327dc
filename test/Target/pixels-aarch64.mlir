// The hot loop of the pixels kernel on NEON: 8 rows x 3 vectors, one turn a
// column, 24 multiply-adds by element, accumulators in registers. Inputs are
// loaded one by one and from before the address, weights as two vectors: each
// load takes one slot of the processor. No vector is spilled anywhere.

// RUN: bcr-opt %s --pass-pipeline='builtin.module(convert-bcr-to-loops{by-element},canonicalize,cse,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,convert-arith-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)' \
// RUN:   | mlir-translate --mlir-to-llvmir -o %t.ll
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=cortex-a76 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=neoverse-n1 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=neoverse-v1 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=apple-m1 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=cortex-a55 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'

// CHECK-LABEL: conv:
// CHECK: ldur q{{[0-9]+}}, [x{{[0-9]+}}, #-256]
// CHECK-NOT: {{ldp[[:space:]]+q|ld1r}}
// CHECK-COUNT-24: fmla v{{[0-9]+}}.4s, v{{[0-9]+}}.4s, v{{[0-9]+}}.s[{{[0-3]}}]
// CHECK-NOT: {{fmla|^\.LBB}}
// CHECK: b.{{lt|ne}} .LBB0_
func.func @conv(%x: memref<1x256x28x28xf32>, %b: memref<16xf32>, %o: memref<1x16x28x28xf32>) {
  %w = bcr.constant {
    block = array<i64: 8, 64>,
    groups = dense<[[0, 8, 0, 2], [8, 8, 2, 3]]> : tensor<2x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]> : tensor<16xi16>,
    columns = dense<[3, 65, 0, 70, 2303]> : tensor<5xi16>,
    values = dense<1.5> : tensor<40xf32>
  } : !bcr.packed<16x2304xf32>
  bcr.conv2d ins(%x : memref<1x256x28x28xf32>) weights(%w : !bcr.packed<16x2304xf32>)
    bias(%b : memref<16xf32>) outs(%o : memref<1x16x28x28xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, layer = "conv",
     activation = #bcr.activation<relu>,
     schedule = #bcr.schedule<pixels, height = 8, vectors = 3, lanes = 4>}
  return
}
