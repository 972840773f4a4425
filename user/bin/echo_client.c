/* SPDX-License-Identifier: MIT */
/*
 * A client of echo_server: sends its arguments and prints what comes back.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/dispatch.h>
#include <sys/neutrino.h>
#include <unistd.h>

#define ECHO_NAME "portolan/echo"
#define ECHO_TYPE 0x400 /* text */
#define ECHO_END  0x401

/* Wait until the server is there. */
static int
open_server(void)
{
    int coid = name_open(ECHO_NAME, 0);

    for (int i = 0; coid == -1 && i < 100; i++) {
        usleep(10000);
        coid = name_open(ECHO_NAME, 0);
    }
    return coid;
}

static int
echo(int coid, const char *text)
{
    uint16_t type = ECHO_TYPE;
    char reply[256];
    iov_t siov[2];

    SETIOV(&siov[0], &type, sizeof(type));
    SETIOV(&siov[1], text, strlen(text) + 1);
    if (MsgSendvs(coid, siov, 2, reply, sizeof(reply)) == -1) {
        perror("echo_client: MsgSendvs");
        return EXIT_FAILURE;
    }
    printf("echo_client: %s\n", reply);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    const uint16_t end = ECHO_END;
    int coid = open_server();
    int status = EXIT_SUCCESS;

    if (coid == -1) {
        perror("echo_client: name_open");
        return EXIT_FAILURE;
    }
    if (argc <= 1) {
        status = echo(coid, "Hello, World");
    }
    for (int i = 1; i < argc && status == EXIT_SUCCESS; i++) {
        status = echo(coid, argv[i]);
    }
    if (MsgSend(coid, &end, sizeof(end), NULL, 0) == -1) {
        perror("echo_client: MsgSend");
        status = EXIT_FAILURE;
    }
    name_close(coid);
    return status;
}
