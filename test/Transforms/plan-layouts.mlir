// RUN: bcr-opt %s --bcr-plan-layouts --split-input-file --verify-each | FileCheck %s

// Two 3x3 convolutions one after the other. What lies between them gets a zero
// between two rows (pitch 5 for a width of 4) and a row of zeros between two
// channels: 6 zeros, then 4 rows of 5, twice, 6 zeros and 64 elements that may
// be read. The second convolution reads a view with the zeros around it; the
// input and the result of @main stay as they are.

// CHECK-LABEL: func.func @chain
// CHECK: %[[STORAGE:.*]] = memref.alloc() {alignment = 64 : i64} : memref<120xf32>
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: %[[HALO:.*]] = memref.reinterpret_cast %[[STORAGE]] to offset: [0], sizes: [1, 1, 3, 6], strides: [120, 120, 25, 1]
// CHECK: linalg.fill ins(%[[ZERO]] : f32) outs(%[[HALO]]
// CHECK-NOT: linalg.fill
// CHECK: %[[IMAGES:.*]] = memref.reinterpret_cast %[[STORAGE]] to offset: [6], sizes: [1, 2, 4, 4], strides: [50, 25, 5, 1]
// CHECK: bcr.conv2d ins(%{{.*}} : memref<1x1x4x4xf32>) {{.*}} outs(%[[IMAGES]] : {{.*}}) {gaps = #bcr.gaps<zero>, {{.*}}padding = array<i64: 1, 1, 1, 1>
// CHECK: %[[PADDED:.*]] = memref.reinterpret_cast %[[STORAGE]] to offset: [0], sizes: [1, 2, 6, 6], strides: [50, 25, 5, 1]
// CHECK: bcr.conv2d ins(%[[PADDED]] : {{.*}}) {{.*}} outs(%{{.*}} : memref<1x1x4x4xf32>) {kernel = array<i64: 3, 3>, overread = 64 : i64}
// CHECK: memref.dealloc %[[STORAGE]]
func.func @chain(%x: memref<1x1x4x4xf32>, %w1: memref<2x1x3x3xf32>, %w2: memref<1x2x3x3xf32>, %y: memref<1x1x4x4xf32>) {
  %a = memref.alloc() {alignment = 64 : i64} : memref<1x2x4x4xf32>
  bcr.conv2d ins(%x : memref<1x1x4x4xf32>) weights(%w1 : memref<2x1x3x3xf32>) outs(%a : memref<1x2x4x4xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
  bcr.conv2d ins(%a : memref<1x2x4x4xf32>) weights(%w2 : memref<1x2x3x3xf32>) outs(%y : memref<1x1x4x4xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
  memref.dealloc %a : memref<1x2x4x4xf32>
  return
}

// -----

// A residual has the pitch of the result it is added to, and so has the input
// of a 1x1 convolution; nobody reads zeros around it, so its gaps are free. An
// asymmetric padding takes the wider side only.

// CHECK-LABEL: func.func @residual
// CHECK-DAG: memref.reinterpret_cast %{{.*}} to offset: [2], sizes: [1, 1, 4, 8], strides: [40, 40, 10, 1]
// CHECK-DAG: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [1, 1, 4, 8], strides: [40, 40, 10, 1]
// CHECK: bcr.conv2d {{.*}} outs(%[[R:.*]] : {{.*}}) {gaps = #bcr.gaps<free>
// CHECK: bcr.conv2d {{.*}} residual(%[[R]] : {{.*}}) outs({{.*}}) {gaps = #bcr.gaps<zero>, kernel = array<i64: 1, 1>, overread = 64 : i64}
func.func @residual(%x: memref<1x1x4x8xf32>, %w: memref<1x1x1x1xf32>, %w3: memref<1x1x1x3xf32>, %y: memref<1x1x4x8xf32>) {
  %r = memref.alloc() : memref<1x1x4x8xf32>
  %a = memref.alloc() : memref<1x1x4x8xf32>
  bcr.conv2d ins(%x : memref<1x1x4x8xf32>) weights(%w : memref<1x1x1x1xf32>) outs(%r : memref<1x1x4x8xf32>) {kernel = array<i64: 1, 1>}
  bcr.conv2d ins(%r : memref<1x1x4x8xf32>) weights(%w : memref<1x1x1x1xf32>) residual(%r : memref<1x1x4x8xf32>) outs(%a : memref<1x1x4x8xf32>) {kernel = array<i64: 1, 1>}
  bcr.conv2d ins(%a : memref<1x1x4x8xf32>) weights(%w3 : memref<1x1x1x3xf32>) outs(%y : memref<1x1x4x8xf32>)
    {kernel = array<i64: 1, 3>, padding = array<i64: 0, 2, 0, 0>}
  return
}

// -----

// Something else than a layer writes the images: the gaps have to be set to
// zero once. Two halves of the channels are written on their own.

// CHECK-LABEL: func.func @parts
// CHECK: linalg.fill
// CHECK: %[[GAPS:.*]] = memref.reinterpret_cast %[[STORAGE:.*]] to offset: [10], sizes: [1, 2, 4, 1], strides: [50, 25, 5, 1]
// CHECK: linalg.fill {{.*}} outs(%[[GAPS]]
// CHECK: %[[IMAGES:.*]] = memref.reinterpret_cast %[[STORAGE]] to offset: [6], sizes: [1, 2, 4, 4]
// CHECK-DAG: memref.subview %[[IMAGES]][0, 0, 0, 0] [1, 1, 4, 4] [1, 1, 1, 1] : {{.*}} to memref<1x1x4x4xf32, strided<[50, 25, 5, 1], offset: 6>>
// CHECK-DAG: memref.subview %[[IMAGES]][0, 1, 0, 0] [1, 1, 4, 4] [1, 1, 1, 1] : {{.*}} to memref<1x1x4x4xf32, strided<[50, 25, 5, 1], offset: 31>>
// CHECK: bcr.conv2d {{.*}} outs({{.*}}offset: 31>>) {gaps = #bcr.gaps<zero>
func.func @parts(%x: memref<1x1x4x4xf32>, %w1: memref<1x1x1x1xf32>, %w2: memref<1x2x3x3xf32>, %y: memref<1x1x4x4xf32>) {
  %a = memref.alloc() : memref<1x2x4x4xf32>
  %first = memref.subview %a[0, 0, 0, 0] [1, 1, 4, 4] [1, 1, 1, 1] : memref<1x2x4x4xf32> to memref<1x1x4x4xf32, strided<[32, 16, 4, 1]>>
  %second = memref.subview %a[0, 1, 0, 0] [1, 1, 4, 4] [1, 1, 1, 1] : memref<1x2x4x4xf32> to memref<1x1x4x4xf32, strided<[32, 16, 4, 1], offset: 16>>
  memref.copy %x, %first : memref<1x1x4x4xf32> to memref<1x1x4x4xf32, strided<[32, 16, 4, 1]>>
  bcr.conv2d ins(%x : memref<1x1x4x4xf32>) weights(%w1 : memref<1x1x1x1xf32>) outs(%second : memref<1x1x4x4xf32, strided<[32, 16, 4, 1], offset: 16>>)
    {kernel = array<i64: 1, 1>}
  bcr.conv2d ins(%a : memref<1x2x4x4xf32>) weights(%w2 : memref<1x2x3x3xf32>) outs(%y : memref<1x1x4x4xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
  return
}

// -----

// Left as they are: a buffer that is reshaped, one whose rows would become more
// than half as long again, and one that no padding or residual is about.

// CHECK-LABEL: func.func @left
// CHECK: memref.alloc() : memref<1x1x4x4xf32>
// CHECK: memref.alloc() : memref<1x1x8x8xf32>
// CHECK: memref.alloc() : memref<1x1x2x2xf32>
// CHECK-NOT: reinterpret_cast
func.func @left(%x: memref<1x1x4x4xf32>, %z: memref<1x1x8x8xf32>, %u: memref<1x1x2x2xf32>, %w: memref<1x1x3x3xf32>, %v: memref<1x1x1x1xf32>) {
  %a = memref.alloc() : memref<1x1x4x4xf32>
  %flat = memref.collapse_shape %a [[0], [1, 2, 3]] : memref<1x1x4x4xf32> into memref<1x16xf32>
  bcr.conv2d ins(%a : memref<1x1x4x4xf32>) weights(%w : memref<1x1x3x3xf32>) outs(%x : memref<1x1x4x4xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
  %b = memref.alloc() : memref<1x1x8x8xf32>
  bcr.conv2d ins(%b : memref<1x1x8x8xf32>) weights(%w : memref<1x1x3x3xf32>) outs(%z : memref<1x1x8x8xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 5, 5, 5, 5>, dilations = array<i64: 5, 5>}
  %c = memref.alloc() : memref<1x1x2x2xf32>
  bcr.conv2d ins(%c : memref<1x1x2x2xf32>) weights(%v : memref<1x1x1x1xf32>) outs(%u : memref<1x1x2x2xf32>)
    {kernel = array<i64: 1, 1>}
  return
}

// -----

// A depthwise kernel asks for no zeros. Where another convolution does, it reads
// the images between them, with the padding it had; so does a pooling, and one
// that writes the images leaves the gaps to be set to zero once.

// CHECK-LABEL: func.func @depthwise
// CHECK: %[[A:.*]] = memref.alloc() : memref<1x1x4x4xf32>
// CHECK: memref.reinterpret_cast {{.*}} sizes: [1, 1, 2, 6]
// CHECK: memref.reinterpret_cast {{.*}} sizes: [1, 1, 4, 1], strides: [25, 25, 5, 1]
// CHECK: %[[B:.*]] = memref.reinterpret_cast {{.*}} sizes: [1, 1, 4, 4], strides: [25, 25, 5, 1]
// CHECK: bcr.conv2d ins(%[[A]] : {{.*}}) {{.*}} outs(%[[B]] : {{.*}}) {gaps = #bcr.gaps<zero>, {{.*}}padding = array<i64: 1, 1, 1, 1>
// CHECK: bcr.pool2d ins(%[[A]] : {{.*}}) outs(%[[B]] : {{.*}}) {{{.*}}padding = array<i64: 1, 1, 1, 1>
// CHECK: bcr.pool2d ins(%[[B]] : {{.*}}) {{.*}}padding = array<i64: 1, 1, 1, 1>
// CHECK: bcr.conv2d ins(%[[B]] : {{.*}}) {{.*}}padding = array<i64: 2, 2, 2, 2>
// CHECK: bcr.conv2d ins(%{{.*}} : memref<1x1x6x6xf32, {{.*}}) {{.*}} {kernel = array<i64: 3, 3>, overread
func.func @depthwise(%w3: memref<1x1x3x3xf32>, %w5: memref<1x1x5x5xf32>, %x: memref<1x1x4x4xf32>, %y: memref<1x1x4x4xf32>, %z: memref<1x1x4x4xf32>) {
  %a = memref.alloc() : memref<1x1x4x4xf32>
  %b = memref.alloc() : memref<1x1x4x4xf32>
  bcr.conv2d ins(%a : memref<1x1x4x4xf32>) weights(%w3 : memref<1x1x3x3xf32>) outs(%b : memref<1x1x4x4xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, schedule = #bcr.schedule<depthwise, height = 4, vectors = 1, lanes = 4>}
  bcr.pool2d ins(%a : memref<1x1x4x4xf32>) outs(%b : memref<1x1x4x4xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
  bcr.pool2d ins(%b : memref<1x1x4x4xf32>) outs(%x : memref<1x1x4x4xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
  bcr.conv2d ins(%b : memref<1x1x4x4xf32>) weights(%w5 : memref<1x1x5x5xf32>) outs(%y : memref<1x1x4x4xf32>)
    {kernel = array<i64: 5, 5>, padding = array<i64: 2, 2, 2, 2>, schedule = #bcr.schedule<depthwise, height = 4, vectors = 1, lanes = 4>}
  bcr.conv2d ins(%b : memref<1x1x4x4xf32>) weights(%w3 : memref<1x1x3x3xf32>) outs(%z : memref<1x1x4x4xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
  return
}

// -----

// The input of the network is copied in phases, in rows of eight positions and
// one that the kernel reads beyond. The result has this pitch although nobody
// reads zeros around it, and its gaps are as they come.

// CHECK-LABEL: func.func @strided
// CHECK: memref.alloc() : memref<82xf32>
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [1, 1, 2, 8], strides: [18, 18, 9, 1]
// CHECK: bcr.conv2d {{.*}} outs({{.*}}) {gaps = #bcr.gaps<free>
func.func @strided(%x: memref<1x1x4x16xf32>, %w: memref<1x1x3x3xf32>, %y: memref<1x1x1x4xf32>) {
  %a = memref.alloc() : memref<1x1x2x8xf32>
  bcr.conv2d ins(%x : memref<1x1x4x16xf32>) weights(%w : memref<1x1x3x3xf32>) outs(%a : memref<1x1x2x8xf32>)
    {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>}
  bcr.pool2d ins(%a : memref<1x1x2x8xf32>) outs(%y : memref<1x1x1x4xf32>) {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
  memref.dealloc %a : memref<1x1x2x8xf32>
  return
}
