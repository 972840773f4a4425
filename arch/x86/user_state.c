/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/user.h>
#include <arch/user_copy.h>
#include <arch/user_switch.h>
#include <arch/utable.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/percpu.h>
#include <kern/slab.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <lib/string.h>

#include "control.h"
#include "cpuid.h"
#include "msr.h"

/*
 * The legacy area, and what it begins with: all exceptions masked.
 * Source: Intel SDM vol. 1, "FXSAVE Area", "Initialization of FPU".
 */
#define FXSAVE_FCW   0
#define FXSAVE_MXCSR 24
#define FCW_INIT     0x037f
#define MXCSR_INIT   0x1f80

#define USER_CPU_NONE UINT32_MAX

enum user_save {
    USER_FXSAVE,
    USER_XSAVE,
    USER_XSAVEOPT,
};

/* Set on the boot CPU, constant from then on. */
static struct slab_cache user_state_cache;
static size_t user_state_bytes;
static enum user_save user_save;
static bool user_has_bases; /* programs can change them */

PERCPU(struct user_state *, user_loaded);

bool user_switch_is_short;

size_t
user_state_size(void)
{
    return user_state_bytes;
}

struct user_state *
user_state_create(void)
{
    static const uint16_t fcw = FCW_INIT;
    static const uint32_t mxcsr = MXCSR_INIT;
    struct user_state *state;

    state = slab_alloc(&user_state_cache);
    if (state == NULL) {
        return NULL;
    }
    memset(state, 0, user_state_bytes);
    state->cpu = USER_CPU_NONE;
    memcpy(&state->vector[FXSAVE_FCW], &fcw, sizeof(fcw));
    memcpy(&state->vector[FXSAVE_MXCSR], &mxcsr, sizeof(mxcsr));
    return state;
}

void
user_state_destroy(struct user_state *state)
{
    slab_free(&user_state_cache, state);
}

/* ------------------------------------------------------------------ vector */

static inline void
user_vector_save(struct user_state *state)
{
    uint8_t *area = state->vector;

    switch (user_save) {
    case USER_XSAVEOPT:
        __asm__ volatile("xsaveopt64 (%0)"
                         :
                         : "r"(area), "a"(-1), "d"(-1)
                         : "memory");
        break;
    case USER_XSAVE:
        __asm__ volatile("xsave64 (%0)"
                         :
                         : "r"(area), "a"(-1), "d"(-1)
                         : "memory");
        break;
    case USER_FXSAVE:
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        break;
    }
}

static inline void
user_vector_load(const struct user_state *state)
{
    const uint8_t *area = state->vector;

    if (user_save == USER_FXSAVE) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
        return;
    }
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"(-1), "d"(-1)
                     : "memory");
}

/* ------------------------------------------------------------------- bases */

/*
 * The program's base of %gs is in the other of the two registers that SWAPGS
 * swaps; an NMI in between finds the program's and puts it back.
 */
static inline uint64_t
user_gs_read(void)
{
    uint64_t base;

    __asm__ volatile("swapgs\n\t"
                     "rdgsbase %0\n\t"
                     "swapgs"
                     : "=r"(base)
                     :
                     : "memory");
    return base;
}

static inline void
user_gs_write(uint64_t base)
{
    __asm__ volatile("swapgs\n\t"
                     "wrgsbase %0\n\t"
                     "swapgs"
                     :
                     : "r"(base)
                     : "memory");
}

static inline void
user_bases_save(struct user_state *state)
{
    if (user_has_bases) {
        __asm__ volatile("rdfsbase %0" : "=r"(state->fs_base));
        state->gs_base = user_gs_read();
    }
}

static inline void
user_bases_load(const struct user_state *state)
{
    if (user_has_bases) {
        __asm__ volatile("wrfsbase %0" : : "r"(state->fs_base));
        user_gs_write(state->gs_base);
        return;
    }
    msr_write(MSR_FS_BASE, state->fs_base);
    msr_write(MSR_KERNEL_GS_BASE, state->gs_base);
}

status_t
user_set_tls(uintptr_t base)
{
    struct user_state *state = thread_self()->user;
    uint64_t flags;

    if (base >= USER_END) {
        return ERR_RANGE;
    }
    flags = cpu_irq_save();
    user_bases_save(state);
    state->fs_base = base;
    user_bases_load(state);
    cpu_irq_restore(flags);
    return OK;
}

/* ------------------------------------------------------------------ switch */

void
user_state_save(struct user_state *state)
{
    user_vector_save(state);
    user_bases_save(state);
}

void
user_state_load(struct user_state *state)
{
    percpu_write(gdt_tss.rsp[0], state->stack_top);
    user_bases_load(state);
    if (percpu_read(user_loaded) != state || state->cpu != cpu_id()) {
        user_vector_load(state);
        percpu_write(user_loaded, state);
        state->cpu = cpu_id();
    }
}

static enum user_save
user_choose_save(void)
{
    if (!cpuid_has(CPUID_XSAVE)) {
        return USER_FXSAVE;
    }
    return cpuid_has(CPUID_XSAVEOPT) ? USER_XSAVEOPT : USER_XSAVE;
}

static status_t
user_state_setup(void)
{
    user_save = user_choose_save();
    user_has_bases = cpuid_has(CPUID_FSGSBASE);
    user_switch_is_short = user_save == USER_XSAVEOPT && user_has_bases;
    user_state_bytes = sizeof(struct user_state) + control_xsave_size();
    if (user_state_bytes > SLAB_SIZE_MAX) {
        return ERR_UNSUPPORTED;
    }
    slab_cache_init(&user_state_cache, "user state", user_state_bytes,
                    USER_VECTOR_ALIGN, 0);
    return OK;
}

INIT_OP(user_state_setup, INIT_BOOT_CPU, AFTER(control_setup),
        AFTER(slab_setup));
