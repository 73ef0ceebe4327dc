// RUN: bcr-opt %s --convert-bcr-to-loops --split-input-file --verify-each | FileCheck %s
// RUN: bcr-opt %s --convert-bcr-to-loops=threads=2 --split-input-file --verify-each | FileCheck %s --check-prefix=THREADS

// Two groups of one height are one loop over groups, with one body: two rows
// times two vectors of accumulators. The input gets a halo of one column (pitch
// 9 for a width of 8), and column (c, i, j) becomes c * 10 * 9 + i * 9 + j.

// CHECK-DAG: memref.global "private" constant @conv.values : memref<6xf32> = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]> {alignment = 64 : i64}
// CHECK-DAG: memref.global "private" constant @conv.offsets : memref<3xi32> = dense<[0, 92, 10]> {alignment = 64 : i64, bcr.bound = 93 : i64}
// CHECK-DAG: memref.global "private" constant @conv.rows : memref<4xi32> = dense<[2, 0, 1, 3]> {alignment = 64 : i64, bcr.bound = 4 : i64}
// CHECK-DAG: memref.global "private" constant @conv.group_columns : memref<2xi32> = dense<[0, 2]>
// CHECK-DAG: memref.global "private" constant @conv.group_column_ends : memref<2xi32> = dense<[2, 3]>
// CHECK-DAG: memref.global "private" constant @conv.group_values : memref<2xi32> = dense<[0, 4]>
// CHECK-LABEL: func.func @conv
// CHECK-NOT: bcr.
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<193xf32>
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK: memref.load {{.*}} : memref<3xi32>
// CHECK-COUNT-2: vector.load {{.*}} : memref<193xf32>, vector<4xf32>
// CHECK: memref.load {{.*}} : memref<6xf32>
// CHECK-COUNT-2: vector.fma
// CHECK: memref.load {{.*}} : memref<6xf32>
// CHECK-COUNT-2: vector.fma
// CHECK: scf.yield
// The residual comes before the activation.
// CHECK: arith.addf
// CHECK: arith.cmpf olt
// CHECK: vector.store
// CHECK: memref.dealloc
// CHECK-NOT: scf.for {{.*}} iter_args

// One band for two threads: the rows are shared out.
// THREADS-DAG: memref.global "private" constant @conv.chunks : memref<9xi32> = dense<[0, 1, 2, 0, 0, 0, 0, 0, 0]>
// THREADS-LABEL: func.func @conv
// THREADS: scf.parallel
// THREADS: scf.parallel
func.func @conv(%x: memref<1x2x8x8xf32>, %b: memref<4xf32>, %r: memref<1x4x8x8xf32>, %o: memref<1x4x8x8xf32>) {
  %w = bcr.constant {
    block = array<i64: 2, 18>,
    groups = dense<[[0, 2, 0, 2], [2, 2, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[2, 0, 1, 3]> : tensor<4xi16>,
    columns = dense<[0, 11, 4]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
  } : !bcr.packed<4x18xf32>
  bcr.conv2d ins(%x : memref<1x2x8x8xf32>) weights(%w : !bcr.packed<4x18xf32>)
    bias(%b : memref<4xf32>) residual(%r : memref<1x4x8x8xf32>)
    outs(%o : memref<1x4x8x8xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, layer = "conv",
     activation = #bcr.activation<relu>,
     schedule = #bcr.schedule<pixels, height = 2, vectors = 2, lanes = 4>}
  return
}

// -----

// A convolution without padding and strides copies nothing in and nothing out.
// A group of three rows is cut into two and one. Row 1 is in no group.

// CHECK-DAG: memref.global "private" constant @point.values : memref<3xf32> = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]>
// CHECK-DAG: memref.global "private" constant @point.empty_rows : memref<1xi32> = dense<1>
// CHECK-LABEL: func.func @point
// CHECK-NOT: memref.alloc
// CHECK: memref.reinterpret_cast {{.*}} to memref<48xf32, strided<[1], offset: ?>>
// CHECK: iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK: iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK: return
func.func @point(%x: memref<?x3x4x4xf32>, %o: memref<?x4x4x4xf32>) {
  %w = bcr.constant {
    block = array<i64: 4, 3>,
    groups = dense<[[0, 3, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0, 2, 3]> : tensor<3xi16>,
    columns = dense<[2]> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  } : !bcr.packed<4x3xf32>
  bcr.conv2d ins(%x : memref<?x3x4x4xf32>) weights(%w : !bcr.packed<4x3xf32>)
    outs(%o : memref<?x4x4x4xf32>)
    {kernel = array<i64: 1, 1>, layer = "point",
     schedule = #bcr.schedule<pixels, height = 2, vectors = 2, lanes = 4>}
  return
}

// -----

// Row 0 is in two groups: it starts as its bias and is summed up in a buffer.

// CHECK-DAG: memref.global "private" constant @sums.accumulated_rows : memref<1xi32> = dense<0>
// CHECK-LABEL: func.func @sums
// CHECK: memref.alloc() {{.*}} : memref<1x16xf32>
// CHECK: vector.store {{.*}} : memref<1x16xf32>
// CHECK: vector.load {{.*}} : memref<1x16xf32>
// CHECK: vector.fma
// CHECK: vector.store {{.*}} : memref<1x16xf32>
// CHECK: vector.load {{.*}} : memref<1x16xf32>
// CHECK: vector.store {{.*}} : memref<1x2x16xf32>
func.func @sums(%x: memref<1x3x4x4xf32>, %b: memref<2xf32>, %o: memref<1x2x4x4xf32>) {
  %w = bcr.constant {
    block = array<i64: 1, 2>,
    groups = dense<[[0, 1, 0, 1], [1, 1, 1, 1]]> : tensor<2x4xi32>,
    rows = dense<[0, 0]> : tensor<2xi16>,
    columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>
  } : !bcr.packed<2x3xf32>
  bcr.conv2d ins(%x : memref<1x3x4x4xf32>) weights(%w : !bcr.packed<2x3xf32>)
    bias(%b : memref<2xf32>) outs(%o : memref<1x2x4x4xf32>)
    {kernel = array<i64: 1, 1>, layer = "sums",
     schedule = #bcr.schedule<pixels, height = 2, vectors = 2, lanes = 4>}
  return
}

// -----

// Rows along the vector: two samples at a time, then one. Rows 4 to 7 are
// neighbours and are stored as a vector; rows 2 and 0 are not.

// CHECK-LABEL: func.func @linear
// CHECK: iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, {{.*}})
// CHECK: vector.store {{.*}} : memref<?x8xf32>, vector<4xf32>
// CHECK: iter_args({{.*}}) -> (vector<2xf32>, vector<2xf32>, {{.*}})
// CHECK: memref.store {{.*}} : memref<?x8xf32>
func.func @linear(%x: memref<?x4xf32>, %o: memref<?x8xf32>) {
  %w = bcr.constant {
    block = array<i64: 4, 4>,
    groups = dense<[[0, 4, 0, 1], [4, 2, 1, 2]]> : tensor<2x4xi32>,
    rows = dense<[4, 5, 6, 7, 2, 0]> : tensor<6xi16>,
    columns = dense<[2, 0, 1]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  } : !bcr.packed<8x4xf32>
  bcr.matmul ins(%x : memref<?x4xf32>) weights(%w : !bcr.packed<8x4xf32>)
    outs(%o : memref<?x8xf32>)
    {layer = "linear", schedule = #bcr.schedule<rows, height = 4, vectors = 2, lanes = 4>}
  return
}

// -----

// Two layers of one name keep constants of their own.

// CHECK-DAG: @twin.values : memref<1xf32> = dense<1.000000e+00>
// CHECK-DAG: @twin.values_{{[0-9]+}} : memref<1xf32> = dense<2.000000e+00>
// CHECK-LABEL: func.func @twins
func.func @twins(%x: memref<1x1xf32>, %o: memref<1x1xf32>, %p: memref<1x1xf32>) {
  %v = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<1.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<2.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  bcr.matmul ins(%x : memref<1x1xf32>) weights(%v : !bcr.packed<1x1xf32>) outs(%o : memref<1x1xf32>) {layer = "twin"}
  bcr.matmul ins(%x : memref<1x1xf32>) weights(%w : !bcr.packed<1x1xf32>) outs(%p : memref<1x1xf32>) {layer = "twin"}
  return
}

// -----

// Two threads: the shares that bcr-reorder or bcr-tile chose are kept, though
// the first group has most of the weights.

// THREADS-DAG: memref.global "private" constant @shares.chunks : memref<9xi32> = dense<[0, 2, 3, 0, 0, 0, 0, 0, 0]>
// THREADS-LABEL: func.func @shares
func.func @shares(%x: memref<1x4xf32>, %o: memref<1x3xf32>) {
  %w = bcr.constant {
    block = array<i64: 1, 4>,
    groups = dense<[[0, 1, 0, 4], [1, 1, 0, 1], [2, 1, 1, 1]]> : tensor<3x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>,
    columns = dense<[0, 1, 2, 3]> : tensor<4xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
  } : !bcr.packed<3x4xf32>
  bcr.matmul ins(%x : memref<1x4xf32>) weights(%w : !bcr.packed<3x4xf32>) outs(%o : memref<1x3xf32>)
    {layer = "shares", chunks = array<i64: 0, 2>,
     schedule = #bcr.schedule<rows, height = 4, vectors = 1, lanes = 4>}
  return
}

// -----

// A depthwise layer has no index array and copies nothing. Sixteen columns are
// one vector: zeros at its left end are a masked load. Tiles of two rows: the
// first and the last read three rows of the image, the loop between them four.

// CHECK-NOT: @depthwise.offsets
// CHECK-DAG: memref.global "private" constant @depthwise.values : memref<18xf32>
// CHECK-LABEL: func.func @depthwise
// CHECK-NOT: memref.alloc
// CHECK: scf.for {{.*}} to %c2
// CHECK-COUNT-9: memref.load {{.*}} : memref<18xf32>
// CHECK: vector.maskedload {{.*}} vector<16xi1>
// CHECK-COUNT-15: vector.fma
// CHECK-NOT: vector.fma
// CHECK-COUNT-2: vector.store
// CHECK: scf.for
// CHECK-COUNT-18: vector.fma
// CHECK-NOT: vector.fma
// CHECK: }
// CHECK-COUNT-15: vector.fma
// CHECK-NOT: vector.fma

// THREADS-LABEL: func.func @depthwise
// THREADS: scf.parallel
func.func @depthwise(%x: memref<1x2x10x16xf32>, %b: memref<2xf32>, %o: memref<1x2x10x16xf32>) {
  %w = bcr.constant {
    block = array<i64: 2, 9>,
    groups = dense<[[0, 2, 0, 9]]> : tensor<1x4xi32>,
    rows = dense<[1, 0]> : tensor<2xi16>,
    columns = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8]> : tensor<9xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0,
                    10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0]> : tensor<18xf32>
  } : !bcr.packed<2x9xf32>
  bcr.conv2d ins(%x : memref<1x2x10x16xf32>) weights(%w : !bcr.packed<2x9xf32>)
    bias(%b : memref<2xf32>) outs(%o : memref<1x2x10x16xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, groups = 2 : i64, layer = "depthwise",
     schedule = #bcr.schedule<depthwise, height = 2, vectors = 1, lanes = 16>}
  return
}

// -----

// A pooling copies nothing in. The first row of the window lies above the image
// in the first tile; at the left and right ends, -Inf is what a vector has
// outside. Two loads of a row give the columns of two taps.

// CHECK-LABEL: func.func @pool
// CHECK-NOT: memref.alloc
// CHECK: %[[LOW:.*]] = arith.constant dense<0xFF800000>
// CHECK: vector.load {{.*}} vector<4xf32>
// CHECK: vector.shuffle %{{.*}}, %[[LOW]]
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6]
// CHECK: vector.shuffle {{.*}} [1, 3, 5, 7]
// CHECK: %[[GREATER:.*]] = arith.cmpf ogt, %[[NEW:.*]], %[[OLD:.*]] : vector<4xf32>
// CHECK: %[[MOST:.*]] = arith.select %[[GREATER]], %[[NEW]], %[[OLD]]
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[NEW]], %[[NEW]]
// CHECK: arith.select %[[NAN]], %[[NEW]], %[[MOST]]
// CHECK: vector.store {{.*}} vector<4xf32>

// THREADS-LABEL: func.func @pool
// THREADS: scf.parallel
func.func @pool(%x: memref<1x2x8x8xf32>, %o: memref<1x2x4x4xf32>) {
  bcr.pool2d ins(%x : memref<1x2x8x8xf32>) outs(%o : memref<1x2x4x4xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 0, 0>}
  return
}
