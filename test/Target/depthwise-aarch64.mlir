// The hot loop of the depthwise kernel on NEON: 6 rows of two vectors, 108
// multiply-adds on 48 loads. No vector is spilled anywhere.

// RUN: bcr-opt %s --pass-pipeline='builtin.module(convert-bcr-to-loops{by-element},canonicalize,cse,func.func(bcr-lower-extrema),expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,convert-arith-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)' \
// RUN:   | mlir-translate --mlir-to-llvmir | llc -O2 -mtriple=aarch64-linux-gnu -mcpu=cortex-a76 \
// RUN:   | FileCheck %s --implicit-check-not='{{(ldr|str|ldp|stp)[[:space:]]+q.*-byte (Folded )?(Spill|Reload)}}'

// CHECK-LABEL: conv:
// Left edge, loop and right edge of a row, for three kinds of tiles: 102
// multiply-adds where the row above is padding, 108 inside, 30 in the two rows
// that are left at the bottom.
// CHECK-COUNT-720: fmla v{{[0-9]+}}.4s
// CHECK-NOT: fmla
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
     schedule = #bcr.schedule<depthwise, height = 6, vectors = 2, lanes = 4>}
  return
}
