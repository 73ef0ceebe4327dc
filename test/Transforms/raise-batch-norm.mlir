// RUN: bcr-opt %s --bcr-raise --split-input-file | FileCheck %s

#id1 = affine_map<(d0) -> (d0)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#ch2 = affine_map<(d0, d1) -> (d1)>
#id4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#ch4 = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>

// Batch norm behind a convolution with a bias, as torch-mlir writes it, with
// epsilon 0.25: variances 3.75 and 15.75 make 1/2 and 1/4. Channel 0:
// (8 x + 3 - 1) / 2 * 3 + 5 = 12 x + 8. Channel 1: (16 x + 0 y + 4 - 2) / 4 * -8
// + 6 = -32 x + 0 y + 2; the pruned weight of y is 0, not -0.

// CHECK: bcr.layers = {conv0 = {batch_norm = true,
// CHECK-LABEL: func @conv
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x3x3xf32>)
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[8.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{\[\[\[\[}}1.200000e+01{{\]\], \[\[}}3.000000e+00{{\]\]\], \[\[\[}}-3.200000e+01{{\]\], \[\[}}0.000000e+00{{\]\]\]\]}}> : tensor<2x2x1x1xf32>
// CHECK-NOT: linalg
// CHECK: %[[Y:.*]] = bcr.conv2d ins(%[[X]] : {{.*}}) weights(%[[W]] : {{.*}}) bias(%[[B]] : {{.*}})
// CHECK-NEXT: return %[[Y]]
func.func @conv(%x: tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %epsilon = arith.constant 0.25 : f64
  %w = arith.constant dense<[[[[8.0]], [[2.0]]], [[[16.0]], [[0.0]]]]> : tensor<2x2x1x1xf32>
  %b = arith.constant dense<[3.0, 4.0]> : tensor<2xf32>
  %mean = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %var = arith.constant dense<[3.75, 15.75]> : tensor<2xf32>
  %gamma = arith.constant dense<[3.0, -8.0]> : tensor<2xf32>
  %beta = arith.constant dense<[5.0, 6.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<1x2x3x3xf32>
  %0 = linalg.broadcast ins(%b : tensor<2xf32>) outs(%e : tensor<1x2x3x3xf32>) dimensions = [0, 2, 3]
  %1 = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<1x2x3x3xf32>, tensor<2x2x1x1xf32>) outs(%0 : tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %ce = tensor.empty() : tensor<2xf32>
  %2 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%var : tensor<2xf32>) outs(%ce : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = arith.truncf %epsilon : f64 to f32
    %s = arith.addf %in, %v : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  %3 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%2 : tensor<2xf32>) outs(%ce : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = math.sqrt %in : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  %4 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%3 : tensor<2xf32>) outs(%ce : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %c = arith.cmpf one, %in, %zero : f32
    cf.assert %c, "unimplemented: tensor with zero element"
    %s = arith.divf %one, %in : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  %m = tensor.expand_shape %mean [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %r = tensor.expand_shape %4 [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %g = tensor.expand_shape %gamma [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %h = tensor.expand_shape %beta [[0, 1, 2]] output_shape [2, 1, 1] : tensor<2xf32> into tensor<2x1x1xf32>
  %5 = linalg.generic {indexing_maps = [#id4, #ch4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1, %m : tensor<1x2x3x3xf32>, tensor<2x1x1xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.subf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  %6 = linalg.generic {indexing_maps = [#id4, #ch4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5, %r : tensor<1x2x3x3xf32>, tensor<2x1x1xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.mulf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  %7 = linalg.generic {indexing_maps = [#id4, #ch4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6, %g : tensor<1x2x3x3xf32>, tensor<2x1x1xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.mulf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  %8 = linalg.generic {indexing_maps = [#id4, #ch4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7, %h : tensor<1x2x3x3xf32>, tensor<2x1x1xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.addf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  return %8 : tensor<1x2x3x3xf32>
}

// -----

// A linear layer whose bias comes after a product with a scalar, and a second
// bias behind it: (x W^T) / 4 + b + c.

#id2 = affine_map<(d0, d1) -> (d0, d1)>
#ch2 = affine_map<(d0, d1) -> (d1)>

// CHECK: batch_norm = false
// CHECK-LABEL: func @scaled
// CHECK-DAG: arith.constant dense<{{\[\[}}2.500000e-01, 5.000000e-01], [-7.500000e-01, 1.000000e+00]]> : tensor<2x2xf32>
// CHECK-DAG: arith.constant dense<[1.100000e+01, 2.200000e+01]> : tensor<2xf32>
// CHECK-NOT: linalg
// CHECK: bcr.matmul {{.*}} bias
func.func @scaled(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %four = arith.constant 4.0 : f32
  %wt = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %c = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.matmul ins(%x, %wt : tensor<3x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<3x2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.divf %in, %four : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  %3 = linalg.generic {indexing_maps = [#id2, #ch2, #id2], iterator_types = ["parallel", "parallel"]} ins(%2, %b : tensor<3x2xf32>, tensor<2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%in: f32, %d: f32, %out: f32):
    %s = arith.addf %in, %d : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  %4 = linalg.generic {indexing_maps = [#ch2, #id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%c, %3 : tensor<2xf32>, tensor<3x2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%d: f32, %in: f32, %out: f32):
    %s = arith.addf %d, %in : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  return %4 : tensor<3x2xf32>
}

// -----

// What varies along the samples is no bias; the matrix is square, so that only
// the map tells.

#id2 = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func @by_sample
// CHECK: bcr.matmul
// CHECK-NOT: bias
// CHECK: linalg.generic
func.func @by_sample(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %wt = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = linalg.matmul ins(%x, %wt : tensor<2x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<2x2xf32>) -> tensor<2x2xf32>
  %2 = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]} ins(%1, %b : tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%in: f32, %d: f32, %out: f32):
    %s = arith.addf %in, %d : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}

// -----

// A scale that leaves the finite numbers is not folded: 3e38 * 4 is infinite,
// and so would be products with small activations that are finite now.

#id2 = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func @overflow
// CHECK: arith.constant dense<{{.*}}3.000000e+38
// CHECK: bcr.matmul
// CHECK: linalg.generic
func.func @overflow(%x: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %zero = arith.constant 0.0 : f32
  %four = arith.constant 4.0 : f32
  %wt = arith.constant dense<[[3.0e38]]> : tensor<1x1xf32>
  %e = tensor.empty() : tensor<2x1xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %1 = linalg.matmul ins(%x, %wt : tensor<2x1xf32>, tensor<1x1xf32>) outs(%0 : tensor<2x1xf32>) -> tensor<2x1xf32>
  %2 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<2x1xf32>) outs(%e : tensor<2x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.mulf %in, %four : f32
    linalg.yield %s : f32
  } -> tensor<2x1xf32>
  return %2 : tensor<2x1xf32>
}

// -----

// Somebody else needs the value before the scale.

#id2 = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func @two_users
// CHECK: %[[Y:.*]] = bcr.matmul
// CHECK: %[[Z:.*]] = linalg.generic {{.*}} ins(%[[Y]]
// CHECK: return %[[Y]], %[[Z]]
func.func @two_users(%x: tensor<2x1xf32>) -> (tensor<2x1xf32>, tensor<2x1xf32>) {
  %zero = arith.constant 0.0 : f32
  %four = arith.constant 4.0 : f32
  %wt = arith.constant dense<[[3.0]]> : tensor<1x1xf32>
  %e = tensor.empty() : tensor<2x1xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x1xf32>) -> tensor<2x1xf32>
  %1 = linalg.matmul ins(%x, %wt : tensor<2x1xf32>, tensor<1x1xf32>) outs(%0 : tensor<2x1xf32>) -> tensor<2x1xf32>
  %2 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<2x1xf32>) outs(%e : tensor<2x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.mulf %in, %four : f32
    linalg.yield %s : f32
  } -> tensor<2x1xf32>
  return %1, %2 : tensor<2x1xf32>, tensor<2x1xf32>
}

// -----

// A batch norm in front of nothing stays; its assertion goes, for PyTorch
// divides by zero without complaint. Other assertions are none of our business.

#id1 = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func @reciprocal
// CHECK-NOT: tensor with zero element
// CHECK: arith.divf
// CHECK: cf.assert %{{.*}}, "something else"
func.func @reciprocal(%x: tensor<2xf32>, %ok: i1) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<2xf32>
  %0 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%x : tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %c = arith.cmpf one, %in, %zero : f32
    cf.assert %c, "unimplemented: tensor with zero element"
    %s = arith.divf %one, %in : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  cf.assert %ok, "something else"
  return %0 : tensor<2xf32>
}
