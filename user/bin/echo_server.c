/* SPDX-License-Identifier: MIT */
/*
 * A server as programs for QNX are written: it turns the letters of each
 * message upside down, and ends when it is told to.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/dispatch.h>
#include <sys/neutrino.h>

#define ECHO_NAME "portolan/echo"
#define ECHO_TYPE 0x400 /* text */
#define ECHO_END  0x401

typedef union {
    uint16_t type;
    struct _pulse pulse;
    struct {
        uint16_t type;
        char text[256];
    } echo;
} message_t;

static void
handle_pulse(const struct _pulse *pulse)
{
    switch (pulse->code) {
    case _PULSE_CODE_DISCONNECT:
        ConnectDetach(pulse->scoid);
        break;
    case _PULSE_CODE_UNBLOCK:
        MsgError(pulse->value.sival_int, EINTR);
        break;
    default:
        printf("echo_server: pulse %d\n", pulse->code);
        break;
    }
}

static void
handle_text(int rcvid, message_t *msg)
{
    msg->echo.text[sizeof(msg->echo.text) - 1] = '\0';
    for (char *c = msg->echo.text; *c != '\0'; c++) {
        *c = (char)(isupper((unsigned char)*c) ? tolower((unsigned char)*c)
                                               : toupper((unsigned char)*c));
    }
    MsgReply(rcvid, EOK, msg->echo.text, strlen(msg->echo.text) + 1);
}

int
main(void)
{
    name_attach_t *attach = name_attach(NULL, ECHO_NAME, 0);
    struct _msg_info info;
    message_t msg;

    if (attach == NULL) {
        perror("echo_server: name_attach");
        return EXIT_FAILURE;
    }
    for (;;) {
        int rcvid;

        memset(&msg, 0, sizeof(msg));
        rcvid = MsgReceive(attach->chid, &msg, sizeof(msg), &info);
        if (rcvid == -1) {
            perror("echo_server: MsgReceive");
            break;
        }
        if (rcvid == 0) {
            handle_pulse(&msg.pulse);
            continue;
        }
        if (msg.type == ECHO_TYPE) {
            printf("echo_server: %ld bytes of pid %d\n", (long)info.msglen,
                   info.pid);
            handle_text(rcvid, &msg);
            continue;
        }
        if (msg.type == ECHO_END) {
            MsgReply(rcvid, EOK, NULL, 0);
            break;
        }
        MsgError(rcvid, ENOSYS);
    }
    name_detach(attach, 0);
    return EXIT_SUCCESS;
}
