/* SPDX-License-Identifier: MIT */
/*
 * Kernel virtual addresses.
 */
#include <arch/layout.h>
#include <kern/kva.h>
#include <lib/assert.h>
#include <test/bench.h>

/* A physical address of the local APIC: a device on every machine. */
#define BENCH_DEVICE UINT64_C(0xfee00000)

/* A large buffer. */
#define BENCH_LARGE MIB(1)

BENCH(kva, alloc_free_stack)
{
    BENCH_LOOP(b)
    {
        char *stack = kva_alloc_stack("bench");

        verify(stack != NULL);
        stack[KERNEL_STACK_SIZE - 1] = 0;
        kva_free(stack);
    }
}

BENCH(kva, alloc_free_1m)
{
    BENCH_LOOP(b)
    {
        char *buffer = kva_alloc(BENCH_LARGE, "bench");

        verify(buffer != NULL);
        kva_free(buffer);
    }
}

BENCH(kva, map_mmio)
{
    BENCH_LOOP(b)
    {
        void *device = kva_map_mmio(BENCH_DEVICE, 4, PMAP_UC, "bench");

        verify(device != NULL);
        kva_free(device);
    }
}
