// RUN: bcr-opt %s -bcr-lower-parallel=threads=3 -split-input-file | FileCheck %s
// RUN: bcr-opt %s -bcr-lower-parallel="threads=3 hint=pause" -split-input-file | FileCheck %s --check-prefix=PAUSE
// RUN: bcr-opt %s -bcr-lower-parallel="threads=3 hint=yield" -split-input-file | FileCheck %s --check-prefix=HINT
// RUN: bcr-opt %s -bcr-lower-parallel="threads=3 futex=202" -split-input-file | FileCheck %s --check-prefix=FUTEX
// RUN: bcr-opt %s -bcr-lower-parallel=threads=1 -split-input-file | FileCheck %s --check-prefix=SERIAL
// RUN: not bcr-opt %s -bcr-lower-parallel=threads=0 2>&1 | FileCheck %s --check-prefix=NONE

// SERIAL-NOT: omp.parallel
// SERIAL-NOT: bcr_barrier
// NONE: 'threads' is positive

// The counter only grows; a thread waits until it has reached the next multiple of the team's size.
// CHECK-LABEL: func.func private @bcr_barrier(
// CHECK-SAME: %[[COUNTER:[a-z0-9_]+]]: !llvm.ptr, %[[SIZE:[a-z0-9_]+]]: index)
// CHECK: %[[N:[a-z0-9_]+]] = arith.index_cast %[[SIZE]]
// CHECK: %[[ONE:[a-z0-9_]+]] = arith.constant 1
// CHECK: %[[BEFORE:[a-z0-9_]+]] = llvm.atomicrmw add %[[COUNTER]], %[[ONE]] seq_cst
// CHECK: %[[PASSED:[a-z0-9_]+]] = arith.divui %[[BEFORE]], %[[N]]
// CHECK: %[[NEXT:[a-z0-9_]+]] = arith.addi %[[PASSED]], %[[ONE]]
// CHECK: %[[GOAL:[a-z0-9_]+]] = arith.muli %[[NEXT]], %[[N]]
// CHECK: scf.while
// CHECK: %[[NOW:[a-z0-9_]+]] = llvm.load %[[COUNTER]] atomic acquire
// CHECK: arith.cmpi ult, %[[NOW]], %[[GOAL]]
// CHECK: @sched_yield()
// CHECK-NOT: @syscall
// The last thread wakes those that sleep. One that waited long says that it sleeps, and does so
// unless the counter is no longer what it has seen.
// FUTEX-LABEL: func.func private @bcr_barrier(
// FUTEX-SAME: %[[COUNTER:[a-z0-9_]+]]: !llvm.ptr
// FUTEX: %[[BEFORE:[a-z0-9_]+]] = llvm.atomicrmw add %[[COUNTER]], %[[ONE:[a-z0-9_]+]] seq_cst
// FUTEX: %[[GOAL:[a-z0-9_]+]] = arith.muli
// FUTEX: %[[ARRIVED:[a-z0-9_]+]] = arith.addi %[[BEFORE]]
// FUTEX: %[[LAST:[a-z0-9_]+]] = arith.cmpi eq, %[[ARRIVED]], %[[GOAL]]
// FUTEX: scf.if %[[LAST]]
// FUTEX: %[[FIELD:[a-z0-9_]+]] = llvm.getelementptr %[[COUNTER]][8]
// FUTEX: %[[SLEEPERS:[a-z0-9_]+]] = llvm.load %[[FIELD]] atomic seq_cst
// FUTEX: arith.cmpi ne, %[[SLEEPERS]]
// FUTEX: %[[NUMBER:[a-z0-9_]+]] = arith.constant 202 : i64
// FUTEX: %[[WAKE:[a-z0-9_]+]] = arith.constant 129 : i64
// FUTEX: call @syscall(%[[NUMBER]], %[[COUNTER]], %[[WAKE]],
// FUTEX: scf.while
// FUTEX: %[[NOW:[a-z0-9_]+]] = llvm.load %[[COUNTER]] atomic acquire
// FUTEX: scf.condition({{.*}}) %{{.*}}, %[[NOW]]
// FUTEX: ^bb0(%{{.*}}: i64, %[[SEEN:[a-z0-9_]+]]: i64):
// FUTEX: %[[FIELD:[a-z0-9_]+]] = llvm.getelementptr %[[COUNTER]][8]
// FUTEX: llvm.atomicrmw add %[[FIELD]], %{{.*}} seq_cst
// FUTEX: %[[WAIT:[a-z0-9_]+]] = arith.constant 128 : i64
// FUTEX: call @syscall({{.*}}, %[[COUNTER]], %[[WAIT]], %[[SEEN]],
// FUTEX: llvm.atomicrmw sub %[[FIELD]]
// FUTEX-NOT: @sched_yield
// PAUSE-LABEL: func.func private @bcr_barrier(
// PAUSE: llvm.call_intrinsic "llvm.x86.sse2.pause"()
// HINT-LABEL: func.func private @bcr_barrier(
// HINT: llvm.call_intrinsic "llvm.aarch64.hint"(%{{.*}}) : (i32)

// Thread t of n runs the iterations from t * 35 / n to (t + 1) * 35 / n: every one once, also in a
// team that is smaller than asked for. The last loop is the fastest.
// CHECK-LABEL: func.func @nest
// CHECK-SAME: (%[[M:[a-z0-9_]+]]: memref<64x64xf32>)
// CHECK: %[[COUNTER:[a-z0-9_]+]] = llvm.alloca
// CHECK: llvm.store %{{.*}}, %[[COUNTER]]
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
// No other thread waits for a region's last loop: the end of the region does.
// CHECK-NOT: func.call @bcr_barrier
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

// A loop inside and one that reduces stay as they are, and the value of the latter, which reads
// memory, ends the region.
// CHECK-LABEL: func.func @stay
// CHECK: omp.parallel
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
    %v = memref.load %m[%i] : memref<64xf32>
    scf.reduce(%v : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %sum : f32
}

// -----

// One region: a function of loops gets the team, stamps and stores are the first thread's, and a
// barrier stands wherever one thread may read what another wrote. Values that are used after the
// region are computed before it.

// CHECK-LABEL: func.func private @layer(
// CHECK-SAME: %[[M:[a-z0-9_]+]]: memref<64xf32>, %[[T:[a-z0-9_]+]]: index, %[[N:[a-z0-9_]+]]: index, %[[COUNTER:[a-z0-9_]+]]: !llvm.ptr)
// CHECK: %[[FIRST:[a-z0-9_]+]] = arith.cmpi eq, %[[T]], %{{.*}}
// CHECK: scf.for
// CHECK:   scf.for
// CHECK:     memref.store %{{[a-z0-9_]+}}, %[[M]]
// CHECK:   call @bcr_barrier(%[[COUNTER]], %[[N]])
// CHECK:   scf.if %[[FIRST]] {
// CHECK-NEXT: memref.store
// CHECK-NEXT: }
// CHECK:   scf.if %[[FIRST]] {
// CHECK-NEXT: memref.store
// CHECK-NEXT: }
// CHECK-NEXT: call @bcr_barrier(%[[COUNTER]], %[[N]])
// CHECK-NEXT: }
// CHECK-NEXT: return
func.func private @layer(%m: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %f = arith.constant 3.0 : f32
  scf.for %sample = %c0 to %c9 step %c1 {
    scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
      memref.store %f, %m[%i] : memref<64xf32>
      scf.reduce
    }
    memref.store %f, %m[%c1] : memref<64xf32>
    memref.store %f, %m[%sample] : memref<64xf32>
  }
  return
}

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[M:[a-z0-9_]+]]: memref<64xf32>, %[[P:[a-z0-9_]+]]: memref<?xi64>
// A stamp before the region, outside of it.
// CHECK: scf.if
// CHECK: llvm.readcyclecounter
// CHECK: %[[USED:[a-z0-9_]+]] = arith.muli
// CHECK: omp.parallel
// CHECK: %[[T32:[a-z0-9_]+]] = func.call @__kmpc_bound_thread_num(
// CHECK: %[[FIRST:[a-z0-9_]+]] = arith.cmpi eq
// CHECK: func.call @layer(%[[M]], %{{.*}}, %{{.*}}, %{{.*}}) : (memref<64xf32>, index, index, !llvm.ptr)
// CHECK-NEXT: func.call @bcr_barrier(
// CHECK-NEXT: scf.if %[[FIRST]] {
// CHECK-NEXT: scf.if
// CHECK-NEXT: llvm.readcyclecounter
// CHECK: memref.store %{{.*}}, %[[P]]
// CHECK-NEXT: }
// CHECK-NEXT: }
// CHECK-NEXT: scf.if %[[FIRST]] {
// CHECK-NEXT: memref.store %{{.*}}, %[[M]]
// CHECK-NEXT: }
// CHECK-NEXT: func.call @bcr_barrier(
// CHECK-NEXT: func.call @layer(
// CHECK-NOT: bcr_barrier
// CHECK: omp.terminator
// CHECK: memref.store %{{.*}}, %[[M]][%[[USED]]]
// A value that one thread reads ends the region.
// CHECK: memref.load
// CHECK: omp.parallel
// CHECK: func.call @layer(
// CHECK: omp.terminator
func.func @main(%m: memref<64xf32>, %profile: memref<?xi64> {bcr.profile}, %n: index, %stamps: i1) {
  %c0 = arith.constant 0 : index
  %f = arith.constant 2.0 : f32
  scf.if %stamps {
    %now = llvm.call_intrinsic "llvm.readcyclecounter"() : () -> i64
    memref.store %now, %profile[%c0] : memref<?xi64>
  }
  call @layer(%m) : (memref<64xf32>) -> ()
  %used = arith.muli %n, %n : index
  scf.if %stamps {
    %now = llvm.call_intrinsic "llvm.readcyclecounter"() : () -> i64
    memref.store %now, %profile[%c0] : memref<?xi64>
  }
  memref.store %f, %m[%c0] : memref<64xf32>
  call @layer(%m) : (memref<64xf32>) -> ()
  memref.store %f, %m[%used] : memref<64xf32>
  %read = memref.load %m[%c0] : memref<64xf32>
  memref.store %read, %m[%n] : memref<64xf32>
  call @layer(%m) : (memref<64xf32>) -> ()
  return
}

// -----

// A buffer of dynamic size would have to be handed from one thread to the others, so the loops
// around it have regions of their own, as those of a loop that allocates.
// CHECK-LABEL: func.func @dynamic
// CHECK: llvm.alloca
// CHECK: omp.parallel
// CHECK: omp.terminator
// CHECK: scf.for
// CHECK: memref.alloc
// CHECK: llvm.store
// CHECK: omp.parallel
// CHECK: omp.terminator
// CHECK: memref.dealloc
func.func @dynamic(%m: memref<?xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %f = arith.constant 2.0 : f32
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    memref.store %f, %m[%i] : memref<?xf32>
    scf.reduce
  }
  scf.for %i = %c0 to %n step %c1 {
    %buffer = memref.alloc(%n) : memref<?xf32>
    scf.parallel (%j) = (%c0) to (%n) step (%c1) {
      %x = memref.load %m[%j] : memref<?xf32>
      memref.store %x, %buffer[%j] : memref<?xf32>
      scf.reduce
    }
    memref.dealloc %buffer : memref<?xf32>
  }
  return
}
