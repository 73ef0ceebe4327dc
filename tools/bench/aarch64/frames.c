/* Runs a compiled recurrent model on a given number of frames, one a call:
 * frames COUNT INPUT OUTPUT.
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * INPUT has FRAMES frames of raw f32, which are repeated; OUTPUT is what the
 * last call said. The state goes from call to call and begins with zeros.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static float input[FRAMES][INPUT_SIZE], states[2][STATE_SIZE],
    output[OUTPUT_SIZE];
static char workspace[MODEL_WORKSPACE_BYTES];

int main(int argc, char **argv) {
  FILE *file;
  size_t done;
  int i, count;
  if (argc != 4)
    return 2;
  file = fopen(argv[2], "rb");
  if (!file || fread(input, sizeof *input, FRAMES, file) != FRAMES)
    return 2;
  fclose(file);
  count = atoi(argv[1]);
  for (i = 0; i < count; ++i)
    if (model_run(input[i % FRAMES], states[i % 2], output, states[1 - i % 2],
                  workspace))
      return 1;
  file = fopen(argv[3], "wb");
  if (!file)
    return 2;
  done = fwrite(output, sizeof *output, OUTPUT_SIZE, file);
  return fclose(file) || done != OUTPUT_SIZE ? 2 : 0;
}
