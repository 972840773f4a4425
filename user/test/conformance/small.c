/* SPDX-License-Identifier: MIT */
/*
 * Small things that programs for QNX take for granted.
 */
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <user/test/check.h>

TEST(small, delay_takes_milliseconds)
{
    struct timespec before, after;

    clock_gettime(CLOCK_MONOTONIC, &before);
    EXPECT_EQ(delay(20), 0);
    clock_gettime(CLOCK_MONOTONIC, &after);
    EXPECT((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec -
               before.tv_nsec >=
           20000000L);
}

static void *
small_wait(void *arg)
{
    while (delay(1) == 0) {
        pthread_testcancel();
    }
    return arg;
}

TEST(small, thread_can_be_cancelled)
{
    pthread_t thread;
    void *result = NULL;

    EXPECT_EQ(pthread_create(&thread, NULL, small_wait, NULL), 0);
    EXPECT_EQ(pthread_cancel(thread), 0);
    EXPECT_EQ(pthread_join(thread, &result), 0);
    EXPECT(result == PTHREAD_CANCELED);
}
