// RUN: bcr-opt %s --bcr-raise --split-input-file | FileCheck %s

// A padded convolution with a stride, weights in a resource, bias in its
// destination: the weights are the same resource, the layer has its name.

// CHECK: module attributes {bcr.layers = {features.0 = {batch_norm = false,
// CHECK-SAME: dilations = array<i64: 1, 2>, epilogue = ["bias"], groups = 1 : i64,
// CHECK-SAME: input_shape = array<i64: 2, 2, 7, 8>, kernel_size = array<i64: 2, 3>,
// CHECK-SAME: op = "conv2d", output_shape = array<i64: 2, 3, 4, 8>,
// CHECK-SAME: padding = array<i64: 1, 2, 0, 2>, shape = array<i64: 3, 12>, strides = array<i64: 2, 1>}}}
// CHECK-LABEL: func @conv2d
// CHECK-SAME: (%[[X:.*]]: tensor<2x2x7x8xf32>)
// CHECK-DAG: %[[W:.*]] = arith.constant dense_resource<features.0.weight> : tensor<3x2x2x3xf32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[1.000000e+00, -2.000000e+00, 3.000000e+00]>
// CHECK: %[[INIT:.*]] = tensor.empty() : tensor<2x3x4x8xf32>
// CHECK: %[[Y:.*]] = bcr.conv2d ins(%[[X]] : {{.*}}) weights(%[[W]] : {{.*}}) bias(%[[B]] : tensor<3xf32>) outs(%[[INIT]]
// CHECK-SAME: {dilations = array<i64: 1, 2>, kernel = array<i64: 2, 3>, layer = "features.0", padding = array<i64: 1, 2, 0, 2>, strides = array<i64: 2, 1>}
// CHECK: return %[[Y]]
// CHECK: features.0.weight: "0x04000000
func.func @conv2d(%x: tensor<2x2x7x8xf32>) -> tensor<2x3x4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense_resource<features.0.weight> : tensor<3x2x2x3xf32>
  %b = arith.constant dense<[1.0, -2.0, 3.0]> : tensor<3xf32>
  %padded = tensor.pad %x low[0, 0, 1, 2] high[0, 0, 0, 2] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<2x2x7x8xf32> to tensor<2x2x8x12xf32>
  %0 = tensor.empty() : tensor<2x3x4x8xf32>
  %1 = linalg.broadcast ins(%b : tensor<3xf32>) outs(%0 : tensor<2x3x4x8xf32>) dimensions = [0, 2, 3]
  %2 = linalg.conv_2d_nchw_fchw {dilations = dense<[1, 2]> : vector<2xi64>, strides = dense<[2, 1]> : vector<2xi64>}
         ins(%padded, %w : tensor<2x2x8x12xf32>, tensor<3x2x2x3xf32>) outs(%1 : tensor<2x3x4x8xf32>) -> tensor<2x3x4x8xf32>
  return %2 : tensor<2x3x4x8xf32>
}

{-#
  dialect_resources: {
    builtin: {
      features.0.weight: "0x040000000000E0C00000D0C00000C0C00000B0C00000A0C0000090C0000080C0000060C0000040C0000020C0000000C00000C0BF000080BF000000BF000000000000003F0000803F0000C03F0000004000002040000040400000604000008040000090400000A0400000B0400000C0400000D0400000E0400000F040000000410000084100001041000018410000204100002841"
    }
  }
#-}

// -----

// Padding with anything but zero is no padding of the layer; neither is
// padding of channels.

// CHECK-LABEL: func @padded_with_one
// CHECK: %[[P:.*]] = tensor.pad
// CHECK: bcr.conv2d ins(%[[P]] : tensor<1x1x4x4xf32>)
// CHECK-SAME: {kernel = array<i64: 2, 2>, layer = "conv0"}
func.func @padded_with_one(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %w = arith.constant dense<[[[[1.0, 2.0], [3.0, 4.0]]]]> : tensor<1x1x2x2xf32>
  %padded = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %one : f32
  } : tensor<1x1x2x2xf32> to tensor<1x1x4x4xf32>
  %0 = tensor.empty() : tensor<1x1x3x3xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x1x3x3xf32>) -> tensor<1x1x3x3xf32>
  %2 = linalg.conv_2d_nchw_fchw ins(%padded, %w : tensor<1x1x4x4xf32>, tensor<1x1x2x2xf32>) outs(%1 : tensor<1x1x3x3xf32>) -> tensor<1x1x3x3xf32>
  return %2 : tensor<1x1x3x3xf32>
}

// -----

// CHECK-LABEL: func @padded_channels
// CHECK: %[[P:.*]] = tensor.pad
// CHECK: bcr.conv2d ins(%[[P]] : tensor<1x2x2x2xf32>)
// CHECK-SAME: {kernel = array<i64: 1, 1>, layer = "conv0"}
func.func @padded_channels(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[[1.0]], [[3.0]]]]> : tensor<1x2x1x1xf32>
  %padded = tensor.pad %x low[0, 1, 0, 0] high[0, 0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x1x2x2xf32> to tensor<1x2x2x2xf32>
  %0 = tensor.empty() : tensor<1x1x2x2xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  %2 = linalg.conv_2d_nchw_fchw ins(%padded, %w : tensor<1x2x2x2xf32>, tensor<1x2x1x1xf32>) outs(%1 : tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  return %2 : tensor<1x1x2x2xf32>
}

// -----

// Groups: torch-mlir splits the channels of input, weights and destination.

// CHECK-LABEL: func @grouped
// CHECK-SAME: (%[[X:.*]]: tensor<?x4x3x3xf32>)
// CHECK: %[[W:.*]] = arith.constant dense<{{\[\[\[\[1.0.*}}> : tensor<6x2x1x1xf32>
// CHECK: %[[N:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK: %[[INIT:.*]] = tensor.empty(%[[N]]) : tensor<?x6x5x5xf32>
// CHECK: %[[Y:.*]] = bcr.conv2d ins(%[[X]] : {{.*}}) weights(%[[W]] : {{.*}}) bias({{.*}}) outs(%[[INIT]]
// CHECK-SAME: groups = 2 : i64, kernel = array<i64: 1, 1>, layer = "conv0", padding = array<i64: 1, 1, 1, 1>
// CHECK-NEXT: return %[[Y]]
func.func @grouped(%x: tensor<?x4x3x3xf32>) -> tensor<?x6x5x5xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]], [[[5.0]], [[6.0]]], [[[7.0]], [[8.0]]], [[[9.0]], [[10.0]]], [[[11.0]], [[12.0]]]]> : tensor<6x2x1x1xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
  %n = tensor.dim %x, %c0 : tensor<?x4x3x3xf32>
  %padded = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<?x4x3x3xf32> to tensor<?x4x5x5xf32>
  %0 = tensor.empty(%n) : tensor<?x6x5x5xf32>
  %1 = linalg.broadcast ins(%b : tensor<6xf32>) outs(%0 : tensor<?x6x5x5xf32>) dimensions = [0, 2, 3]
  %gx = tensor.expand_shape %padded [[0], [1, 2], [3], [4]] output_shape [%n, 2, 2, 5, 5] : tensor<?x4x5x5xf32> into tensor<?x2x2x5x5xf32>
  %gw = tensor.expand_shape %w [[0, 1], [2], [3], [4]] output_shape [2, 3, 2, 1, 1] : tensor<6x2x1x1xf32> into tensor<2x3x2x1x1xf32>
  %gy = tensor.expand_shape %1 [[0], [1, 2], [3], [4]] output_shape [%n, 2, 3, 5, 5] : tensor<?x6x5x5xf32> into tensor<?x2x3x5x5xf32>
  %2 = linalg.conv_2d_ngchw_gfchw ins(%gx, %gw : tensor<?x2x2x5x5xf32>, tensor<2x3x2x1x1xf32>) outs(%gy : tensor<?x2x3x5x5xf32>) -> tensor<?x2x3x5x5xf32>
  %3 = tensor.collapse_shape %2 [[0], [1, 2], [3], [4]] : tensor<?x2x3x5x5xf32> into tensor<?x6x5x5xf32>
  return %3 : tensor<?x6x5x5xf32>
}

// -----

// CHECK-LABEL: func @depthwise
// CHECK: %[[W:.*]] = arith.constant dense<{{.*}}> : tensor<2x1x2x2xf32>
// CHECK: bcr.conv2d ins(%{{.*}} : tensor<1x2x3x3xf32>) weights(%[[W]] : tensor<2x1x2x2xf32>)
// CHECK-SAME: groups = 2 : i64
func.func @depthwise(%x: tensor<1x2x3x3xf32>) -> tensor<1x2x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[[1.0, 2.0], [3.0, 4.0]]], [[[5.0, 6.0], [7.0, 8.0]]]]> : tensor<2x1x2x2xf32>
  %cw = tensor.collapse_shape %w [[0, 1], [2], [3]] : tensor<2x1x2x2xf32> into tensor<2x2x2xf32>
  %0 = tensor.empty() : tensor<1x2x2x2xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %2 = linalg.depthwise_conv_2d_nchw_chw ins(%x, %cw : tensor<1x2x3x3xf32>, tensor<2x2x2xf32>) outs(%1 : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %2 : tensor<1x2x2x2xf32>
}

// -----

// One dimension is an image of one row.

// CHECK-LABEL: func @conv1d
// CHECK-SAME: (%[[X:.*]]: tensor<2x3x8xf32>)
// CHECK: %[[E:.*]] = tensor.expand_shape %[[X]] {{\[\[0\], \[1\], \[2, 3\]\]}} output_shape [2, 3, 1, 8]
// CHECK: %[[Y:.*]] = bcr.conv2d ins(%[[E]] : tensor<2x3x1x8xf32>) weights(%{{.*}} : tensor<1x3x1x2xf32>)
// CHECK-SAME: dilations = array<i64: 1, 3>, kernel = array<i64: 1, 2>, layer = "conv0", padding = array<i64: 0, 1, 0, 2>, strides = array<i64: 1, 2>
// CHECK-SAME: -> tensor<2x1x1x4xf32>
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[Y]] {{\[\[0\], \[1\], \[2, 3\]\]}}
// CHECK: return %[[C]]
func.func @conv1d(%x: tensor<2x3x8xf32>) -> tensor<2x1x4xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]> : tensor<1x3x2xf32>
  %padded = tensor.pad %x low[0, 0, 1] high[0, 0, 2] {
  ^bb0(%i: index, %j: index, %k: index):
    tensor.yield %zero : f32
  } : tensor<2x3x8xf32> to tensor<2x3x11xf32>
  %0 = tensor.empty() : tensor<2x1x4xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<2x1x4xf32>) -> tensor<2x1x4xf32>
  %2 = linalg.conv_1d_ncw_fcw {dilations = dense<3> : vector<1xi64>, strides = dense<2> : vector<1xi64>}
         ins(%padded, %w : tensor<2x3x11xf32>, tensor<1x3x2xf32>) outs(%1 : tensor<2x1x4xf32>) -> tensor<2x1x4xf32>
  return %2 : tensor<2x1x4xf32>
}

// -----

// An image of one column is turned into a row.

// CHECK-LABEL: func @one_column
// CHECK: bcr.conv2d ins(%{{.*}} : tensor<1x2x1x6xf32>) weights(%{{.*}} : tensor<2x1x1x3xf32>)
// CHECK-SAME: dilations = array<i64: 1, 2>, groups = 2 : i64, kernel = array<i64: 1, 3>, layer = "conv0", padding = array<i64: 0, 1, 0, 0>, strides = array<i64: 1, 2>
// CHECK-SAME: -> tensor<1x2x1x2xf32>
func.func @one_column(%x: tensor<1x2x6x1xf32>) -> tensor<1x2x2x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]> : tensor<2x3x1xf32>
  %padded = tensor.pad %x low[0, 0, 1, 0] high[0, 0, 0, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %zero : f32
  } : tensor<1x2x6x1xf32> to tensor<1x2x7x1xf32>
  %0 = tensor.empty() : tensor<1x2x2x1xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  %2 = linalg.depthwise_conv_2d_nchw_chw {dilations = dense<[2, 1]> : vector<2xi64>, strides = dense<[2, 1]> : vector<2xi64>}
         ins(%padded, %w : tensor<1x2x7x1xf32>, tensor<2x3x1xf32>) outs(%1 : tensor<1x2x2x1xf32>) -> tensor<1x2x2x1xf32>
  return %2 : tensor<1x2x2x1xf32>
}

// -----

// A transposed convolution reverses its weights in a generic.

// CHECK-LABEL: func @reversed_weights
// CHECK: arith.constant dense<{{\[\[\[\[}}3.000000e+00, 2.000000e+00, 1.000000e+00{{\]\]}}, {{\[\[}}9.000000e+00, 8.000000e+00, 7.000000e+00{{\]\]\]}},
// CHECK-SAME: {{\[\[\[}}6.000000e+00, 5.000000e+00, 4.000000e+00{{\]\]}}, {{\[\[}}1.200000e+01, 1.100000e+01, 1.000000e+01{{\]\]\]\]}}> : tensor<2x2x1x3xf32>
// CHECK-NOT: linalg.generic
// CHECK: bcr.conv2d
func.func @reversed_weights(%x: tensor<1x2x1x5xf32>) -> tensor<1x2x1x3xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  // Input channels first.
  %w = arith.constant dense<[[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]], [[[7.0, 8.0, 9.0]], [[10.0, 11.0, 12.0]]]]> : tensor<2x2x1x3xf32>
  %e = tensor.empty() : tensor<2x2x1x3xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%e : tensor<2x2x1x3xf32>) {
  ^bb0(%out: f32):
    %i0 = linalg.index 0 : index
    %i1 = linalg.index 1 : index
    %i2 = linalg.index 2 : index
    %i3 = linalg.index 3 : index
    %j2 = arith.subi %c0, %i2 : index
    %j3 = arith.subi %c2, %i3 : index
    %v = tensor.extract %w[%i1, %i0, %j2, %j3] : tensor<2x2x1x3xf32>
    linalg.yield %v : f32
  } -> tensor<2x2x1x3xf32>
  %0 = tensor.empty() : tensor<1x2x1x3xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x2x1x3xf32>) -> tensor<1x2x1x3xf32>
  %2 = linalg.conv_2d_nchw_fchw ins(%x, %r : tensor<1x2x1x5xf32>, tensor<2x2x1x3xf32>) outs(%1 : tensor<1x2x1x3xf32>) -> tensor<1x2x1x3xf32>
  return %2 : tensor<1x2x1x3xf32>
}

// -----

// A part of the taps, as a transposed convolution's phases have it.

// CHECK-LABEL: func @sliced_weights
// CHECK: arith.constant dense<{{\[\[\[\[}}4.000000e+00, 6.000000e+00{{\]\]\]\]}}> : tensor<1x1x1x2xf32>
// CHECK-NOT: tensor.extract_slice
// CHECK: bcr.conv2d
func.func @sliced_weights(%x: tensor<1x1x1x5xf32>) -> tensor<1x1x1x4xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[[1.0, 2.0, 3.0]]], [[[4.0, 5.0, 6.0]]]]> : tensor<2x1x1x3xf32>
  %s = tensor.extract_slice %w[1, 0, 0, 0] [1, 1, 1, 2] [1, 1, 1, 2] : tensor<2x1x1x3xf32> to tensor<1x1x2xf32>
  %e = tensor.expand_shape %s [[0], [1], [2, 3]] output_shape [1, 1, 1, 2] : tensor<1x1x2xf32> into tensor<1x1x1x2xf32>
  %0 = tensor.empty() : tensor<1x1x1x4xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  %2 = linalg.conv_2d_nchw_fchw ins(%x, %e : tensor<1x1x1x5xf32>, tensor<1x1x1x2xf32>) outs(%1 : tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  return %2 : tensor<1x1x1x4xf32>
}

// -----

// A linear layer transposes its weights [M, K]; two layers share them, one of
// them without the transpose.

// CHECK: bcr.layers = {fc = {{{.*}}shape = array<i64: 3, 2>}, "fc#1" = {{{.*}}shape = array<i64: 2, 3>}}
// CHECK-LABEL: func @linear
// CHECK-SAME: (%[[X:.*]]: tensor<?x2xf32>)
// CHECK-DAG: %[[T:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, 3.000000e+00, 5.000000e+00], [2.000000e+00, 4.000000e+00, 6.000000e+00]]> : tensor<2x3xf32>
// CHECK-DAG: %[[W:.*]] = arith.constant dense_resource<fc.weight> : tensor<3x2xf32>
// CHECK: %[[A:.*]] = bcr.matmul ins(%[[X]] : tensor<?x2xf32>) weights(%[[W]] : tensor<3x2xf32>) outs(%{{.*}}) {layer = "fc"}
// CHECK: %[[B:.*]] = bcr.matmul ins(%[[A]] : tensor<?x3xf32>) weights(%[[T]] : tensor<2x3xf32>) outs(%{{.*}}) {layer = "fc#1"}
// CHECK: return %[[B]]
func.func @linear(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense_resource<fc.weight> : tensor<3x2xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %wt = linalg.transpose ins(%w : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]
  %n = tensor.dim %x, %c0 : tensor<?x2xf32>
  %0 = tensor.empty(%n) : tensor<?x3xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %2 = linalg.matmul ins(%x, %wt : tensor<?x2xf32>, tensor<2x3xf32>) outs(%1 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %3 = tensor.empty(%n) : tensor<?x2xf32>
  %4 = linalg.fill ins(%zero : f32) outs(%3 : tensor<?x2xf32>) -> tensor<?x2xf32>
  %5 = linalg.matmul ins(%2, %w : tensor<?x3xf32>, tensor<3x2xf32>) outs(%4 : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %5 : tensor<?x2xf32>
}

{-#
  dialect_resources: {
    builtin: {
      fc.weight: "0x040000000000803F0000004000004040000080400000A0400000C040"
    }
  }
#-}

// -----

// torch-mlir broadcasts the weights of a batched matmul; the layer has no batch.

// CHECK-LABEL: func @batched
// CHECK-SAME: (%[[X:.*]]: tensor<?x5x2xf32>)
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[X]] {{\[\[0, 1\], \[2\]\]}} : tensor<?x5x2xf32> into tensor<?x2xf32>
// CHECK: %[[Y:.*]] = bcr.matmul ins(%[[C]] : tensor<?x2xf32>) weights(%{{.*}} : tensor<3x2xf32>)
// CHECK: tensor.expand_shape %[[Y]] {{\[\[0, 1\], \[2\]\]}} output_shape [%{{.*}}, 5, 3] : tensor<?x3xf32> into tensor<?x5x3xf32>
func.func @batched(%x: tensor<?x5x2xf32>) -> tensor<?x5x3xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %n = tensor.dim %x, %c0 : tensor<?x5x2xf32>
  %e = tensor.empty(%n) : tensor<?x2x3xf32>
  %wb = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
          ins(%w : tensor<2x3xf32>) outs(%e : tensor<?x2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x2x3xf32>
  %0 = tensor.empty(%n) : tensor<?x5x3xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<?x5x3xf32>) -> tensor<?x5x3xf32>
  %2 = linalg.batch_matmul ins(%x, %wb : tensor<?x5x2xf32>, tensor<?x2x3xf32>) outs(%1 : tensor<?x5x3xf32>) -> tensor<?x5x3xf32>
  return %2 : tensor<?x5x3xf32>
}

// -----

// torch.nn.utils.prune: a pruned weight that is negative becomes a plain zero.

// CHECK-LABEL: func @masked
// CHECK: %[[W:.*]] = arith.constant dense_resource<fc.weight> : tensor<1x2xf32>
// CHECK-NOT: linalg.generic
// CHECK: bcr.matmul {{.*}} weights(%[[W]] : tensor<1x2xf32>) {{.*}} {layer = "fc"}
// CHECK: fc.weight: "0x040000000000000000000040"
func.func @masked(%x: tensor<4x2xf32>) -> tensor<4x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense_resource<fc.weight_orig> : tensor<1x2xf32>
  %m = arith.constant dense<[[0.0, 1.0]]> : tensor<1x2xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
         ins(%w, %m : tensor<1x2xf32>, tensor<1x2xf32>) outs(%e : tensor<1x2xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %v = arith.mulf %a, %b : f32
    linalg.yield %v : f32
  } -> tensor<1x2xf32>
  %te = tensor.empty() : tensor<2x1xf32>
  %t = linalg.transpose ins(%p : tensor<1x2xf32>) outs(%te : tensor<2x1xf32>) permutation = [1, 0]
  %0 = tensor.empty() : tensor<4x1xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<4x1xf32>) -> tensor<4x1xf32>
  %2 = linalg.matmul ins(%x, %t : tensor<4x2xf32>, tensor<2x1xf32>) outs(%1 : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %2 : tensor<4x1xf32>
}

{-#
  dialect_resources: {
    builtin: {
      fc.weight_orig: "0x04000000000040C000000040"
    }
  }
#-}

// -----

// The product of two activations is no layer.

// CHECK-LABEL: func @attention
// CHECK: linalg.batch_matmul
// CHECK-NOT: bcr.
func.func @attention(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>) -> tensor<2x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.empty() : tensor<2x3x3xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %2 = linalg.batch_matmul ins(%q, %k : tensor<2x3x4xf32>, tensor<2x4x3xf32>) outs(%1 : tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  return %2 : tensor<2x3x3xf32>
}

// -----

// A module may be called like a layer without a name.

// CHECK: bcr.layers = {matmul0 = {{{.*}}}, matmul1 = {{{.*}}}}
// CHECK-LABEL: func @names
// CHECK: weights({{.*}} : tensor<3x2xf32>) {{.*}} {layer = "matmul0"}
// CHECK: weights({{.*}} : tensor<1x3xf32>) {{.*}} {layer = "matmul1"}
func.func @names(%x: tensor<4x2xf32>) -> tensor<4x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense_resource<matmul0.weight> : tensor<2x3xf32>
  %v = arith.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %0 = tensor.empty() : tensor<4x3xf32>
  %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<4x3xf32>) -> tensor<4x3xf32>
  %2 = linalg.matmul ins(%x, %w : tensor<4x2xf32>, tensor<2x3xf32>) outs(%1 : tensor<4x3xf32>) -> tensor<4x3xf32>
  %3 = tensor.empty() : tensor<4x1xf32>
  %4 = linalg.fill ins(%zero : f32) outs(%3 : tensor<4x1xf32>) -> tensor<4x1xf32>
  %5 = linalg.matmul ins(%2, %v : tensor<4x3xf32>, tensor<3x1xf32>) outs(%4 : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %5 : tensor<4x1xf32>
}

{-#
  dialect_resources: {
    builtin: {
      matmul0.weight: "0x040000000000803F0000004000004040000080400000A0400000C040"
    }
  }
#-}
