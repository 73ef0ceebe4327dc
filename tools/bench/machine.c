//===- machine.c - what one core can do at most -----------------*- C -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three loops, compiled by machine.py for one vector width (LANES floats):
// fused multiply-adds on registers, reads of a buffer, and a cache line that
// goes from one processor to another and back. All return seconds.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef float Vector __attribute__((vector_size(4 * LANES)));

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// Enough chains to hide a latency of five cycles on two pipes, few enough for
// sixteen registers.
enum { CHAINS = 12 };

float sink;

/// Seconds of `rounds` times CHAINS * LANES multiply-adds.
double fma_seconds(int64_t rounds) {
  Vector sums[CHAINS];
  Vector a, b;
  for (int lane = 0; lane < LANES; ++lane) {
    a[lane] = 0.999f;
    b[lane] = 0.001f * (float)lane;
    for (int chain = 0; chain < CHAINS; ++chain)
      sums[chain][lane] = (float)chain;
  }
  // The compiler must not know the values.
  __asm__ volatile("" : "+x"(a), "+x"(b));
  double begin = now();
  for (int64_t round = 0; round < rounds; ++round) {
#pragma clang loop unroll(full)
    for (int chain = 0; chain < CHAINS; ++chain)
      sums[chain] = __builtin_elementwise_fma(sums[chain], a, b);
  }
  for (int chain = 1; chain < CHAINS; ++chain)
    sums[0] += sums[chain];
  sink = sums[0][0];
  return now() - begin;
}

/// Seconds of reading `bytes` (a multiple of 16 vectors) `rounds` times.
double read_seconds(const char *data, int64_t bytes, int64_t rounds) {
  const Vector *vectors = (const Vector *)data;
  int64_t count = bytes / (int64_t)sizeof(Vector);
  Vector sums[8] = {{0}};
  double begin = now();
  for (int64_t round = 0; round < rounds; ++round) {
    // 32 loads a turn would be too many for the processor to follow as streams:
    // two thirds of the bandwidth of a second cache.
#pragma clang loop unroll(disable)
    for (int64_t i = 0; i < count; i += 16)
#pragma clang loop unroll(full)
      for (int j = 0; j < 16; ++j)
        sums[j % 8] += vectors[i + j];
    __asm__ volatile("" : : : "memory");
  }
  for (int i = 1; i < 8; ++i)
    sums[0] += sums[i];
  sink = sums[0][0];
  return now() - begin;
}

static _Atomic int64_t turn __attribute__((aligned(128)));

struct Partner {
  int processor;
  int64_t rounds;
};

static void pin(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void wait_for(int64_t value) {
  while (atomic_load_explicit(&turn, memory_order_acquire) != value) {
  }
}

/// Hands each odd turn back.
static void *answer(void *argument) {
  const struct Partner *partner = argument;
  pin(partner->processor);
  for (int64_t round = 0; round < partner->rounds; ++round) {
    wait_for(2 * round + 1);
    atomic_store_explicit(&turn, 2 * round + 2, memory_order_release);
  }
  return NULL;
}

/// Seconds of handing a cache line from one processor to another and back
/// `rounds` times, or -1 if there can be no second thread.
double handover_seconds(int first, int second, int64_t rounds) {
  cpu_set_t before;
  pthread_getaffinity_np(pthread_self(), sizeof(before), &before);
  // The first round, which waits for the thread to start, is not timed.
  struct Partner partner = {second, rounds + 1};
  pthread_t thread;
  atomic_store(&turn, 0);
  if (pthread_create(&thread, NULL, answer, &partner) != 0)
    return -1;
  pin(first);
  double begin = 0;
  for (int64_t round = 0; round <= rounds; ++round) {
    atomic_store_explicit(&turn, 2 * round + 1, memory_order_release);
    wait_for(2 * round + 2);
    if (round == 0)
      begin = now();
  }
  double seconds = now() - begin;
  pthread_join(thread, NULL);
  pthread_setaffinity_np(pthread_self(), sizeof(before), &before);
  return seconds;
}
