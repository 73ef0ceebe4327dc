// RUN: bcr-opt %s --bcr-raise --remarks-filter=bcr-raise --split-input-file --verify-diagnostics | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>

// CHECK: bcr.layers = {matmul0 = {batch_norm = true, epilogue = ["bias", "residual", "relu"], input_shape = array<i64: 3, 2>,
// CHECK-SAME: op = "matmul", output_shape = array<i64: 3, 2>, shape = array<i64: 2, 2>}}
func.func @raised(%x: tensor<3x2xf32>, %res: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %wt = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %s = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  // expected-remark @below {{layer 'matmul0' (2x2) with batch norm, bias, residual, relu}}
  %1 = linalg.matmul ins(%x, %wt : tensor<3x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = linalg.generic {indexing_maps = [#id, #channel, #channel, #id], iterator_types = ["parallel", "parallel"]} ins(%1, %s, %b : tensor<3x2xf32>, tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%in: f32, %c: f32, %d: f32, %out: f32):
    %p = arith.mulf %in, %c : f32
    %v = arith.addf %p, %d : f32
    linalg.yield %v : f32
  } -> tensor<3x2xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%2, %res : tensor<3x2xf32>, tensor<3x2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %v = arith.addf %a, %c : f32
    linalg.yield %v : f32
  } -> tensor<3x2xf32>
  %4 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%3 : tensor<3x2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: f32, %out: f32):
    %v = arith.maximumf %a, %zero : f32
    linalg.yield %v : f32
  } -> tensor<3x2xf32>
  return %4 : tensor<3x2xf32>
}

// -----

// CHECK: bcr.layers = {conv0 = {op = "linalg.conv_3d_ncdhw_fcdhw", reason = "bcr has no layer for linalg.conv_3d_ncdhw_fcdhw"}}
// CHECK: linalg.conv_3d_ncdhw_fcdhw
func.func @three_dimensions(%x: tensor<1x1x2x2x2xf32>) -> tensor<1x1x2x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<2.0> : tensor<1x1x1x1x1xf32>
  %e = tensor.empty() : tensor<1x1x2x2x2xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1x2x2x2xf32>) -> tensor<1x1x2x2x2xf32>
  // expected-remark @below {{layer 'conv0' stays linalg.conv_3d_ncdhw_fcdhw: bcr has no layer for}}
  %1 = linalg.conv_3d_ncdhw_fcdhw ins(%x, %w : tensor<1x1x2x2x2xf32>, tensor<1x1x1x1x1xf32>) outs(%0 : tensor<1x1x2x2x2xf32>) -> tensor<1x1x2x2x2xf32>
  return %1 : tensor<1x1x2x2x2xf32>
}

// -----

func.func @mixed_types(%x: tensor<3x2xf32>) -> tensor<3x2xf64> {
  %zero = arith.constant 0.0 : f64
  %w = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf64>
  %0 = linalg.fill ins(%zero : f64) outs(%e : tensor<3x2xf64>) -> tensor<3x2xf64>
  // expected-remark @below {{layer 'matmul0' stays linalg.matmul: layers compute in f32, this one has f64}}
  %1 = linalg.matmul ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<3x2xf64>) -> tensor<3x2xf64>
  return %1 : tensor<3x2xf64>
}

// -----

func.func @accumulates(%x: tensor<3x2xf32>, %sum: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  // expected-remark @below {{it accumulates into a tensor that is neither zero nor a bias}}
  %0 = linalg.matmul ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%sum : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func @starts_at_one(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %one = arith.constant 1.0 : f32
  %w = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %0 = linalg.fill ins(%one : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  // expected-remark @below {{it accumulates into a tensor that is neither zero nor a bias}}
  %1 = linalg.matmul ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}

// -----

func.func @left_weights(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  // expected-remark @below {{layer 'matmul0' stays linalg.matmul: its weights are the left operand}}
  %1 = linalg.matmul ins(%w, %x : tensor<2x2xf32>, tensor<2x3xf32>) outs(%0 : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

// -----

func.func @own_maps(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  // expected-remark @below {{it has indexing maps of its own}}
  %1 = linalg.matmul indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>]
         ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}

// -----

func.func @weights_of_samples(%x: tensor<2x1x2xf32>) -> tensor<2x1x1xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[1.0], [-3.0]], [[2.0], [4.0]]]> : tensor<2x2x1xf32>
  %e = tensor.empty() : tensor<2x1x1xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  // expected-remark @below {{layer 'matmul0' stays linalg.batch_matmul: each sample has weights of its own}}
  %1 = linalg.batch_matmul ins(%x, %w : tensor<2x1x2xf32>, tensor<2x2x1xf32>) outs(%0 : tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  return %1 : tensor<2x1x1xf32>
}

// -----

func.func @dynamic_image(%x: tensor<1x1x?x4xf32>, %e: tensor<1x1x?x4xf32>) -> tensor<1x1x?x4xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<2.0> : tensor<1x1x1x1xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1x?x4xf32>) -> tensor<1x1x?x4xf32>
  // expected-remark @below {{layer 'conv0' stays linalg.conv_2d_nchw_fchw: its image size is dynamic}}
  %1 = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<1x1x?x4xf32>, tensor<1x1x1x1xf32>) outs(%0 : tensor<1x1x?x4xf32>) -> tensor<1x1x?x4xf32>
  return %1 : tensor<1x1x?x4xf32>
}

// -----

func.func @computed_weights(%x: tensor<1x1x4x4xf32>, %w: tensor<1x1x1x1xf32>) -> tensor<1x1x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x1x4x4xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
  // expected-remark @below {{layer 'conv0' stays linalg.conv_2d_nchw_fchw: its weights are not a constant}}
  %1 = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<1x1x4x4xf32>, tensor<1x1x1x1xf32>) outs(%0 : tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
  return %1 : tensor<1x1x4x4xf32>
}

// -----

// Weight normalisation, for one.

func.func @normalised_weights(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1.0, -3.0], [2.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %we = tensor.empty() : tensor<2x2xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<2x2xf32>) outs(%we : tensor<2x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %v = math.absf %in : f32
    linalg.yield %v : f32
  } -> tensor<2x2xf32>
  // expected-remark @below {{layer 'matmul0' stays linalg.matmul: its weights are computed in every run}}
  %2 = linalg.matmul ins(%x, %1 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %2 : tensor<3x2xf32>
}

// -----

// The text of a network carries the names of its weights without the data; a
// copy needs the data.

func.func @no_data(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense_resource<fc.weight> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  // expected-remark @below {{layer 'fc' stays linalg.matmul: the data of its weights is missing}}
  %1 = linalg.matmul ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%0 : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}
