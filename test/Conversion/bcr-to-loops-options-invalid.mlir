// RUN: not bcr-opt %s --convert-bcr-to-loops=threads=0 2>&1 | FileCheck %s
// RUN: not bcr-opt %s --convert-bcr-to-loops=lanes=-4 2>&1 | FileCheck %s

// CHECK: convert-bcr-to-loops: 'threads' and 'lanes' are positive
module {}
