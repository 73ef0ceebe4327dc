// The depthwise kernel on AVX-512: 7 rows of one vector, 63 multiply-adds on 27
// loads, weights and accumulators in registers. No vector is spilled anywhere.

// RUN: bcr-opt %s --pass-pipeline='builtin.module(convert-bcr-to-loops,canonicalize,cse,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,convert-arith-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)' \
// RUN:   | mlir-translate --mlir-to-llvmir | llc -O2 -mtriple=x86_64-linux-gnu -mcpu=znver4 \
// RUN:   | FileCheck %s --implicit-check-not='{{zmm.*-byte (Folded )?(Spill|Reload)}}'

// CHECK-LABEL: conv:
// Four vectors of a row, of which the first and the last are masked, for three
// kinds of tiles: 60 multiply-adds at the upper and lower end, 63 inside.
// CHECK-COUNT-732: vfmadd{{[0-9]+}}ps {{.*}}%zmm
// CHECK-NOT: vfmadd
func.func @conv(%x: memref<1x8x56x56xf32>, %b: memref<8xf32>, %o: memref<1x8x56x56xf32>) {
  %w = bcr.constant {
    block = array<i64: 8, 9>,
    groups = dense<[[0, 8, 0, 9]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7]> : tensor<8xi16>,
    columns = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8]> : tensor<9xi16>,
    values = dense<1.5> : tensor<72xf32>
  } : !bcr.packed<8x9xf32>
  bcr.conv2d ins(%x : memref<1x8x56x56xf32>) weights(%w : !bcr.packed<8x9xf32>)
    bias(%b : memref<8xf32>) outs(%o : memref<1x8x56x56xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, groups = 8 : i64, layer = "conv",
     activation = #bcr.activation<relu6>,
     schedule = #bcr.schedule<depthwise, height = 7, vectors = 1, lanes = 16>}
  return
}
