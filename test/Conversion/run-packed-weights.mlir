// Runs the dense meaning of packed weights through upstream's lowerings; all
// numbers are small integers, so the results are exact.

// RUN: bcr-opt %s \
// RUN:   --pass-pipeline='builtin.module(convert-bcr-to-linalg,one-shot-bufferize{bufferize-function-boundaries},convert-linalg-to-loops,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-math-to-libm,convert-to-llvm,reconcile-unrealized-casts)' \
// RUN: | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

func.func private @printMemrefF32(%m: tensor<*xf32>)

// W = [[2, 0, 0, 4], [0, 0, 5, 0], [0*, 0, 0, 3], [0, 0, 0, 0]]; 0* is stored,
// column 1 is in no group, and row 3 neither. Plus bias and residual, ReLU6.
func.func @matmul(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %w = bcr.constant {
    block = array<i64: 3, 4>, groups = dense<[[0, 2, 0, 2], [2, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[2, 0, 1]> : tensor<3xi16>, columns = dense<[0, 3, 2]> : tensor<3xi16>,
    values = dense<[0.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  } : !bcr.packed<4x4xf32>
  %b = arith.constant dense<[1.0, -8.0, -2.0, 3.5]> : tensor<4xf32>
  %r = arith.constant dense<[[-9.0, 0.0, 0.0, 1.0], [2.0, 5.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<3x4xf32>
  %e = tensor.empty() : tensor<3x4xf32>
  %y = bcr.matmul ins(%x : tensor<3x4xf32>) weights(%w : !bcr.packed<4x4xf32>) bias(%b : tensor<4xf32>) residual(%r : tensor<3x4xf32>)
       outs(%e : tensor<3x4xf32>) {activation = #bcr.activation<relu6>} -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// Two groups, stride 2 by 1, dilation 1 by 2, padding on top and on the right:
// W[0] = [[10, 0], [0, 1]], W[1] = [[0, 0], [2, 0]]; channel 1 holds Inf where
// only dropped weights look.
func.func @conv(%x: tensor<1x2x3x4xf32>) -> tensor<1x2x2x3xf32> {
  %w = bcr.constant {
    block = array<i64: 1, 4>, groups = dense<[[0, 1, 0, 2], [1, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 3, 2]> : tensor<3xi16>,
    values = dense<[10.0, 1.0, 2.0]> : tensor<3xf32>
  } : !bcr.packed<2x4xf32>
  %e = tensor.empty() : tensor<1x2x2x3xf32>
  %y = bcr.conv2d ins(%x : tensor<1x2x3x4xf32>) weights(%w : !bcr.packed<2x4xf32>) outs(%e : tensor<1x2x2x3xf32>)
       {dilations = array<i64: 1, 2>, groups = 2, kernel = array<i64: 2, 2>, padding = array<i64: 1, 0, 0, 1>, strides = array<i64: 2, 1>} -> tensor<1x2x2x3xf32>
  return %y : tensor<1x2x2x3xf32>
}

// Inf and NaN in column 1 reach nobody. In column 0 they reach row 0, and row 2
// through its stored zero.
// CHECK: [2,   2,   0,   4.5],
// CHECK-NEXT: [3,   2,   1,   3.5],
// CHECK-NEXT: [nan,   2,   nan,   3.5]

// Row 0 of the image and its padding: 10 * above + 1 * x[0, j + 2], then
// 10 * x[1, j] + 1 * x[2, j + 2].
// CHECK: [3,      4,      0]
// CHECK-NEXT: [61,      72,      70]
// Channel 1: 2 * x[0, j], then 2 * x[2, j].
// CHECK: [-2,      -4,      -6]
// CHECK-NEXT: [-18,      -20,      -22]
func.func @main() {
  %x = arith.constant dense<[[5.0, 0x7F800000, 2.0, 0.0], [0.0, 0x7FC00000, 1.0, 0.0], [0x7FC00000, 1.0, 2.0, 1.0]]> : tensor<3x4xf32>
  %y = call @matmul(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %p = tensor.cast %y : tensor<3x4xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  %i = arith.constant dense<[[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]],
    [[-1.0, -2.0, -3.0, 0x7F800000], [0x7F800000, 0x7F800000, 0x7F800000, 0x7F800000], [-9.0, -10.0, -11.0, 0x7F800000]]]]> : tensor<1x2x3x4xf32>
  %j = call @conv(%i) : (tensor<1x2x3x4xf32>) -> tensor<1x2x2x3xf32>
  %q = tensor.cast %j : tensor<1x2x2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%q) : (tensor<*xf32>) -> ()
  return
}
