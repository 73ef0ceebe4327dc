// Runs every activation on numbers left of, in and right of its bends, and
// on NaN, which all of them hand on. The numbers are PyTorch's.

// RUN: bcr-opt %s \
// RUN:   --pass-pipeline='builtin.module(convert-bcr-to-linalg,one-shot-bufferize{bufferize-function-boundaries},convert-linalg-to-loops,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-math-to-libm,convert-to-llvm,reconcile-unrealized-casts)' \
// RUN: | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

func.func private @printMemrefF32(%m: tensor<*xf32>)

// relu
// CHECK: {{-?}}0,   {{-?}}0,   {{-?}}0,   {{-?}}0,   0.5,   2.5,   7,   {{-?}}nan
// relu6
// CHECK: {{-?}}0,   {{-?}}0,   {{-?}}0,   {{-?}}0,   0.5,   2.5,   6,   {{-?}}nan
// leaky_relu, 0.25
// CHECK: -0.75,   -0.5,   -0.125,   {{-?}}0,   0.5,   2.5,   7,   {{-?}}nan
// hardswish
// CHECK: {{-?}}0,   -0.3333{{[0-9]*}},   -0.2083{{[0-9]*}},   {{-?}}0,   0.2916{{[0-9]*}},   2.291{{[0-9]*}},   7,   {{-?}}nan
// silu
// CHECK: -0.1422{{[0-9]*}},   -0.2384{{[0-9]*}},   -0.188{{[0-9]*}},   {{-?}}0,   0.311{{[0-9]*}},   2.310{{[0-9]*}},   6.993{{[0-9]*}},   {{-?}}nan
// gelu
// CHECK: -0.0040{{[0-9]*}},   -0.04550{{[0-9]*}},   -0.1542{{[0-9]*}},   {{-?}}0,   0.3457{{[0-9]*}},   2.484{{[0-9]*}},   7,   {{-?}}nan
// gelu_tanh
// CHECK: -0.003637{{[0-9]*}},   -0.04540{{[0-9]*}},   -0.1542{{[0-9]*}},   {{-?}}0,   0.3457{{[0-9]*}},   2.484{{[0-9]*}},   7,   {{-?}}nan
// sigmoid
// CHECK: 0.04742{{[0-9]*}},   0.1192{{[0-9]*}},   0.3775{{[0-9]*}},   0.5,   0.6224{{[0-9]*}},   0.9241{{[0-9]*}},   0.9990{{[0-9]*}},   {{-?}}nan
// tanh
// CHECK: -0.9950{{[0-9]*}},   -0.9640{{[0-9]*}},   -0.4621{{[0-9]*}},   {{-?}}0,   0.4621{{[0-9]*}},   0.9866{{[0-9]*}},   0.9999{{[0-9]*}},   {{-?}}nan
// clamp, -1.5, 2.0
// CHECK: -1.5,   -1.5,   -0.5,   {{-?}}0,   0.5,   2,   2,   {{-?}}nan
// clamp, -0.75, 0x7FF0000000000000
// CHECK: -0.75,   -0.75,   -0.5,   {{-?}}0,   0.5,   2.5,   7,   {{-?}}nan
func.func @main() {
  %x = arith.constant dense<[[-3.0], [-2.0], [-0.5], [0.0], [0.5], [2.5], [7.0], [0x7FC00000]]> : tensor<8x1xf32>
  %w = arith.constant dense<1.0> : tensor<1x1xf32>
  %e = tensor.empty() : tensor<8x1xf32>
  %y0 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<relu>} -> tensor<8x1xf32>
  %r0 = tensor.collapse_shape %y0 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p0 = tensor.cast %r0 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p0) : (tensor<*xf32>) -> ()
  %y1 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<relu6>} -> tensor<8x1xf32>
  %r1 = tensor.collapse_shape %y1 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p1 = tensor.cast %r1 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p1) : (tensor<*xf32>) -> ()
  %y2 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<leaky_relu, 0.25>} -> tensor<8x1xf32>
  %r2 = tensor.collapse_shape %y2 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p2 = tensor.cast %r2 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p2) : (tensor<*xf32>) -> ()
  %y3 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<hardswish>} -> tensor<8x1xf32>
  %r3 = tensor.collapse_shape %y3 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p3 = tensor.cast %r3 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p3) : (tensor<*xf32>) -> ()
  %y4 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<silu>} -> tensor<8x1xf32>
  %r4 = tensor.collapse_shape %y4 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p4 = tensor.cast %r4 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p4) : (tensor<*xf32>) -> ()
  %y5 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<gelu>} -> tensor<8x1xf32>
  %r5 = tensor.collapse_shape %y5 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p5 = tensor.cast %r5 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p5) : (tensor<*xf32>) -> ()
  %y6 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<gelu_tanh>} -> tensor<8x1xf32>
  %r6 = tensor.collapse_shape %y6 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p6 = tensor.cast %r6 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p6) : (tensor<*xf32>) -> ()
  %y7 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<sigmoid>} -> tensor<8x1xf32>
  %r7 = tensor.collapse_shape %y7 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p7 = tensor.cast %r7 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p7) : (tensor<*xf32>) -> ()
  %y8 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<tanh>} -> tensor<8x1xf32>
  %r8 = tensor.collapse_shape %y8 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p8 = tensor.cast %r8 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p8) : (tensor<*xf32>) -> ()
  %y9 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<clamp, -1.5, 2.0>} -> tensor<8x1xf32>
  %r9 = tensor.collapse_shape %y9 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p9 = tensor.cast %r9 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p9) : (tensor<*xf32>) -> ()
  %y10 = bcr.matmul ins(%x : tensor<8x1xf32>) weights(%w : tensor<1x1xf32>) outs(%e : tensor<8x1xf32>) {activation = #bcr.activation<clamp, -0.75, 0x7FF0000000000000>} -> tensor<8x1xf32>
  %r10 = tensor.collapse_shape %y10 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
  %p10 = tensor.cast %r10 : tensor<8xf32> to tensor<*xf32>
  call @printMemrefF32(%p10) : (tensor<*xf32>) -> ()
  return
}
