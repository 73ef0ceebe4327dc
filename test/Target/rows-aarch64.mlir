// The hot loop of the rows kernel on NEON, for 15 rows that are no neighbours: two
// columns a turn, each four vectors, of which the last one reads one value of the
// next column. Accumulators stay in registers, and no vector is spilled anywhere.

// RUN: bcr-opt %s --pass-pipeline='builtin.module(convert-bcr-to-loops{lanes=4 by-element},canonicalize,cse,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,convert-arith-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)' \
// RUN:   | mlir-translate --mlir-to-llvmir -o %t.ll
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=cortex-a76 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=neoverse-n1 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=apple-m1 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=aarch64-linux-gnu -mattr=+slow-paired-128 -mcpu=cortex-a55 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'

// CHECK-LABEL: linear:
// CHECK: Inner Loop Header
// CHECK-COUNT-8: fmla v{{[0-9]+}}.4s, v{{[0-9]+}}.4s, v{{[0-9]+}}.s[0]
// CHECK: b{{.*}} .LBB0_
// A column is left.
// CHECK: Inner Loop Header
// CHECK-COUNT-4: fmla v{{[0-9]+}}.4s, v{{[0-9]+}}.4s, v{{[0-9]+}}.s[0]
// CHECK-NOT: fmla
// CHECK: ret
func.func @linear(%x: memref<1x256xf32>, %b: memref<20xf32>, %o: memref<1x20xf32>) {
  %w = bcr.constant {
    block = array<i64: 20, 256>,
    groups = dense<[[0, 15, 0, 7]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16]> : tensor<15xi16>,
    columns = dense<[3, 5, 65, 70, 71, 80, 255]> : tensor<7xi16>,
    values = dense<1.5> : tensor<105xf32>
  } : !bcr.packed<20x256xf32>
  bcr.matmul ins(%x : memref<1x256xf32>) weights(%w : !bcr.packed<20x256xf32>)
    bias(%b : memref<20xf32>) outs(%o : memref<1x20xf32>)
    {layer = "linear", schedule = #bcr.schedule<rows, height = 16, vectors = 1, lanes = 4>}
  return
}
