// RUN: bcr-opt %s --bcr-raise --split-input-file | FileCheck %s

// The padding in front of a maximum is part of it. Of the last column of
// padding no window reads anything.

// CHECK-LABEL: func @maximum
// CHECK-SAME: (%[[X:.*]]: tensor<?x2x7x8xf32>, %[[E:.*]]: tensor<?x2x4x4xf32>)
// CHECK-NEXT: %[[Y:.*]] = bcr.pool2d ins(%[[X]] : tensor<?x2x7x8xf32>) outs(%[[E]] : tensor<?x2x4x4xf32>)
// CHECK-SAME: {kernel = array<i64: 3, 3>, kind = #bcr.pool<max>,
// CHECK-SAME: padding = array<i64: 1, 1, 1, 0>, strides = array<i64: 2, 2>}
// CHECK-NEXT: return %[[Y]]
func.func @maximum(%x: tensor<?x2x7x8xf32>, %e: tensor<?x2x4x4xf32>) -> tensor<?x2x4x4xf32> {
  %low = arith.constant 0xFF800000 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %low : f32
  } : tensor<?x2x7x8xf32> to tensor<?x2x9x10xf32>
  %f = linalg.fill ins(%low : f32) outs(%e : tensor<?x2x4x4xf32>) -> tensor<?x2x4x4xf32>
  %w = tensor.empty() : tensor<3x3xf32>
  %y = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>}
    ins(%p, %w : tensor<?x2x9x10xf32>, tensor<3x3xf32>) outs(%f : tensor<?x2x4x4xf32>) -> tensor<?x2x4x4xf32>
  return %y : tensor<?x2x4x4xf32>
}

// -----

// An average is a sum and a division.

#id = affine_map<(n, c, y, x) -> (n, c, y, x)>

// CHECK-LABEL: func @average
// CHECK: %[[Y:.*]] = bcr.pool2d {{.*}} {divisor = 6.000000e+00 : f32, kernel = array<i64: 2, 3>, kind = #bcr.pool<sum>
// CHECK-NEXT: return %[[Y]]
func.func @average(%x: tensor<1x2x5x5xf32>, %e: tensor<1x2x4x3xf32>) -> tensor<1x2x4x3xf32> {
  %zero = arith.constant 0.0 : f32
  %six = arith.constant 6.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x4x3xf32>) -> tensor<1x2x4x3xf32>
  %w = tensor.empty() : tensor<2x3xf32>
  %s = linalg.pooling_nchw_sum {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>}
    ins(%x, %w : tensor<1x2x5x5xf32>, tensor<2x3xf32>) outs(%f : tensor<1x2x4x3xf32>) -> tensor<1x2x4x3xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%s : tensor<1x2x4x3xf32>) outs(%e : tensor<1x2x4x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %q = arith.divf %in, %six : f32
    linalg.yield %q : f32
  } -> tensor<1x2x4x3xf32>
  return %y : tensor<1x2x4x3xf32>
}

// -----

// Zeros around the image are not what a maximum ignores: they stay.

// CHECK-LABEL: func @maximum_with_zeros
// CHECK: tensor.pad
// CHECK: bcr.pool2d ins(%{{.*}} : tensor<1x2x6x6xf32>)
// CHECK-NOT: padding
func.func @maximum_with_zeros(%x: tensor<1x2x4x4xf32>, %e: tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x2x4x4xf32> to tensor<1x2x6x6xf32>
  %f = linalg.fill ins(%low : f32) outs(%e : tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %y = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>}
    ins(%p, %w : tensor<1x2x6x6xf32>, tensor<2x2xf32>) outs(%f : tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  return %y : tensor<1x2x3x3xf32>
}

// -----

// A maximum that does not start from nothing is another function.

// CHECK-LABEL: func @maximum_from_zero
// CHECK: linalg.pooling_nchw_max
func.func @maximum_from_zero(%x: tensor<1x2x4x4xf32>, %e: tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %y = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>}
    ins(%x, %w : tensor<1x2x4x4xf32>, tensor<2x2xf32>) outs(%f : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %y : tensor<1x2x2x2xf32>
}

// -----

// The sum is wanted too: the division stays.

#id = affine_map<(n, c, y, x) -> (n, c, y, x)>

// CHECK-LABEL: func @sum_and_average
// CHECK: %[[S:.*]] = bcr.pool2d {{.*}} {kernel = array<i64: 2, 2>, kind = #bcr.pool<sum>
// CHECK: %[[Y:.*]] = linalg.generic
// CHECK: return %[[S]], %[[Y]]
func.func @sum_and_average(%x: tensor<1x2x4x4xf32>, %e: tensor<1x2x2x2xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  %zero = arith.constant 0.0 : f32
  %four = arith.constant 4.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %w = tensor.empty() : tensor<2x2xf32>
  %s = linalg.pooling_nchw_sum {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>}
    ins(%x, %w : tensor<1x2x4x4xf32>, tensor<2x2xf32>) outs(%f : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%s : tensor<1x2x2x2xf32>) outs(%e : tensor<1x2x2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %q = arith.divf %in, %four : f32
    linalg.yield %q : f32
  } -> tensor<1x2x2x2xf32>
  return %s, %y : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}
