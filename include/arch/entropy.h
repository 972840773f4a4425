/* SPDX-License-Identifier: MIT */
/*
 * The machine's source of random bits, if it has one.
 */
#ifndef ARCH_ENTROPY_H
#define ARCH_ENTROPY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Read random bits.
 *
 * @bits  written only on success
 *
 * Context: any
 * Returns: false: there is no source, or it has none at the moment
 */
bool entropy_read(uint64_t *bits);

#endif /* ARCH_ENTROPY_H */
