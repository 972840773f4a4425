/* SPDX-License-Identifier: MIT */
#include <time.h>
#include <unistd.h>

/* Sleep; how many of the milliseconds are left. */
unsigned int
delay(unsigned int milliseconds)
{
    struct timespec time = { .tv_sec = milliseconds / 1000,
                             .tv_nsec = milliseconds % 1000 * 1000000L };

    if (nanosleep(&time, &time) == 0) {
        return 0;
    }
    return (unsigned int)(time.tv_sec * 1000 + time.tv_nsec / 1000000);
}
