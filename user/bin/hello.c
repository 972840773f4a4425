/* SPDX-License-Identifier: MIT */
/*
 * Say hello, and what the program was given.
 */
#include <stdio.h>

int
main(int argc, char **argv)
{
    printf("hello, world\n");
    for (int i = 1; i < argc; i++) {
        printf("argument %d: %s\n", i, argv[i]);
    }
    return 0;
}
