// RUN: not bcr-opt %s -bcr-select="block=4" 2>&1 | FileCheck %s --check-prefix=BLOCK
// RUN: not bcr-opt %s -bcr-select="block=0,4" 2>&1 | FileCheck %s --check-prefix=BLOCK
// RUN: not bcr-opt %s -bcr-select="lanes=0" 2>&1 | FileCheck %s --check-prefix=LANES
// RUN: not bcr-opt %s -bcr-select="sparsity=some" 2>&1 | FileCheck %s --check-prefix=SPARSITY

// BLOCK: error: bcr-select: option 'block' is two positive numbers, rows and columns
// LANES: error: bcr-select: 'lanes' is positive and 'registers' at least 4
// SPARSITY: for the --sparsity option: Cannot find option named 'some'
module {}
