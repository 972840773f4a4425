/* SPDX-License-Identifier: MIT */
/*
 * Random bytes, for addresses, keys and programs.
 *
 * Each CPU has a generator: a key of ChaCha20.  A request takes one block of
 * it: the first half is the generator's next key, the second half the
 * request's own, from which its bytes come; so who learns a key learns nothing
 * of what was made before (Bernstein, "Fast-key-erasure random-number
 * generators"), and no CPU waits for another or writes its memory.
 *
 * WHAT IT IS WORTH.  The key begins with what the machine's source gives
 * (RDSEED, else RDRAND), which is stirred in again after some requests, and
 * with the times of the counter at each request.  On a machine without such a
 * source there are only times: a few bits at each start, which somebody who
 * knows the machine may guess; an emulator that counts instructions makes even
 * those the same each time.  random_is_strong() tells which.
 */
#ifndef KERN_RANDOM_H
#define KERN_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Fill memory with random bytes.
 *
 * Context: thread; preemptible in between if the caller is
 */
void random_fill(void *data, size_t size);

/* 64 random bits.  Context: as random_fill() */
uint64_t random_u64(void);

/* Whether the machine's source has given enough to begin with, on this CPU. */
bool random_is_strong(void);

#endif /* KERN_RANDOM_H */
