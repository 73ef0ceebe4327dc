// RUN: bcr-opt %s --bcr-lower-extrema | FileCheck %s
// RUN: bcr-opt %s --bcr-lower-extrema=select-bounds | FileCheck %s --check-prefix=BOUNDS

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

// A bound that is a number: NaN is not outside, so it stays.
// BOUNDS-LABEL: func @bounds
// BOUNDS-SAME: (%[[A:.*]]: vector<4xf32>, %[[B:.*]]: f32)
// BOUNDS-DAG: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<4xf32>
// BOUNDS-DAG: %[[SIX:.*]] = arith.constant 6.000000e+00 : f32
// BOUNDS: %[[BELOW:.*]] = arith.cmpf olt, %[[A]], %[[ZERO]]
// BOUNDS: %[[LEAST:.*]] = arith.select %[[BELOW]], %[[ZERO]], %[[A]]
// BOUNDS: %[[ABOVE:.*]] = arith.cmpf ogt, %[[B]], %[[SIX]]
// BOUNDS: %[[MOST:.*]] = arith.select %[[ABOVE]], %[[SIX]], %[[B]]
// BOUNDS: return %[[LEAST]], %[[MOST]]
// CHECK-LABEL: func @bounds
// CHECK-NOT: arith.cmpf
func.func @bounds(%a: vector<4xf32>, %b: f32) -> (vector<4xf32>, f32) {
  %zero = arith.constant dense<0.0> : vector<4xf32>
  %six = arith.constant 6.0 : f32
  %least = arith.maximumf %a, %zero : vector<4xf32>
  %most = arith.minimumf %six, %b : f32
  return %least, %most : vector<4xf32>, f32
}

// A bound of two values, or that is NaN, is none of these.
// BOUNDS-LABEL: func @no_bounds
// BOUNDS: llvm.intr.maximum
// BOUNDS: llvm.intr.minimum
func.func @no_bounds(%a: f32, %b: f32) -> (f32, f32) {
  %nan = arith.constant 0x7FC00000 : f32
  %max = arith.maximumf %a, %b : f32
  %min = arith.minimumf %a, %nan : f32
  return %max, %min : f32, f32
}
