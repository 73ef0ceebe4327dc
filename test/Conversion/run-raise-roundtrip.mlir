// Runs a network as torch-mlir writes it, and the same after bcr-raise and
// convert-bcr-to-linalg. Every number is a small integer or a half, and the
// scales of the batch norm are powers of two, so both are exact.

// RUN: bcr-opt %s \
// RUN:   --pass-pipeline='builtin.module(one-shot-bufferize{bufferize-function-boundaries},convert-linalg-to-loops,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-math-to-libm,convert-to-llvm,reconcile-unrealized-casts)' \
// RUN: | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s
// RUN: bcr-opt %s \
// RUN:   --pass-pipeline='builtin.module(bcr-raise,convert-bcr-to-linalg,one-shot-bufferize{bufferize-function-boundaries},convert-linalg-to-loops,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-math-to-libm,convert-to-llvm,reconcile-unrealized-casts)' \
// RUN: | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

// The second run would show nothing if nothing were raised.
// RUN: bcr-opt %s --bcr-raise | FileCheck %s --check-prefix=RAISED
// RAISED: bcr.conv2d {{.*}} {activation = #bcr.activation<relu>
// RAISED: bcr.conv2d {{.*}} {groups = 2 : i64
// RAISED: bcr.matmul {{.*}} residual({{.*}}) {{.*}} {activation = #bcr.activation<clamp

#id1 = affine_map<(d0) -> (d0)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#ch2 = affine_map<(d0, d1) -> (d1)>
#id4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#ch4 = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>

func.func private @printMemrefF32(%m: tensor<*xf32>)

func.func @net(%x: tensor<1x2x4x3xf32>, %res: tensor<2x3xf32>) -> (tensor<1x2x2x3xf32>, tensor<2x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %low = arith.constant -20.0 : f32
  %high = arith.constant 30.0 : f32
  %epsilon = arith.constant 0.25 : f64

  // Convolution: 2x3 kernel, stride 2 by 1, ragged padding, no bias.
  %w1 = arith.constant dense<[[[[1.0, 2.0, -1.0], [0.0, 3.0, 1.0]], [[-2.0, 0.0, 1.0], [1.0, 0.0, 4.0]]],
                              [[[4.0, 0.0, 8.0], [-4.0, 4.0, 0.0]], [[0.0, 12.0, 0.0], [8.0, -8.0, 4.0]]]]> : tensor<2x2x2x3xf32>
  %p1 = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 0, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x2x4x3xf32> to tensor<1x2x5x5xf32>
  %e1 = tensor.empty() : tensor<1x2x2x3xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>
  %c1 = linalg.conv_2d_nchw_fchw {strides = dense<[2, 1]> : vector<2xi64>, dilations = dense<1> : vector<2xi64>}
          ins(%p1, %w1 : tensor<1x2x5x5xf32>, tensor<2x2x2x3xf32>) outs(%f1 : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>

  // Batch norm.
  %mean = arith.constant dense<[2.0, -4.0]> : tensor<2xf32>
  %var = arith.constant dense<[3.75, 15.75]> : tensor<2xf32>
  %gamma = arith.constant dense<[4.0, -2.0]> : tensor<2xf32>
  %beta = arith.constant dense<[1.0, 3.0]> : tensor<2xf32>
  %ce = tensor.empty() : tensor<2xf32>
  %b0 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%var : tensor<2xf32>) outs(%ce : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.truncf %epsilon : f64 to f32
    %s = arith.addf %in, %v : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  %b1 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%b0 : tensor<2xf32>) outs(%ce : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = math.sqrt %in : f32
    %r = arith.divf %one, %s : f32
    linalg.yield %r : f32
  } -> tensor<2xf32>
  %m = tensor.expand_shape %mean [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %r = tensor.expand_shape %b1 [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %g = tensor.expand_shape %gamma [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %h = tensor.expand_shape %beta [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %n1 = linalg.generic {indexing_maps = [#id4, #ch4, #ch4, #ch4, #ch4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
          ins(%c1, %m, %r, %g, %h : tensor<1x2x2x3xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>) outs(%e1 : tensor<1x2x2x3xf32>) {
  ^bb0(%in: f32, %a: f32, %b: f32, %c: f32, %d: f32, %out: f32):
    %s0 = arith.subf %in, %a : f32
    %s1 = arith.mulf %s0, %b : f32
    %s2 = arith.mulf %s1, %c : f32
    %s3 = arith.addf %s2, %d : f32
    linalg.yield %s3 : f32
  } -> tensor<1x2x2x3xf32>
  %a1 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%n1 : tensor<1x2x2x3xf32>) outs(%e1 : tensor<1x2x2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %c = arith.cmpf ugt, %in, %zero : f32
    %s = arith.select %c, %in, %zero : f32
    linalg.yield %s : f32
  } -> tensor<1x2x2x3xf32>

  // Depthwise, with a bias.
  %w2 = arith.constant dense<[[[1.0, 2.0]], [[-1.0, 3.0]]]> : tensor<2x1x2xf32>
  %bias2 = arith.constant dense<[100.0, -100.0]> : tensor<2xf32>
  %p2 = tensor.pad %a1 low[0, 0, 0, 0] high[0, 0, 0, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x2x2x3xf32> to tensor<1x2x2x4xf32>
  %f2 = linalg.broadcast ins(%bias2 : tensor<2xf32>) outs(%e1 : tensor<1x2x2x3xf32>) dimensions = [0, 2, 3]
  %c2 = linalg.depthwise_conv_2d_nchw_chw ins(%p2, %w2 : tensor<1x2x2x4xf32>, tensor<2x1x2xf32>) outs(%f2 : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>

  // Linear on the sums of the rows, bias behind it, residual, clamp.
  %e3 = tensor.empty() : tensor<2x2xf32>
  %f3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x2xf32>) -> tensor<2x2xf32>
  %s3 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (0, d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]}
          ins(%c2 : tensor<1x2x2x3xf32>) outs(%f3 : tensor<2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %out : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  %w4 = arith.constant dense<[[1.0, 0.0], [0.0, 0.5], [-1.0, 1.0]]> : tensor<3x2xf32>
  %bias4 = arith.constant dense<[-500.0, 150.0, 10.0]> : tensor<3xf32>
  %t4 = tensor.empty() : tensor<2x3xf32>
  %wt4 = linalg.transpose ins(%w4 : tensor<3x2xf32>) outs(%t4 : tensor<2x3xf32>) permutation = [1, 0]
  %f4 = linalg.fill ins(%zero : f32) outs(%t4 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %c4 = linalg.matmul ins(%s3, %wt4 : tensor<2x2xf32>, tensor<2x3xf32>) outs(%f4 : tensor<2x3xf32>) -> tensor<2x3xf32>
  %b4 = linalg.generic {indexing_maps = [#id2, #ch2, #id2], iterator_types = ["parallel", "parallel"]} ins(%c4, %bias4 : tensor<2x3xf32>, tensor<3xf32>) outs(%t4 : tensor<2x3xf32>) {
  ^bb0(%in: f32, %b: f32, %out: f32):
    %s = arith.addf %in, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  %r4 = linalg.generic {indexing_maps = [#id2, #id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%res, %b4 : tensor<2x3xf32>, tensor<2x3xf32>) outs(%t4 : tensor<2x3xf32>) {
  ^bb0(%in: f32, %b: f32, %out: f32):
    %s = arith.addf %in, %b : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  %a4 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%r4 : tensor<2x3xf32>) outs(%t4 : tensor<2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %c = arith.cmpf ult, %in, %low : f32
    %s = arith.select %c, %low, %in : f32
    %d = arith.cmpf ugt, %s, %high : f32
    %t = arith.select %d, %high, %s : f32
    linalg.yield %t : f32
  } -> tensor<2x3xf32>
  return %c2, %a4 : tensor<1x2x2x3xf32>, tensor<2x3xf32>
}

// The numbers are PyTorch's.
// CHECK: [107,     134,     117]
// CHECK-NEXT: [149,     106,     103]
// CHECK-NEXT: [-55,     -115,     -100]
// CHECK-NEXT: [47,     -149,     -100]
// CHECK: [-20,   30,   13]
// CHECK-NEXT: [-20,   30,   30]
func.func @main() {
  %x = arith.constant dense<[[[[1.0, -2.0, 3.0], [0.0, 4.0, -1.0], [2.0, 2.0, -3.0], [5.0, 0.0, 1.0]],
                              [[-1.0, 1.0, 0.0], [3.0, -2.0, 2.0], [0.0, 6.0, -4.0], [1.0, 1.0, -5.0]]]]> : tensor<1x2x4x3xf32>
  %res = arith.constant dense<[[1.0, 2.0, 3.0], [-4.0, -5.0, -6.0]]> : tensor<2x3xf32>
  %y:2 = call @net(%x, %res) : (tensor<1x2x4x3xf32>, tensor<2x3xf32>) -> (tensor<1x2x2x3xf32>, tensor<2x3xf32>)
  %p = tensor.cast %y#0 : tensor<1x2x2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  %q = tensor.cast %y#1 : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%q) : (tensor<*xf32>) -> ()
  return
}
