/* SPDX-License-Identifier: MIT */
/*
 * Tests that are programs: TEST() defines one, which states one fact, and
 * main() of check.c runs them all and prints KTAP.
 *
 * PEER() defines what another process of the same program does: peer_start()
 * makes one, from the boot module with the name of this program.
 */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct check_test {
    const char *file;
    int line;
    const char *name;
    void (*run)(void);
};

struct check_peer {
    const char *name;
    int (*run)(int argc, char **argv);
};

#define TEST(module, fact)                                                     \
    static void module##_##fact(void);                                         \
    static const struct check_test check_##module##_##fact = {                 \
        __FILE__, __LINE__, #module "." #fact, module##_##fact                 \
    };                                                                         \
    static const struct check_test *const check_p_##module##_##fact            \
        __attribute__((used, section("check_tests"))) =                        \
            &check_##module##_##fact;                                          \
    static void module##_##fact(void)

#define PEER(who, argc, argv)                                                  \
    static int peer_##who(int argc, char **argv);                              \
    static const struct check_peer check_peer_##who = { #who, peer_##who };    \
    static const struct check_peer *const check_p_peer_##who                   \
        __attribute__((used, section("check_peers"))) = &check_peer_##who;     \
    static int peer_##who(int argc, char **argv)

/* Both may be used by any thread; a test goes on after a failure. */
#define EXPECT(condition)                                                      \
    check_that((condition), __FILE__, __LINE__, #condition)
#define EXPECT_EQ(actual, expected)                                            \
    check_equal((long)(actual), (long)(expected), __FILE__, __LINE__, #actual)

/* A call returns -1 and sets errno to @error. */
#define EXPECT_ERRNO(call, error)                                              \
    do {                                                                       \
        errno = 0;                                                             \
        check_errno((long)(call), (error), __FILE__, __LINE__, #call);         \
    } while (0)

bool check_that(bool is_true, const char *file, int line, const char *what);
bool check_equal(long actual, long expected, const char *file, int line,
                 const char *what);
bool check_errno(long result, int error, const char *file, int line,
                 const char *what);

/* The connection that a peer is started with. */
#define PEER_COID 4

/*
 * Start a peer.
 *
 * @coid  becomes its PEER_COID
 * @arg   its argv[1], or NULL
 *
 * Returns: a right to its task, for portolan_spawn_wait() and others; negative
 *          after a failure, which is counted
 */
int peer_start(const char *who, int coid, const char *arg);

/*
 * Wait until a thread is in a STATE_...
 *
 * @task  PORTOLAN_SELF or a right to another one
 */
void check_wait_state(int task, int tid, int state);

/* Another page, which nobody may use or, with a PROT_..., somebody may. */
void *check_page(int protection);

#endif /* TEST_CHECK_H */
