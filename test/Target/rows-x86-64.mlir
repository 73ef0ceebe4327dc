// The hot loop of the rows kernel with AVX-512, for 51 rows that are no
// neighbours: two columns a turn, each three vectors and a quarter, whose weights
// are operands in memory. No vector is spilled anywhere.

// RUN: bcr-opt %s --pass-pipeline='builtin.module(convert-bcr-to-loops{lanes=16},canonicalize,cse,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-vector-to-llvm,convert-arith-to-llvm,finalize-memref-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)' \
// RUN:   | mlir-translate --mlir-to-llvmir -o %t.ll
// RUN: llc %t.ll -O2 -mtriple=x86_64-linux-gnu -mcpu=znver5 -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{mm[0-9]+.*-byte (Folded )?(Spill|Reload)}}'
// RUN: llc %t.ll -O2 -mtriple=x86_64-linux-gnu -mcpu=sapphirerapids -o - \
// RUN:   | FileCheck %s --implicit-check-not='{{mm[0-9]+.*-byte (Folded )?(Spill|Reload)}}'

// CHECK-LABEL: linear:
// CHECK-COUNT-3: vfmadd231ps {{.*}}(%{{r[^)]*}}), %zmm{{[0-9]+}}, %zmm
// CHECK-NEXT: vfmadd231ps {{.*}}(%{{r[^)]*}}), %xmm{{[0-9]+}}, %xmm
// CHECK: j{{l|b|ne}} .LBB0_
func.func @linear(%x: memref<1x256xf32>, %b: memref<64xf32>, %o: memref<1x64xf32>) {
  %w = bcr.constant {
    block = array<i64: 64, 256>,
    groups = dense<[[0, 51, 0, 7]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 30, 31, 32, 33, 34, 36, 37, 38, 39, 40, 42, 43, 44, 45, 46, 48, 49, 50, 51, 52, 54, 55, 56, 57, 58, 60]> : tensor<51xi16>,
    columns = dense<[3, 5, 65, 70, 71, 80, 255]> : tensor<7xi16>,
    values = dense<1.5> : tensor<357xf32>
  } : !bcr.packed<64x256xf32>
  bcr.matmul ins(%x : memref<1x256xf32>) weights(%w : !bcr.packed<64x256xf32>)
    bias(%b : memref<64xf32>) outs(%o : memref<1x64xf32>)
    {layer = "linear", schedule = #bcr.schedule<rows, height = 64, vectors = 1, lanes = 16>}
  return
}
