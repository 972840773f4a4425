/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/spinlock.h>
#include <test/test.h>

#define SPINLOCK_TEST_ROUNDS 200
#define SPINLOCK_WAIT_NS     UINT64_C(20000000000)

/*
 * Keys: [L] lock   [a] atomic
 */
static struct {
    struct spinlock lock;
    uint64_t count;       /* [L] not atomic on purpose */
    atomic_uint inside;   /* [a] CPUs that hold the lock */
    atomic_uint faults;   /* [a] */
    atomic_uint arrivals; /* [a] */
    uint64_t rounds;
    unsigned nr_served;   /* [L] */
    uint32_t served[64];  /* [L] CPUs in the order of service */
    uint32_t arrived[64]; /* CPUs in the order in which they drew tickets */
} spinlock_test = {
    .lock = SPINLOCK_INITIALIZER(LOCK_TEST_OUTER, "test"),
};

static void
spinlock_test_reset(uint64_t rounds)
{
    spinlock_test.count = 0;
    spinlock_test.nr_served = 0;
    spinlock_test.rounds = rounds;
    atomic_store(&spinlock_test.inside, 0);
    atomic_store(&spinlock_test.faults, 0);
    atomic_store(&spinlock_test.arrivals, 0);
}

static void
spinlock_test_critical(void)
{
    uint64_t count;

    if (atomic_fetch_add(&spinlock_test.inside, 1) != 0) {
        atomic_fetch_add(&spinlock_test.faults, 1);
    }
    count = READ_ONCE(spinlock_test.count);
    cpu_pause();
    WRITE_ONCE(spinlock_test.count, count + 1);
    atomic_fetch_sub(&spinlock_test.inside, 1);
}

static void
spinlock_test_take(void *arg __unused)
{
    uint64_t i, flags;

    for (i = 0; i < spinlock_test.rounds; i++) {
        if (i % 2 == 0) {
            flags = spinlock_lock_irqsave(&spinlock_test.lock);
            spinlock_test_critical();
            spinlock_unlock_irqrestore(&spinlock_test.lock, flags);
        } else {
            spinlock_lock(&spinlock_test.lock);
            spinlock_test_critical();
            spinlock_unlock(&spinlock_test.lock);
        }
    }
}

TEST(spinlock, excludes_all_others)
{
    spinlock_test_reset(SPINLOCK_TEST_ROUNDS * t->iterations);
    all_cpus_run(spinlock_test_take, NULL);
    EXPECT_EQ(spinlock_test.count, spinlock_test.rounds * cpu_nr_online());
    EXPECT_EQ(atomic_load(&spinlock_test.faults), 0);
    EXPECT(!spinlock_is_locked(&spinlock_test.lock));
}

static void
spinlock_test_try(void *arg __unused)
{
    uint64_t i;

    for (i = 0; i < spinlock_test.rounds;) {
        if (!spinlock_try_lock(&spinlock_test.lock)) {
            cpu_pause();
            continue;
        }
        spinlock_test_critical();
        spinlock_unlock(&spinlock_test.lock);
        i++;
    }
}

TEST(spinlock, try_lock_excludes)
{
    spinlock_test_reset(SPINLOCK_TEST_ROUNDS * t->iterations);
    all_cpus_run(spinlock_test_try, NULL);
    EXPECT_EQ(spinlock_test.count, spinlock_test.rounds * cpu_nr_online());
    EXPECT_EQ(atomic_load(&spinlock_test.faults), 0);
}

TEST(spinlock, try_lock_fails_when_held)
{
    struct spinlock lock;

    spinlock_init(&lock, LOCK_TEST_INNER, "test");
    EXPECT(spinlock_try_lock(&lock));
    EXPECT(spinlock_is_locked(&lock));
    EXPECT(!spinlock_try_lock(&lock));
    spinlock_unlock(&lock);
    EXPECT(!spinlock_is_locked(&lock));
}

/* The tickets wrap around after 65536 acquires. */
TEST(spinlock, tickets_wrap_around)
{
    struct spinlock lock;
    unsigned i;

    spinlock_init(&lock, LOCK_TEST_INNER, "test");
    for (i = 0; i < 70000; i++) {
        spinlock_lock(&lock);
        spinlock_unlock(&lock);
    }
    EXPECT(!spinlock_is_locked(&lock));
    EXPECT(spinlock_try_lock(&lock));
    EXPECT(!spinlock_try_lock(&lock));
    spinlock_unlock(&lock);
}

/* How many wait for the lock or hold it. */
static unsigned
spinlock_test_nr_tickets(void)
{
    return (uint16_t)(atomic_load(&spinlock_test.lock.next) -
                      atomic_load(&spinlock_test.lock.owner));
}

/*
 * CPU 0 holds the lock while the others come, each once the one before has
 * drawn its ticket.
 */
static void
spinlock_test_queue(void *arg __unused)
{
    uint64_t end;
    uint32_t own;

    own = cpu_id();
    end = clock_now() + SPINLOCK_WAIT_NS;
    while (spinlock_test_nr_tickets() != own && clock_now() < end) {
        cpu_pause();
    }

    spinlock_lock(&spinlock_test.lock);
    spinlock_test.served[spinlock_test.nr_served++] = own;
    while (own == 0 && spinlock_test_nr_tickets() < cpu_nr_online() &&
           clock_now() < end) {
        cpu_pause();
    }
    spinlock_unlock(&spinlock_test.lock);
}

TEST(spinlock, first_come_first_served)
{
    unsigned i;

    if (cpu_nr_online() != cpu_nr_possible ||
        cpu_nr_possible > ARRAY_SIZE(spinlock_test.served)) {
        SKIP("needs 1 to 64 CPUs, all online");
    }

    spinlock_test_reset(0);
    all_cpus_run(spinlock_test_queue, NULL);
    EXPECT_EQ(spinlock_test.nr_served, cpu_nr_online());
    for (i = 0; i < spinlock_test.nr_served; i++) {
        EXPECT_EQ(spinlock_test.served[i], i);
    }
}

TEST(spinlock, irqsave_restores)
{
    uint64_t outer, inner;

    outer = spinlock_lock_irqsave(&spinlock_test.lock);
    EXPECT(!cpu_irq_is_enabled());
    spinlock_unlock_irqrestore(&spinlock_test.lock, outer);
    EXPECT(cpu_irq_is_enabled());

    outer = cpu_irq_save();
    inner = spinlock_lock_irqsave(&spinlock_test.lock);
    spinlock_unlock_irqrestore(&spinlock_test.lock, inner);
    EXPECT(!cpu_irq_is_enabled());
    cpu_irq_restore(outer);
}
