// RUN: bcr-opt %s --convert-bcr-to-linalg | FileCheck %s
// RUN: bcr-opt %s --convert-bcr-to-linalg --bcr-raise | FileCheck %s --check-prefix=RAISED

// Dense weights: what torch-mlir would have written, so bcr-raise takes it back.

// CHECK-LABEL: func @dense_matmul
// CHECK-SAME: (%[[X:.*]]: tensor<?x3xf32>, %[[B:.*]]: tensor<2xf32>, %[[E:.*]]: tensor<?x2xf32>)
// CHECK: %[[W:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00, 3.000000e+00]
// CHECK: %[[S:.*]] = linalg.broadcast ins(%[[B]] : tensor<2xf32>) outs(%[[E]] : tensor<?x2xf32>) dimensions = [0]
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[W]] : tensor<2x3xf32>) {{.*}} permutation = [1, 0]
// CHECK: %[[Y:.*]] = linalg.matmul ins(%[[X]], %[[T]] : tensor<?x3xf32>, tensor<3x2xf32>) outs(%[[S]]
// CHECK: return %[[Y]]
// RAISED-LABEL: func @dense_matmul
// RAISED: bcr.matmul ins(%{{.*}}) weights(%{{.*}} : tensor<2x3xf32>) bias(%{{.*}})
// RAISED-NOT: linalg
func.func @dense_matmul(%x: tensor<?x3xf32>, %b: tensor<2xf32>, %e: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %y = bcr.matmul ins(%x : tensor<?x3xf32>) weights(%w : tensor<2x3xf32>) bias(%b : tensor<2xf32>) outs(%e : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// CHECK-LABEL: func @dense_conv
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x4x5xf32>, %[[R:.*]]: tensor<1x1x3x4xf32>)
// CHECK: %[[S:.*]] = linalg.fill ins(%{{.*}} : f32)
// CHECK: %[[P:.*]] = tensor.pad %[[X]] low[0, 0, 1, 2] high[0, 0, 3, 4]
// CHECK: %[[C:.*]] = linalg.conv_2d_nchw_fchw {dilations = dense<[3, 1]> : {{.*}}, strides = dense<[2, 3]> : {{.*}}} ins(%[[P]], %{{.*}}) outs(%[[S]]
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[C]], %[[R]] : {{.*}})
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins(%[[SUM]] : {{.*}})
// CHECK: arith.maximumf
// RAISED-LABEL: func @dense_conv
// RAISED: bcr.conv2d {{.*}} residual(%{{.*}}) {{.*}} {activation = #bcr.activation<relu>, dilations = array<i64: 3, 1>, kernel = array<i64: 2, 2>, layer = "conv0", padding = array<i64: 1, 2, 3, 4>, strides = array<i64: 2, 3>}
// RAISED-NOT: linalg
func.func @dense_conv(%x: tensor<1x2x4x5xf32>, %r: tensor<1x1x3x4xf32>) -> tensor<1x1x3x4xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]]> : tensor<1x2x2x2xf32>
  %e = tensor.empty() : tensor<1x1x3x4xf32>
  %y = bcr.conv2d ins(%x : tensor<1x2x4x5xf32>) weights(%w : tensor<1x2x2x2xf32>) residual(%r : tensor<1x1x3x4xf32>) outs(%e : tensor<1x1x3x4xf32>)
       {activation = #bcr.activation<relu>, dilations = array<i64: 3, 1>, kernel = array<i64: 2, 2>, padding = array<i64: 1, 2, 3, 4>, strides = array<i64: 2, 3>} -> tensor<1x1x3x4xf32>
  return %y : tensor<1x1x3x4xf32>
}

// CHECK-LABEL: func @grouped_conv
// CHECK: linalg.conv_2d_ngchw_gfchw {{.*}} tensor<?x2x1x2x2xf32>, tensor<2x3x1x1x1xf32>) outs(%{{.*}} : tensor<?x2x3x2x2xf32>)
// RAISED-LABEL: func @grouped_conv
// RAISED: bcr.conv2d {{.*}} bias({{.*}}) {{.*}} {groups = 2 : i64, kernel = array<i64: 1, 1>, layer = "conv1"}
// RAISED-NEXT: return
func.func @grouped_conv(%x: tensor<?x2x2x2xf32>, %e: tensor<?x6x2x2xf32>, %b: tensor<6xf32>) -> tensor<?x6x2x2xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]], [[[3.0]]], [[[4.0]]], [[[5.0]]], [[[6.0]]]]> : tensor<6x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<?x2x2x2xf32>) weights(%w : tensor<6x1x1x1xf32>) bias(%b : tensor<6xf32>) outs(%e : tensor<?x6x2x2xf32>)
       {groups = 2, kernel = array<i64: 1, 1>} -> tensor<?x6x2x2xf32>
  return %y : tensor<?x6x2x2xf32>
}

// Packed weights, rows out of order and row 3 in no group; the stored zero is
// kept.

// CHECK-LABEL: func @packed_matmul
// CHECK-DAG: %[[M:.*]] = arith.constant dense<{{\[\[}}true, false, false, true], [false, false, true, false], [true, false, false, true], [false, false, false, false]]>
// CHECK-DAG: %[[W:.*]] = arith.constant dense<{{\[\[}}2.000000e+00, 0.000000e+00, 0.000000e+00, 4.000000e+00], [0.000000e+00, 0.000000e+00, 5.000000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00, 0.000000e+00, 3.000000e+00], [0.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00]]>
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]} ins(%{{.*}}, %[[W]], %[[M]] :
// CHECK-NEXT: ^bb0(%[[IN:.*]]: f32, %[[WE:.*]]: f32, %[[KEPT:.*]]: i1, %[[ACC:.*]]: f32):
// CHECK-NEXT: %[[PRODUCT:.*]] = arith.mulf %[[IN]], %[[WE]]
// CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[ACC]], %[[PRODUCT]]
// CHECK-NEXT: arith.select %[[KEPT]], %[[SUM]], %[[ACC]]
// CHECK-NOT: bcr.
func.func @packed_matmul(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %w = bcr.constant {
    block = array<i64: 3, 4>, groups = dense<[[0, 2, 0, 2], [2, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[2, 0, 1]> : tensor<3xi16>, columns = dense<[0, 3, 2]> : tensor<3xi16>,
    values = dense<[0.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  } : !bcr.packed<4x4xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x4xf32>) weights(%w : !bcr.packed<4x4xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// Packed weights that keep everything need no mask.

// CHECK-LABEL: func @packed_all
// CHECK: arith.constant dense<{{\[\[\[\[}}3.000000e+00, 4.000000e+00]]], {{\[\[\[}}1.000000e+00, 2.000000e+00{{\]\]\]\]}}> : tensor<2x1x1x2xf32>
// CHECK: linalg.conv_2d_nchw_fchw
// CHECK-NOT: linalg.generic
func.func @packed_all(%x: tensor<1x1x1x3xf32>) -> tensor<1x2x1x2xf32> {
  %w = bcr.constant {
    block = array<i64: 2, 2>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[1, 0]> : tensor<2xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 3.0, 2.0, 4.0]> : tensor<4xf32>
  } : !bcr.packed<2x2xf32>
  %e = tensor.empty() : tensor<1x2x1x2xf32>
  %y = bcr.conv2d ins(%x : tensor<1x1x1x3xf32>) weights(%w : !bcr.packed<2x2xf32>) outs(%e : tensor<1x2x1x2xf32>) {kernel = array<i64: 1, 2>} -> tensor<1x2x1x2xf32>
  return %y : tensor<1x2x1x2xf32>
}

// Values that are all equal are one value in memory.

// CHECK-LABEL: func @splat
// CHECK-DAG: arith.constant dense<{{\[\[}}5.000000e-01, 5.000000e-01, 0.000000e+00, 5.000000e-01], [0.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00], [5.000000e-01, 5.000000e-01, 0.000000e+00, 5.000000e-01]]> : tensor<3x4xf32>
func.func @splat(%x: tensor<1x4xf32>, %o: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = bcr.constant {block = array<i64: 3, 4>, groups = dense<[[0, 2, 0, 3]]> : tensor<1x4xi32>,
                     rows = dense<[0, 2]> : tensor<2xi16>, columns = dense<[0, 1, 3]> : tensor<3xi16>,
                     values = dense<0.5> : tensor<6xf32>} : !bcr.packed<3x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : !bcr.packed<3x4xf32>) outs(%o : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// Poolings: the padding is what changes no maximum, or no sum.

// CHECK-LABEL: func @poolings
// CHECK-DAG: %[[LOW:.*]] = arith.constant 0xFF800000 : f32
// CHECK: tensor.pad %{{.*}} low[0, 0, 1, 0] high[0, 0, 0, 1]
// CHECK: tensor.yield %[[LOW]] : f32
// CHECK: linalg.fill ins(%[[LOW]] : f32)
// CHECK: linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%{{.*}}, %{{.*}} : tensor<1x2x5x5xf32>, tensor<2x2xf32>)
// CHECK-NOT: tensor.pad
// CHECK: linalg.pooling_nchw_sum
// CHECK: linalg.generic
// CHECK: arith.constant 4.000000e+00 : f32
// CHECK: arith.divf
func.func @poolings(%x: tensor<1x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  %y = bcr.pool2d ins(%x : tensor<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 1, 0, 0, 1>} -> tensor<1x2x2x2xf32>
  %z = bcr.pool2d ins(%x : tensor<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<sum>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, divisor = 4.0 : f32} -> tensor<1x2x2x2xf32>
  return %y, %z : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}
