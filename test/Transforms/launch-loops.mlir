// RUN: bcr-opt %s --pass-pipeline='builtin.module(func.func(bcr-launch-loops,canonicalize))' --remarks-filter=bcr-launch-loops --split-input-file --verify-diagnostics | FileCheck %s

// The innermost dimension of more than one turn runs along x, the next one along y, the others along
// z; work-items that rounding up to a group adds do nothing. Begins and steps are kept.
// CHECK-LABEL: func.func @dimensions(
// CHECK-SAME:    %[[X:.*]]: memref<4x3x7x1xf32>, %[[Y:.*]]: memref<4x3x7x1xf32>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK-DAG:     %[[C16:.*]] = arith.constant 16 : index
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C3]], %{{[^ ]+}} = %[[C2]])
// CHECK-SAME:      threads(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C16]], %{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]])
// CHECK:           %[[GX:.*]] = gpu.global_id x
// CHECK:           %[[BY:.*]] = gpu.block_id y
// CHECK:           %[[BZ:.*]] = gpu.block_id z
// CHECK:           %[[INSIDE:.*]] = arith.cmpi ult, %[[GX]], %[[C6]]
// CHECK:           scf.if %[[INSIDE]]
// CHECK:             %[[TWICE:.*]] = arith.muli %[[BZ]], %[[C2]]
// CHECK:             %[[NEXT:.*]] = arith.addi %[[GX]], %[[C1]]
// CHECK:             %[[V:.*]] = memref.load %[[X]][%[[TWICE]], %[[BY]], %[[NEXT]], %[[C0]]]
// CHECK:             memref.store %[[V]], %[[Y]][%[[TWICE]], %[[BY]], %[[NEXT]], %[[C0]]]
// CHECK:         } {bcr.kernel = "loops"}
func.func @dimensions(%x: memref<4x3x7x1xf32>, %y: memref<4x3x7x1xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %c7 = arith.constant 7 : index
  scf.parallel (%i, %j, %k, %l) = (%c0, %c0, %c1, %c0) to (%c4, %c3, %c7, %c1) step (%c2, %c1, %c1, %c1) {
    %v = memref.load %x[%i, %j, %k, %l] : memref<4x3x7x1xf32>
    memref.store %v, %y[%i, %j, %k, %l] : memref<4x3x7x1xf32>
  }
  return
}

// -----

// Dimensions beyond the third share z.
// CHECK-LABEL: func.func @five_dimensions(
// CHECK-DAG:     %[[C5:.*]] = arith.constant 5 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK-DAG:     %[[C210:.*]] = arith.constant 210 : index
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %{{[^ ]+}}, %{{[^ ]+}} = %{{[^ ]+}}, %{{[^ ]+}} = %[[C210]])
// CHECK:           %[[BZ:.*]] = gpu.block_id z
// CHECK:           %[[K:.*]] = arith.remui %[[BZ]], %[[C5]]
// CHECK:           %[[REST:.*]] = arith.divui %[[BZ]], %[[C5]]
// CHECK:           %[[J:.*]] = arith.remui %[[REST]], %[[C6]]
// CHECK:           %[[I:.*]] = arith.divui %[[REST]], %[[C6]]
// CHECK:           memref.store %{{.*}}, %{{.*}}[%[[I]], %[[J]], %[[K]],
func.func @five_dimensions(%y: memref<7x6x5x4x3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %c5 = arith.constant 5 : index
  %c6 = arith.constant 6 : index
  %c7 = arith.constant 7 : index
  %one = arith.constant 1.0 : f32
  scf.parallel (%i, %j, %k, %l, %m) = (%c0, %c0, %c0, %c0, %c0) to (%c7, %c6, %c5, %c4, %c3)
      step (%c1, %c1, %c1, %c1, %c1) {
    memref.store %one, %y[%i, %j, %k, %l, %m] : memref<7x6x5x4x3xf32>
  }
  return
}

// -----

// 65537 groups are more in z than Vulkan promises. All 196611 of them are dealt to x and y, in parts of one size; their places follow
// from their number, and the one that is too many does nothing.
// CHECK-LABEL: func.func @many(
// CHECK-SAME:    %[[Y:.*]]: memref<65537x3x2xf32>)
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[PART:.*]] = arith.constant 49153 : index
// CHECK-DAG:     %[[ALL:.*]] = arith.constant 196611 : index
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[PART]], %{{[^ ]+}} = %[[C4]], %{{[^ ]+}} = %[[C1]])
// CHECK:           %[[BX:.*]] = gpu.block_id x
// CHECK:           %[[LX:.*]] = gpu.thread_id x
// CHECK:           %[[BY:.*]] = gpu.block_id y
// CHECK:           %[[BZ:.*]] = gpu.block_id z
// CHECK:           %[[SLICES:.*]] = arith.muli %[[BZ]], %[[C4]]
// CHECK:           %[[ROWS:.*]] = arith.addi %[[BY]], %[[SLICES]]
// CHECK:           %[[SCALED:.*]] = arith.muli %[[ROWS]], %[[PART]]
// CHECK:           %[[NUMBER:.*]] = arith.addi %[[BX]], %[[SCALED]]
// CHECK:           %[[J:.*]] = arith.remui %[[NUMBER]], %[[C3]]
// CHECK:           %[[I:.*]] = arith.divui %[[NUMBER]], %[[C3]]
// CHECK:           %[[IS:.*]] = arith.cmpi ult, %[[NUMBER]], %[[ALL]]
// CHECK:           scf.if %[[IS]]
// CHECK:             %[[INSIDE:.*]] = arith.cmpi ult, %[[LX]], %[[C2]]
// CHECK:             scf.if %[[INSIDE]]
// CHECK:               memref.store %{{.*}}, %[[Y]][%[[I]], %[[J]], %[[LX]]]
func.func @many(%y: memref<65537x3x2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c65537 = arith.constant 65537 : index
  %one = arith.constant 1.0 : f32
  scf.parallel (%i, %j, %k) = (%c0, %c0, %c0) to (%c65537, %c3, %c2) step (%c1, %c1, %c1) {
    memref.store %one, %y[%i, %j, %k] : memref<65537x3x2xf32>
  }
  return
}

// -----

// A copy is a loop over elements, also of a view; what has no elements is no kernel.
// CHECK-LABEL: func.func @copies(
// CHECK-SAME:    %[[X:.*]]: memref<5x9xf32>, %[[Y:.*]]: memref<5x4xf32>)
// CHECK:         %[[VIEW:.*]] = memref.subview %[[X]]
// CHECK:         gpu.launch
// CHECK:           %[[V:.*]] = memref.load %[[VIEW]]
// CHECK:           memref.store %[[V]], %[[Y]]
// CHECK:         } {bcr.kernel = "loops"}
// CHECK-NOT:     gpu.launch
func.func @copies(%x: memref<5x9xf32>, %y: memref<5x4xf32>) {
  %view = memref.subview %x[0, 1] [5, 4] [1, 2] : memref<5x9xf32> to memref<5x4xf32, strided<[9, 2], offset: 1>>
  memref.copy %view, %y : memref<5x4xf32, strided<[9, 2], offset: 1>> to memref<5x4xf32>
  %none = memref.alloc() : memref<0x3xf32>
  %nothing = memref.alloc() : memref<0x3xf32>
  memref.copy %none, %nothing : memref<0x3xf32> to memref<0x3xf32>
  return
}

// -----

// A loop in a loop runs in order on the work-item of the outer one.
// CHECK-LABEL: func.func @nested(
// CHECK:         gpu.launch
// CHECK:           scf.for
// CHECK-NOT:     scf.parallel
func.func @nested(%x: memref<9x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c9 = arith.constant 9 : index
  %one = arith.constant 1.0 : f32
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    scf.parallel (%j) = (%c0) to (%c4) step (%c1) {
      memref.store %one, %x[%i, %j] : memref<9x4xf32>
    }
  }
  return
}

// -----

// A sum in order is one work-item's, with all that follows up to the next kernel and without the allocation, which is the host's.
// CHECK-LABEL: func.func @in_order(
// CHECK-SAME:    %[[X:.*]]: memref<9xf32>, %[[Y:[a-z0-9]+]]: memref<f32>, %{{.*}}: memref<f32>)
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK:         %[[T:.*]] = memref.alloc()
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]])
// CHECK-SAME:      threads(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]])
// CHECK:           %[[SUM:.*]] = scf.for
// CHECK:           %[[ROOT:.*]] = math.sqrt %[[SUM]]
// CHECK:           memref.store %[[ROOT]], %[[Y]][]
// CHECK:           memref.store %[[ROOT]], %[[T]][]
// CHECK-NEXT:      %[[COPIED:.*]] = memref.load %[[T]][]
// CHECK-NEXT:      memref.store %[[COPIED]], %{{.*}}[]
// CHECK-NEXT:      gpu.terminator
func.func @in_order(%x: memref<9xf32>, %y: memref<f32>, %z: memref<f32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %zero = arith.constant 0.0 : f32
  // expected-remark @below {{runs on a single work-item: its steps depend on one another}}
  %sum = scf.for %i = %c0 to %c9 step %c1 iter_args(%before = %zero) -> f32 {
    %v = memref.load %x[%i] : memref<9xf32>
    %after = arith.addf %before, %v : f32
    scf.yield %after : f32
  }
  %root = math.sqrt %sum : f32
  memref.store %root, %y[] : memref<f32>
  %t = memref.alloc() : memref<f32>
  memref.store %root, %t[] : memref<f32>
  memref.copy %t, %z : memref<f32> to memref<f32>
  return
}

// -----

// Numbers that outlive their kernel are stored by it, once, and each kernel that uses them loads them again: nothing changes places,
// so the layer finds what the loop before it wrote, and both loops stay kernels of many work-items.
// CHECK-LABEL: func.func @numbers(
// CHECK-SAME:    %[[N:[a-z0-9]+]]: memref<f32>, %[[X:[a-z0-9]+]]: memref<9xf32>, %[[Y:[a-z0-9]+]]: memref<9xf32>, %[[Z:[a-z0-9]+]]: memref<9xf32>)
// CHECK-DAG:     %[[C16:.*]] = arith.constant 16 : index
// CHECK-DAG:     %[[T:.*]] = memref.alloc() : memref<9xf32>
// CHECK:         gpu.launch
// CHECK:           %[[V:.*]] = memref.load %[[N]][]
// CHECK:           %[[W:.*]] = math.absf %[[V]]
// CHECK:           memref.store %[[V]], %[[A:[a-z0-9_]+]][]
// CHECK:           memref.store %[[W]], %[[B:[a-z0-9_]+]][]
// CHECK:           gpu.terminator
// CHECK:         gpu.launch {{.*}} threads({{[^)]+}}) in (%{{[^ ]+}} = %[[C16]],
// CHECK:           memref.load %[[X]]
// CHECK:           memref.store %{{.*}}, %[[T]]
// CHECK:         gpu.launch
// CHECK:           memref.load %[[T]]
// CHECK:           memref.store %{{.*}}, %[[Z]]
// CHECK:         } {bcr.kernel = "layer"}
// CHECK:         gpu.launch {{.*}} threads({{[^)]+}}) in (%{{[^ ]+}} = %[[C16]],
// CHECK-DAG:       %[[V:.*]] = memref.load %[[A]][]
// CHECK-DAG:       %[[W:.*]] = memref.load %[[B]][]
// CHECK:           %[[SUM:.*]] = arith.addf %[[V]], %[[W]]
// CHECK:           memref.store %[[SUM]], %[[Y]]
// CHECK:         gpu.launch
// CHECK-NEXT:      %[[V:.*]] = memref.load %[[A]][]
// CHECK-NEXT:      memref.store %[[V]], %[[N]][]
// CHECK-NEXT:      gpu.terminator
func.func @numbers(%n: memref<f32>, %x: memref<9xf32>, %y: memref<9xf32>, %z: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %t = memref.alloc() : memref<9xf32>
  %v = memref.load %n[] : memref<f32>
  %w = math.absf %v : f32
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    %p = memref.load %x[%i] : memref<9xf32>
    %q = math.exp %p : f32
    memref.store %q, %t[%i] : memref<9xf32>
  }
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %c9, %ly = %c1, %lz = %c1) {
    %p = memref.load %t[%tx] : memref<9xf32>
    memref.store %p, %z[%tx] : memref<9xf32>
    gpu.terminator
  } {bcr.kernel = "layer"}
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    %sum = arith.addf %v, %w : f32
    memref.store %sum, %y[%i] : memref<9xf32>
  }
  memref.store %v, %n[] : memref<f32>
  return
}

// -----

// A view at a place that a kernel computes is in the kernels that use it, one at a fixed place is not.
// CHECK-LABEL: func.func @views(
// CHECK-SAME:    %[[N:[a-z0-9]+]]: memref<index>, %[[X:[a-z0-9]+]]: memref<4x9xf32>, %[[Y:[a-z0-9]+]]: memref<9xf32>)
// CHECK:         %[[A:.*]] = memref.alloc() : memref<index>
// CHECK:         %[[FIXED:.*]] = memref.subview %[[X]][1, 0]
// CHECK:         gpu.launch
// CHECK:           %[[V:.*]] = memref.load %[[N]][]
// CHECK:           memref.store %[[V]], %[[A]][]
// CHECK:         gpu.launch
// CHECK:           %[[V:.*]] = memref.load %[[A]][]
// CHECK:           %[[VIEW:.*]] = memref.subview %[[X]][%[[V]], 0]
// CHECK:           %[[P:.*]] = memref.load %[[VIEW]]
// CHECK:           %[[Q:.*]] = memref.load %[[FIXED]]
func.func @views(%n: memref<index>, %x: memref<4x9xf32>, %y: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %v = memref.load %n[] : memref<index>
  %view = memref.subview %x[%v, 0] [1, 9] [1, 1] : memref<4x9xf32> to memref<9xf32, strided<[1], offset: ?>>
  %fixed = memref.subview %x[1, 0] [1, 9] [1, 1] : memref<4x9xf32> to memref<9xf32, strided<[1], offset: 9>>
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    %p = memref.load %view[%i] : memref<9xf32, strided<[1], offset: ?>>
    %q = memref.load %fixed[%i] : memref<9xf32, strided<[1], offset: 9>>
    %sum = arith.addf %p, %q : f32
    memref.store %sum, %y[%i] : memref<9xf32>
  }
  return
}

// -----

// What stands beside launches in a loop of the host becomes kernels there, with memory outside of the loop.
// CHECK-LABEL: func.func @numbers_in_a_host_loop(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<3xf32>, %[[Y:[a-z0-9]+]]: memref<3xf32>)
// CHECK:         %[[A:.*]] = memref.alloc() : memref<f32>
// CHECK:         scf.for %[[TURN:.*]] =
// CHECK-NEXT:      gpu.launch
// CHECK:             %[[V:.*]] = memref.load %[[X]][%[[TURN]]]
// CHECK:             memref.store %[[V]], %[[A]][]
// CHECK:           gpu.launch
// CHECK:             %[[V:.*]] = memref.load %[[A]][]
// CHECK:             memref.store %[[V]], %[[Y]][%[[TURN]]]
func.func @numbers_in_a_host_loop(%x: memref<3xf32>, %y: memref<3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  scf.for %turn = %c0 to %c3 step %c1 {
    %v = memref.load %x[%turn] : memref<3xf32>
    gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
               threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
      memref.store %v, %y[%turn] : memref<3xf32>
      gpu.terminator
    }
  }
  return
}

// -----

// The host does not know what a kernel computes.
func.func @size_from_a_kernel(%n: memref<index>, %y: memref<9xf32>) {
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  %v = memref.load %n[] : memref<index>
  // expected-error @below {{uses a number of type 'index' that a kernel computes; the host knows only what was known when the model was compiled}}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %v, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
    memref.store %one, %y[%bx] : memref<9xf32>
    gpu.terminator
  }
  return
}

// -----

func.func @memory_from_a_kernel(%c: memref<i1>, %x: memref<9xf32>, %y: memref<9xf32>, %z: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %v = memref.load %c[] : memref<i1>
  // expected-error @below {{computes a value of type 'memref<9xf32>' that another kernel uses; kernels pass on numbers only}}
  %t = arith.select %v, %x, %y : memref<9xf32>
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    %p = memref.load %t[%i] : memref<9xf32>
    memref.store %p, %z[%i] : memref<9xf32>
  }
  return
}

// -----

// A loop around launches stays with the host.
// CHECK-LABEL: func.func @host_loop(
// CHECK:         scf.for %[[TURN:.*]] =
// CHECK-NEXT:      gpu.launch
// CHECK:             memref.store %{{.*}}, %{{.*}}[%[[TURN]]]
func.func @host_loop(%y: memref<3xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %one = arith.constant 1.0 : f32
  scf.for %turn = %c0 to %c3 step %c1 {
    gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
               threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
      memref.store %one, %y[%turn] : memref<3xf32>
      gpu.terminator
    }
  }
  return
}

// -----

// The second loop needs what the same turn of the first wrote, and is in its kernel, whatever is allocated in between. The third
// needs what other turns wrote, and is not.
// CHECK-LABEL: func.func @neighbours(
// CHECK-SAME:    %[[X:.*]]: memref<9xf32>, %[[Y:.*]]: memref<9xf32>)
// CHECK:         %[[T:.*]] = memref.alloc()
// CHECK:         %[[U:.*]] = memref.alloc()
// CHECK:         gpu.launch
// CHECK:           memref.store %{{.*}}, %[[T]]
// CHECK:           memref.store %{{.*}}, %[[U]]
// CHECK:         gpu.launch
// CHECK:           memref.load %[[U]]
// CHECK:           memref.store %{{.*}}, %[[Y]]
// CHECK-NOT:     gpu.launch
// CHECK:         memref.dealloc
func.func @neighbours(%x: memref<9xf32>, %y: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %c9 = arith.constant 9 : index
  %t = memref.alloc() : memref<9xf32>
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    %v = memref.load %x[%i] : memref<9xf32>
    %r = math.exp %v : f32
    memref.store %r, %t[%i] : memref<9xf32>
  }
  %u = memref.alloc() : memref<9xf32>
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    %v = memref.load %t[%i] : memref<9xf32>
    %r = math.sqrt %v : f32
    memref.store %r, %u[%i] : memref<9xf32>
  }
  memref.dealloc %t : memref<9xf32>
  scf.parallel (%i) = (%c0) to (%c9) step (%c1) {
    %j = arith.subi %c8, %i : index
    %v = memref.load %u[%j] : memref<9xf32>
    memref.store %v, %y[%i] : memref<9xf32>
  }
  memref.dealloc %u : memref<9xf32>
  return
}

// -----

// Both write all of t, the second at places of its own: in one kernel, a turn could write after another turn's second store.
// CHECK-LABEL: func.func @write_again_elsewhere(
// CHECK:         %[[T:.*]] = memref.alloc()
// CHECK:         gpu.launch
// CHECK:           memref.store %{{.*}}, %[[T]]
// CHECK-NOT:       memref.store
// CHECK:         } {bcr.kernel = "loops"}
// CHECK:         gpu.launch
// CHECK:           memref.store %{{.*}}, %[[T]]
func.func @write_again_elsewhere(%x: memref<8xf32>, %at: memref<8xindex>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<8xf32>
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    memref.store %zero, %t[%i] : memref<8xf32>
  }
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    %j = memref.load %at[%i] : memref<8xindex>
    %v = memref.load %x[%i] : memref<8xf32>
    memref.store %v, %t[%j] : memref<8xf32>
  }
  memref.copy %t, %y : memref<8xf32> to memref<8xf32>
  return
}

// -----

// Both write at the same place, so a turn's second store is behind its first; and two parts of y have no place in common.
// CHECK-LABEL: func.func @write_again_there(
// CHECK:         gpu.launch
// CHECK-COUNT-4:   memref.store
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @write_again_there(%x: memref<8xf32>, %y: memref<2x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %a = memref.subview %y[0, 0] [1, 8] [1, 1] : memref<2x8xf32> to memref<8xf32, strided<[1]>>
  %b = memref.subview %y[1, 0] [1, 8] [1, 1] : memref<2x8xf32> to memref<8xf32, strided<[1], offset: 8>>
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    memref.store %zero, %a[%i] : memref<8xf32, strided<[1]>>
  }
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    %v = memref.load %x[%i] : memref<8xf32>
    memref.store %v, %a[%i] : memref<8xf32, strided<[1]>>
  }
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    memref.store %zero, %b[%i] : memref<8xf32, strided<[1], offset: 8>>
  }
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    %v = memref.load %x[%i] : memref<8xf32>
    memref.store %v, %b[%i] : memref<8xf32, strided<[1], offset: 8>>
  }
  return
}

// -----

// Memory of a choice may be what the first loop wrote.
// CHECK-LABEL: func.func @choice_of_memory(
// CHECK-COUNT-2: gpu.launch
func.func @choice_of_memory(%c: i1, %x: memref<8xf32>, %out: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<8xf32>
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    memref.store %zero, %t[%i] : memref<8xf32>
  }
  scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
    %s = arith.select %c, %t, %x : memref<8xf32>
    scf.for %j = %c0 to %c8 step %c1 {
      %v = memref.load %s[%j] : memref<8xf32>
      memref.store %v, %out[%i] : memref<8xf32>
    }
  }
  return
}

// -----

// An end before the begin is no turn.
// CHECK-LABEL: func.func @no_turn(
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @no_turn(%y: memref<9xf32>) {
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %one = arith.constant 1.0 : f32
  scf.parallel (%i) = (%c5) to (%c3) step (%c2) {
    memref.store %one, %y[%i] : memref<9xf32>
  }
  return
}

// -----

// A copy in what runs in order is a loop of its work-item.
// CHECK-LABEL: func.func @copy_in_a_loop(
// CHECK:         gpu.launch
// CHECK:           scf.for
// CHECK:             scf.for
// CHECK:               memref.load
// CHECK:               memref.store
func.func @copy_in_a_loop(%n: memref<index>, %x: memref<9xf32>, %y: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-remark @below {{runs on a single work-item}}
  %size = memref.load %n[] : memref<index>
  scf.for %i = %c0 to %size step %c1 {
    memref.copy %x, %y : memref<9xf32> to memref<9xf32>
  }
  return
}

// -----

func.func @reduction(%x: memref<9xf32>, %y: memref<f32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{reduces in parallel; kernels for a GPU need reductions that are loops in order}}
  %r = scf.parallel (%i) = (%c0) to (%c9) step (%c1) init (%zero) -> f32 {
    %p = memref.load %x[%i] : memref<9xf32>
    scf.reduce(%p : f32) {
    ^bb0(%a: f32, %b: f32):
      %sum = arith.addf %a, %b : f32
      scf.reduce.return %sum : f32
    }
  }
  memref.store %r, %y[] : memref<f32>
  return
}

// -----

func.func @dynamic_copy(%x: memref<?xf32>, %y: memref<?xf32>) {
  // expected-error @below {{has a shape that is not known; kernels for a GPU need shapes that are known when the model is compiled}}
  memref.copy %x, %y : memref<?xf32> to memref<?xf32>
  return
}

// -----

func.func @dynamic_bound(%y: memref<9xf32>, %size: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  // expected-error @below {{has a bound that is not a constant; kernels for a GPU need shapes that are known when the model is compiled}}
  scf.parallel (%i) = (%c0) to (%size) step (%c1) {
    memref.store %one, %y[%i] : memref<9xf32>
  }
  return
}

// -----

// Both sides of a branch around kernels run one after the other, and ask for its condition: in a
// kernel, in a loop, in steps of one work-item. What a step computes for others is zero where the
// side is not taken. Memory and places are the host's.
// CHECK-LABEL: func.func @branch(
// CHECK-SAME:    %[[X:.*]]: memref<f32>, %[[Y:.*]]: memref<7xf32>, %[[Z:.*]]: memref<7xf32>)
// CHECK:         %[[NUMBER:.*]] = memref.alloc() : memref<f32>
// CHECK:         %[[CONDITION:.*]] = memref.alloc() : memref<i1>
// CHECK-NOT:     scf.if
// CHECK:         gpu.launch
// CHECK:           %[[V:.*]] = memref.load %[[X]][]
// CHECK:           %[[POSITIVE:.*]] = arith.cmpf ogt, %[[V]]
// CHECK:           %[[FIRST:.*]] = scf.if %[[POSITIVE]] -> (f32) {
// CHECK:             %[[OLD:.*]] = memref.load %[[Y]][%{{.*}}]
// CHECK:             scf.yield %[[OLD]]
// CHECK:           } else {
// CHECK:             scf.yield %{{.*}} : f32
// CHECK:           memref.store %[[FIRST]], %[[NUMBER]][]
// CHECK:         gpu.launch
// CHECK:           scf.if %{{.*}} {
// CHECK:             memref.store %{{.*}}, %[[Z]][%{{.*}}]
// CHECK:         } {bcr.kernel = "layer"}
// CHECK:         gpu.launch
// CHECK:           %[[NOT:.*]] = arith.xori
// CHECK:           scf.if %{{.*}} {
// CHECK:             memref.store %{{.*}}, %[[Z]][%{{.*}}]
// CHECK:         } {bcr.kernel = "loops"}
// CHECK:         return
func.func @branch(%x: memref<f32>, %y: memref<7xf32>, %z: memref<7xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2.0 : f32
  %v = memref.load %x[] : memref<f32>
  %positive = arith.cmpf ogt, %v, %zero : f32
  // expected-remark @below {{enqueues the kernels of both sides}}
  scf.if %positive {
    %first = memref.load %y[%c1] : memref<7xf32>
    gpu.launch blocks(%bx, %by, %bz) in (%gx = %c7, %gy = %c1, %gz = %c1)
               threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
      memref.store %first, %z[%bx] : memref<7xf32>
      gpu.terminator
    } {bcr.kernel = "layer"}
  } else {
    scf.parallel (%i) = (%c0) to (%c7) step (%c1) {
      memref.store %two, %z[%i] : memref<7xf32>
    }
  }
  return
}

// -----

// A branch inside of a branch runs where both conditions hold, and chooses a number.
// CHECK-LABEL: func.func @nested(
// CHECK-SAME:    %[[OUTER:.*]]: i1, %[[INNER:.*]]: i1, %[[Y:.*]]: memref<7xf32>)
// CHECK:         gpu.launch
// CHECK:           %[[BOTH:.*]] = arith.andi %[[OUTER]], %[[INNER]]
// CHECK:           scf.if %[[BOTH]]
// CHECK:             memref.store %{{.*}}, %[[Y]][%{{.*}}]
func.func @nested(%outer: i1, %inner: i1, %y: memref<7xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %two = arith.constant 2.0 : f32
  // expected-remark @below {{enqueues the kernels of both sides}}
  scf.if %outer {
    // expected-remark @below {{enqueues the kernels of both sides}}
    scf.if %inner {
      scf.parallel (%i) = (%c0) to (%c7) step (%c1) {
        memref.store %two, %y[%i] : memref<7xf32>
      }
    }
  }
  return
}

// -----

func.func @choice_of_memory(%x: i1, %y: memref<7xf32>, %z: memref<7xf32>) -> memref<7xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %two = arith.constant 2.0 : f32
  // expected-error @below {{chooses a value of type 'memref<7xf32>'; branches around kernels choose numbers only}}
  %r = scf.if %x -> memref<7xf32> {
    scf.parallel (%i) = (%c0) to (%c7) step (%c1) {
      memref.store %two, %y[%i] : memref<7xf32>
    }
    scf.yield %y : memref<7xf32>
  } else {
    scf.yield %z : memref<7xf32>
  }
  return %r : memref<7xf32>
}
