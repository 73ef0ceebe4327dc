// Records of what was measured: on layers for bcr-tile, on the module for all.
// RUN: bcr-opt %s -split-input-file -bcr-tile -verify-diagnostics | FileCheck %s
// RUN: bcr-opt %s -split-input-file -bcr-tile=candidates=true 2>/dev/null | FileCheck %s --check-prefix=LIST

// The model would take 8x3x16; a record is stronger, and gone after.
// CHECK-LABEL: func.func @given
// CHECK: groups = dense<{{\[\[}}0, 4, 0, 1], [4, 4, 0, 1], [8, 1, 0, 1]]>
// CHECK: bcr.conv2d
// CHECK-NOT: bcr.record
// CHECK-SAME: schedule = #bcr.schedule<pixels, height = 4, vectors = 6, lanes = 16, band = 3>
// LIST: bcr.layers = {{.*}}given = {bands = array<i64: 2, 3, 4, 6, 12>, candidates = [{cycles = {{[0-9.e+]*}} : f64, height = 8 : i64, kernel = "pixels", vectors = 3 : i64}, {
// LIST-SAME: kernel = "rows"
func.func @given(%x: tensor<1x1x12x9xf32>, %o: tensor<1x9x12x9xf32>) -> tensor<1x9x12x9xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]], [[[3.0]]], [[[4.0]]], [[[5.0]]], [[[6.0]]], [[[0.0]]], [[[8.0]]], [[[9.0]]]]> : tensor<9x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x1x12x9xf32>) weights(%w : tensor<9x1x1x1xf32>) outs(%o : tensor<1x9x12x9xf32>)
         {kernel = array<i64: 1, 1>, layer = "given",
          bcr.record = {kernel = "pixels", height = 4 : i64, vectors = 6 : i64, band = 3 : i64}} -> tensor<1x9x12x9xf32>
  return %y : tensor<1x9x12x9xf32>
}

// -----

// Rows along the vector for an image, where the model takes its pixels.
// CHECK-LABEL: func.func @other_kernel
// CHECK: schedule = #bcr.schedule<rows, height = 32, vectors = 2, lanes = 16>
func.func @other_kernel(%x: tensor<1x1x4x4xf32>, %o: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x1x4x4xf32>) weights(%w : tensor<2x1x1x1xf32>) outs(%o : tensor<1x2x4x4xf32>)
         {kernel = array<i64: 1, 1>, bcr.record = {kernel = "rows", height = 32 : i64, vectors = 2 : i64}} -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}

// -----

// A band alone: the model chooses the tile.
// CHECK-LABEL: func.func @band
// CHECK: schedule = #bcr.schedule<pixels, height = 2, vectors = 2, lanes = 16, band = 2>
func.func @band(%x: tensor<1x1x4x8xf32>, %o: tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x1x4x8xf32>) weights(%w : tensor<2x1x1x1xf32>) outs(%o : tensor<1x2x4x8xf32>)
         {kernel = array<i64: 1, 1>, bcr.record = {band = 2 : i64}} -> tensor<1x2x4x8xf32>
  return %y : tensor<1x2x4x8xf32>
}

// -----

// What does not fit is refused, and the model decides.
// CHECK-LABEL: func.func @too_many_registers
// CHECK: schedule = #bcr.schedule<pixels, height = 2, vectors = 1, lanes = 16>
func.func @too_many_registers(%x: tensor<1x1x4x4xf32>, %o: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  // expected-warning @below {{the tuning record of layer 'wide' is not used: 8 rows by 4 vectors need 37 registers, the target has 32}}
  %y = bcr.conv2d ins(%x : tensor<1x1x4x4xf32>) weights(%w : tensor<2x1x1x1xf32>) outs(%o : tensor<1x2x4x4xf32>)
         {kernel = array<i64: 1, 1>, layer = "wide", bcr.record = {kernel = "pixels", height = 8 : i64, vectors = 4 : i64}} -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}

// -----

// CHECK-LABEL: func.func @thin_band
func.func @thin_band(%x: tensor<1x1x4x4xf32>, %o: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  // expected-warning @below {{is not used: a band of 2 rows of 4 has less than a vector}}
  %y = bcr.conv2d ins(%x : tensor<1x1x4x4xf32>) weights(%w : tensor<2x1x1x1xf32>) outs(%o : tensor<1x2x4x4xf32>)
         {kernel = array<i64: 1, 1>, bcr.record = {band = 2 : i64}} -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}

// -----

// CHECK-LABEL: func.func @ragged_band
func.func @ragged_band(%x: tensor<1x1x4x4xf32>, %o: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  // expected-warning @below {{is not used: a band of 3 rows does not divide 4 rows}}
  %y = bcr.conv2d ins(%x : tensor<1x1x4x4xf32>) weights(%w : tensor<2x1x1x1xf32>) outs(%o : tensor<1x2x4x4xf32>)
         {kernel = array<i64: 1, 1>, bcr.record = {band = 3 : i64}} -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}

// -----

// CHECK-LABEL: func.func @matmul_of_pixels
func.func @matmul_of_pixels(%x: tensor<1x3xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  // expected-warning @below {{is not used: there are too few samples to run along the vector}}
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<2x3xf32>) outs(%o : tensor<1x2xf32>)
         {bcr.record = {kernel = "pixels", height = 2 : i64, vectors = 1 : i64}} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// CHECK-LABEL: func.func @ragged_rows
func.func @ragged_rows(%x: tensor<1x3xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  // expected-warning @below {{is not used: 24 rows are no multiple of the 16 lanes}}
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<2x3xf32>) outs(%o : tensor<1x2xf32>)
         {bcr.record = {kernel = "rows", height = 24 : i64, vectors = 1 : i64}} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// CHECK-LABEL: func.func @half_a_tile
func.func @half_a_tile(%x: tensor<1x3xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  // expected-warning @below {{is not used: 'kernel', 'height' and 'vectors' come together}}
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<2x3xf32>) outs(%o : tensor<1x2xf32>)
         {bcr.record = {height = 16 : i64}} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// CHECK-LABEL: func.func @no_number
func.func @no_number(%x: tensor<1x3xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  // expected-warning @below {{is not used: its 'vectors' is no positive number}}
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<2x3xf32>) outs(%o : tensor<1x2xf32>)
         {bcr.record = {kernel = "rows", height = 16 : i64, vectors = 0 : i64}} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// CHECK-LABEL: func.func @unknown_kernel
func.func @unknown_kernel(%x: tensor<1x3xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  // expected-warning @below {{is not used: its 'kernel' is not known here}}
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<2x3xf32>) outs(%o : tensor<1x2xf32>)
         {bcr.record = {kernel = "diagonals", height = 16 : i64, vectors = 1 : i64}} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// CHECK-LABEL: func.func @no_dictionary
func.func @no_dictionary(%x: tensor<1x3xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  // expected-warning @below {{is not used: it is no dictionary}}
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<2x3xf32>) outs(%o : tensor<1x2xf32>)
         {bcr.record = 5 : i64} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Heights of the depthwise kernel, and the other kernels of such a layer.
// CHECK-LABEL: func.func @depthwise
// CHECK: schedule = #bcr.schedule<depthwise, height = 2, vectors = 1, lanes = 16>
// LIST: depthwise = {bands = array<i64: 4>, candidates = [{cycles = {{[0-9.e+]*}} : f64, height = 4 : i64, kernel = "depthwise", vectors = 1 : i64}, {{{.*}}height = 3 : i64, kernel = "depthwise"
// LIST-SAME: kernel = "pixels"
func.func @depthwise(%x: tensor<1x3x4x4xf32>, %o: tensor<1x3x4x3xf32>) -> tensor<1x3x4x3xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0]]], [[[3.0, 4.0]]], [[[5.0, 6.0]]]]> : tensor<3x1x1x2xf32>
  %y = bcr.conv2d ins(%x : tensor<1x3x4x4xf32>) weights(%w : tensor<3x1x1x2xf32>) outs(%o : tensor<1x3x4x3xf32>)
         {groups = 3 : i64, kernel = array<i64: 1, 2>, layer = "depthwise",
          bcr.record = {kernel = "depthwise", height = 2 : i64, vectors = 1 : i64}} -> tensor<1x3x4x3xf32>
  return %y : tensor<1x3x4x3xf32>
}

// -----

// CHECK-LABEL: func.func @tall_depthwise
// CHECK: schedule = #bcr.schedule<depthwise, height = 4, vectors = 1, lanes = 16>
func.func @tall_depthwise(%x: tensor<1x3x4x4xf32>, %o: tensor<1x3x4x3xf32>) -> tensor<1x3x4x3xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0]]], [[[3.0, 4.0]]], [[[5.0, 6.0]]]]> : tensor<3x1x1x2xf32>
  // expected-warning @below {{is not used: a tile of the kernel depthwise has at most 8 rows and 2 vectors}}
  %y = bcr.conv2d ins(%x : tensor<1x3x4x4xf32>) weights(%w : tensor<3x1x1x2xf32>) outs(%o : tensor<1x3x4x3xf32>)
         {groups = 3 : i64, kernel = array<i64: 1, 2>,
          bcr.record = {kernel = "depthwise", height = 9 : i64, vectors = 1 : i64}} -> tensor<1x3x4x3xf32>
  return %y : tensor<1x3x4x3xf32>
}

// -----

// CHECK-LABEL: func.func @no_depthwise
func.func @no_depthwise(%x: tensor<1x1x4x4xf32>, %o: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  // expected-warning @below {{is not used: the layer has more than a channel's taps for each output}}
  %y = bcr.conv2d ins(%x : tensor<1x1x4x4xf32>) weights(%w : tensor<2x1x1x1xf32>) outs(%o : tensor<1x2x4x4xf32>)
         {kernel = array<i64: 1, 1>, bcr.record = {kernel = "depthwise", height = 1 : i64, vectors = 1 : i64}} -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}

// -----

// Winograd's kernel is for dense 3x3 layers, beside `pixels`. Its bands are whole
// tiles and need not divide the image.
// CHECK-LABEL: func.func @winograd
// CHECK: schedule = #bcr.schedule<winograd, height = 2, vectors = 1, lanes = 16, band = 8>
// LIST: tiles = {bands = array<i64: 2, 3, 4, 6, 12>, candidates = [{
// LIST-SAME: kernel = "winograd", vectors = 1
func.func @winograd(%x: tensor<1x1x12x12xf32>, %o: tensor<1x2x12x12xf32>) -> tensor<1x2x12x12xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]], [[[10.0, 11.0, 12.0], [13.0, 14.0, 15.0], [16.0, 17.0, 18.0]]]]> : tensor<2x1x3x3xf32>
  %y = bcr.conv2d ins(%x : tensor<1x1x12x12xf32>) weights(%w : tensor<2x1x3x3xf32>) outs(%o : tensor<1x2x12x12xf32>)
         {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, layer = "tiles",
          bcr.record = {kernel = "winograd", height = 2 : i64, vectors = 1 : i64, band = 8 : i64}} -> tensor<1x2x12x12xf32>
  return %y : tensor<1x2x12x12xf32>
}

// -----

// CHECK-LABEL: func.func @winograd_of_half_a_tile
func.func @winograd_of_half_a_tile(%x: tensor<1x1x12x12xf32>, %o: tensor<1x2x12x12xf32>) -> tensor<1x2x12x12xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]], [[[10.0, 11.0, 12.0], [13.0, 14.0, 15.0], [16.0, 17.0, 18.0]]]]> : tensor<2x1x3x3xf32>
  // expected-warning @below {{is not used: a band of the kernel winograd is a multiple of 4 rows}}
  %y = bcr.conv2d ins(%x : tensor<1x1x12x12xf32>) weights(%w : tensor<2x1x3x3xf32>) outs(%o : tensor<1x2x12x12xf32>)
         {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>,
          bcr.record = {kernel = "winograd", height = 2 : i64, vectors = 1 : i64, band = 6 : i64}} -> tensor<1x2x12x12xf32>
  return %y : tensor<1x2x12x12xf32>
}

// -----

// CHECK-LABEL: func.func @strided_winograd
// CHECK: schedule = #bcr.schedule<pixels
func.func @strided_winograd(%x: tensor<1x1x12x12xf32>, %o: tensor<1x2x6x12xf32>) -> tensor<1x2x6x12xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]], [[[10.0, 11.0, 12.0], [13.0, 14.0, 15.0], [16.0, 17.0, 18.0]]]]> : tensor<2x1x3x3xf32>
  // expected-warning @below {{is not used: the kernel winograd is for dense convolutions with 3x3 taps, strides and dilations of one and one group}}
  %y = bcr.conv2d ins(%x : tensor<1x1x12x12xf32>) weights(%w : tensor<2x1x3x3xf32>) outs(%o : tensor<1x2x6x12xf32>)
         {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 1>,
          bcr.record = {kernel = "winograd", height = 2 : i64, vectors = 1 : i64}} -> tensor<1x2x6x12xf32>
  return %y : tensor<1x2x6x12xf32>
}
