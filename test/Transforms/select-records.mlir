// Records of what was measured, by the key of a layer.
// RUN: bcr-opt %s -split-input-file -bcr-select -verify-diagnostics | FileCheck %s
// RUN: bcr-opt %s -split-input-file -bcr-select=sparsity=force 2>/dev/null | FileCheck %s --check-prefix=FORCE

// Keys are told wherever there is a dictionary of records, even an empty one.
// CHECK: first = {{.*}}tuning_key = "matmul 2x64 to 64, dense"
// CHECK-SAME: second = {{.*}}tuning_block = array<i64: 64, 128>, tuning_key = "conv2d 1x64x28x29 to 64 kernel 1x2 stride 1x1 padding 0x0x0x1 dilation 1x1 groups 1, blocks 64x128 rate 8200.0 revisits 0"
// CHECK-LABEL: func.func @keys
// CHECK-NOT: bcr.record =
module attributes {bcr.records = {}} {
  func.func @keys(%x: tensor<2x64xf32>, %o: tensor<2x64xf32>, %y: tensor<1x64x28x29xf32>, %p: tensor<1x64x28x29xf32>) -> (tensor<2x64xf32>, tensor<1x64x28x29xf32>) {
    %w = arith.constant dense<1.5> : tensor<64x64xf32>
    %v = arith.constant dense<0.0> : tensor<64x64x1x2xf32>
    %0 = bcr.matmul ins(%x : tensor<2x64xf32>) weights(%w : tensor<64x64xf32>)
           outs(%o : tensor<2x64xf32>) {layer = "first"} -> tensor<2x64xf32>
    %1 = bcr.conv2d ins(%y : tensor<1x64x28x29xf32>) weights(%v : tensor<64x64x1x2xf32>)
           outs(%p : tensor<1x64x28x29xf32>)
           {kernel = array<i64: 1, 2>, padding = array<i64: 0, 0, 0, 1>, layer = "second"} -> tensor<1x64x28x29xf32>
    return %0, %1 : tensor<2x64xf32>, tensor<1x64x28x29xf32>
  }
}

// -----

// Measured to be faster dense; who forces sparse code gets it.
// CHECK: zero = {{.*}}form = "dense"{{.*}}reason = "measured to be faster than sparse"
// CHECK-LABEL: func.func @dense
// CHECK: bcr.matmul
// CHECK-SAME: bcr.record = {form = "dense", height = 16 : i64, kernel = "rows", vectors = 2 : i64}
// CHECK-SAME: form = #bcr.form<dense>
// FORCE-LABEL: func.func @dense
// FORCE: bcr.matmul
// FORCE-NOT: bcr.record
// FORCE-SAME: form = #bcr.form<sparse>
module attributes {bcr.records = {"matmul 2x64 to 64, blocks 64x64 rate 4100.0 revisits 0" =
    {form = "dense", kernel = "rows", height = 16 : i64, vectors = 2 : i64}}} {
  func.func @dense(%x: tensor<2x64xf32>, %o: tensor<2x64xf32>) -> tensor<2x64xf32> {
    %w = arith.constant dense<0.0> : tensor<64x64xf32>
    %y = bcr.matmul ins(%x : tensor<2x64xf32>) weights(%w : tensor<64x64xf32>)
           outs(%o : tensor<2x64xf32>) {layer = "zero"} -> tensor<2x64xf32>
    return %y : tensor<2x64xf32>
  }
}

// -----

// Packed in lower blocks than those of the weights.
// CHECK: zero = {block = array<i64: 64, 64>
// CHECK-LABEL: func.func @lower
// CHECK: block = array<i64: 16, 64>
module attributes {bcr.records = {"matmul 2x64 to 64, blocks 64x64 rate 4100.0 revisits 0" = {form = "sparse", block_rows = 16 : i64}}} {
  func.func @lower(%x: tensor<2x64xf32>, %o: tensor<2x64xf32>) -> tensor<2x64xf32> {
    %w = arith.constant dense<0.0> : tensor<64x64xf32>
    %y = bcr.matmul ins(%x : tensor<2x64xf32>) weights(%w : tensor<64x64xf32>)
           outs(%o : tensor<2x64xf32>) {layer = "zero"} -> tensor<2x64xf32>
    return %y : tensor<2x64xf32>
  }
}

// -----

// What does not fit is refused, and the model decides.
// CHECK-LABEL: func.func @no_zeros
// CHECK: form = #bcr.form<dense>
module attributes {bcr.records = {"matmul 2x64 to 64, dense" = {form = "sparse"}}} {
  func.func @no_zeros(%x: tensor<2x64xf32>, %o: tensor<2x64xf32>) -> tensor<2x64xf32> {
    %w = arith.constant dense<1.5> : tensor<64x64xf32>
    // expected-warning @below {{the tuning record 'matmul 2x64 to 64, dense' of layer 'full' is not used: the layer has no zeros to leave out}}
    %y = bcr.matmul ins(%x : tensor<2x64xf32>) weights(%w : tensor<64x64xf32>)
           outs(%o : tensor<2x64xf32>) {layer = "full"} -> tensor<2x64xf32>
    return %y : tensor<2x64xf32>
  }
}

// -----

// CHECK-LABEL: func.func @ragged_blocks
// CHECK: block = array<i64: 64, 64>
// CHECK-NOT: bcr.record =
module attributes {bcr.records = {"matmul 2x64 to 64, blocks 64x64 rate 4100.0 revisits 0" = {block_rows = 3 : i64}}} {
  func.func @ragged_blocks(%x: tensor<2x64xf32>, %o: tensor<2x64xf32>) -> tensor<2x64xf32> {
    %w = arith.constant dense<0.0> : tensor<64x64xf32>
    // expected-warning @below {{is not used: blocks of 3 rows do not divide those of the weights, 64}}
    %y = bcr.matmul ins(%x : tensor<2x64xf32>) weights(%w : tensor<64x64xf32>)
           outs(%o : tensor<2x64xf32>) {layer = "zero"} -> tensor<2x64xf32>
    return %y : tensor<2x64xf32>
  }
}

// -----

// CHECK-LABEL: func.func @no_form
module attributes {bcr.records = {"matmul 2x64 to 64, dense" = {form = "crumpled"}}} {
  func.func @no_form(%x: tensor<2x64xf32>, %o: tensor<2x64xf32>) -> tensor<2x64xf32> {
    %w = arith.constant dense<1.5> : tensor<64x64xf32>
    // expected-warning @below {{is not used: its 'form' is not known here}}
    %y = bcr.matmul ins(%x : tensor<2x64xf32>) weights(%w : tensor<64x64xf32>)
           outs(%o : tensor<2x64xf32>) -> tensor<2x64xf32>
    return %y : tensor<2x64xf32>
  }
}
