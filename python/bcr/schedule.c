//===- schedule.c - A model's tables, whatever runs them
//-------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum space {
  SPACE_INPUT,
  SPACE_OUTPUT,
  SPACE_WEIGHTS,
  SPACE_ARENA,
  SPACE_STATUS,
  SPACE_TURN
};

/* A part of a buffer; of SPACE_TURN, the loop whose turn it is, from the
 * innermost one. */
struct part {
  enum space space;
  uint32_t number;
  size_t begin, size;
};

enum step_kind { STEP_LAUNCH, STEP_REPEAT, STEP_END };

/* A launch; or a loop of `number` turns, up to its STEP_END. */
struct step {
  enum step_kind kind;
  uint32_t number;
  size_t items[3], local[3];
  uint32_t first_argument, num_arguments;
};

struct tables {
  const unsigned char *spirv, *spirv_end, *weights, *weights_end;
  const size_t *tensor_bytes;
  const char *const *kernel_names;
  const struct part *parts;
  size_t num_parts;
  const uint32_t *arguments;
  const struct step *steps, *steps_end;
};

/* Writes what went wrong to `log`; returns 0. */
static int report(char *log, size_t log_size, const char *format, ...) {
  va_list values;
  va_start(values, format);
  if (log && log_size)
    vsnprintf(log, log_size, format, values);
  va_end(values);
  return 0;
}

static const struct part *get_argument(const struct tables *tables,
                                       const struct step *step, uint32_t i) {
  return &tables->parts[tables->arguments[step->first_argument + i]];
}

/* The turns of the loops around a step, from the outermost one. */
struct turns {
  int64_t at[BCR_DEPTH + 1];
  int depth;
};

static int64_t get_turn(const struct turns *turns, const struct part *part) {
  return turns->at[turns->depth - 1 - (int)part->number];
}

/* Called with a launch and its place among the launches; returns an error, or
 * 0 to go on. */
typedef int32_t visitor(void *context, const struct step *step, size_t launch,
                        const struct turns *turns);

/* Visits launches in order, those in loops at every turn, up to the STEP_END
 * that belongs to `step`; moves `step` and `launch` there. */
static int32_t visit_steps(const struct step **step, size_t *launch,
                           struct turns *turns, visitor *visit, void *context) {
  int32_t error;
  for (; (*step)->kind != STEP_END; ++*step) {
    const struct step *loop = *step;
    size_t first = *launch;
    int64_t *turn = &turns->at[turns->depth];
    if (loop->kind == STEP_LAUNCH) {
      if ((error = visit(context, loop, (*launch)++, turns)))
        return error;
      continue;
    }
    ++turns->depth;
    for (*turn = 0; *turn < (int64_t)loop->number; ++*turn) {
      *step = loop + 1;
      *launch = first;
      if ((error = visit_steps(step, launch, turns, visit, context)))
        return error;
    }
    --turns->depth;
  }
  return 0;
}

static int32_t visit_launches(const struct tables *tables, visitor *visit,
                              void *context) {
  const struct step *step = tables->steps;
  struct turns turns = {{0}, 0};
  size_t launch = 0;
  return visit_steps(&step, &launch, &turns, visit, context);
}
