/* SPDX-License-Identifier: MIT */
/*
 * The stack that a program begins with, at a random address below a guard:
 * arguments, environment (which is empty) and the auxiliary vector, as the
 * System V ABI has them.
 */
#ifndef IPC_IMAGE_STACK_H
#define IPC_IMAGE_STACK_H

#include <stddef.h>
#include <stdint.h>

#include <ipc/image.h>
#include <lib/rand.h>
#include <lib/status.h>

/* Bytes of the stack, and of the guard below it. */
#define IMAGE_STACK_SIZE  (UINT64_C(8) << 20)
#define IMAGE_STACK_GUARD (UINT64_C(1) << 20)

/* Bytes that words may have. */
#define IMAGE_WORDS_MAX (UINT64_C(64) << 10)

/* Words, one behind the other, each with a zero at its end. */
struct image_words {
    const char *text;
    size_t size; /* bytes, with all zeros */
    size_t nr;
};

/*
 * Map the stack and fill its top.
 *
 * @argv  the arguments; the first is the program's name
 * @rand  of the address, and of the bytes that AT_RANDOM tells of
 * @spp   receives the stack pointer
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_RANGE: too many words; ERR_EXISTS: something is mapped
 *          there; ERR_NO_MEMORY
 */
status_t image_stack_map(struct vm_space *space, const struct image *image,
                         const struct image_words *argv, struct rand *rand,
                         uintptr_t *spp) __must_check;

#endif /* IPC_IMAGE_STACK_H */
