// RUN: bcr-opt %s -bcr-set-machine="cpu=cortex-a55 lanes=4" | FileCheck %s --check-prefix=A55
// RUN: bcr-opt %s -bcr-set-machine="cpu=neoverse-v1 lanes=4 l2-bytes=2097152 fma-pipes=3" | FileCheck %s --check-prefix=V1
// RUN: bcr-opt %s -bcr-set-machine="cpu=unheard-of lanes=8" | FileCheck %s --check-prefix=AVX2
// RUN: bcr-opt %s -bcr-set-machine=cpu=znver4 | FileCheck %s --check-prefix=ZEN4
// RUN: bcr-opt %s -bcr-set-machine=pixels-only | FileCheck %s --check-prefix=GPU
// RUN: not bcr-opt %s -bcr-set-machine=lanes=0 2>&1 | FileCheck %s --check-prefix=LANES
// RUN: not bcr-opt %s -bcr-set-machine=l3-bytes=-5 2>&1 | FileCheck %s --check-prefix=SIZE

// The whole description of one processor.
// A55: bcr.machine = {fma_latency = 4 : i64, fma_pipes = 1 : i64, l1_bytes = 32768 : i64, l2_bytes = 131072 : i64,
// A55-SAME: l2_bytes_per_cycle = 8 : i64, l3_bytes = 1048576 : i64, l3_bytes_per_cycle = 4 : i64, load_ports = 1 : i64,
// A55-SAME: memory_bytes_per_cycle = 2 : i64}

// Options replace single numbers.
// V1: fma_pipes = 3 : i64, l1_bytes = 65536 : i64, l2_bytes = 2097152 : i64, l2_bytes_per_cycle = 32 : i64

// A processor without a line of its own is a typical one of its vectors.
// AVX2: fma_latency = 5 : i64, fma_pipes = 2 : i64, l1_bytes = 32768 : i64, l2_bytes = 262144 : i64

// Some processors need not be asked for the next weights.
// ZEN4: bcr.machine = {fma_latency = 4 : i64, fma_pipes = 1 : i64, follows_streams, l1_bytes

// A GPU has one kernel for convolutions.
// GPU: memory_bytes_per_cycle = 6 : i64, pixels_only}

// LANES: error: bcr-set-machine: 'lanes' is positive
// SIZE: error: bcr-set-machine: 'l3_bytes' is positive, or 0 for the processor's
module {
}
