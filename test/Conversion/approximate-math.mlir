// RUN: bcr-opt %s -bcr-approximate-math | FileCheck %s

// CHECK-LABEL: func.func @polynomials
// CHECK-NOT: math.{{exp|log|tanh|erf}}
// CHECK: return
func.func @polynomials(%x: f32, %v: vector<8xf32>) -> (f32, f32, f32, vector<8xf32>) {
  %0 = math.exp %x : f32
  %1 = math.log %x : f32
  %2 = math.erf %x : f32
  %3 = math.tanh %v : vector<8xf32>
  return %0, %1, %2, %3 : f32, f32, f32, vector<8xf32>
}

// Large arguments and other types are the library's.
// CHECK-LABEL: func.func @library
// CHECK: math.exp %{{.*}} : f64
// CHECK: math.sin %{{.*}} : f32
// CHECK: math.cos %{{.*}} : f32
func.func @library(%x: f64, %y: f32) -> (f64, f32, f32) {
  %0 = math.exp %x : f64
  %1 = math.sin %y : f32
  %2 = math.cos %y : f32
  return %0, %1, %2 : f64, f32, f32
}
