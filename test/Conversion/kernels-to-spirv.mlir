// RUN: bcr-opt %s --bcr-kernels-to-spirv --split-input-file --verify-diagnostics | FileCheck %s

// Physical addresses of 64 bits, functions of OpenCL's extended instruction set, and no capability that is not used.
// CHECK-NOT: gpu.module
// CHECK: spirv.module @{{.*}} Physical64 OpenCL requires #spirv.vce<v1.0, [Int64, Kernel, Addresses], []>
// CHECK: spirv.func @root(%[[X:.*]]: !spirv.ptr<!spirv.array<35 x f32>, CrossWorkgroup>, %{{.*}}: !spirv.ptr<!spirv.array<7 x f32>, CrossWorkgroup>, %[[TURN:.*]]: i64)
// CHECK: %[[R:.*]] = spirv.CL.sqrt %{{.*}} : f32
// CHECK: spirv.CL.fma %[[R]], %{{.*}}, %[[R]] : f32
// CHECK: spirv.EntryPoint "Kernel" @root, @__builtin__GlobalInvocationId__
// CHECK: spirv.ExecutionMode @root "LocalSize", 16, 1, 1
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @root(%x: memref<5x7xf32>, %y: memref<7xf32>, %turn: index) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [16, 1, 1]>} {
      %at = gpu.global_id x
      %v = memref.load %x[%turn, %at] : memref<5x7xf32>
      %r = math.sqrt %v : f32
      %f = math.fma %r, %v, %r : f32
      memref.store %f, %y[%at] : memref<7xf32>
      gpu.return
    }
  }
}

// -----

// A vector begins at any element, so no more than an element's alignment is promised.
// CHECK: spirv.func @vectors(
// CHECK: spirv.Load "CrossWorkgroup" %{{.*}} ["Aligned", 4] : vector<4xf32>
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @vectors(%x: memref<14xf32>, %y: memref<14xf32>) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [16, 1, 1]>} {
      %at = gpu.global_id x
      %four = vector.load %x[%at] : memref<14xf32>, vector<4xf32>
      %last = vector.extract %four[3] : f32 from vector<4xf32>
      memref.store %last, %y[%at] : memref<14xf32>
      gpu.return
    }
  }
}

// -----

// bf16 is moved as bits; half floats and doubles are asked for where they are used.
// CHECK: spirv.module @{{.*}} Physical64 OpenCL requires #spirv.vce<v1.0, [{{.*}}Float16{{.*}}], []>
// CHECK: spirv.func @move(%{{.*}}: !spirv.ptr<!spirv.array<3 x i16>, CrossWorkgroup>, %{{.*}}: !spirv.ptr<!spirv.array<3 x i16>, CrossWorkgroup>, %{{.*}}: !spirv.ptr<!spirv.array<3 x f16>, CrossWorkgroup>, %[[Z:.*]]: !spirv.ptr<!spirv.array<3 x i16>, CrossWorkgroup>)
// CHECK-DAG: %[[ONE:.*]] = spirv.Constant 16256 : i16
// CHECK: spirv.Store "CrossWorkgroup" %{{.*}}, %[[ONE]] : i16
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @move(%x: memref<3xbf16>, %y: memref<3xi16>, %h: memref<3xf16>, %z: memref<3xbf16>) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [3, 1, 1]>} {
      %at = gpu.global_id x
      %v = memref.load %x[%at] : memref<3xbf16>
      %bits = arith.bitcast %v : bf16 to i16
      memref.store %bits, %y[%at] : memref<3xi16>
      %one = arith.constant 1.0 : bf16
      memref.store %one, %z[%at] : memref<3xbf16>
      %half = arith.constant 1.0 : f16
      memref.store %half, %h[%at] : memref<3xf16>
      gpu.return
    }
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @compute(%x: memref<3xbf16>) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [3, 1, 1]>} {
      %at = gpu.global_id x
      %v = memref.load %x[%at] : memref<3xbf16>
      // expected-error @below {{computes in bf16, which OpenCL does not know}}
      %r = math.sqrt %v : bf16
      memref.store %r, %x[%at] : memref<3xbf16>
      gpu.return
    }
  }
}
