// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{sparsity=force})' > %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: sed -n '/^  spirv.module/,/^  }/p' %t.mlir | mlir-translate --no-implicit-module --serialize-spirv -o %t.spv
// RUN: spirv-val --target-env opencl2.1 %t.spv
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{weight-vector=4 sparsity=off alignment=256})' > %t.vector.mlir
// RUN: FileCheck %s --check-prefix=VECTOR < %t.vector.mlir
// RUN: sed -n '/^  spirv.module/,/^  }/p' %t.vector.mlir | mlir-translate --no-implicit-module --serialize-spirv -o %t.vector.spv
// RUN: spirv-val --target-env opencl2.1 %t.vector.spv
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{api=vulkan sparsity=force})' > %t.vulkan.mlir
// RUN: FileCheck %s --check-prefix=VULKAN < %t.vulkan.mlir
// RUN: sed -n '/^  spirv.module/,/^  }/p' %t.vulkan.mlir | mlir-translate --no-implicit-module --serialize-spirv -o %t.vulkan.spv
// RUN: spirv-val --target-env vulkan1.1 %t.vulkan.spv
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{stop-after=kernels})' | FileCheck %s --check-prefix=KERNELS
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{sparsity=force stop-after=outline})' \
// RUN:   | bcr-opt -pass-pipeline='builtin.module(bcr-to-spirv{start-after=outline})' | FileCheck %s
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{stop-after=loops})' 2>&1 | FileCheck %s --check-prefix=STAGE
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{weight-vector=2})' 2>&1 | FileCheck %s --check-prefix=WEIGHTS
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{api=vulkan weight-vector=4})' 2>&1 | FileCheck %s --check-prefix=SCALARS
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-spirv{alignment=96})' 2>&1 | FileCheck %s --check-prefix=ALIGNMENT

// A layer of four rows that keeps two of eight columns, and a softmax: kernels on the network's arguments, the pool and the arena.
// CHECK: bcr.arena = {
// CHECK-SAME: bcr.layers = {matmul0 = {{.*}}form = "sparse"
// CHECK-SAME: bcr.pool = [{
// CHECK-SAME: bcr.schedule = [{arguments = [{{.*}}["weights", 0, {{.*}}["input", 0, 0, 96]{{.*}}kernel = "k_matmul0", label = "matmul0"
// CHECK-SAME: ["output", 0, 0, 48]
// CHECK-NOT: func.func
// CHECK: spirv.module
// CHECK: spirv.CL.exp
// CHECK: spirv.EntryPoint "Kernel" @k_matmul0

// The same schedule and pool, kernels of another environment.
// VULKAN: bcr.schedule = [{arguments = [{{.*}}["weights", 0, {{.*}}["input", 0, 0, 96]{{.*}}kernel = "k_matmul0", label = "matmul0"
// VULKAN: spirv.module @{{.*}} Logical GLSL450
// VULKAN: spirv.EntryPoint "GLCompute" @k_matmul0

// SCALARS: weight-vector is 1 for Vulkan, whose buffers have elements of one type, got 4

// VECTOR: form = "dense"
// VECTOR-SAME: {bytes = 176 : i64, dtype = f32, name = "matmul0.values", offset = 256 : i64

// KERNELS: func.func @main(
// KERNELS-NOT: bcr.matmul
// KERNELS-NOT: linalg.
// KERNELS: gpu.launch
// KERNELS: {bcr.kernel = "matmul0"}
// KERNELS-NOT: scf.parallel

// STAGE: unknown stage 'loops'; the stages are raise, select, compact, reorder, tile, fuse, bufferize, plan, kernels, arena, constants, outline, schedule, spirv
// WEIGHTS: weight-vector is 1 or 4, got 2
// ALIGNMENT: alignment is a power of two of at least 64, got 96
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>
func.func @main(%x: tensor<3x8xf32>) -> tensor<3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant -3.0e38 : f32
  %w = arith.constant dense<[
    [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 0.0], [5.0, 6.0, 7.0, 8.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<8x4xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %e = tensor.empty() : tensor<3x4xf32>
  %s = tensor.empty() : tensor<3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x4xf32>) -> tensor<3x4xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<3x8xf32>, tensor<8x4xf32>) outs(%f : tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0, %b : tensor<3x4xf32>, tensor<4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %sum = arith.addf %a, %c : f32
    linalg.yield %sum : f32
  } -> tensor<3x4xf32>
  %m = linalg.fill ins(%low : f32) outs(%s : tensor<3xf32>) -> tensor<3xf32>
  %2 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%1 : tensor<3x4xf32>) outs(%m : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %max = arith.maximumf %a, %o : f32
    linalg.yield %max : f32
  } -> tensor<3xf32>
  %3 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%1, %2 : tensor<3x4xf32>, tensor<3xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %d = arith.subf %a, %c : f32
    %p = math.exp %d : f32
    linalg.yield %p : f32
  } -> tensor<3x4xf32>
  return %3 : tensor<3x4xf32>
}
