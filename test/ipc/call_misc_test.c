/* SPDX-License-Identifier: MIT */
/*
 * System calls: time, the log, the machine, random bytes.
 */
#include <arch/user_copy.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/thread.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <ipc/calls.h>
#include <ipc/call_error.h>
#include <ipc/module.h>
#include <portolan/sysinfo.h>
#include <test/ipc/task_fixture.h>
#include <test/test.h>

TEST(call_misc, clock_is_the_kernels)
{
    uint64_t before = clock_now();
    uint64_t now = (uint64_t)call_clock_now();

    EXPECT(now >= before && now <= clock_now());
}

TEST(call_misc, clocks_that_there_are_not_are_refused)
{
    EXPECT_EQ(call_clock_offset(1), 0);
    EXPECT_EQ(call_clock_offset(-1), CALL_EINVAL);
    EXPECT_EQ(call_clock_offset(1000), CALL_EINVAL);
}

/* The machine may not tell; if it does, it is after this was written. */
TEST(call_misc, time_of_day_is_of_this_century)
{
    long offset = call_clock_offset(0);

    EXPECT(offset == CALL_ENXIO || offset > 1600000000L * 1000000000);
}

TEST(call_misc, sleep_ends_at_its_time)
{
    uint64_t deadline = clock_now() + 2000000;

    task_fixture_create(t);
    EXPECT_EQ(call_sleep_until(deadline), 0);
    EXPECT(clock_now() >= deadline);
    EXPECT_EQ(call_sleep_until(0), 0);
}

TEST(call_misc, sleep_ends_with_the_thread)
{
    struct task_fixture *fixture = task_fixture_create(t);

    thread_request_end(fixture->uthread->thread);
    EXPECT_EQ(call_sleep_until(CLOCK_NEVER), CALL_EINTR);
    EXPECT_EQ(call_random(fixture->memory, 1), CALL_EINTR);
    atomic_store(&thread_self()->user_work, 0);
}

/* The last line of the log that the task wrote; false: there is none. */
static bool
call_misc_find_line(const struct task *task, uint64_t from, char *text)
{
    struct log_record record;
    bool is_found = false;
    char prefix[64];
    size_t length;

    length = (size_t)fmt_snprintf(prefix, sizeof(prefix),
                                  "task: test (%d): ", task->pid);
    while (log_read(from, &record)) {
        if (strncmp(record.text, prefix, length) == 0) {
            strlcpy(text, record.text + length, LOG_LINE_MAX);
            is_found = true;
        }
        from = record.sequence + 1;
    }
    return is_found;
}

TEST(call_misc, line_of_the_log_tells_whose_it_is)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t from = log_next_sequence();
    char text[LOG_LINE_MAX];

    ASSERT(user_copy_out(fixture->memory, "a\033[b\r\nPANIC: \377\n", 16) == 0);
    EXPECT_EQ(call_debug_log(fixture->memory, 16), 0);
    ASSERT(call_misc_find_line(fixture->task, from, text));
    EXPECT_STREQ(text, "a?[b??PANIC: ?");
}

TEST(call_misc, line_of_the_log_is_cut)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t from = log_next_sequence();
    char text[LOG_LINE_MAX];

    for (uintptr_t i = 0; i < PAGE_SIZE; i += 8) {
        ASSERT(user_write_u64(fixture->memory + i, 0x6161616161616161) == OK);
    }
    EXPECT_EQ(call_debug_log(fixture->memory, SIZE_MAX), 0);
    ASSERT(call_misc_find_line(fixture->task, from, text));
    EXPECT_EQ(strlen(text), 180);
    EXPECT_EQ(call_debug_log(USER_END - 4, 8), CALL_EFAULT);
    EXPECT_EQ(call_debug_log(fixture->memory, 0), 0);
}

/* Two seconds' worth at once, no more. */
TEST(call_misc, log_is_not_flooded)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t start = clock_now();
    unsigned int nr = 0;
    long result = 0;

    for (int i = 0; i < 1000 && result == 0; i++) {
        result = call_debug_log(fixture->memory, 0);
        nr += result == 0;
    }
    /* Where a line takes as long as it has to wait, none is refused. */
    EXPECT(result == CALL_EAGAIN || result == 0);
    EXPECT(nr >= 99);
    EXPECT(nr <= 101 + (clock_now() - start) / 20000000);
}

TEST(call_misc, sysinfo_is_of_this_machine)
{
    struct task_fixture *fixture = task_fixture_create(t);
    struct portolan_sysinfo info;

    ASSERT(call_sysinfo(fixture->memory) == 0);
    ASSERT(user_copy_in(&info, fixture->memory, sizeof(info)) == 0);
    EXPECT_EQ(info.nr_cpus, cpu_nr_online());
    EXPECT_EQ(info.nr_modules, module_nr());
    EXPECT(info.memory_used > 0 && info.memory_used < info.memory);
    EXPECT(info.uptime <= clock_now());
    EXPECT(info.nr_tasks >= 1 && info.nr_threads >= 1);
    EXPECT(info.version[0] != '\0');
    EXPECT_EQ(call_sysinfo(USER_END), CALL_EFAULT);
}

TEST(call_misc, random_bytes_fill_what_was_asked_for)
{
    struct task_fixture *fixture = task_fixture_create(t);
    uint64_t words[64];
    uint64_t nr_zero = 0;

    ASSERT(call_random(fixture->memory, sizeof(words) - 8) == 0);
    ASSERT(user_copy_in(words, fixture->memory, sizeof(words)) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(words) - 1; i++) {
        nr_zero += words[i] == 0;
    }
    EXPECT_EQ(nr_zero, 0);
    EXPECT_EQ(words[ARRAY_SIZE(words) - 1], 0);
    EXPECT_EQ(call_random(USER_END - 8, 16), CALL_EFAULT);
    EXPECT_EQ(call_random(fixture->memory, SIZE_MAX), CALL_EFAULT);
    EXPECT_EQ(call_random(USER_END, 0), 0);
}
