// RUN: bcr-opt %s -bcr-lower-parallel=threads=3 -split-input-file | FileCheck %s
// RUN: bcr-opt %s -bcr-lower-parallel=threads=1 -split-input-file | FileCheck %s --check-prefix=ONE
// RUN: not bcr-opt %s -bcr-lower-parallel=threads=0 2>&1 | FileCheck %s --check-prefix=NONE

// ONE-NOT: omp.parallel
// NONE: 'threads' is positive

// Thread t of n runs the iterations from t * 35 / n to (t + 1) * 35 / n: every one once, also in a
// team that is smaller than asked for. The last loop is the fastest.
// CHECK-LABEL: func.func @nest
// CHECK-SAME: (%[[M:[a-z0-9_]+]]: memref<64x64xf32>)
// CHECK: %[[TEAM:[a-z0-9_]+]] = arith.constant 3 : i32
// CHECK: omp.parallel num_threads(%[[TEAM]] : i32) {
// CHECK: %[[T32:[a-z0-9_]+]] = func.call @__kmpc_bound_thread_num(
// CHECK: %[[T:[a-z0-9_]+]] = arith.index_castui %[[T32]]
// CHECK: %[[N32:[a-z0-9_]+]] = func.call @__kmpc_bound_num_threads(
// CHECK: %[[N:[a-z0-9_]+]] = arith.index_castui %[[N32]]
// CHECK: %[[NEXT:[a-z0-9_]+]] = arith.addi %[[T]], %{{.*}}
// CHECK: %[[FROM:[a-z0-9_]+]] = arith.muli %[[T]], %[[C35:[a-z0-9_]+]]
// CHECK: %[[BEGIN:[a-z0-9_]+]] = arith.divui %[[FROM]], %[[N]]
// CHECK: %[[TO:[a-z0-9_]+]] = arith.muli %[[NEXT]], %[[C35]]
// CHECK: %[[END:[a-z0-9_]+]] = arith.divui %[[TO]], %[[N]]
// CHECK: scf.for %[[I:[a-z0-9_]+]] = %[[BEGIN]] to %[[END]]
// CHECK: %[[COLUMN:[a-z0-9_]+]] = arith.remui %[[I]], %[[C5:[a-z0-9_]+]]
// CHECK: %[[ROW:[a-z0-9_]+]] = arith.divui %[[I]], %[[C5]]
// CHECK: %[[Y:[a-z0-9_]+]] = arith.addi %[[COLUMN]], %{{.*}}
// CHECK: %[[SKIPPED:[a-z0-9_]+]] = arith.muli %[[ROW]], %{{.*}}
// CHECK: %[[X:[a-z0-9_]+]] = arith.addi %[[SKIPPED]], %{{.*}}
// CHECK: memref.store %{{.*}}, %[[M]][%[[X]], %[[Y]]]
// CHECK: omp.terminator
func.func @nest(%m: memref<64x64xf32>) {
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c8 = arith.constant 8 : index
  %c22 = arith.constant 22 : index
  %c1 = arith.constant 1 : index
  %f = arith.constant 1.0 : f32
  scf.parallel (%i, %j) = (%c2, %c3) to (%c22, %c8) step (%c3, %c1) {
    memref.store %f, %m[%i, %j] : memref<64x64xf32>
    scf.reduce
  }
  return
}

// -----

// No more threads than iterations; a loop inside and one that reduces stay as they are.
// CHECK-LABEL: func.func @stay
// CHECK: %[[TEAM:[a-z0-9_]+]] = arith.constant 2 : i32
// CHECK: omp.parallel num_threads(%[[TEAM]] : i32) {
// CHECK: scf.parallel
// CHECK: omp.terminator
// CHECK-NOT: omp.parallel
// CHECK: scf.parallel
// CHECK-SAME: init
func.func @stay(%m: memref<64xf32>, %n: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %f = arith.constant 1.0 : f32
  scf.parallel (%i) = (%c0) to (%c2) step (%c1) {
    scf.parallel (%j) = (%c0) to (%n) step (%c1) {
      memref.store %f, %m[%j] : memref<64xf32>
      scf.reduce
    }
    scf.reduce
  }
  %sum = scf.parallel (%i) = (%c0) to (%n) step (%c1) init (%f) -> f32 {
    scf.reduce(%f : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %sum : f32
}
