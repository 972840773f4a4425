/* SPDX-License-Identifier: MIT */
/*
 * Where users' memory is accessed, and what happens when it cannot be.
 */
#ifndef X86_USER_ACCESS_H
#define X86_USER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All instructions that may access it. */
extern const char user_access_start[], user_access_end[];

/* Whether an instruction is one of them. */
static inline bool
user_access_is_at(uintptr_t pc)
{
    return pc - (uintptr_t)user_access_start <
           (uintptr_t)(user_access_end - user_access_start);
}

/* Where to go on after a fault at @pc; 0: the fault was not to be expected. */
uintptr_t user_access_fixup(uintptr_t pc);

/*
 * Copy, clear.  All addresses are below USER_END or of the kernel.
 *
 * Returns: bytes at the end that were left
 */
size_t user_access_copy(void *dst, const void *src, size_t size);
size_t user_access_clear(void *dst, size_t size);

/* One aligned word below USER_END.  Returns: whether it was accessed */
bool user_access_read(const void *src, uint64_t *value);
bool user_access_write(void *dst, uint64_t value);
bool user_access_write_u32(void *dst, uint32_t value);
bool user_access_cas(void *addr, uint32_t *old, uint32_t value);

#endif /* X86_USER_ACCESS_H */
