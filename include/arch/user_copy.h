/* SPDX-License-Identifier: MIT */
/*
 * Access to memory of the space that this thread uses.
 *
 * Addresses come from user programs: any value is allowed.  What is not below
 * USER_END is never accessed, not even speculatively.  A page fault is
 * resolved like one of the program itself, through the hook, if the caller
 * can be preempted; else, and when it cannot be resolved, the copy ends there.
 */
#ifndef ARCH_USER_COPY_H
#define ARCH_USER_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/status.h>

/* How a page was to be accessed. */
#define FAULT_READ  0x1U
#define FAULT_WRITE 0x2U
#define FAULT_EXEC  0x4U

/*
 * Resolves a page fault of the current thread.
 *
 * @addr    below USER_END
 * @access  one of FAULT_...
 *
 * Context: thread, preemptible, interrupts enabled
 * Returns: OK, the access may be repeated; else it cannot be allowed
 */
typedef status_t (*user_fault_fn_t)(uintptr_t addr, unsigned int access);

/*
 * Install the hook.
 *
 * @fn  NULL: nothing is resolved
 *
 * Context: init; a test, while nobody uses a space
 * Returns: what was installed before
 */
user_fault_fn_t user_fault_register(user_fault_fn_t fn);

/*
 * Copy from the user.
 *
 * Context: thread; with preemption disabled nothing is faulted in
 * Returns: bytes at the end that were not copied; 0 is success
 */
size_t user_copy_in(void *dst, uintptr_t src, size_t size) __must_check;

/* Copy to the user; as user_copy_in(). */
size_t user_copy_out(uintptr_t dst, const void *src, size_t size) __must_check;

/* Fill the user's memory with zeros; as user_copy_in(). */
size_t user_clear(uintptr_t dst, size_t size) __must_check;

/*
 * Copy a string from the user.
 *
 * @size  room in @dst, with the end
 *
 * Context: as user_copy_in()
 * Returns: OK; ERR_OVERFLOW, no end within @size; ERR_FAULT.  @dst may be
 *          written up to its end in any case
 */
status_t user_copy_string(char *dst, uintptr_t src, size_t size) __must_check;

/*
 * Copy between places in the direct map that programs use meanwhile: unseen by
 * sanitizers, since what programs do to each other is no mistake of the
 * kernel.  The ranges do not overlap, unless they are the same.
 */
static inline void
user_copy_frames(void *dst, const void *src, size_t size)
{
    size_t words = size / sizeof(uint64_t);
    size_t bytes = size % sizeof(uint64_t);

    __asm__ volatile("rep movsq\n\t"
                     "movq %3, %%rcx\n\t"
                     "rep movsb"
                     : "+D"(dst), "+S"(src), "+c"(words)
                     : "r"(bytes)
                     : "memory");
}

/*
 * Read one word at once; as user_copy_in().
 *
 * Returns: OK; ERR_FAULT, also for an address that is not aligned
 */
status_t user_read_u64(uintptr_t src, uint64_t *value) __must_check;

/* Write one word at once; as user_read_u64(). */
status_t user_write_u64(uintptr_t dst, uint64_t value) __must_check;

/*
 * Write half a word, by one store: user_copy_out() may write bytes more than
 * once, and so undo what another thread of the program did in between.
 *
 * Returns: as user_read_u64()
 */
status_t user_write_u32(uintptr_t dst, uint32_t value) __must_check;

/*
 * Compare and swap a word of the user's, atomically; for futexes.
 *
 * @old  expected; receives what was there
 *
 * Returns: OK; ERR_FAULT, also for an address that is not aligned
 */
status_t user_cas_u32(uintptr_t addr, uint32_t *old,
                      uint32_t value) __must_check;

#endif /* ARCH_USER_COPY_H */
