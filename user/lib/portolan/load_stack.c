/* SPDX-License-Identifier: MIT */
/*
 * The stack that a program begins with, as the System V ABI has it.
 */
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <portolan/calls.h>

#include "load.h"

/* The top lies in 2^38 bytes below here. */
#define STACK_END    UINT64_C(0x7f8000000000)
#define STACK_RANDOM ((UINT64_C(1) << 38) - PORTOLAN_PAGE_SIZE)

/* Bytes of a stack, its guard, and of what may be on it at first. */
#define STACK_SIZE  (UINT64_C(8) << 20)
#define STACK_GUARD (UINT64_C(1) << 20)
#define STACK_FIRST (UINT64_C(256) << 10)

/* Entries of the auxiliary vector, with the last one. */
#define STACK_NR_AUX 9

/* What is to be written: @words up to the strings, then those. */
struct stack {
    char *bytes;
    size_t size;
    uint64_t address; /* of the first byte, in the program */
    size_t nr_words;  /* written */
    size_t strings;   /* offset of the next string */
};

uint64_t
load_random(void)
{
    static uint64_t state;
    const uint64_t *seed = (const uint64_t *)getauxval(AT_RANDOM);
    uint64_t x;

    if (portolan_random(&x, sizeof(x)) >= 0) {
        return x;
    }
    /* What this program was given, and the time: Steele and others' mix. */
    state += __builtin_ia32_rdtsc() + UINT64_C(0x9e3779b97f4a7c15);
    x = state ^ (seed == NULL ? 0 : *seed);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* How many strings, and how many bytes they have. */
static size_t
stack_count(char *const *strings, size_t *bytes)
{
    size_t count = 0;

    while (strings != NULL && strings[count] != NULL) {
        *bytes += strlen(strings[count]) + 1;
        count++;
    }
    return count;
}

static void
stack_put(struct stack *stack, uint64_t word)
{
    memcpy(stack->bytes + stack->nr_words * sizeof(word), &word, sizeof(word));
    stack->nr_words++;
}

/* Copy bytes behind the words; where they are in the program. */
static uint64_t
stack_put_bytes(struct stack *stack, const void *bytes, size_t size)
{
    uint64_t address = stack->address + stack->strings;

    memcpy(stack->bytes + stack->strings, bytes, size);
    stack->strings += size;
    return address;
}

static void
stack_put_strings(struct stack *stack, char *const *strings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        stack_put(stack,
                  stack_put_bytes(stack, strings[i], strlen(strings[i]) + 1));
    }
    stack_put(stack, 0);
}

static void
stack_put_aux(struct stack *stack, const struct load *load, uint64_t name)
{
    const uint64_t random[2] = { load_random(), load_random() };
    const uint64_t aux[STACK_NR_AUX][2] = {
        { AT_PHDR, load->phdr },
        { AT_PHENT, sizeof(Elf64_Phdr) },
        { AT_PHNUM, load->nr_phdr },
        { AT_PAGESZ, PORTOLAN_PAGE_SIZE },
        { AT_BASE, 0 },
        { AT_ENTRY, load->entry },
        { AT_RANDOM, stack_put_bytes(stack, random, sizeof(random)) },
        { AT_EXECFN, name },
        { AT_NULL, 0 },
    };

    for (size_t i = 0; i < STACK_NR_AUX; i++) {
        stack_put(stack, aux[i][0]);
        stack_put(stack, aux[i][1]);
    }
}

/* Write all of it to the stack below @top. */
static long
stack_write(struct load *load, const struct portolan_spawn *how, uint64_t top)
{
    struct stack stack = { .size = 16 };
    size_t argc = stack_count(how->argv, &stack.size);
    size_t envc = stack_count(how->envp, &stack.size);
    size_t nr_words = 1 + argc + 1 + envc + 1 + 2 * STACK_NR_AUX;
    long result;

    stack.size = (stack.size + nr_words * 8 + 15) & ~(size_t)15;
    if (stack.size > STACK_FIRST) {
        return -E2BIG;
    }
    stack.bytes = calloc(1, stack.size);
    if (stack.bytes == NULL) {
        return -ENOMEM;
    }
    stack.address = top - stack.size;
    stack.strings = nr_words * 8;
    stack_put(&stack, argc);
    stack_put_strings(&stack, how->argv, argc);
    stack_put_strings(&stack, how->envp, envc);
    stack_put_aux(&stack, load, argc == 0 ? 0 : stack.address + nr_words * 8);
    result = portolan_space_write(load->space, stack.address, stack.bytes,
                                  stack.size);
    free(stack.bytes);
    load->sp = stack.address;
    return result < 0 ? result : 0;
}

long
load_stack(struct load *load, const struct portolan_spawn *how)
{
    const uint32_t fixed = PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_NEW;
    uint64_t top = STACK_END - (load_random() & STACK_RANDOM &
                                ~((uint64_t)PORTOLAN_PAGE_SIZE - 1));
    long result;

    result = portolan_space_map(load->space, top - STACK_SIZE - STACK_GUARD,
                                STACK_GUARD, fixed, PORTOLAN_RIGHT_NONE, 0);
    if (result < 0) {
        return result;
    }
    result =
        portolan_space_map(load->space, top - STACK_SIZE, STACK_SIZE,
                           fixed | PORTOLAN_SPACE_READ | PORTOLAN_SPACE_WRITE,
                           PORTOLAN_RIGHT_NONE, 0);
    return result < 0 ? result : stack_write(load, how, top);
}
