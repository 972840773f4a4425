/* SPDX-License-Identifier: MIT */
/*
 * seed=: has everything that is random on purpose be the same again.
 */
#ifndef KERN_SEED_H
#define KERN_SEED_H

#include <stdbool.h>
#include <stdint.h>

/* The seed, 1 if none was given. */
uint64_t seed_get(void);

/* Whether one was given: then even what is to be hard to guess is the same. */
bool seed_is_given(void);

#endif /* KERN_SEED_H */
