// RUN: bcr-opt %s -bcr-guard -split-input-file -verify-diagnostics | FileCheck %s

// Two checks with one message share a number; what is statically true goes.
// CHECK: module attributes {bcr.checks = ["index too large", "index negative"]}
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[STATUS:[a-z0-9_]+]]: memref<i32> {bcr.status}
// CHECK: linalg.generic
// CHECK: %[[LARGE:[a-z0-9_]+]] = arith.cmpi slt
// CHECK: %[[FAILED:[a-z0-9_]+]] = arith.xori %[[LARGE]]
// CHECK: scf.if %[[FAILED]] {
// CHECK: %[[ONE:[a-z0-9_]+]] = arith.constant 1 : i32
// CHECK: %[[OLD:[a-z0-9_]+]] = memref.load %[[STATUS]][]
// CHECK: %[[FIRST:[a-z0-9_]+]] = arith.cmpi eq, %[[OLD]]
// CHECK: %[[NEXT:[a-z0-9_]+]] = arith.select %[[FIRST]], %[[ONE]], %[[OLD]]
// CHECK: memref.store %[[NEXT]], %[[STATUS]][]
// CHECK: arith.constant 2 : i32
// CHECK: arith.constant 1 : i32
// CHECK-NOT: cf.assert

// The index that comes from data is clamped, the index of the loop is not.
// CHECK: %[[BELOW:[a-z0-9_]+]] = arith.minsi
// CHECK: %[[ROW:[a-z0-9_]+]] = arith.maxsi %[[BELOW]]
// CHECK: tensor.extract %{{.*}}[%[[ROW]], %[[COLUMN:[a-z0-9_]+]]]
func.func @main(%table: tensor<10x4xf32>, %rows: tensor<2xi64>, %out: tensor<2x4xf32>) {
  %true = arith.constant true
  cf.assert %true, "never"
  %zero = arith.constant 0 : index
  %ten = arith.constant 10 : index
  %0 = linalg.generic {
    indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
    iterator_types = ["parallel", "parallel"]}
    ins(%rows : tensor<2xi64>) outs(%out : tensor<2x4xf32>) {
  ^bb0(%in: i64, %old: f32):
    %row = arith.index_cast %in : i64 to index
    %column = linalg.index 1 : index
    %small = arith.cmpi slt, %row, %ten : index
    cf.assert %small, "index too large"
    %positive = arith.cmpi sge, %row, %zero : index
    cf.assert %positive, "index negative"
    cf.assert %small, "index too large"
    %value = tensor.extract %table[%row, %column] : tensor<10x4xf32>
    linalg.yield %value : f32
  } -> tensor<2x4xf32>
  return
}

// -----

// A check of sizes comes first, and nothing runs when it fails.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:[a-z0-9_]+]]: tensor<?xf32>, %[[Y:[a-z0-9_]+]]: memref<?xf32>, %[[STATUS:[a-z0-9_]+]]: memref<i32> {bcr.status}
// CHECK: %[[OK:[a-z0-9_]+]] = arith.cmpi eq
// CHECK-NOT: math.absf
// CHECK: scf.if %[[OK]] {
// CHECK: math.absf
// CHECK: bufferization.materialize_in_destination
// CHECK: } else {
// CHECK: memref.store %{{.*}}, %[[STATUS]][]
// CHECK: return
func.func @main(%x: tensor<?xf32>, %y: memref<?xf32>) {
  %zero = arith.constant 0 : index
  %abs = math.absf %x : tensor<?xf32>
  %n = tensor.dim %x, %zero : tensor<?xf32>
  %room = memref.dim %y, %zero : memref<?xf32>
  %ok = arith.cmpi eq, %n, %room : index
  cf.assert %ok, "sizes differ"
  bufferization.materialize_in_destination %abs in restrict writable %y : (tensor<?xf32>, memref<?xf32>) -> ()
  return
}

// -----

// Without checks there is no status.
// CHECK-LABEL: func.func @main()
// CHECK-NOT: bcr.status
func.func @main() {
  return
}

// -----

func.func @main(%ok: i1, %x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{bcr-destinations goes before bcr-guard}}
  cf.assert %ok, "too early"
  return %x : tensor<4xf32>
}

// -----

func.func @main() {
  return
}
func.func @helper(%ok: i1) {
  // expected-error @+1 {{is only supported in @main}}
  cf.assert %ok, "in a helper"
  return
}
