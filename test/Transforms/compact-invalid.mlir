// RUN: bcr-opt %s -bcr-compact -split-input-file -verify-diagnostics

func.func @no_block(%x: tensor<1x4xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<0.0> : tensor<2x4xf32>
  // expected-error @below {{is sparse and has no 'block'; run bcr-select}}
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : tensor<2x4xf32>) outs(%o : tensor<1x2xf32>)
         {form = #bcr.form<sparse>} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @computed_weights(%x: tensor<1x4xf32>, %w: tensor<2x4xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // expected-error @below {{is sparse and its weights are not constant f32 data}}
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : tensor<2x4xf32>) outs(%o : tensor<1x2xf32>)
         {block = array<i64: 2, 2>, form = #bcr.form<sparse>} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @resource_without_data(%x: tensor<1x4xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense_resource<gone> : tensor<2x4xf32>
  // expected-error @below {{is sparse and its weights are not constant f32 data}}
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : tensor<2x4xf32>) outs(%o : tensor<1x2xf32>)
         {block = array<i64: 2, 2>, form = #bcr.form<sparse>} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
