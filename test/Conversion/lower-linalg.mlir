// RUN: bcr-opt %s -pass-pipeline='builtin.module(func.func(bcr-lower-linalg))' -split-input-file -verify-diagnostics | FileCheck %s
// RUN: bcr-opt %s -pass-pipeline='builtin.module(func.func(bcr-lower-linalg{threads=4}))' -split-input-file -verify-diagnostics | FileCheck %s --check-prefix=THREADS

// Element by element: one loop.
// CHECK-LABEL: func.func @collapse
// CHECK-COUNT-1: scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func @collapse(%x: memref<2x3x5xf32>, %y: memref<2x3x5xf32>) {
  linalg.exp ins(%x : memref<2x3x5xf32>) outs(%y : memref<2x3x5xf32>)
  return
}

// -----

// The last two dimensions become one, although the bias has size one there.
// CHECK-LABEL: func.func @broadcast
// CHECK: memref.collapse_shape %{{.*}} : memref<3x1x1xf32> into memref<3xf32>
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: return
func.func @broadcast(%x: memref<2x3x5x7xf32>, %b: memref<3x1x1xf32>, %y: memref<2x3x5x7xf32>) {
  linalg.generic {
    indexing_maps = [affine_map<(n, c, h, w) -> (n, c, h, w)>,
                     affine_map<(n, c, h, w) -> (c, 0, 0)>,
                     affine_map<(n, c, h, w) -> (n, c, h, w)>],
    iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%x, %b : memref<2x3x5x7xf32>, memref<3x1x1xf32>) outs(%y : memref<2x3x5x7xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Columns innermost, whose number is not known; five steps of the sum share a
// load and a store.
// CHECK-LABEL: func.func @matmul
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<4x15xf32>, %[[B:[a-z0-9_]+]]: memref<15x?xf32>, %[[C:[a-z0-9_]+]]: memref<4x?xf32>
// CHECK: scf.for %[[I:[a-z0-9_]+]] =
// CHECK: %[[FIVE:[a-z0-9_]+]] = arith.constant 5 : index
// CHECK: scf.for %[[K:[a-z0-9_]+]] = %{{.*}} step %[[FIVE]]
// CHECK: scf.for %[[J:[a-z0-9_]+]] =
// CHECK: memref.load %[[C]][%[[I]], %[[J]]]
// CHECK-COUNT-5: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc,contract>
// CHECK-NOT: arith.addf
// CHECK: memref.store %{{.*}}, %[[C]][%[[I]], %[[J]]]
// CHECK-NOT: memref.store
// CHECK: return
func.func @matmul(%a: memref<4x15xf32>, %b: memref<15x?xf32>, %c: memref<4x?xf32>) {
  linalg.matmul ins(%a, %b : memref<4x15xf32>, memref<15x?xf32>) outs(%c : memref<4x?xf32>)
  return
}

// -----

// A tile of the output is in registers for the whole sum. Of 19 columns the
// second vector begins at 3; of 11 rows six are in the first tile, five in the
// second, and each column of the left operand is loaded once for both vectors.
// CHECK-LABEL: func.func @tiles
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<11x?xf32>, %[[B:[a-z0-9_]+]]: memref<?x19xf32>, %[[C:[a-z0-9_]+]]: memref<11x19xf32>
// CHECK-COUNT-12: vector.load %[[C]]
// CHECK-NOT: vector.load %[[C]]
// CHECK: scf.for %[[K:[a-z0-9_]+]] =
// CHECK: memref.load %[[A]][%[[I:[a-z0-9_]+]], %[[K]]]
// CHECK: vector.load %[[B]][%[[K]], %[[J:[a-z0-9_]+]]] : memref<?x19xf32>, vector<16xf32>
// CHECK: %[[THREE:[a-z0-9_]+]] = arith.addi %[[J]], %c3
// CHECK: vector.load %[[B]][%[[K]], %[[THREE]]] : memref<?x19xf32>, vector<16xf32>
// CHECK-NOT: vector.load
// CHECK-COUNT-5: memref.load %[[A]]
// CHECK-NOT: memref.load
// CHECK: scf.yield
// CHECK-COUNT-12: vector.store %{{.*}}, %[[C]]
// CHECK-COUNT-10: vector.load %[[C]]
// CHECK: scf.for
// CHECK-COUNT-10: arith.addf
// CHECK-COUNT-10: vector.store %{{.*}}, %[[C]]
// CHECK-NOT: vector.store
// CHECK: return
func.func @tiles(%a: memref<11x?xf32>, %b: memref<?x19xf32>, %c: memref<11x19xf32>) {
  linalg.matmul ins(%a, %b : memref<11x?xf32>, memref<?x19xf32>) outs(%c : memref<11x19xf32>)
  return
}

// -----

// Nothing is contiguous along the columns of the result: a sum of each row.
// CHECK-LABEL: func.func @rows_by_rows
// CHECK-NOT: vector
// CHECK: return
func.func @rows_by_rows(%a: memref<4x15xf32>, %b: memref<64x15xf32>, %c: memref<4x64xf32>) {
  linalg.generic {
    indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>,
                     affine_map<(i, j, k) -> (i, j)>],
    iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%a, %b : memref<4x15xf32>, memref<64x15xf32>) outs(%c : memref<4x64xf32>) {
  ^bb0(%x: f32, %w: f32, %o: f32):
    %0 = arith.mulf %x, %w : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// A row is looked up with an index that no store of the innermost loop changes.
// CHECK-LABEL: func.func @rows
// CHECK-SAME: %[[I:[a-z0-9_]+]]: memref<7xi64>, %[[T:[a-z0-9_]+]]: memref<9x5x40xf32>, %[[Y:[a-z0-9_]+]]: memref<7x5x40xf32>
// CHECK: scf.for %[[N:[a-z0-9_]+]] =
// CHECK: scf.for %[[D:[a-z0-9_]+]] =
// CHECK: %[[INDEX:[a-z0-9_]+]] = memref.load %[[I]][%[[N]]]
// CHECK: scf.for %[[H:[a-z0-9_]+]] =
// CHECK: %[[ROW:[a-z0-9_]+]] = arith.index_cast %[[INDEX]]
// CHECK: %[[VALUE:[a-z0-9_]+]] = memref.load %[[T]][%[[ROW]], %[[D]], %[[H]]]
// CHECK: memref.store %[[VALUE]], %[[Y]][%[[N]], %[[D]], %[[H]]]
// CHECK: return
func.func @rows(%i: memref<7xi64>, %t: memref<9x5x40xf32>, %y: memref<7x5x40xf32>) {
  linalg.generic {
    indexing_maps = [affine_map<(n, d, h) -> (n)>, affine_map<(n, d, h) -> (n, d, h)>],
    iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%i : memref<7xi64>) outs(%y : memref<7x5x40xf32>) {
  ^bb0(%a: i64, %o: f32):
    %row = arith.index_cast %a : i64 to index
    %d = linalg.index 1 : index
    %h = linalg.index 2 : index
    %0 = memref.load %t[%row, %d, %h] : memref<9x5x40xf32>
    linalg.yield %0 : f32
  }
  return
}

// -----

// A sum along the rows is carried in a register.
// CHECK-LABEL: func.func @sum
// CHECK: scf.for
// CHECK: %[[OLD:[a-z0-9_]+]] = memref.load
// CHECK: %[[SUM:[a-z0-9_]+]] = scf.for {{.*}} iter_args(%{{.*}} = %[[OLD]])
// CHECK-NOT: memref.store
// CHECK: scf.yield
// CHECK: memref.store %[[SUM]]
func.func @sum(%x: memref<4x64xf32>, %y: memref<4xf32>) {
  linalg.generic {
    indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
    iterator_types = ["parallel", "reduction"]}
    ins(%x : memref<4x64xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Not contiguous: loops in place of a library call. Contiguous: a copy.
// CHECK-LABEL: func.func @copies
// CHECK: scf.for
// CHECK: memref.copy
func.func @copies(%x: memref<4x8xf32, strided<[16, 1]>>, %y: memref<4x8xf32>, %z: memref<4x8xf32>) {
  memref.copy %x, %y : memref<4x8xf32, strided<[16, 1]>> to memref<4x8xf32>
  memref.copy %y, %z : memref<4x8xf32> to memref<4x8xf32>
  return
}

// -----

// Threads share the tiles of rows.
// THREADS-LABEL: func.func @shared_tiles
// THREADS: scf.for
// THREADS: scf.parallel (%{{.*}}) =
// THREADS: vector.load
// THREADS: return
func.func @shared_tiles(%a: memref<64x64xf32>, %b: memref<64x64xf32>, %c: memref<64x64xf32>) {
  linalg.matmul ins(%a, %b : memref<64x64xf32>, memref<64x64xf32>) outs(%c : memref<64x64xf32>)
  return
}

// -----

// Large: the outer loops are shared, or the only one in chunks. Small: not.
// THREADS-LABEL: func.func @parallel
// THREADS: %[[STEP:[a-z0-9_]+]] = arith.maxsi
// THREADS: scf.parallel (%{{.*}}) = (%{{.*}}) to (%{{.*}}) step (%[[STEP]])
// THREADS: scf.for
// THREADS: scf.parallel (%{{.*}}, %{{.*}}) =
// THREADS: scf.for
// THREADS-NOT: scf.parallel
// THREADS: return
func.func @parallel(%x: memref<64x1000xf32>, %y: memref<64x1000xf32>,
                    %p: memref<8x16x34x34xf32>, %w: memref<2x2xf32>, %q: memref<8x16x33x33xf32>,
                    %s: memref<64xf32>, %t: memref<64xf32>) {
  linalg.exp ins(%x : memref<64x1000xf32>) outs(%y : memref<64x1000xf32>)
  linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>}
    ins(%p, %w : memref<8x16x34x34xf32>, memref<2x2xf32>) outs(%q : memref<8x16x33x33xf32>)
  linalg.exp ins(%s : memref<64xf32>) outs(%t : memref<64xf32>)
  return
}

// -----

// The largest element of each row and where it is: two reductions, and the
// initial index where no element is as large as the initial value.
// CHECK-LABEL: func.func @argmax
// CHECK: scf.for
// CHECK-NOT: arith.select
// CHECK: arith.maximumf
// CHECK: %[[NONE:.*]] = arith.constant 9223372036854775807 : i64
// CHECK: memref.alloc() : memref<4xi64>
// CHECK: scf.for %[[PLACE:[a-z0-9]+]] = {{.*}} iter_args(%[[LEAST:[a-z0-9]+]] = %{{.*}}) -> (i64)
// CHECK-DAG: arith.cmpf oeq
// CHECK-DAG: arith.cmpf uno
// CHECK-DAG: arith.index_cast %[[PLACE]]
// CHECK: %[[CANDIDATE:.*]] = arith.select %{{.*}}, %{{.*}}, %[[NONE]]
// CHECK: arith.minsi %[[CANDIDATE]], %[[LEAST]]
// CHECK: arith.cmpi eq, %{{.*}}, %[[NONE]]
// CHECK: arith.select
// CHECK: memref.dealloc
func.func @argmax(%x: memref<4x100xf32>, %y: memref<4xf32>, %i: memref<4xi64>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>],
                  iterator_types = ["parallel", "reduction"]}
    ins(%x : memref<4x100xf32>) outs(%y, %i : memref<4xf32>, memref<4xi64>) {
  ^bb0(%in: f32, %out: f32, %old: i64):
    %0 = linalg.index 1 : index
    %1 = arith.index_cast %0 : index to i64
    %2 = arith.maximumf %in, %out : f32
    %3 = arith.cmpf ogt, %in, %out : f32
    %4 = arith.select %3, %1, %old : i64
    linalg.yield %2, %4 : f32, i64
  }
  return
}

// -----

func.func @tensors(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{is on tensors: bufferization goes before bcr-lower-linalg}}
  %0 = linalg.exp ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
