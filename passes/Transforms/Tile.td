//===- Tile.td - bcr-tile ----------------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_TILE_TD
#define BCR_PASSES_TRANSFORMS_TILE_TD

include "mlir/Pass/PassBase.td"

def Tile : Pass<"bcr-tile", "::mlir::ModuleOp"> {
  let summary = "Choose kernels and cut weights into register tiles";
  let description = [{
    Chooses each layer's kernel and register tile from a model of the machine
    and rewrites the weights for it. Dense weights are packed as one group that
    keeps everything, zeros too. Groups are cut into pieces no higher than the
    tile, which share the group's columns; pieces of equal height are adjacent
    inside each chunk, highest first. The heights of a layer are the tile's,
    powers of two below it, and a remainder's own height where that remainder
    has a tenth of the layer's columns. No piece has rows of two groups of a
    grouped convolution, so a depthwise convolution has pieces of one row.

    `pixels` needs `height * vectors + vectors + 1` registers: accumulators,
    inputs and a broadcast weight. `rows` needs `ceil(height / lanes)` times
    `vectors + 1` and one. Convolutions of at most a quarter vector of output
    positions use `rows`.

    The model takes the machine from `bcr.machine` (see `bcr-set-machine`). A
    layer attribute `bcr.record`, a dictionary, overrules it: `kernel`, `height`
    and `vectors`, and `band`, the output rows of a band of `pixels`. Records
    come from measuring (`bcr tune`), by way of the module attribute
    `bcr.records` and `bcr-select`. A record that the layer or the registers do
    not allow is refused with a warning. With `candidates`, each layer's entry
    in `bcr.layers` lists what a record may say: schedules with the model's
    cycles, the best first, and `bands`.

    Packed values that no layer uses any more are freed; the user's dense
    weights are left alone.

    *Requires:* constant weights, dense or packed. *Ensures:* every layer has
    `schedule` and packed weights cut for it; with `threads` above one, also
    `chunks`, those of `bcr-reorder` where it set them. *Fails when:* weights
    are no constant or have no data, a group of a grouped convolution has a
    schedule already, or an option is not positive.
  }];
  let options = [
    Option<"lanes", "lanes", "int64_t", /*default=*/"16",
           "f32 lanes of the target's vectors">,
    Option<"registers", "registers", "int64_t", /*default=*/"32",
           "Number of the target's vector registers">,
    Option<"threads", "threads", "int64_t", /*default=*/"1",
           "Number of threads to cut dense layers for">,
    Option<"candidates", "candidates", "bool", /*default=*/"false",
           "List the schedules that each layer could have">
  ];
  let statistics = [
    Statistic<"numTiled", "num-layers-tiled", "Layers with a schedule">,
    Statistic<"numPieces", "num-pieces", "Groups after cutting">,
    Statistic<"numHeights", "num-heights",
              "Distinct heights of all layers, each a loop body">
  ];
  let dependentDialects = ["::mlir::bcr::BCRDialect"];
}

#endif // BCR_PASSES_TRANSFORMS_TILE_TD
