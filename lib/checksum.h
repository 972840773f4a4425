/* SPDX-License-Identifier: MIT */
/*
 * Checksums of firmware's tables.
 */
#ifndef LIB_CHECKSUM_H
#define LIB_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The sum of @n bytes, modulo 256; 0 for a valid ACPI table.
 */
static inline uint8_t
checksum_bytes(const void *bytes, size_t n)
{
    const uint8_t *next = bytes;
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + next[i]);
    }
    return sum;
}

#endif /* LIB_CHECKSUM_H */
