/* Runs a compiled model a given number of times: calls COUNT INPUT OUTPUT.
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * INPUT and OUTPUT are raw f32; their sizes come from the build.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static float input[INPUT_SIZE], output[OUTPUT_SIZE];
static char workspace[MODEL_WORKSPACE_BYTES];

int main(int argc, char **argv) {
  FILE *file;
  size_t done;
  int count;
  if (argc != 4)
    return 2;
  file = fopen(argv[2], "rb");
  if (!file || fread(input, sizeof *input, INPUT_SIZE, file) != INPUT_SIZE)
    return 2;
  fclose(file);
  for (count = atoi(argv[1]); count > 0; --count)
    if (model_run(input, output, workspace))
      return 1;
  file = fopen(argv[3], "wb");
  if (!file)
    return 2;
  done = fwrite(output, sizeof *output, OUTPUT_SIZE, file);
  return fclose(file) || done != OUTPUT_SIZE ? 2 : 0;
}
