// RUN: bcr-opt %s --convert-bcr-to-loops --split-input-file --verify-each | FileCheck %s
// RUN: bcr-opt %s --convert-bcr-to-loops=threads=2 --split-input-file --verify-each | FileCheck %s --check-prefix=THREADS

// Two groups of one height are one loop over groups, with one body: two rows
// times two vectors of accumulators. The input gets a halo of one column (pitch
// 9 for a width of 8), and column (c, i, j) becomes c * 10 * 9 + i * 9 + j:
// {0, 92} and {10}, stored as steps of two elements. A step is read one column
// ahead, the last one behind the end. The rows, columns and values of the
// groups stand one after the other: only the columns need positions. Rows of the
// output are whole vectors, so results go straight there, and each vector skips
// one element of the input for every row before it.

// CHECK: module attributes {bcr.layers = {conv = {index_bytes = 11 : i64, input_copy_bytes = 772 : i64, output_copy_bytes = 0 : i64}}}
// CHECK-DAG: memref.global "private" constant @conv.values : memref<6xf32> = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]> {alignment = 64 : i64}
// CHECK-DAG: memref.global "private" constant @conv.steps : memref<4xi8> = dense<[0, 46, 5, 0]> {alignment = 64 : i64, bcr.bound = 47 : i64}
// CHECK-DAG: memref.global "private" constant @conv.rows : memref<4xi8> = dense<[2, 0, 1, 3]> {alignment = 64 : i64, bcr.bound = 4 : i64}
// CHECK-DAG: memref.global "private" constant @conv.group_columns : memref<3xi8> = dense<[0, 2, 3]> {alignment = 64 : i64, bcr.bound = 4 : i64}
// CHECK-LABEL: func.func @conv
// CHECK-NOT: bcr.
// CHECK: memref.alloc() {alignment = 64 : i64} : memref<193xf32>
// CHECK-NOT: memref.alloc()
// CHECK: %[[ROW0:[a-z0-9_]+]] = arith.divui %{{.*}}, %c2
// CHECK: %[[ROW1:[a-z0-9_]+]] = arith.divui %{{.*}}, %c2
// CHECK: scf.for {{.*}} iter_args(%[[AT:[a-z0-9_]+]] = {{.*}}) -> (index, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK: %[[FIRST:[a-z0-9_]+]] = arith.addi %[[AT]], %[[ROW0]]
// CHECK: vector.load %{{.*}}[%[[FIRST]]] : memref<193xf32>, vector<4xf32>
// CHECK: %[[NEXT:[a-z0-9_]+]] = arith.addi %[[AT]], %[[ROW1]]
// CHECK: %[[SECOND:[a-z0-9_]+]] = arith.addi %[[NEXT]], %c4
// CHECK: vector.load %{{.*}}[%[[SECOND]]] : memref<193xf32>, vector<4xf32>
// CHECK: memref.load {{.*}} : memref<6xf32>
// CHECK-COUNT-2: vector.fma
// CHECK: memref.load {{.*}} : memref<6xf32>
// CHECK-COUNT-2: vector.fma
// CHECK: memref.load {{.*}} : memref<4xi8>
// CHECK: scf.yield
// The residual comes before the activation.
// CHECK: arith.addf
// CHECK: arith.maximumf
// CHECK: vector.store
// CHECK: memref.dealloc
// CHECK-NOT: scf.for {{.*}} iter_args

// One band for two threads: the rows are shared out. A thread reads the others' part of the input,
// one element of each cache line, before it begins: from 0 to its share, and from there to the end.
// CHECK-NOT: llvm.inline_asm
// THREADS-DAG: memref.global "private" constant @conv.chunks : memref<9xi8> = dense<[0, 1, 2, 0, 0, 0, 0, 0, 0]>
// THREADS-LABEL: func.func @conv
// THREADS: scf.parallel
// THREADS: scf.parallel
// THREADS: scf.for %[[I:[a-z0-9_]+]] = %{{.*}} to %{{.*}} step %c16
// THREADS-NEXT: %[[X:[a-z0-9_]+]] = memref.load %[[INPUT:[a-z0-9_]+]][%[[I]]]
// THREADS-NEXT: %[[BITS:[a-z0-9_]+]] = arith.bitcast %[[X]] : f32 to i32
// THREADS-NEXT: llvm.inline_asm has_side_effects {{.*}}"r" %[[BITS]]
// THREADS: scf.for %[[I:[a-z0-9_]+]] = %{{.*}} to %{{.*}} step
// THREADS-NEXT: memref.load %[[INPUT]][%[[I]]]
// THREADS: vector.fma
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

// Rows of six are no whole vectors of four: results go through a buffer of the
// group's two rows, 8 x 7 positions each, and are copied out without the gaps.

// CHECK: bcr.layers = {through = {{{.*}}, output_copy_bytes = 384 : i64}}
// CHECK-LABEL: func.func @through
// CHECK: %[[ROWS:[a-z0-9_]+]] = memref.alloc() {alignment = 64 : i64} : memref<2x56xf32>
// CHECK: scf.for {{.*}} iter_args
// CHECK: vector.store {{.*}}, %[[ROWS]]
// CHECK: vector.load %[[ROWS]]
// CHECK: vector.store {{.*}} : memref<1x2x8x6xf32>, vector<4xf32>
func.func @through(%x: memref<1x1x8x6xf32>, %o: memref<1x2x8x6xf32>) {
  %w = bcr.constant {
    block = array<i64: 2, 9>,
    groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>,
    columns = dense<[1, 5]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  } : !bcr.packed<2x9xf32>
  bcr.conv2d ins(%x : memref<1x1x8x6xf32>) weights(%w : !bcr.packed<2x9xf32>)
    outs(%o : memref<1x2x8x6xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, layer = "through",
     schedule = #bcr.schedule<pixels, height = 2, vectors = 2, lanes = 4>}
  return
}

// -----

// A convolution without padding and strides copies nothing in and nothing out.
// A group of three rows is cut into two and one. Row 1 is in no group.

// CHECK-DAG: memref.global "private" constant @point.values : memref<3xf32> = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]>
// CHECK-DAG: memref.global "private" constant @point.empty_rows : memref<1xi8> = dense<1>
// CHECK-LABEL: func.func @point
// CHECK-NOT: memref.alloc
// CHECK: memref.reinterpret_cast {{.*}} to memref<48xf32, strided<[1], offset: ?>>
// CHECK: iter_args({{.*}}) -> (index, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// CHECK: iter_args({{.*}}) -> (index, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
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

// CHECK-DAG: memref.global "private" constant @sums.accumulated_rows : memref<1xi8> = dense<0>
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
// neighbours and are stored as a vector; rows 2 and 0 are not. Four columns are
// taken side by side, each with sums of its own; two are fewer than such a turn.

// CHECK-LABEL: func.func @linear
// CHECK: iter_args({{.*}}) -> (index, vector<4xf32>, vector<4xf32>, {{.*}})
// CHECK: vector.store {{.*}} : memref<?x8xf32>, vector<4xf32>
// CHECK: iter_args({{.*}}) -> (index, vector<2xf32>, vector<2xf32>) {
// CHECK: memref.store {{.*}} : memref<?x8xf32>
func.func @linear(%x: memref<?x4xf32>, %o: memref<?x8xf32>) {
  %w = bcr.constant {
    block = array<i64: 4, 4>,
    groups = dense<[[0, 4, 0, 4], [4, 2, 4, 2]]> : tensor<2x4xi32>,
    rows = dense<[4, 5, 6, 7, 2, 0]> : tensor<6xi16>,
    columns = dense<[0, 1, 2, 3, 0, 1]> : tensor<6xi16>,
    values = dense<2.0> : tensor<20xf32>
  } : !bcr.packed<8x4xf32>
  bcr.matmul ins(%x : memref<?x4xf32>) weights(%w : !bcr.packed<8x4xf32>)
    outs(%o : memref<?x8xf32>)
    {layer = "linear", schedule = #bcr.schedule<rows, height = 4, vectors = 2, lanes = 4>}
  return
}

// -----

// Samples along the vector: the input is transposed in squares of four, the
// columns are steps of eight lanes, sums go to a buffer and are transposed back.
// Four rows of one vector each: two columns are taken side by side. The second
// vector of samples is half full: of its square two of four are stored.

// CHECK-DAG: memref.global "private" constant @samples.steps : memref<4xi8> = dense<[1, 2, 1, 0]>
// CHECK-LABEL: func.func @samples
// CHECK: memref.alloc() {{.*}} : memref<40xf32>
// CHECK: memref.alloc() {{.*}} : memref<32xf32>
// CHECK-COUNT-4: vector.load {{.*}} : memref<6x5xf32>, vector<4xf32>
// CHECK-COUNT-8: vector.shuffle
// CHECK-COUNT-4: vector.store {{.*}} : memref<40xf32>, vector<4xf32>
// CHECK: scf.for {{.*}} step %c1{{.*}} iter_args({{.*}}) -> (index, vector<4xf32>, vector<4xf32>
// CHECK: vector.load {{.*}} : memref<40xf32>, vector<4xf32>
// CHECK: vector.fma
// CHECK: vector.store {{.*}} : memref<32xf32>, vector<4xf32>
// CHECK: vector.shuffle
// CHECK-COUNT-6: vector.store {{.*}} : memref<6x4xf32>, vector<4xf32>
// CHECK-NOT: vector.store {{.*}} : memref<6x4xf32>, vector<4xf32>
// CHECK: return
func.func @samples(%x: memref<6x5xf32>, %o: memref<6x4xf32>) {
  %w = bcr.constant {
    block = array<i64: 4, 5>,
    groups = dense<[[0, 4, 0, 3]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 3, 2]> : tensor<4xi16>,
    columns = dense<[1, 3, 4]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]> : tensor<12xf32>
  } : !bcr.packed<4x5xf32>
  bcr.matmul ins(%x : memref<6x5xf32>) weights(%w : !bcr.packed<4x5xf32>)
    outs(%o : memref<6x4xf32>)
    {layer = "samples", schedule = #bcr.schedule<pixels, height = 4, vectors = 2, lanes = 4>}
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

// THREADS-DAG: memref.global "private" constant @shares.chunks : memref<9xi8> = dense<[0, 2, 3, 0, 0, 0, 0, 0, 0]>
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

// Pitched images: the input is read and the result written where they are. The
// positions of two rows of four are one range of ten, gaps included; the last
// vector is moved back to end with it, and what it has for the gaps becomes
// zero.

// CHECK: bcr.layers = {pitched = {index_bytes = {{.*}}, input_copy_bytes = 0 : i64, output_copy_bytes = 0 : i64}}
// CHECK: memref.global "private" constant @pitched.gaps : memref<10xi32> = dense<[-1, -1, -1, -1, 0, -1, -1, -1, -1, 0]>
// CHECK-LABEL: func.func @pitched
// CHECK-NOT: memref.alloc
// CHECK-NOT: llvm.inline_asm
// CHECK: vector.load {{.*}} : memref<10xi32>, vector<4xi32>
// CHECK: arith.andi
// CHECK: vector.store {{.*}} : memref<1x1x10xf32, strided<[25, 25, 1], offset: 6>>
func.func @pitched(%x: memref<1x1x4x6xf32, strided<[25, 25, 5, 1]>>, %o: memref<1x1x2x4xf32, strided<[25, 25, 5, 1], offset: 6>>) {
  %w = bcr.constant {
    block = array<i64: 1, 9>,
    groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0]> : tensor<1xi16>,
    columns = dense<[1, 4]> : tensor<2xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>
  } : !bcr.packed<1x9xf32>
  bcr.conv2d ins(%x : memref<1x1x4x6xf32, strided<[25, 25, 5, 1]>>) weights(%w : !bcr.packed<1x9xf32>)
    outs(%o : memref<1x1x2x4xf32, strided<[25, 25, 5, 1], offset: 6>>)
    {kernel = array<i64: 3, 3>, layer = "pitched", overread = 64 : i64, gaps = #bcr.gaps<zero>,
     schedule = #bcr.schedule<pixels, height = 1, vectors = 2, lanes = 4>}
  return
}

// -----

// An image larger than the second cache, in bands of one row: a band's input, the
// twelve elements of two pitched rows of each channel, is read in order, a cache
// line at a time, before its columns are.

// CHECK-LABEL: func.func @fetched
// CHECK: scf.for %[[BAND:.*]] =
// CHECK: scf.for %[[C:.*]] =
// CHECK: %[[CHANNEL:.*]] = arith.constant 30 : index
// CHECK: %[[SKIPPED:.*]] = arith.muli %[[C]], %[[CHANNEL]]
// CHECK: %[[BEGIN:.*]] = arith.addi %{{.*}}, %[[SKIPPED]]
// CHECK: %[[SPAN:.*]] = arith.constant 12 : index
// CHECK: %[[END:.*]] = arith.addi %[[BEGIN]], %[[SPAN]]
// CHECK: %[[STEP:.*]] = arith.constant 16 : index
// CHECK: scf.for %[[LINE:.*]] = %[[BEGIN]] to %[[END]] step %[[STEP]]
// CHECK: memref.load %{{.*}}[%[[LINE]]]
// CHECK: llvm.inline_asm has_side_effects
// CHECK: vector.fma
module attributes {bcr.machine = {l2_bytes = 64 : i64}} {
  func.func @fetched(%x: memref<1x2x4x6xf32, strided<[60, 30, 6, 1]>>, %o: memref<1x1x3x6xf32>) {
    %w = bcr.constant {
      block = array<i64: 1, 4>,
      groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
      rows = dense<[0]> : tensor<1xi16>,
      columns = dense<[1, 2]> : tensor<2xi16>,
      values = dense<[1.0, 2.0]> : tensor<2xf32>
    } : !bcr.packed<1x4xf32>
    bcr.conv2d ins(%x : memref<1x2x4x6xf32, strided<[60, 30, 6, 1]>>) weights(%w : !bcr.packed<1x4xf32>)
      outs(%o : memref<1x1x3x6xf32>)
      {kernel = array<i64: 2, 1>, layer = "fetched", overread = 64 : i64,
       schedule = #bcr.schedule<pixels, height = 1, vectors = 2, lanes = 4, band = 1>}
    return
  }
}

// -----

// Stride two in place: a vector of four positions comes out of two loads. Column
// (c, i, j) is i * 9 + j, the next output row is 18 elements on.

// CHECK: bcr.layers = {strided = {index_bytes = {{.*}}, input_copy_bytes = 0 : i64, output_copy_bytes = 0 : i64}}
// CHECK-LABEL: func.func @strided
// CHECK-NOT: memref.alloc
// CHECK: arith.constant 18 : index
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6] : vector<4xf32>, vector<4xf32>
// CHECK: vector.fma
func.func @strided(%x: memref<1x1x9x9xf32, strided<[90, 90, 9, 1]>>, %o: memref<1x1x4x4xf32>) {
  %w = bcr.constant {
    block = array<i64: 1, 9>,
    groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0]> : tensor<1xi16>,
    columns = dense<[1, 5]> : tensor<2xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>
  } : !bcr.packed<1x9xf32>
  bcr.conv2d ins(%x : memref<1x1x9x9xf32, strided<[90, 90, 9, 1]>>) weights(%w : !bcr.packed<1x9xf32>)
    outs(%o : memref<1x1x4x4xf32>)
    {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, layer = "strided", overread = 64 : i64,
     schedule = #bcr.schedule<pixels, height = 1, vectors = 2, lanes = 4>}
  return
}

// -----

// A depthwise layer has no index array and copies nothing. Sixteen columns are
// one vector: zeros at its left end are a masked load. Tiles of two rows: the
// first and the last read three rows of the image, the loop between them four. A
// row is stored when it is complete.

// CHECK-NOT: @depthwise.offsets
// CHECK-DAG: memref.global "private" constant @depthwise.values : memref<18xf32>
// CHECK-LABEL: func.func @depthwise
// CHECK-NOT: memref.alloc
// CHECK: scf.for {{.*}} to %c2
// CHECK-COUNT-9: memref.load {{.*}} : memref<18xf32>
// CHECK: vector.maskedload {{.*}} vector<16xi1>
// CHECK-COUNT-12: vector.fma
// CHECK-NOT: vector.fma
// CHECK: vector.store
// CHECK-COUNT-3: vector.fma
// CHECK-NOT: vector.fma
// CHECK: vector.store
// CHECK: scf.for
// CHECK-COUNT-15: vector.fma
// CHECK-NOT: vector.fma
// CHECK: vector.store
// CHECK-COUNT-3: vector.fma
// CHECK-NOT: vector.fma
// CHECK: }
// CHECK-COUNT-15: vector.fma
// CHECK-NOT: vector.fma
// CHECK-COUNT-2: vector.store

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
// in the first tile; at the left end, -Inf is what a vector has outside. Two
// loads of a row give the columns of the last two taps, and these, moved by one,
// those of the first.

// CHECK-LABEL: func.func @pool
// CHECK-NOT: memref.alloc
// CHECK: %[[LOW:.*]] = arith.constant dense<0xFF800000>
// CHECK-COUNT-2: vector.load {{.*}} vector<4xf32>
// CHECK: %[[ODD:.*]] = vector.shuffle {{.*}} [1, 3, 5, 7]
// CHECK: vector.shuffle {{.*}} [0, 2, 4, 6]
// CHECK: vector.shuffle %{{.*}}, %[[ODD]] [3, 4, 5, 6]
// CHECK: arith.maximumf %{{.*}}, %{{.*}} fastmath<nsz> : vector<4xf32>
// CHECK: vector.store {{.*}} vector<4xf32>

// THREADS-LABEL: func.func @pool
// THREADS: scf.parallel
func.func @pool(%x: memref<1x2x8x8xf32>, %o: memref<1x2x4x4xf32>) {
  bcr.pool2d ins(%x : memref<1x2x8x8xf32>) outs(%o : memref<1x2x4x4xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 0, 0>}
  return
}

// -----

// Winograd's kernel: 9 x 5 outputs are three rows of two tiles. Five output
// channels are three blocks of two, the last one half empty, of which 36
// transformed positions of three input channels are stored. The input is read
// where it is, six rows at a time; at the edges, rows outside it become zeros.
// The products of a channel go to one accumulator for each row of the block.

// CHECK: module attributes {bcr.layers = {tiles = {index_bytes = 0 : i64, input_copy_bytes = 0 : i64, output_copy_bytes = 0 : i64, value_bytes = 2592 : i64}}}
// CHECK: memref.global "private" constant @tiles.values : memref<648xf32> = dense_resource<tiles.values> {alignment = 64 : i64}
// CHECK-LABEL: func.func @winograd
// CHECK: scf.if
// CHECK-COUNT-6: vector.load {{.*}} : memref<1x3x9x5xf32>, vector<4xf32>
// CHECK: else
// CHECK: arith.select {{.*}} : vector<4xf32>
// CHECK: vector.shuffle {{.*}} : vector<2xf32>, vector<2xf32>
// CHECK-COUNT-6: vector.store {{.*}}, vector<2xf32>
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>)
// CHECK: vector.load
// CHECK-COUNT-2: vector.fma
// CHECK: scf.yield
// A row of 5 is two vectors. Of the last row of tiles, one row of outputs is in
// the image; the others are not written.
// CHECK: scf.if
// CHECK-COUNT-8: vector.store {{.*}} : memref<1x5x9x5xf32>, vector<4xf32>
// CHECK: else
// CHECK-COUNT-2: vector.store {{.*}} : memref<1x5x9x5xf32>, vector<4xf32>
// CHECK-NOT: memref<1x5x9x5xf32>, vector<4xf32>
// Threads share one band by input channels, then by output channels.
// THREADS-LABEL: func.func @winograd
// THREADS-COUNT-2: scf.parallel
// THREADS-NOT: scf.parallel
func.func @winograd(%x: memref<1x3x9x5xf32>, %o: memref<1x5x9x5xf32>) {
  %w = bcr.constant {
    block = array<i64: 5, 27>,
    groups = dense<[[0, 5, 0, 3]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4]> : tensor<5xi16>,
    columns = dense<[0, 13, 26]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0]> : tensor<15xf32>
  } : !bcr.packed<5x27xf32>
  bcr.conv2d ins(%x : memref<1x3x9x5xf32>) weights(%w : !bcr.packed<5x27xf32>)
    outs(%o : memref<1x5x9x5xf32>)
    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, layer = "tiles",
     schedule = #bcr.schedule<winograd, height = 2, vectors = 1, lanes = 4>}
  return
}

// -----

// One group that cannot be cut: two threads share the nine vectors of the image,
// five and four. The first one has two tiles of two vectors and one of one, the
// other one a tile of two and one that ends with the image: 28 and 31.

// THREADS-LABEL: func.func @shared
// THREADS: scf.parallel
// THREADS-NOT: scf.parallel
// THREADS: %[[LAST:[0-9]+]] = arith.cmpi eq, %[[SHARE:[0-9]+]], %c1
// THREADS: arith.select %[[LAST]], %c1{{[a-z0-9_]*}}, %
// THREADS: scf.for
// THREADS-COUNT-4: vector.fma
// THREADS: %[[OTHER:[0-9]+]] = arith.cmpi ult, %[[SHARE]], %c1
// THREADS: %[[RUNS:[0-9]+]] = arith.andi %[[OTHER]], %
// THREADS: scf.if %[[RUNS]]
// THREADS-COUNT-2: vector.fma
// THREADS-NOT: vector.fma
// THREADS: scf.if %[[LAST]]
// THREADS-COUNT-4: vector.fma
// THREADS-NOT: vector.fma
// THREADS: return
func.func @shared(%x: memref<1x64x5x7xf32>, %o: memref<1x2x5x7xf32>) {
  %w = bcr.constant {
    block = array<i64: 2, 64>,
    groups = dense<[[0, 2, 0, 3]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>,
    columns = dense<[3, 40, 63]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
  } : !bcr.packed<2x64xf32>
  bcr.conv2d ins(%x : memref<1x64x5x7xf32>) weights(%w : !bcr.packed<2x64xf32>)
    outs(%o : memref<1x2x5x7xf32>)
    {kernel = array<i64: 1, 1>, layer = "shared", chunks = array<i64: 0>,
     schedule = #bcr.schedule<pixels, height = 2, vectors = 2, lanes = 4>}
  return
}
