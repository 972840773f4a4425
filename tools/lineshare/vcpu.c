/* SPDX-License-Identifier: MIT */
/*
 * Pacing: while a window is open anywhere, the CPUs that are not idle are
 * kept within about a quantum of instructions of each other, so that their
 * accesses interleave as on real processors, also where the host has fewer
 * of them.  A CPU ahead of the slowest waits, but not for ever: the slow one
 * may itself wait for that thread to leave translated code.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lineshare.h"

/* The slowest made no progress for so long: go on without it. */
#define PACE_GIVE_UP_NS UINT64_C(20000000)

/* Looks at the slowest before a wait sleeps, and for how long it does. */
#define PACE_YIELDS   200
#define PACE_SLEEP_US 20

struct vcpu vcpus[MAX_CPUS];
bool vcpu_single_thread;

/* CPUs in a window; under big_lock. */
static unsigned int vcpu_nr_in_windows;

static uint64_t
vcpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * The clock of the slowest CPU but @self.  Returns: false if all are idle
 */
static bool
vcpu_slowest(unsigned int self, uint64_t *min)
{
    uint64_t clock;
    unsigned int i;
    bool any;

    any = false;
    for (i = 0; i < config.nr_cpus; i++) {
        if (i == self || __atomic_load_n(&vcpus[i].idle, __ATOMIC_RELAXED)) {
            continue;
        }
        clock = __atomic_load_n(&vcpus[i].clock, __ATOMIC_RELAXED);
        if (!any || clock < *min) {
            *min = clock;
        }
        any = true;
    }
    return any;
}

static void
vcpu_yield(unsigned int n)
{
    if (n < PACE_YIELDS) {
        sched_yield();
    } else {
        usleep(PACE_SLEEP_US);
    }
}

/* Wait until the slowest is not too far behind @clock. */
static void
vcpu_wait(unsigned int self, uint64_t clock)
{
    uint64_t min, last, since, now;
    struct vcpu *vcpu;
    unsigned int n;

    vcpu = &vcpus[self];
    n = 0;
    last = since = 0;
    while (vcpu_slowest(self, &min) && clock > min + config.quantum &&
           __atomic_load_n(&vcpu->attention, __ATOMIC_RELAXED) &
               ATTENTION_PACE) {
        now = vcpu_now();
        if (n == 0 || min != last) {
            last = min;
            since = now;
        } else if (now - since > PACE_GIVE_UP_NS) {
            vcpu->nr_giveups++;
            break;
        }
        vcpu_yield(n++);
    }
    vcpu->nr_waits += n != 0;
}

static void
vcpu_pace(unsigned int self)
{
    struct vcpu *vcpu;
    uint64_t clock;

    vcpu = &vcpus[self];
    vcpu->left = config.quantum;
    if (!vcpu_single_thread) {
        clock =
            __atomic_add_fetch(&vcpu->clock, config.quantum, __ATOMIC_RELAXED);
        vcpu_wait(self, clock);
    }
}

/* The first instruction of a CPU. */
static void
vcpu_arrive(unsigned int self)
{
    struct vcpu *vcpu;
    unsigned int i;

    vcpu = &vcpus[self];
    pthread_mutex_lock(&big_lock);
    vcpu->thread = pthread_self();
    vcpu->left = config.quantum;
    for (i = 0; i < config.nr_cpus; i++) {
        if (i != self && !(vcpus[i].attention & ATTENTION_NEW) &&
            pthread_equal(vcpus[i].thread, vcpu->thread)) {
            vcpu_single_thread = true;
        }
    }
    __atomic_store_n(&vcpu->idle, false, __ATOMIC_RELAXED);
    __atomic_fetch_and(&vcpu->attention, (uint8_t)~ATTENTION_NEW,
                       __ATOMIC_RELAXED);
    pthread_mutex_unlock(&big_lock);
}

void
vcpu_attend(unsigned int cpu, enum ring ring)
{
    struct vcpu *vcpu;
    uint8_t attention;

    vcpu = &vcpus[cpu];
    attention = __atomic_load_n(&vcpu->attention, __ATOMIC_RELAXED);
    if (attention & ATTENTION_NEW) {
        vcpu_arrive(cpu);
    }
    if (attention & ATTENTION_OPEN) {
        vcpu->insns[ring]++;
    }
    if (attention & ATTENTION_PACE && --vcpu->left == 0) {
        vcpu_pace(cpu);
    }
}

/* From here on all run together. */
static void
vcpu_start_pacing(void)
{
    uint64_t max, clock;
    unsigned int i;

    max = 0;
    for (i = 0; i < config.nr_cpus; i++) {
        clock = __atomic_load_n(&vcpus[i].clock, __ATOMIC_RELAXED);
        max = clock > max ? clock : max;
    }
    for (i = 0; i < config.nr_cpus; i++) {
        __atomic_store_n(&vcpus[i].clock, max, __ATOMIC_RELAXED);
        __atomic_fetch_or(&vcpus[i].attention, ATTENTION_PACE,
                          __ATOMIC_RELAXED);
    }
}

static void
vcpu_stop_pacing(void)
{
    unsigned int i;

    for (i = 0; i < config.nr_cpus; i++) {
        __atomic_fetch_and(&vcpus[i].attention, (uint8_t)~ATTENTION_PACE,
                           __ATOMIC_RELAXED);
    }
}

void
vcpu_begin(unsigned int cpu, unsigned int tag)
{
    struct vcpu *vcpu;

    vcpu = &vcpus[cpu];
    vcpu->open[vcpu->nr_open] = (uint8_t)tag;
    if (vcpu->nr_open++ != 0) {
        return;
    }

    __atomic_fetch_or(&vcpu->attention, ATTENTION_OPEN, __ATOMIC_RELAXED);
    pthread_mutex_lock(&big_lock);
    if (vcpu_nr_in_windows++ == 0 && config.quantum != 0) {
        vcpu_start_pacing();
    }
    pthread_mutex_unlock(&big_lock);
}

void
vcpu_end(unsigned int cpu, unsigned int tag)
{
    struct vcpu *vcpu;
    unsigned int i;

    vcpu = &vcpus[cpu];
    for (i = 0; vcpu->open[i] != tag; i++) {
    }
    vcpu->open[i] = vcpu->open[vcpu->nr_open - 1];
    if (--vcpu->nr_open != 0) {
        return;
    }

    __atomic_fetch_and(&vcpu->attention, (uint8_t)~ATTENTION_OPEN,
                       __ATOMIC_RELAXED);
    pthread_mutex_lock(&big_lock);
    if (--vcpu_nr_in_windows == 0) {
        vcpu_stop_pacing();
    }
    pthread_mutex_unlock(&big_lock);
}

void
vcpu_sleep(unsigned int cpu)
{
    __atomic_store_n(&vcpus[cpu].idle, true, __ATOMIC_RELAXED);
}

void
vcpu_wake(unsigned int cpu)
{
    struct vcpu *vcpu;
    uint64_t min;

    vcpu = &vcpus[cpu];
    /* The time it slept is not owed. */
    if (vcpu_slowest(cpu, &min) &&
        min > __atomic_load_n(&vcpu->clock, __ATOMIC_RELAXED)) {
        __atomic_store_n(&vcpu->clock, min, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&vcpu->idle, false, __ATOMIC_RELAXED);
}
