// RUN: bcr-opt -allow-unregistered-dialect %s -bcr-plan-arena -split-input-file -verify-diagnostics | FileCheck %s
// RUN: bcr-opt -allow-unregistered-dialect %s -bcr-plan-arena=max-slices=2 -split-input-file -verify-diagnostics | FileCheck %s --check-prefix=FEW

// The first and the last buffer share memory; the one between them overlaps with both. Offsets are
// multiples of 64, the largest buffer comes first.
// CHECK-LABEL: module @chain
// CHECK-SAME: bcr.arena = {buffer_bytes = 704 : i64, buffers = 3 : i64, bytes = 640 : i64, live_bytes = 640 : i64, unplanned = 0 : i64}
// CHECK: func.func @main(%[[X:[a-z0-9_]+]]: memref<8xf32>, %[[ARENA:[a-z0-9_]+]]: memref<640xi8> {bcr.arena})
// CHECK: %[[A:[a-z0-9_]+]] = memref.assume_alignment %[[ARENA]], 64
// CHECK: %[[AT0:[a-z0-9_]+]] = arith.constant 512 : index
// CHECK: %[[FIRST:[a-z0-9_]+]] = memref.view %[[A]][%[[AT0]]][] : memref<640xi8> to memref<25xf32>
// CHECK: %[[AT1:[a-z0-9_]+]] = arith.constant 0 : index
// CHECK: %[[SECOND:[a-z0-9_]+]] = memref.view %[[A]][%[[AT1]]][] : memref<640xi8> to memref<64xf64>
// CHECK: %[[AT2:[a-z0-9_]+]] = arith.constant 512 : index
// CHECK: %[[THIRD:[a-z0-9_]+]] = memref.view %[[A]][%[[AT2]]][] : memref<640xi8> to memref<7x7xi8>
// CHECK: "use"(%[[X]], %[[FIRST]])
// CHECK: "use"(%[[FIRST]], %[[SECOND]])
// CHECK: "use"(%[[SECOND]], %[[THIRD]])
// CHECK-NOT: dealloc
module @chain {
  func.func @main(%x: memref<8xf32>) {
    %0 = memref.alloc() : memref<25xf32>
    %1 = memref.alloc() {alignment = 64 : i64} : memref<64xf64>
    %2 = memref.alloc() : memref<7x7xi8>
    "use"(%x, %0) : (memref<8xf32>, memref<25xf32>) -> ()
    "use"(%0, %1) : (memref<25xf32>, memref<64xf64>) -> ()
    memref.dealloc %0 : memref<25xf32>
    "use"(%1, %2) : (memref<64xf64>, memref<7x7xi8>) -> ()
    memref.dealloc %1 : memref<64xf64>
    memref.dealloc %2 : memref<7x7xi8>
    return
  }
}

// -----

// A use of a view is a use of the buffer, however long the chain; so is one of what a branch or a
// select makes of it.
// CHECK-LABEL: module @aliases
// CHECK-SAME: buffer_bytes = 512 : i64, buffers = 4 : i64, bytes = 512 : i64
module @aliases {
  func.func @main(%c: i1) {
    %0 = memref.alloc() : memref<4x8xf32>
    %1 = memref.subview %0[1, 0] [2, 8] [1, 1] : memref<4x8xf32> to memref<2x8xf32, strided<[8, 1], offset: 8>>
    %2 = memref.collapse_shape %1 [[0, 1]] : memref<2x8xf32, strided<[8, 1], offset: 8>> into memref<16xf32, strided<[1], offset: 8>>
    %base, %offset, %size, %stride = memref.extract_strided_metadata %2 : memref<16xf32, strided<[1], offset: 8>> -> memref<f32>, index, index, index
    %3 = memref.reinterpret_cast %base to offset: [8], sizes: [4], strides: [2] : memref<f32> to memref<4xf32, strided<[2], offset: 8>>
    %4 = memref.alloc() : memref<32xf32>
    %5 = memref.alloc() : memref<32xf32>
    %6 = arith.select %c, %4, %5 : memref<32xf32>
    %7 = scf.if %c -> memref<32xf32> {
      scf.yield %6 : memref<32xf32>
    } else {
      %8 = memref.alloc() : memref<32xf32>
      scf.yield %8 : memref<32xf32>
    }
    "use"(%7) : (memref<32xf32>) -> ()
    "use"(%3) : (memref<4xf32, strided<[2], offset: 8>>) -> ()
    "use"(%7) : (memref<32xf32>) -> ()
    memref.dealloc %0 : memref<4x8xf32>
    memref.dealloc %4 : memref<32xf32>
    memref.dealloc %5 : memref<32xf32>
    memref.dealloc %7 : memref<32xf32>
    return
  }
}

// -----

// Branches do not run both: their buffers share memory.
// CHECK-LABEL: module @branches
// CHECK-SAME: buffer_bytes = 320 : i64, buffers = 2 : i64, bytes = 192 : i64
module @branches {
  func.func @main(%c: i1) {
    scf.if %c {
      %0 = memref.alloc() : memref<48xf32>
      "use"(%0) : (memref<48xf32>) -> ()
      memref.dealloc %0 : memref<48xf32>
    } else {
      %1 = memref.alloc() : memref<32xf32>
      "use"(%1) : (memref<32xf32>) -> ()
      memref.dealloc %1 : memref<32xf32>
    }
    return
  }
}

// -----

// What a loop reads must live through all of its iterations, so it does not share with what comes
// later in the body; two buffers of the body itself share.
// CHECK-LABEL: module @loop
// CHECK-SAME: buffer_bytes = 384 : i64, buffers = 3 : i64, bytes = 256 : i64
// CHECK: memref.view %{{.*}}[%c0{{(_[0-9]+)?}}][]
// CHECK: scf.for
// CHECK: memref.view %{{.*}}[%c128{{(_[0-9]+)?}}][]
// CHECK: memref.view %{{.*}}[%c128{{(_[0-9]+)?}}][]
module @loop {
  func.func @main(%n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %0 = memref.alloc() : memref<32xf32>
    "use"(%0) : (memref<32xf32>) -> ()
    scf.for %i = %c0 to %n step %c1 {
      "use"(%0) : (memref<32xf32>) -> ()
      %1 = memref.alloc() : memref<32xf32>
      "use"(%1) : (memref<32xf32>) -> ()
      memref.dealloc %1 : memref<32xf32>
      %2 = memref.alloc() : memref<32xf32>
      "use"(%2) : (memref<32xf32>) -> ()
      memref.dealloc %2 : memref<32xf32>
    }
    memref.dealloc %0 : memref<32xf32>
    return
  }
}

// -----

// Iterations that run at the same time have a place each, and live as long as the loop. With more
// iterations than places the allocation stays.
// CHECK-LABEL: module @parallel
// CHECK-SAME: buffer_bytes = 640 : i64, buffers = 3 : i64, bytes = 576 : i64, live_bytes = 576 : i64, unplanned = 1 : i64
// CHECK: scf.parallel (%[[I:[a-z0-9_]+]]) = (%{{.*}}) to (%{{.*}}) step (%{{.*}}) {
// CHECK: %[[STEPPED:[a-z0-9_]+]] = arith.subi %[[I]],
// CHECK: %[[TURN:[a-z0-9_]+]] = arith.divui %[[STEPPED]],
// CHECK: %[[AT:[a-z0-9_]+]] = arith.muli %[[TURN]], %c128
// CHECK: memref.view %{{.*}}[%[[AT]]][] : memref<576xi8> to memref<20xf32>
// CHECK: %[[SKIPPED:[a-z0-9_]+]] = arith.muli %{{.*}}, %c64
// CHECK: %[[NEXT:[a-z0-9_]+]] = arith.addi %[[SKIPPED]], %c384
// CHECK: memref.view %{{.*}}[%[[NEXT]]][] : memref<576xi8> to memref<16xi8>
// CHECK: scf.parallel
// CHECK: memref.alloc() : memref<3xf32>
// FEW-LABEL: module @parallel
// FEW-SAME: buffers = 1 : i64, bytes = 64 : i64, live_bytes = 64 : i64, unplanned = 3 : i64
// FEW: memref.dealloc %{{.*}} : memref<20xf32>
module @parallel {
  func.func @main(%n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c7 = arith.constant 7 : index
    scf.parallel (%i) = (%c1) to (%c7) step (%c2) {
      %0 = memref.alloc() : memref<20xf32>
      "use"(%0) : (memref<20xf32>) -> ()
      memref.dealloc %0 : memref<20xf32>
      %1 = memref.alloc() : memref<16xi8>
      "use"(%1) : (memref<16xi8>) -> ()
      memref.dealloc %1 : memref<16xi8>
      scf.reduce
    }
    scf.parallel (%i) = (%c0) to (%n) step (%c1) {
      %0 = memref.alloc() : memref<3xf32>
      "use"(%0) : (memref<3xf32>) -> ()
      memref.dealloc %0 : memref<3xf32>
      scf.reduce
    }
    %2 = memref.alloc() : memref<3xf32>
    "use"(%2) : (memref<3xf32>) -> ()
    memref.dealloc %2 : memref<3xf32>
    return
  }
}

// -----

// What cannot be planned keeps its allocation and its deallocation: sizes that are not known, an
// iteration that hands its buffer to the next, an address that goes elsewhere, a stricter alignment,
// and what may be freed in the place of one of these.
// CHECK-LABEL: module @left
// CHECK-SAME: buffers = 1 : i64, bytes = 64 : i64, live_bytes = 64 : i64, unplanned = 7 : i64
// CHECK: func.func private @other
// CHECK: memref.alloc() : memref<9xf32>
// CHECK: memref.dealloc
// CHECK: memref.alloc(%{{.*}}) : memref<?xf32>
// CHECK: memref.dealloc
// CHECK: memref.alloc()
// CHECK: scf.for
// CHECK: memref.alloc()
// CHECK: memref.dealloc
// CHECK: memref.dealloc
// CHECK: %[[TAKEN:[a-z0-9_]+]] = memref.alloc()
// CHECK: memref.extract_aligned_pointer_as_index %[[TAKEN]]
// CHECK: memref.dealloc %[[TAKEN]]
// CHECK: memref.alloc() {alignment = 128 : i64}
// CHECK: memref.alloc()
// CHECK: memref.dealloc
// CHECK-NOT: alloc
// CHECK: memref.view
// CHECK-NOT: alloc
module @left {
  func.func private @other() {
    %0 = memref.alloc() : memref<9xf32>
    "use"(%0) : (memref<9xf32>) -> ()
    memref.dealloc %0 : memref<9xf32>
    return
  }
  func.func @main(%n: index, %c: i1) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %0 = memref.alloc(%n) : memref<?xf32>
    "use"(%0) : (memref<?xf32>) -> ()
    memref.dealloc %0 : memref<?xf32>
    %1 = memref.alloc() : memref<8xf32>
    %2 = scf.for %i = %c0 to %n step %c1 iter_args(%carried = %1) -> memref<8xf32> {
      %3 = memref.alloc() : memref<8xf32>
      "use"(%carried, %3) : (memref<8xf32>, memref<8xf32>) -> ()
      memref.dealloc %carried : memref<8xf32>
      scf.yield %3 : memref<8xf32>
    }
    memref.dealloc %2 : memref<8xf32>
    %4 = memref.alloc() : memref<8xf32>
    %5 = memref.extract_aligned_pointer_as_index %4 : memref<8xf32> -> index
    "use"(%5) : (index) -> ()
    memref.dealloc %4 : memref<8xf32>
    %6 = memref.alloc() {alignment = 128 : i64} : memref<8xf32>
    %7 = memref.alloc() : memref<8xf32>
    %8 = arith.select %c, %6, %7 : memref<8xf32>
    "use"(%8) : (memref<8xf32>) -> ()
    memref.dealloc %8 : memref<8xf32>
    %9 = memref.alloc() : memref<8xf32>
    "use"(%9) : (memref<8xf32>) -> ()
    memref.dealloc %9 : memref<8xf32>
    return
  }
}

// -----

// Without buffers there is no arena.
// CHECK-LABEL: module @none
// CHECK-SAME: bytes = 0 : i64
// CHECK: func.func @main(%{{[a-z0-9_]+}}: memref<8xf32>) {
module @none {
  func.func @main(%x: memref<8xf32>) {
    return
  }
}

// -----

// expected-error @+1 {{has no function @main}}
module {
}

// -----

// expected-error @+2 {{is called, but only a caller outside the module can give it an arena}}
module {
  func.func @main() {
    %0 = memref.alloc() : memref<8xf32>
    memref.dealloc %0 : memref<8xf32>
    return
  }
  func.func private @caller() {
    call @main() : () -> ()
    return
  }
}
