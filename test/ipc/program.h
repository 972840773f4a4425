/* SPDX-License-Identifier: MIT */
/*
 * Programs in user mode for tests: threads of a task that execute what is in
 * program_code.S.
 */
#ifndef TEST_IPC_PROGRAM_H
#define TEST_IPC_PROGRAM_H

#include <stdint.h>

#include <ipc/task.h>
#include <portolan/task.h>
#include <test/ipc/call_fixture.h>
#include <test/ipc/task_fixture.h>

/* In program_code.S. */
extern const char program_code_start[], program_code_end[], program_exit[],
    program_exit_unmap[], program_task_exit[], program_spin[], program_count[],
    program_sleep[], program_fault[], program_add[], program_tid[],
    program_tls[], program_creator[];

/* Where the code is, and memory that it may write to, zeros. */
#define PROGRAM_VA        UINT64_C(0x200000000000)
#define PROGRAM_DATA      UINT64_C(0x200000200000)
#define PROGRAM_DATA_SIZE (4 * PAGE_SIZE)

/*
 * Map code and data into the space of a task, unless it ends.  Threads of other
 * tasks may do that; they use their own space again then.
 */
void program_load(struct task *task);

/* What is in the data of a task; UINT64_MAX: there is none any more. */
uint64_t program_data(struct task *task, uintptr_t va);

/* Parameters of a thread that executes a program with an argument or more. */
struct portolan_thread_params program_params(const char *code, uintptr_t a,
                                             uintptr_t b, uintptr_t c);

/*
 * Create a thread in the caller's task.
 *
 * @at  where parameters can be in the caller's memory
 *
 * Returns: what the call does
 */
long program_create(uintptr_t at, const struct portolan_thread_params *params);

/*
 * Create a task and load the code into it.
 *
 * @at  as of program_create()
 *
 * Returns: the caller's right to it
 */
uint32_t program_task(uintptr_t at);

/* Start the first thread of a task; as program_create(). */
long program_start(uint32_t task, uintptr_t at,
                   const struct portolan_thread_params *params);

/*
 * Wait until something holds, but not for ever.
 *
 * Returns: whether it does
 */
#define PROGRAM_WAIT(condition)                                                \
    ({                                                                         \
        uint64_t program_end_ = clock_now() + TASK_FIXTURE_PATIENCE;           \
                                                                               \
        while (!(condition) && clock_now() < program_end_) {                   \
            test_pause();                                                      \
        }                                                                      \
        (condition);                                                           \
    })

#endif /* TEST_IPC_PROGRAM_H */
