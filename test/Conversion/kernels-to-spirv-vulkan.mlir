// RUN: bcr-opt %s --bcr-kernels-to-spirv=api=vulkan | FileCheck %s
// RUN: bcr-opt %s --bcr-kernels-to-spirv | FileCheck %s --check-prefix=OPENCL

// The two environments of bcr-kernels-to-spirv, and what both do to loops.

// CHECK: spirv.module @{{.*}} Logical GLSL450
// CHECK-SAME: Shader
// OPENCL: spirv.module @{{.*}} Physical64 OpenCL
// OPENCL-SAME: Kernel

module attributes {gpu.container_module} {
  gpu.module @kernels {
    // Arguments are storage buffers of one descriptor set, numbers as well.
    // CHECK-DAG: spirv.GlobalVariable @sum_arg_0 bind(0, 0) : !spirv.ptr<!spirv.struct<(!spirv.array<64 x f32, stride=4> [0])>, StorageBuffer>
    // CHECK-DAG: spirv.GlobalVariable @sum_arg_1 bind(0, 1) : !spirv.ptr<!spirv.struct<(!spirv.array<2 x i8, stride=1> [0])>, StorageBuffer>
    // CHECK-DAG: spirv.GlobalVariable @sum_arg_2 bind(0, 2)
    // CHECK-DAG: spirv.GlobalVariable @sum_arg_3 bind(0, 3) : !spirv.ptr<!spirv.struct<(i32 [0])>, StorageBuffer>

    // A loop that may have no turn: its result is where it began then.
    // CHECK-LABEL: spirv.func @sum
    // CHECK: spirv.mlir.merge
    // CHECK: %[[RUNS:.*]] = spirv.SLessThan %{{.*}}, %{{.*}} : i32
    // CHECK: spirv.Select %[[RUNS]], %{{.*}}, %{{.*}} : i1, f32
    // OPENCL-LABEL: spirv.func @sum
    // OPENCL: spirv.mlir.merge
    // OPENCL: %[[RUNS:.*]] = spirv.SLessThan %{{.*}}, %{{.*}} : i64
    // OPENCL: spirv.Select %[[RUNS]], %{{.*}}, %{{.*}} : i1, f32
    gpu.func @sum(%x: memref<64xf32>, %ends: memref<2xi8>, %y: memref<64xf32>, %turn: index) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [16, 1, 1]>} {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %init = arith.constant 7.0 : f32
      %a = memref.load %ends[%zero] : memref<2xi8>
      %b = memref.load %ends[%one] : memref<2xi8>
      %first = arith.index_castui %a : i8 to index
      %last = arith.index_castui %b : i8 to index
      %sum = scf.for %i = %first to %last step %one iter_args(%s = %init) -> (f32) {
        %v = memref.load %x[%i] : memref<64xf32>
        %t = arith.addf %s, %v : f32
        scf.yield %t : f32
      }
      memref.store %sum, %y[%turn] : memref<64xf32>
      gpu.return
    }

    // A loop that has turns needs no choice.
    // CHECK-LABEL: spirv.func @always
    // CHECK-NOT: spirv.Select
    // CHECK: spirv.Return
    gpu.func @always(%x: memref<64xf32>, %y: memref<64xf32>) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [16, 1, 1]>} {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %many = arith.constant 64 : index
      %init = arith.constant 7.0 : f32
      %sum = scf.for %i = %zero to %many step %one iter_args(%s = %init) -> (f32) {
        %v = memref.load %x[%i] : memref<64xf32>
        %t = arith.addf %s, %v : f32
        scf.yield %t : f32
      }
      memref.store %sum, %y[%zero] : memref<64xf32>
      gpu.return
    }

    // A 64-bit number that no index can be stays none.
    // CHECK-LABEL: spirv.func @index
    // CHECK-DAG: %[[LAST:.*]] = spirv.Constant 2147483647 : i64
    // CHECK-DAG: %[[FIRST:.*]] = spirv.Constant -2147483648 : i64
    // CHECK: %[[BELOW:.*]] = spirv.GL.SMin %{{.*}}, %[[LAST]] : i64
    // CHECK: %[[INSIDE:.*]] = spirv.GL.SMax %[[BELOW]], %[[FIRST]] : i64
    // CHECK: spirv.SConvert %[[INSIDE]] : i64 to i32
    // OPENCL-LABEL: spirv.func @index
    // OPENCL-NOT: spirv.CL.s_min
    // OPENCL: spirv.Return
    gpu.func @index(%x: memref<64xf32>, %at: memref<1xi64>) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [16, 1, 1]>} {
      %zero = arith.constant 0 : index
      %raw = memref.load %at[%zero] : memref<1xi64>
      %i = arith.index_cast %raw : i64 to index
      %v = memref.load %x[%i] : memref<64xf32>
      memref.store %v, %x[%zero] : memref<64xf32>
      gpu.return
    }

    // The polynomial of code for the CPU, where Vulkan promises less; OpenCL's own.
    // CHECK-LABEL: spirv.func @exp
    // CHECK-NOT: spirv.GL.Exp
    // OPENCL-LABEL: spirv.func @exp
    // OPENCL: spirv.CL.exp
    gpu.func @exp(%x: memref<64xf32>) kernel
        attributes {spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [16, 1, 1]>} {
      %i = gpu.global_id x
      %v = memref.load %x[%i] : memref<64xf32>
      %e = math.exp %v : f32
      memref.store %e, %x[%i] : memref<64xf32>
      gpu.return
    }
  }
}
