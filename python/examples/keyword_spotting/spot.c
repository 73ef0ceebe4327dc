/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Spots words in a WAV file: log-mel features, the compiled network step by
 * step, words as they come. It is fed like a microphone would feed it, 10 ms at
 * a time, and allocates nothing after its start.
 *
 *   ./spot sound.wav [probabilities.raw]
 *
 * The features are those of bcr.audio.LogMel, the decisions those of
 * detection.py; constants of both are in constants.h, which the example writes
 * beside the exported network.
 */
#include "constants.h"
#include "spotter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BINS (POINTS / 2 + 1)
#define PI 3.14159265358979323846

static const char *const words[] = WORDS;

static float hann[SAMPLES_PER_FRAME];
static float filters[BANDS][BINS];
static double cosine[POINTS / 2], sine[POINTS / 2];

static double mel(double hertz) { return 2595 * log10(1 + hertz / 700); }

static void make_tables(void) {
  for (int i = 0; i < SAMPLES_PER_FRAME; ++i)
    hann[i] = (float)(0.5 - 0.5 * cos(2 * PI * i / SAMPLES_PER_FRAME));
  for (int i = 0; i < POINTS / 2; ++i) {
    cosine[i] = cos(2 * PI * i / POINTS);
    sine[i] = -sin(2 * PI * i / POINTS);
  }
  double edges[BANDS + 2], lowest = mel(LOWEST), highest = mel(HIGHEST);
  for (int i = 0; i < BANDS + 2; ++i)
    edges[i] =
        700 *
        (pow(10, (lowest + (highest - lowest) * i / (BANDS + 1)) / 2595) - 1);
  for (int b = 0; b < BANDS; ++b)
    for (int p = 0; p < BINS; ++p) {
      double hertz = (double)p * SAMPLE_RATE / POINTS;
      double rising = (hertz - edges[b]) / (edges[b + 1] - edges[b]);
      double falling = (edges[b + 2] - hertz) / (edges[b + 2] - edges[b + 1]);
      filters[b][p] = (float)fmax(fmin(rising, falling), 0);
    }
}

/* Fourier transform in place, decimation in time; POINTS is a power of two. */
static void transform(double *re, double *im) {
  for (int i = 1, j = 0; i < POINTS; ++i) {
    int bit = POINTS >> 1;
    for (; j & bit; bit >>= 1)
      j ^= bit;
    j ^= bit;
    if (i < j) {
      double swapped = re[i];
      re[i] = re[j];
      re[j] = swapped;
      swapped = im[i];
      im[i] = im[j];
      im[j] = swapped;
    }
  }
  for (int half = 1; half < POINTS; half *= 2)
    for (int start = 0; start < POINTS; start += 2 * half)
      for (int k = 0; k < half; ++k) {
        double c = cosine[k * (POINTS / 2 / half)],
               s = sine[k * (POINTS / 2 / half)];
        double *r0 = re + start + k, *i0 = im + start + k, *r1 = r0 + half,
               *i1 = i0 + half;
        double r = c * *r1 - s * *i1, i = c * *i1 + s * *r1;
        *r1 = *r0 - r;
        *i1 = *i0 - i;
        *r0 += r;
        *i0 += i;
      }
}

static void log_mel(const float *samples, float *features) {
  double re[POINTS] = {0}, im[POINTS] = {0};
  float power[BINS];
  for (int i = 0; i < SAMPLES_PER_FRAME; ++i)
    re[i] = samples[i] * hann[i];
  transform(re, im);
  for (int p = 0; p < BINS; ++p)
    power[p] = (float)(re[p] * re[p] + im[p] * im[p]);
  for (int b = 0; b < BANDS; ++b) {
    float energy = 0;
    for (int p = 0; p < BINS; ++p)
      energy += filters[b][p] * power[p];
    features[b] = logf(energy + FLOOR);
  }
}

static unsigned number(const unsigned char *bytes, int count) {
  unsigned value = 0;
  while (count-- > 0)
    value = value << 8 | bytes[count];
  return value;
}

/* Goes to the samples and returns how many there are, or -1 after a message. */
static long open_samples(FILE *file, const char *path) {
  unsigned char head[12], chunk[8], form[16];
  int known = 0;
  if (fread(head, 1, 12, file) == 12 && !memcmp(head, "RIFF", 4) &&
      !memcmp(head + 8, "WAVE", 4))
    while (fread(chunk, 1, 8, file) == 8) {
      long size = (long)number(chunk + 4, 4);
      if (!memcmp(chunk, "data", 4) && known)
        return size / 2;
      long rest = size + (size & 1);
      if (!memcmp(chunk, "fmt ", 4) && size >= 16) {
        if (fread(form, 1, 16, file) != 16)
          break;
        known = number(form, 2) == 1 && number(form + 2, 2) == 1 &&
                number(form + 4, 4) == SAMPLE_RATE &&
                number(form + 14, 2) == 16;
        rest -= 16;
      }
      if (fseek(file, rest, SEEK_CUR))
        break;
    }
  fprintf(stderr, "%s: no WAV file of one channel, 16 bits, %d Hz\n", path,
          SAMPLE_RATE);
  return -1;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Takes the probabilities of one step; returns the word that begins to be sure,
 * or 0. */
static int detect(const float *probabilities, float *how_sure) {
  static float last[AVERAGED][CLASSES];
  static int at, held;
  float mean[CLASSES] = {0};
  memcpy(last[at], probabilities, sizeof last[at]);
  at = (at + 1) % AVERAGED;
  for (int s = 0; s < AVERAGED; ++s)
    for (int c = 0; c < CLASSES; ++c)
      mean[c] += last[s][c] / AVERAGED;
  if (held && mean[held] < LOW)
    held = 0;
  int best = 1;
  for (int c = 2; c < CLASSES; ++c)
    if (mean[c] > mean[best])
      best = c;
  if (held || mean[best] <= HIGH)
    return 0;
  held = best;
  *how_sure = mean[best];
  return best;
}

int main(int argc, char **argv) {
  static float sound[SAMPLES_PER_FRAME], features[STACK * BANDS];
  static float state[2][STATE], probabilities[CLASSES];
  static unsigned char workspace[SPOTTER_WORKSPACE_BYTES];
  if (argc < 2) {
    fprintf(stderr, "usage: %s sound.wav [probabilities.raw]\n", argv[0]);
    return 2;
  }
  FILE *file = fopen(argv[1], "rb"), *record = 0;
  if (!file) {
    perror(argv[1]);
    return 1;
  }
  if (argc > 2 && !(record = fopen(argv[2], "wb"))) {
    perror(argv[2]);
    return 1;
  }
  long left = open_samples(file, argv[1]);
  if (left < 0)
    return 1;
  make_tables();
  double busy = 0;
  long taken = 0, frames = 0, steps = 0;
  int filled = 0;
  unsigned char block[2 * HOP];
  while (left > 0) {
    long want = left < HOP ? left : HOP;
    long got = (long)fread(block, 2, (size_t)want, file);
    if (!got)
      break;
    double begin = now();
    left -= got;
    taken += got;
    for (long i = 0; i < got; ++i) {
      sound[filled++] = (float)(short)number(block + 2 * i, 2) * (1.0f / 32768);
      if (filled < SAMPLES_PER_FRAME)
        continue;
      log_mel(sound, features + frames % STACK * BANDS);
      filled = SAMPLES_PER_FRAME - HOP;
      memmove(sound, sound + HOP, sizeof *sound * (size_t)filled);
      if (++frames % STACK)
        continue;
      int32_t code = spotter_run(features, state[steps % 2], probabilities,
                                 state[1 - steps % 2], workspace);
      if (code) {
        fprintf(stderr, "%s\n", spotter_message(code));
        return 1;
      }
      ++steps;
      float how_sure = 0;
      int word = detect(probabilities, &how_sure);
      if (word) {
        double time =
            ((STACK * steps - 1) * (double)HOP + SAMPLES_PER_FRAME / 2.0) /
            SAMPLE_RATE;
        printf("%6.2f s  %-6s %.2f\n", time, words[word - 1], (double)how_sure);
        fflush(stdout);
      }
      if (record)
        fwrite(probabilities, sizeof *probabilities, CLASSES, record);
    }
    busy += now() - begin;
  }
  if (taken)
    printf("real-time factor %.4f\n", busy * SAMPLE_RATE / (double)taken);
  fclose(file);
  if (record && fclose(record)) {
    perror(argv[2]);
    return 1;
  }
  return 0;
}
