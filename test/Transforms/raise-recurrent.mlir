// RUN: bcr-opt %s -split-input-file -verify-diagnostics -bcr-raise | FileCheck %s

// Calls of declared recurrences become layers, named after their weights; the declarations go.

// CHECK: bcr.layers = {rnn.weight_hh_l0 = {
// CHECK-SAME: op = "gru"
// CHECK-SAME: shape = array<i64: 6, 2>
// CHECK-LABEL: func.func @gru
// CHECK-SAME: (%[[X:.*]]: tensor<?x3x6xf32>, %[[H:.*]]: tensor<3x2xf32>)
// CHECK-DAG: %[[W:.*]] = arith.constant dense_resource<rnn.weight_hh_l0> : tensor<6x2xf32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]>
// CHECK-DAG: %[[T:.*]] = tensor.dim %[[X]]
// CHECK: %[[O:.*]] = tensor.empty(%[[T]]) : tensor<?x3x2xf32>
// CHECK: bcr.recurrent ins(%[[X]] : tensor<?x3x6xf32>) states(%[[H]] : tensor<3x2xf32>) weights(%[[W]] : tensor<6x2xf32>) bias(%[[B]] : tensor<6xf32>) outs(%[[O]] : tensor<?x3x2xf32>) {cell = #bcr.cell<gru>, layer = "rnn.weight_hh_l0", reverse}
// CHECK-NOT: func.func private
func.func @gru(%x: tensor<?x3x6xf32>, %h: tensor<3x2xf32>) -> tensor<?x3x2xf32> {
  %w = arith.constant dense_resource<rnn.weight_hh_l0> : tensor<6x2xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
  %0 = call @r(%x, %h, %w, %b) : (tensor<?x3x6xf32>, tensor<3x2xf32>, tensor<6x2xf32>, tensor<6xf32>) -> tensor<?x3x2xf32>
  return %0 : tensor<?x3x2xf32>
}
func.func private @r(tensor<?x3x6xf32>, tensor<3x2xf32>, tensor<6x2xf32>, tensor<6xf32>) -> tensor<?x3x2xf32>
  attributes {bcr.recurrence = {cell = "gru", reverse = true, operands = ["gates", "hidden", "weight", "bias"]}}
{-# dialect_resources: {builtin: {
  rnn.weight_hh_l0: "0x04000000000000000000803f0000004000004040000080400000a0400000c0400000e0400000004100001041000020410000304100004041"
}} #-}

// -----

// Two calls with one declaration, an LSTM with a projection, weights behind a transpose.

// CHECK-LABEL: func.func @lstm
// CHECK: %[[P:.*]] = arith.constant dense<{{\[\[}}7.000000e+00, 8.000000e+00]]> : tensor<1x2xf32>
// CHECK: %[[R:.*]]:2 = bcr.recurrent {{.*}} states(%{{.*}}, %{{.*}} : tensor<?x1xf32>, tensor<?x2xf32>) {{.*}} {cell = #bcr.cell<lstm>, layer = "recurrent0"} -> tensor<4x?x1xf32>, tensor<?x2xf32> projection {
// CHECK-NEXT: ^bb0(%[[U:.*]]: tensor<?x2xf32>, %[[D:.*]]: tensor<?x1xf32>):
// CHECK-NEXT: %[[S:.*]] = bcr.matmul ins(%[[U]] : tensor<?x2xf32>) weights(%[[P]] : tensor<1x2xf32>) outs(%[[D]] : tensor<?x1xf32>) {layer = "projection0"} -> tensor<?x1xf32>
// CHECK-NEXT: bcr.yield %[[S]] : tensor<?x1xf32>
// CHECK: bcr.recurrent {{.*}} states(%{{.*}}, %[[R]]#1 {{.*}} layer = "recurrent1"
func.func @lstm(%x: tensor<4x?x8xf32>, %h: tensor<?x1xf32>, %c: tensor<?x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>) {
  %w = arith.constant dense<[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]> : tensor<8x1xf32>
  %q = arith.constant dense<[[7.0], [8.0]]> : tensor<2x1xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %p = linalg.transpose ins(%q : tensor<2x1xf32>) outs(%e : tensor<1x2xf32>) permutation = [1, 0]
  %0:2 = call @r(%x, %h, %c, %w, %p) : (tensor<4x?x8xf32>, tensor<?x1xf32>, tensor<?x2xf32>, tensor<8x1xf32>, tensor<1x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>)
  %1:2 = call @r(%x, %h, %0#1, %w, %p) : (tensor<4x?x8xf32>, tensor<?x1xf32>, tensor<?x2xf32>, tensor<8x1xf32>, tensor<1x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>)
  return %1#0, %1#1 : tensor<4x?x1xf32>, tensor<?x2xf32>
}
func.func private @r(tensor<4x?x8xf32>, tensor<?x1xf32>, tensor<?x2xf32>, tensor<8x1xf32>, tensor<1x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>)
  attributes {bcr.recurrence = {cell = "lstm", reverse = false, operands = ["gates", "hidden", "cell", "weight", "projection"]}}

// -----

func.func @weights_are_computed(%x: tensor<4x3x2xf32>, %h: tensor<3x2xf32>, %w: tensor<2x2xf32>) -> tensor<4x3x2xf32> {
  // expected-error @below {{bcr-raise: the weights of recurrent layer 'recurrent0' are no constants whose data is there}}
  %0 = call @r(%x, %h, %w) : (tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  return %0 : tensor<4x3x2xf32>
}
func.func private @r(tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  attributes {bcr.recurrence = {cell = "rnn_relu", reverse = false, operands = ["gates", "hidden", "weight"]}}

// -----

func.func @unknown_cell(%x: tensor<4x3x2xf32>, %h: tensor<3x2xf32>, %w: tensor<2x2xf32>) -> tensor<4x3x2xf32> {
  %0 = call @r(%x, %h, %w) : (tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  return %0 : tensor<4x3x2xf32>
}
// expected-error @below {{bcr-raise: 'bcr.recurrence' is a dictionary of 'cell', 'reverse' and 'operands', which names every operand}}
func.func private @r(tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  attributes {bcr.recurrence = {cell = "mgu", reverse = false, operands = ["gates", "hidden", "weight"]}}

// -----

func.func @operand_without_a_name(%x: tensor<4x3x2xf32>, %h: tensor<3x2xf32>, %w: tensor<2x2xf32>) -> tensor<4x3x2xf32> {
  %0 = call @r(%x, %h, %w) : (tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  return %0 : tensor<4x3x2xf32>
}
// expected-error @below {{bcr-raise: 'bcr.recurrence' is a dictionary}}
func.func private @r(tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  attributes {bcr.recurrence = {cell = "rnn_tanh", reverse = false, operands = ["gates", "hidden"]}}
