// RUN: bcr-opt %s --bcr-lower-extrema | FileCheck %s

// CHECK-LABEL: func @numbers
// CHECK-SAME: (%[[A:.*]]: f32, %[[B:.*]]: f32, %[[C:.*]]: f64)
// CHECK: %[[MAX:.*]] = llvm.intr.maximum(%[[A]], %[[B]]) {fastmathFlags = #llvm.fastmath<nsz>} : (f32, f32) -> f32
// CHECK: %[[MIN:.*]] = llvm.intr.minimum(%[[C]], %[[C]]) {{.*}} : (f64, f64) -> f64
// CHECK: return %[[MAX]], %[[MIN]]
func.func @numbers(%a: f32, %b: f32, %c: f64) -> (f32, f64) {
  %max = arith.maximumf %a, %b : f32
  %min = arith.minimumf %c, %c : f64
  return %max, %min : f32, f64
}

// CHECK-LABEL: func @vectors
// CHECK: llvm.intr.maximum({{.*}}) {{.*}} : (vector<4xf32>, vector<4xf32>) -> vector<4xf32>
func.func @vectors(%a: vector<4xf32>, %b: vector<4xf32>) -> vector<4xf32> {
  %max = arith.maximumf %a, %b : vector<4xf32>
  return %max : vector<4xf32>
}

// Half precision is computed in f32 elsewhere, and `maxnumf` drops a NaN.
// CHECK-LABEL: func @others
// CHECK: arith.maximumf {{.*}} : bf16
// CHECK: arith.maxnumf {{.*}} : f32
func.func @others(%a: bf16, %b: f32) -> (bf16, f32) {
  %max = arith.maximumf %a, %a : bf16
  %num = arith.maxnumf %b, %b : f32
  return %max, %num : bf16, f32
}
