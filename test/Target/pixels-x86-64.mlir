// The hot loop of the pixels kernel on AVX-512: 8 rows x 3 vectors, one turn a
// column, 24 multiply-adds, accumulators in registers. No vector is spilled
// anywhere.

// RUN: bcr-opt %s --pass-pipeline='builtin.module(convert-bcr-to-loops,canonicalize,cse,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,convert-arith-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)' \
// RUN:   | mlir-translate --mlir-to-llvmir | llc -O2 -mtriple=x86_64-linux-gnu -mcpu=znver4 \
// RUN:   | FileCheck %s --implicit-check-not='{{zmm.*-byte (Folded )?(Spill|Reload)}}'

// CHECK-LABEL: conv:
// CHECK: movl .Lconv.steps+4(
// CHECK-NOT: {{vfmadd|^\.LBB}}
// CHECK-COUNT-24: vfmadd231ps {{.*}}%zmm
// CHECK-NOT: {{vfmadd|^\.LBB}}
// CHECK: j{{l|ne}} .LBB0_
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
     schedule = #bcr.schedule<pixels, height = 8, vectors = 3, lanes = 16>}
  return
}
