/* SPDX-License-Identifier: MIT */
/*
 * User mode: what programs find in their registers, and what they can do to
 * the kernel, which is nothing.
 */
#include <stdatomic.h>

#include <arch/layout.h>
#include <arch/sample.h>
#include <arch/user.h>
#include <arch/user_copy.h>
#include <arch/x86/cpuid.h>
#include <kern/backtrace.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/rcu_hooks.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <test/stay.h>
#include <test/test.h>
#include <test/vm/space_fixture.h>

#define USER_CODE_VA FIXTURE_VA
#define USER_STACKS  (FIXTURE_VA + MIB(2))
#define USER_STACK   (4 * PAGE_SIZE)

/* Numbers of calls; some are known in user_code.S. */
#define CALL_FAST  1
#define CALL_NULL  16
#define CALL_EXIT  17
#define CALL_SIX   18
#define CALL_YIELD 19
#define CALL_TLS   20
#define CALL_PLACE 21
#define CALL_NR    22

/* What a program ended with that did not end itself. */
#define EXIT_EXCEPTION 1000
#define EXIT_WORK      1001

/* Bits of user_work. */
#define WORK_END   1u
#define WORK_COUNT 2u

#define USER_TRACE_MAX 8

/* In user_code.S. */
extern const char user_code_start[], user_code_end[], user_code_nothing[],
    user_code_begin[], user_code_keeps[], user_code_vectors[],
    user_code_bases[], user_code_tls[], user_code_calls[], user_code_spin[],
    user_code_invalid[], user_code_breakpoint[], user_code_divide[],
    user_code_halt[], user_code_mask[], user_code_interrupt[], user_code_port[],
    user_code_model_register[], user_code_far[], user_code_read[],
    user_code_write[], user_code_jump[], user_code_stack[],
    user_code_floating[], user_code_steps[], user_code_blocked[],
    user_code_flags[], user_code_last[], user_code_wide[], user_code_frames[],
    user_code_frames_1[], user_code_frames_2[], user_code_frames_bad[],
    user_code_sysenter[];

/*
 * A program that runs.  Its thread's, until it is joined.
 */
struct user_program {
    const char *code; /* NULL: the kernel's */
    uintptr_t args[3];
    unsigned int nr; /* of its stack */
    bool goes_on;    /* after exceptions */
    uint64_t status;
    unsigned int nr_exceptions;
    struct user_exception exception; /* the last one */
    uintptr_t trace[USER_TRACE_MAX]; /* of it */
    size_t nr_traced;
    atomic_uint nr_works; /* done, of those to count */
    struct thread *thread;
};

struct user_fixture {
    struct space_fixture *space;
    const struct user_hooks *hooks; /* installed before */
};

static struct user_program *
user_program_self(void)
{
    return thread_self()->arg;
}

__noreturn static void
user_program_end(uint64_t status)
{
    struct user_state *state = thread_self()->user;

    user_program_self()->status = status;
    user_end();
    user_state_destroy(state);
    thread_exit();
}

/* The arguments are a to f. */
#define CALL(name)                                                             \
    static long name(unsigned long a __unused, unsigned long b __unused,       \
                     unsigned long c __unused, unsigned long d __unused,       \
                     unsigned long e __unused, unsigned long f __unused)

/* Flags of the program that the kernel must not have: DF, AC, NT, ID. */
#define USER_FLAGS_OTHERS 0x244400

CALL(call_null)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    return (long)(flags & USER_FLAGS_OTHERS);
}

CALL(call_exit)
{
    user_program_end(a);
}

CALL(call_six)
{
    bool is_right = a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6;

    /* Interrupts are as the number says. */
    return is_right && cpu_irq_is_enabled() ? 77 : -1;
}

CALL(call_fast)
{
    bool is_right = a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6;

    return is_right && !cpu_irq_is_enabled() ? 78 : -1;
}

CALL(call_yield)
{
    thread_yield();
    return 0;
}

CALL(call_tls)
{
    return user_set_tls(b) == OK ? 0 : -1;
}

/* Behind the instruction, with the stack and frame pointer told. */
CALL(call_place)
{
    uintptr_t pc, sp, frame;

    user_call_place(&pc, &sp, &frame);
    return pc > USER_CODE_VA && pc < USER_STACKS && sp > USER_STACKS &&
                   frame == 0x2222222222222222
               ? 79
               : -1;
}

CALL(call_none)
{
    return USER_NO_CALL;
}

static const user_call_fn_t user_test_calls[CALL_NR] = {
    [0] = call_none,
    [CALL_FAST] = call_fast,
    [CALL_FAST + 1 ... CALL_NULL - 1] = call_none,
    [CALL_NULL] = call_null,
    [CALL_EXIT] = call_exit,
    [CALL_SIX] = call_six,
    [CALL_YIELD] = call_yield,
    [CALL_TLS] = call_tls,
    [CALL_PLACE] = call_place,
};

static void
user_test_exception(const struct user_exception *exception)
{
    struct user_program *program = user_program_self();

    program->exception = *exception;
    program->nr_exceptions++;
    program->nr_traced =
        user_backtrace(program->trace, USER_TRACE_MAX, exception->frame);
    if (!program->goes_on) {
        user_program_end(EXIT_EXCEPTION);
    }
    cpu_pause();
}

static void
user_test_work(void)
{
    unsigned int work = atomic_exchange(&thread_self()->user_work, 0);

    if (work & WORK_COUNT) {
        atomic_fetch_add(&user_program_self()->nr_works, 1);
    }
    if (work & WORK_END) {
        user_program_end(EXIT_WORK);
    }
}

static const struct user_hooks user_test_hooks = {
    .calls = user_test_calls,
    .nr_calls = CALL_NR,
    .exception = user_test_exception,
    .work = user_test_work,
};

static void
user_fixture_end(void *arg)
{
    user_hooks_register(arg);
}

/* A space with the programs and stacks, and the hooks. */
static struct vm_space *
user_fixture_create(struct test *t)
{
    size_t size = (size_t)(user_code_end - user_code_start);
    const struct user_hooks *old = user_hooks_register(&user_test_hooks);
    struct space_fixture *fixture;

    test_cleanup(t, user_fixture_end, (void *)(uintptr_t)old);
    fixture = space_fixture_create(t);
    verify(fixture_map(fixture, USER_CODE_VA, ALIGN_UP(size, PAGE_SIZE),
                       PROT_RW) == OK);
    verify(user_copy_out(USER_CODE_VA, user_code_start, size) == 0);
    verify(space_protect(fixture->space, USER_CODE_VA,
                         ALIGN_UP(size, PAGE_SIZE),
                         PMAP_READ | PMAP_EXEC) == OK);
    verify(fixture_map(fixture, USER_STACKS, 64 * USER_STACK, PROT_RW) == OK);
    return fixture->space;
}

static void
user_program_thread(void *arg)
{
    struct user_program *program = arg;
    struct user_state *state = user_state_create();
    struct user_start start = {
        .pc = program->code != NULL
                  ? USER_CODE_VA + (uintptr_t)(program->code - user_code_start)
                  : KERNEL_BASE,
        .sp = USER_STACKS + (program->nr + 1) * USER_STACK,
        .args = { program->args[0], program->args[1], program->args[2] },
    };

    verify(state != NULL);
    user_begin(state);
    user_enter(&start);
}

static void
user_program_start(struct user_program *program, struct vm_space *space)
{
    struct thread_attr attr = { .space = space };

    program->thread =
        thread_create("user", user_program_thread, program, &attr);
    verify(program->thread != NULL);
}

/* Run a program to its end. */
static void
user_program_run(struct user_program *program, struct vm_space *space)
{
    user_program_start(program, space);
    thread_join(program->thread);
}

TEST(user, program_runs_and_calls)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_nothing, .status = 1 };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, 0);
}

TEST(user, program_begins_with_its_arguments_and_zeros)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_begin,
                                    .args = { 1, 2, 3 } };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, 0);
}

TEST(user, call_keeps_registers_and_shows_nothing)
{
    static const long calls[][2] = {
        { CALL_SIX, 77 },
        { CALL_FAST, 78 },
        { CALL_NULL, 0 },
        { CALL_PLACE, 79 },
        { CALL_NR, USER_NO_CALL },
        { -1, USER_NO_CALL },
        { CALL_FAST + 1, USER_NO_CALL },
        { INT64_MIN, USER_NO_CALL },
        { 1L << 32 | CALL_SIX, USER_NO_CALL },
    };
    struct vm_space *space = user_fixture_create(t);

    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        struct user_program program = {
            .code = user_code_keeps,
            .args = { (uintptr_t)calls[i][0], (uintptr_t)calls[i][1] },
        };

        user_program_run(&program, space);
        EXPECT_EQ(program.status, 0);
    }
}

/* Run a program on as many threads as there are CPUs, and two more. */
static void
user_run_many(struct test *t, const char *code, uintptr_t rounds,
              uintptr_t call)
{
    static struct user_program programs[32];
    struct vm_space *space = user_fixture_create(t);
    unsigned int nr = MIN(cpu_nr_possible + 2, ARRAY_SIZE(programs));

    for (unsigned int i = 0; i < nr; i++) {
        programs[i] = (struct user_program){
            .code = code,
            .args = { 0x1234567800UL * (i + 1), rounds, call },
            .nr = i,
            .status = 99,
        };
        user_program_start(&programs[i], space);
    }
    for (unsigned int i = 0; i < nr; i++) {
        thread_join(programs[i].thread);
        EXPECT_EQ(programs[i].status, 0);
    }
}

TEST(user, torture_vectors_are_kept)
{
    user_run_many(t, user_code_vectors, 200 * t->iterations, CALL_NULL);
}

TEST(user, torture_vectors_are_kept_when_threads_switch)
{
    user_run_many(t, user_code_vectors, 200 * t->iterations, CALL_YIELD);
}

TEST(user, torture_wide_vectors_are_kept)
{
    if (!cpuid_has(CPUID_XSAVE) || !cpuid_has(CPUID_AVX)) {
        SKIP("the processor has none");
    }
    user_run_many(t, user_code_wide, 200 * t->iterations, CALL_YIELD);
}

TEST(user, torture_bases_are_kept)
{
    if (!cpuid_has(CPUID_FSGSBASE)) {
        SKIP("the processor has no instructions for it");
    }
    user_run_many(t, user_code_bases, 500 * t->iterations, CALL_YIELD);
}

/* Program, kind, address if it is that of memory. */
static const struct {
    const char *code;
    enum user_exception_kind kind;
    uintptr_t addr;
} user_mistakes[] = {
    { user_code_invalid, USER_EXCEPTION_INSTRUCTION, 0 },
    { user_code_breakpoint, USER_EXCEPTION_BREAKPOINT, 0 },
    { user_code_divide, USER_EXCEPTION_ARITHMETIC, 0 },
    { user_code_halt, USER_EXCEPTION_PROTECTION, 0 },
    { user_code_mask, USER_EXCEPTION_PROTECTION, 0 },
    { user_code_interrupt, USER_EXCEPTION_PROTECTION, 0 },
    { user_code_port, USER_EXCEPTION_PROTECTION, 0 },
    { user_code_model_register, USER_EXCEPTION_PROTECTION, 0 },
    { user_code_far, USER_EXCEPTION_PROTECTION, 0 },
    { user_code_read, USER_EXCEPTION_MEMORY, 0x40 },
    { user_code_read, USER_EXCEPTION_MEMORY, KERNEL_BASE },
    { user_code_read, USER_EXCEPTION_MEMORY, DIRECT_MAP_BASE },
    { user_code_read, USER_EXCEPTION_PROTECTION, UINT64_C(1) << 62 },
    { user_code_write, USER_EXCEPTION_MEMORY, USER_CODE_VA },
    { user_code_write, USER_EXCEPTION_MEMORY, USER_END - 8 },
    { user_code_jump, USER_EXCEPTION_MEMORY, USER_STACKS },
    { user_code_jump, USER_EXCEPTION_MEMORY, KERNEL_BASE },
    { user_code_stack, USER_EXCEPTION_PROTECTION, 0 },
    { user_code_floating, USER_EXCEPTION_FLOATING, 0 },
};

TEST(user, mistakes_are_the_program_s_alone)
{
    struct vm_space *space = user_fixture_create(t);

    for (size_t i = 0; i < ARRAY_SIZE(user_mistakes); i++) {
        struct user_program program = { .code = user_mistakes[i].code,
                                        .args = { user_mistakes[i].addr } };

        if (user_mistakes[i].code == user_code_jump && !cpuid_has(CPUID_NX)) {
            continue;
        }
        user_program_run(&program, space);
        EXPECT_EQ(program.status, EXIT_EXCEPTION);
        EXPECT_EQ(program.exception.kind, user_mistakes[i].kind);
        if (program.exception.kind == USER_EXCEPTION_MEMORY) {
            EXPECT_EQ(program.exception.addr, user_mistakes[i].addr);
        }
    }
}

TEST(user, exception_tells_where)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_invalid };

    user_program_run(&program, space);
    EXPECT_EQ(program.exception.pc,
              USER_CODE_VA + (uintptr_t)(user_code_invalid - user_code_start));
    EXPECT_EQ(program.exception.sp, USER_STACKS + USER_STACK);
}

TEST(user, sysenter_is_a_mistake)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_sysenter };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, EXIT_EXCEPTION);
    /* AMD's processors do not have it in 64-bit code. */
    EXPECT(program.exception.kind == USER_EXCEPTION_PROTECTION ||
           program.exception.kind == USER_EXCEPTION_INSTRUCTION);
}

/* Where a program's label is in its space. */
static uintptr_t
user_code_va(const char *label)
{
    return USER_CODE_VA + (uintptr_t)(label - user_code_start);
}

TEST(user, backtrace_follows_frames)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_frames };

    user_program_run(&program, space);
    EXPECT_EQ(program.nr_traced, 3);
    EXPECT_EQ(program.trace[0], user_code_va(user_code_frames_2));
    EXPECT_EQ(program.trace[1], user_code_va(user_code_frames_1));
}

TEST(user, backtrace_survives_any_frame)
{
    /* 0: one whose link is itself. */
    static const struct {
        uintptr_t frame;
        size_t nr;
    } frames[] = {
        { 0, 1 },
        { 8, 0 },
        { USER_END - 8, 0 },
        { USER_STACKS - 8, 0 },
        { KERNEL_BASE, 0 },
        { DIRECT_MAP_BASE, 0 },
        { UINT64_C(1) << 62, 0 },
        { UINTPTR_MAX - 7, 0 },
        { USER_STACKS + 1, 0 },
    };
    struct vm_space *space = user_fixture_create(t);

    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        struct user_program program = { .code = user_code_frames_bad,
                                        .args = { frames[i].frame } };

        user_program_run(&program, space);
        EXPECT_EQ(program.nr_traced, frames[i].nr);
    }
}

TEST(user, program_goes_on_behind_a_breakpoint)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_breakpoint,
                                    .args = { 5 },
                                    .goes_on = true };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, 5);
    EXPECT_EQ(program.nr_exceptions, 1);
}

TEST(user, single_steps_are_the_program_s_alone)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_steps, .goes_on = true };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, 0);
    EXPECT_EQ(program.exception.kind, USER_EXCEPTION_STEP);
    EXPECT(program.nr_exceptions >= 4);
}

TEST(user, trap_that_waits_for_a_stack_segment_is_survived)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_blocked,
                                    .goes_on = true };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, 0);
}

TEST(user, flags_of_the_program_are_not_the_kernel_s)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_flags };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, 0);
}

TEST(user, call_at_the_last_address_returns)
{
    const uintptr_t va = SPACE_END - PAGE_SIZE;
    struct vm_space *space = user_fixture_create(t);
    struct space_mapping mapping = {
        .va = va, .size = PAGE_SIZE, .prot = PROT_RW, .flags = SPACE_MAP_FIXED
    };
    struct user_program program = { .code = user_code_jump,
                                    .args = { SPACE_END - 2 } };
    uintptr_t mapped;

    verify(space_map(space, &mapping, &mapped) == OK);
    /* The call that does not exist returns to where nothing is mapped. */
    verify(user_copy_out(SPACE_END - 2, "\x0f\x05", 2) == 0);
    verify(space_protect(space, va, PAGE_SIZE, PMAP_READ | PMAP_EXEC) == OK);
    user_program_run(&program, space);
    EXPECT_EQ(program.status, EXIT_EXCEPTION);
    EXPECT_EQ(program.exception.kind, USER_EXCEPTION_MEMORY);
    EXPECT_EQ(program.exception.pc, SPACE_END);
}

TEST(user, start_outside_of_user_memory_is_an_exception)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = NULL };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, EXIT_EXCEPTION);
    EXPECT_EQ(program.exception.pc, 0);
}

TEST(user, spinning_program_is_ended)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_spin };

    user_program_start(&program, space);
    thread_sleep(1000000);
    thread_request_work(program.thread, WORK_END);
    thread_join(program.thread);
    EXPECT_EQ(program.status, EXIT_WORK);
}

/* How long requests are made, nanoseconds. */
#define USER_WORK_NS UINT64_C(30000000)

/*
 * Each request comes when the one before has just been looked at: a thread that
 * looks for the last time with interrupts enabled would miss one, and spin.
 */
TEST(user, torture_no_request_for_work_is_missed)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_spin };
    struct thread_attr attr = { .space = space, .pinned = true };
    uint64_t end = clock_now() + USER_WORK_NS * t->iterations;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    (void)test_stay(t);
    attr.cpu = cpu_id() == 0 ? 1 : 0;
    program.thread =
        thread_create("user", user_program_thread, &program, &attr);
    verify(program.thread != NULL);
    for (unsigned int i = 0; clock_now() < end; i++) {
        thread_request_work(program.thread, WORK_COUNT);
        while (atomic_load(&program.nr_works) == i) {
            cpu_pause();
        }
    }
    thread_request_work(program.thread, WORK_END);
    thread_join(program.thread);
    EXPECT_EQ(program.status, EXIT_WORK);
}

/* How often a CPU was interrupted in user mode, twice. */
static uint64_t
user_nr_disturbed(uint32_t cpu)
{
    return atomic_load(&percpu_ptr(rcu_own, cpu)->active);
}

/* Grace periods that are waited for while a program spins. */
#define USER_PERIODS 10

/* How often they have interrupted a CPU; others may have, too. */
static uint64_t
user_disturb(uint32_t cpu)
{
    uint64_t before = user_nr_disturbed(cpu);

    for (unsigned int i = 0; i < USER_PERIODS; i++) {
        rcu_synchronize();
    }
    return (user_nr_disturbed(cpu) - before) / 2;
}

/*
 * RCU interrupts the CPU once, and knows from then on that it is in user mode;
 * there may be interrupts for other reasons, the more the slower the host is.
 */
TEST(user, spinning_program_is_not_disturbed_by_grace_periods)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_spin };
    struct thread_attr attr = { .space = space, .pinned = true };
    uint64_t least = UINT64_MAX;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    (void)test_stay(t);
    attr.cpu = cpu_id() == 0 ? 1 : 0;
    program.thread =
        thread_create("user", user_program_thread, &program, &attr);
    verify(program.thread != NULL);
    thread_sleep(1000000);
    rcu_synchronize();
    for (int i = 0; i < 20 && least >= USER_PERIODS / 2; i++) {
        least = MIN(least, user_disturb(attr.cpu));
    }
    thread_request_work(program.thread, WORK_END);
    thread_join(program.thread);
    EXPECT(least < USER_PERIODS / 2);
}

/* NMIs, wherever the programs are. */
static void
user_send_nmis(struct user_program *program)
{
    struct backtrace trace;
    uint32_t cpu;

    while (!atomic_load(&program->thread->done)) {
        cpu_for_each (cpu) {
            if (cpu != cpu_id()) {
                (void)sample_backtrace(cpu, &trace);
            }
        }
    }
}

TEST(user, torture_interrupted_at_any_place)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_calls,
                                    .args = { 20000 * t->iterations } };

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    user_program_start(&program, space);
    user_send_nmis(&program);
    thread_join(program.thread);
    EXPECT_EQ(program.status, 0);
}

TEST(user, torture_interrupted_with_any_base)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = {
        .code = user_code_bases,
        /* Looks like one of the kernel's. */
        .args = { DIRECT_MAP_BASE + 64, 5000 * t->iterations, CALL_NULL },
    };

    if (cpu_nr_online() < 2 || !cpuid_has(CPUID_FSGSBASE)) {
        SKIP("one CPU, or no instructions for bases");
    }
    user_program_start(&program, space);
    user_send_nmis(&program);
    thread_join(program.thread);
    EXPECT_EQ(program.status, 0);
}

/*
 * A program that tries to execute kernel memory that is not there, again and
 * again: NMIs come before the page fault, too.
 */
TEST(user, torture_interrupted_before_a_fault)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = { .code = user_code_jump,
                                    .args = { UINTPTR_MAX - PAGE_SIZE + 1 },
                                    .goes_on = true };
    struct backtrace trace;
    uint32_t cpu;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    user_program_start(&program, space);
    for (unsigned int i = 0; i < 500 * t->iterations; i++) {
        cpu_for_each (cpu) {
            if (cpu != cpu_id()) {
                (void)sample_backtrace(cpu, &trace);
            }
        }
    }
    thread_request_work(program.thread, WORK_END);
    thread_join(program.thread);
    EXPECT_EQ(program.status, EXIT_WORK);
    EXPECT_EQ(program.exception.kind, USER_EXCEPTION_MEMORY);
}

/* A call changes the base that the program sees, and no other does. */
TEST(user, call_sets_tls)
{
    struct vm_space *space = user_fixture_create(t);
    struct user_program program = {
        .code = user_code_tls, .args = { USER_STACKS + 64, 100, CALL_YIELD }
    };

    user_program_run(&program, space);
    EXPECT_EQ(program.status, 0);
}

TEST(user, tls_is_below_the_end_of_user_memory)
{
    EXPECT_EQ(user_set_tls(USER_END), ERR_RANGE);
    EXPECT_EQ(user_set_tls(KERNEL_BASE), ERR_RANGE);
}
