/* SPDX-License-Identifier: MIT */
/*
 * Operations on a user's space, as a kernel thread that uses it sees them:
 * without the way into the kernel and back, but with that of faults.
 */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <vm/copy.h>
#include <vm/kernel.h>
#include <vm/object.h>
#include <vm/space.h>
#include <test/bench.h>

#define BENCH_PROT (PMAP_READ | PMAP_WRITE)

static struct vm_space *
bench_space(void)
{
    struct vm_space *space;

    verify(space_create(&space, container_root, "bench") == OK);
    space_use(space);
    return space;
}

static void
bench_space_end(struct vm_space *space)
{
    space_use(NULL);
    space_put(space);
    rcu_barrier();
}

static uintptr_t
bench_map(struct vm_space *space, size_t size)
{
    struct space_mapping mapping = { .size = size, .prot = BENCH_PROT };
    uintptr_t va;

    verify(space_map(space, &mapping, &va) == OK);
    return va;
}

static void
bench_map_touch_unmap(struct bench *b, size_t nr)
{
    struct vm_space *space = bench_space();

    BENCH_LOOP(b)
    {
        uintptr_t va = bench_map(space, nr * PAGE_SIZE);

        for (size_t i = 0; i < nr; i++) {
            verify(user_write_u64(va + i * PAGE_SIZE, 1) == OK);
        }
        verify(space_unmap(space, va, nr * PAGE_SIZE) == OK);
    }
    bench_space_end(space);
}

BENCH_NAMED(vm_map_touch_unmap_1, "vm.map_touch_unmap.1")
{
    bench_map_touch_unmap(b, 1);
}

BENCH_NAMED(vm_map_touch_unmap_16, "vm.map_touch_unmap.16")
{
    bench_map_touch_unmap(b, 16);
}

/* A large page of an object in one piece. */
BENCH_NAMED(vm_map_touch_unmap_2m, "vm.map_touch_unmap.2m")
{
    struct vm_space *space = bench_space();
    struct space_mapping mapping = { .size = MIB(2), .prot = BENCH_PROT };
    uintptr_t va;

    verify(object_create_contiguous(&mapping.object, container_root, "bench",
                                    MIB(2) / PAGE_SIZE) == OK);
    BENCH_LOOP(b)
    {
        verify(space_map(space, &mapping, &va) == OK);
        verify(user_write_u64(va, 1) == OK);
        verify(space_unmap(space, va, MIB(2)) == OK);
    }
    bench_space_end(space);
    object_put(mapping.object);
    (void)object_sync(CLOCK_NEVER);
}

static void
bench_map_unmap(struct bench *b, size_t size)
{
    struct vm_space *space = bench_space();

    BENCH_LOOP(b)
    {
        verify(space_unmap(space, bench_map(space, size), size) == OK);
    }
    bench_space_end(space);
}

BENCH_NAMED(vm_map_unmap_1, "vm.map_unmap.1")
{
    bench_map_unmap(b, PAGE_SIZE);
}

BENCH_NAMED(vm_map_unmap_1g, "vm.map_unmap.1g")
{
    bench_map_unmap(b, UINT64_C(1) << 30);
}

/* With a page, which all CPUs forget at once: ranges of kva wait for others. */
BENCH(vm, kernel_map_unmap)
{
    struct space_mapping mapping = {
        .size = PAGE_SIZE,
        .prot = BENCH_PROT,
        .flags = SPACE_MAP_WIRED,
    };

    BENCH_LOOP(b)
    {
        uintptr_t va;

        verify(space_map(kernel_space, &mapping, &va) == OK);
        verify(space_unmap(kernel_space, va, PAGE_SIZE) == OK);
    }
}

BENCH(vm, protect)
{
    struct vm_space *space = bench_space();
    uintptr_t va = bench_map(space, PAGE_SIZE);
    unsigned int prot = BENCH_PROT;

    verify(user_write_u64(va, 1) == OK);
    BENCH_LOOP(b)
    {
        prot ^= PMAP_WRITE;
        verify(space_protect(space, va, PAGE_SIZE, prot) == OK);
    }
    bench_space_end(space);
}

/* A mapping with more pages than there are passes. */
#define BENCH_FAULT_SIZE (2 * (BENCH_WARM_UP + BENCH_COUNTED) * PAGE_SIZE)

BENCH(vm, fault)
{
    struct vm_space *space = bench_space();
    uintptr_t va = bench_map(space, BENCH_FAULT_SIZE);

    BENCH_LOOP(b)
    {
        verify(user_write_u64(va, 1) == OK);
        va += PAGE_SIZE;
    }
    bench_space_end(space);
}

/* Copies between two spaces, of pages that are in both's tables. */
static void
bench_copy(struct bench *b, size_t size)
{
    struct vm_space *space = bench_space();
    uintptr_t from = bench_map(space, ALIGN_UP(size, PAGE_SIZE));
    struct vm_space *other;
    uintptr_t to;

    verify(user_clear(from, size) == 0);
    verify(space_create(&other, container_root, "other") == OK);
    to = bench_map(other, ALIGN_UP(size, PAGE_SIZE));
    BENCH_LOOP(b)
    {
        struct space_copy copy = { .dst = { other, to },
                                   .src = { space, from },
                                   .size = size };

        verify(space_copy(&copy) == SPACE_COPY_DONE);
    }
    space_put(other);
    bench_space_end(space);
}

BENCH_NAMED(vm_copy_64, "vm.copy.64")
{
    bench_copy(b, 64);
}

BENCH_NAMED(vm_copy_512, "vm.copy.512")
{
    bench_copy(b, 512);
}

BENCH_NAMED(vm_copy_4096, "vm.copy.4096")
{
    bench_copy(b, PAGE_SIZE);
}

BENCH_NAMED(vm_copy_65536, "vm.copy.65536")
{
    bench_copy(b, KIB(64));
}

/* Few bytes of the kernel's, into a page that is remembered. */
static void
bench_poke(struct bench *b, size_t size)
{
    struct vm_space *space = bench_space();
    uintptr_t to = bench_map(space, PAGE_SIZE);
    uint64_t words[UTABLE_POKE_MAX / sizeof(uint64_t)] = { 1 };

    verify(user_clear(to, PAGE_SIZE) == 0);
    BENCH_LOOP(b)
    {
        cpu_irq_disable();
        verify(space_poke(space, to, words, size));
        cpu_irq_enable();
    }
    bench_space_end(space);
}

BENCH_NAMED(vm_poke_8, "vm.poke.8")
{
    bench_poke(b, 8);
}

BENCH_NAMED(vm_poke_64, "vm.poke.64")
{
    bench_poke(b, 64);
}

BENCH_NAMED(vm_poke_256, "vm.poke.256")
{
    bench_poke(b, 256);
}
