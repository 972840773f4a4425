/* SPDX-License-Identifier: MIT */
/*
 * KCSAN builds: races of two CPUs are reported, and nothing else.
 *
 * Two CPUs do something again and again, each its own, until that is reported
 * or so many accesses were watched that it ought to have been.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/local.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/kcsan.h>
#include <kern/sanitizer.h>
#include <kern/spinlock.h>
#include <lib/string.h>
#include <test/test.h>

/* Watched accesses of both CPUs, until a race must have been found. */
#define KCSAN_TEST_FOUND UINT64_C(100000)

/* Until it is believed that there is none. */
#define KCSAN_TEST_NOT_FOUND UINT64_C(300)

typedef void (*kcsan_test_fn_t)(void);

/*
 * Keys: [c] constant while threads run   [a] atomic
 */
struct kcsan_test {
    kcsan_test_fn_t fns[2]; /* [c] one for each CPU */
    uint64_t last_watch;    /* [c] */
    atomic_uint nr_begun;   /* [a] */
};

/* What they access. */
static struct {
    uint32_t word;
    uint8_t bytes[8];
    _Atomic uint32_t atomic;
    struct spinlock lock;
} kcsan_data __aligned(CACHE_LINE) = {
    .lock = SPINLOCK_INITIALIZER(LOCK_TEST_INNER, "test"),
};

__noinline static void
kcsan_read_plainly(void)
{
    uint32_t word = kcsan_data.word;

    __asm__ volatile("" : : "r"(word) : "memory");
}

__noinline static void
kcsan_write_plainly(void)
{
    kcsan_data.word++;
    barrier();
}

__noinline static void
kcsan_write_volatile(void)
{
    ADD_ONCE(kcsan_data.word, 1);
}

__noinline static void
kcsan_read_volatile(void)
{
    uint32_t word = READ_ONCE(kcsan_data.word);

    __asm__ volatile("" : : "r"(word) : "memory");
}

__noinline static void
kcsan_write_by_assembly(void)
{
    local_inc(&kcsan_data.word);
}

__noinline static void
kcsan_write_atomic(void)
{
    atomic_fetch_add_explicit(&kcsan_data.atomic, 1, memory_order_relaxed);
}

__noinline static void
kcsan_write_atomic_plainly(void)
{
    uint32_t *word = (uint32_t *)(uintptr_t)&kcsan_data.atomic;

    *word = 1;
    barrier();
}

__noinline static void
kcsan_write_byte_0(void)
{
    kcsan_data.bytes[0]++;
    barrier();
}

__noinline static void
kcsan_write_byte_1(void)
{
    kcsan_data.bytes[1]++;
    barrier();
}

__noinline static void
kcsan_write_bytes(void)
{
    memset(kcsan_data.bytes, 1, sizeof(kcsan_data.bytes));
    barrier();
}

__noinline static void
kcsan_write_locked(void)
{
    spinlock_lock(&kcsan_data.lock);
    kcsan_data.word++;
    spinlock_unlock(&kcsan_data.lock);
}

static void
kcsan_test_run(void *arg)
{
    struct kcsan_test *test = arg;
    unsigned int number;

    number = atomic_fetch_add(&test->nr_begun, 1);
    if (number >= ARRAY_SIZE(test->fns)) {
        return;
    }
    while (sanitizer_nr_expected() == 0 &&
           kcsan_nr_watches() < test->last_watch) {
        test->fns[number]();
        cpu_pause();
    }
}

/* Have two CPUs at work; returns the number of reports. */
static uint64_t
kcsan_test_race(kcsan_test_fn_t first, kcsan_test_fn_t second,
                uint64_t nr_watches)
{
    struct kcsan_test test = {
        .fns = { first, second },
        .last_watch = kcsan_nr_watches() + nr_watches,
    };

    sanitizer_expect_begin();
    all_cpus_run(kcsan_test_run, &test);
    return sanitizer_expect_end();
}

/*
 * Expect a race of two functions to be found, in @text's words.
 */
static void
kcsan_expect_race(struct test *t, kcsan_test_fn_t first, kcsan_test_fn_t second,
                  const char *text)
{
    EXPECT(kcsan_test_race(first, second, KCSAN_TEST_FOUND) != 0);
    if (strstr(sanitizer_expected_text(), text) == NULL) {
        test_fail(t, __FILE__, __LINE__, "\"%s\" is not in \"%s\"", text,
                  sanitizer_expected_text());
    }
}

static void
kcsan_expect_nothing(struct test *t, kcsan_test_fn_t first,
                     kcsan_test_fn_t second)
{
    EXPECT_EQ(kcsan_test_race(first, second, KCSAN_TEST_NOT_FOUND), 0);
    EXPECT_STREQ(sanitizer_expected_text(), "");
}

#define KCSAN_SKIP()                                                           \
    do {                                                                       \
        if (!SANITIZER_IS_KCSAN) {                                             \
            SKIP("not a KCSAN build");                                         \
        }                                                                      \
        if (cpu_nr_online() < 2) {                                             \
            SKIP("needs two CPUs");                                            \
        }                                                                      \
    } while (0)

TEST(kcsan, reports_two_plain_writes)
{
    KCSAN_SKIP();
    kcsan_expect_race(t, kcsan_write_plainly, kcsan_write_plainly,
                      "of size 4 at");
    EXPECT(strstr(sanitizer_expected_text(), "in kcsan_write_plainly+0x") !=
           NULL);
    EXPECT(strstr(sanitizer_expected_text(), "kcsan_test.c:") != NULL);
}

TEST(kcsan, reports_plain_read_and_write)
{
    KCSAN_SKIP();
    kcsan_expect_race(t, kcsan_read_plainly, kcsan_write_plainly,
                      "KCSAN: data race, ");
}

TEST(kcsan, reports_plain_read_and_volatile_write)
{
    KCSAN_SKIP();
    kcsan_expect_race(t, kcsan_read_plainly, kcsan_write_volatile,
                      "read of size 4 at");
}

TEST(kcsan, reports_plain_and_atomic_write)
{
    KCSAN_SKIP();
    kcsan_expect_race(t, kcsan_write_atomic_plainly, kcsan_write_atomic,
                      "write of size 4 at");
}

TEST(kcsan, reports_writes_that_overlap)
{
    KCSAN_SKIP();
    kcsan_expect_race(t, kcsan_write_byte_1, kcsan_write_bytes,
                      "KCSAN: data race, ");
}

TEST(kcsan, reports_read_that_assembly_changes)
{
    KCSAN_SKIP();
    kcsan_expect_race(t, kcsan_read_plainly, kcsan_write_by_assembly,
                      "read of size 4 at");
}

TEST(kcsan, reports_no_plain_reads)
{
    KCSAN_SKIP();
    kcsan_expect_nothing(t, kcsan_read_plainly, kcsan_read_plainly);
}

TEST(kcsan, reports_no_atomic_accesses)
{
    KCSAN_SKIP();
    kcsan_expect_nothing(t, kcsan_write_atomic, kcsan_write_atomic);
}

TEST(kcsan, reports_no_volatile_accesses)
{
    KCSAN_SKIP();
    kcsan_expect_nothing(t, kcsan_write_volatile, kcsan_read_volatile);
}

TEST(kcsan, reports_no_accesses_under_a_lock)
{
    KCSAN_SKIP();
    kcsan_expect_nothing(t, kcsan_write_locked, kcsan_write_locked);
}

TEST(kcsan, reports_no_accesses_to_neighbours)
{
    KCSAN_SKIP();
    kcsan_expect_nothing(t, kcsan_write_byte_0, kcsan_write_byte_1);
}
