// RUN: bcr-opt %s --bcr-outline --split-input-file --verify-each | FileCheck %s
// RUN: bcr-opt %s --pass-pipeline='builtin.module(bcr-outline,duplicate-function-elimination)' --split-input-file \
// RUN:   | FileCheck %s --check-prefix=SHARED

// Two nests that differ only in what they read become one function. A loop's
// results are the function's, constants are copied into it, and what is no loop
// stays.

// CHECK-LABEL: func.func private @loops(
// CHECK-SAME:    %[[X:.*]]: memref<8xf32>, %[[Y:.*]]: memref<8xf32>)
// CHECK-SAME:    attributes {passthrough = ["noinline"]}
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C8:.*]] = arith.constant 8 : index
// CHECK:         scf.for %[[I:.*]] = %[[C0]] to %[[C8]]
// CHECK:           %[[V:.*]] = memref.load %[[X]][%[[I]]]
// CHECK:           memref.store %[[V]], %[[Y]][%[[I]]]
// CHECK:         return
// CHECK-LABEL: func.func private @loops_0(
// CHECK:         scf.for
// CHECK-LABEL: func.func private @loops_1(
// CHECK-SAME:    %[[N:.*]]: index, %[[Z:.*]]: memref<8xf32>, %[[TABLE:.*]]: memref<8xf32>) -> f32
// CHECK:         %[[SUM:.*]] = scf.for {{.*}} to %[[N]]
// CHECK:         return %[[SUM]] : f32
// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[A:.*]]: memref<8xf32>, %[[B:.*]]: memref<8xf32>, %[[N:.*]]: index,
// CHECK-SAME:    %[[OUT:.*]]: memref<f32>)
// CHECK:         %[[G:.*]] = memref.get_global @table
// CHECK:         %[[T:.*]] = memref.alloc()
// CHECK-NOT:     scf.for
// CHECK:         call @loops(%[[A]], %[[T]])
// CHECK:         scf.if
// CHECK:         call @loops_0(%[[T]], %[[B]])
// CHECK:         %[[R:.*]] = call @loops_1(%[[N]], %[[B]], %[[G]])
// CHECK:         memref.store %[[R]], %[[OUT]][]

// SHARED-LABEL: func.func private @loops(
// SHARED-NOT:   func.func private @loops_0(
// SHARED-LABEL: func.func private @loops_1(
// SHARED-LABEL: func.func @main(
// SHARED:         call @loops(
// SHARED:         call @loops(
// SHARED:         call @loops_1(

memref.global "private" constant @table : memref<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]>
func.func @main(%a: memref<8xf32>, %b: memref<8xf32>, %n: index, %out: memref<f32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %table = memref.get_global @table : memref<8xf32>
  %t = memref.alloc() : memref<8xf32>
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %a[%i] : memref<8xf32>
    memref.store %v, %t[%i] : memref<8xf32>
  }
  %far = arith.cmpi sgt, %n, %c8 : index
  scf.if %far {
    memref.store %zero, %out[] : memref<f32>
  }
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %t[%i] : memref<8xf32>
    memref.store %v, %b[%i] : memref<8xf32>
  }
  %sum = scf.for %i = %c0 to %n step %c1 iter_args(%s = %zero) -> f32 {
    %v = memref.load %b[%i] : memref<8xf32>
    %w = memref.load %table[%i] : memref<8xf32>
    %p = arith.mulf %v, %w : f32
    %next = arith.addf %s, %p : f32
    scf.yield %next : f32
  }
  memref.store %sum, %out[] : memref<f32>
  memref.dealloc %t : memref<8xf32>
  return
}

// -----

// Loops over threads too.

// CHECK-LABEL: func.func private @loops(
// CHECK:         scf.parallel
// CHECK-LABEL: func.func @main(
// CHECK-NOT:     scf.parallel
// CHECK:         call @loops(
func.func @main(%a: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    memref.store %one, %a[%i] : memref<?xf32>
    scf.reduce
  }
  return
}
