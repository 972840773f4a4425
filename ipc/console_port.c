/* SPDX-License-Identifier: MIT */
/*
 * The console as a port.
 *
 * One thread receives.  Writes it does at once; reads wait in a list for the
 * other thread, which reads lines from the keyboard as long as somebody wants
 * one.
 */
#include <kern/console.h>
#include <kern/console_wait.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <ipc/call_error.h>
#include <ipc/connection.h>
#include <ipc/console_port.h>
#include <ipc/console_reads.h>
#include <ipc/message.h>
#include <ipc/port.h>
#include <portolan/io.h>

/* Bytes that are written in one piece. */
#define CONSOLE_PORT_PIECE UINT64_C(1024)

/* Longest line, with its end. */
#define CONSOLE_PORT_LINE 256

/* Keys of the discipline. */
#define CONSOLE_KEY_EOF       4
#define CONSOLE_KEY_BACKSPACE 8
#define CONSOLE_KEY_KILL      21
#define CONSOLE_KEY_DELETE    127

/*
 * Keys: [c] constant once there are threads   [R] the thread that reads
 *       [S] the thread that receives
 */
static struct {
    struct port *port;            /* [c] NULL: not begun */
    struct console_reads reads;   /* that wait for the thread that reads */
    char line[CONSOLE_PORT_LINE]; /* [R] */
    size_t start, end;            /* [R] what is left of the line */
    union {
        struct portolan_io_rw rw;
        struct portolan_io_devctl devctl;
        char bytes[CONSOLE_PORT_PIECE];
    } *message; /* [S] */
} console_port;

/*
 * Writing
 */

/* Print what comes behind the header. */
static long
console_port_write(uint32_t rcvid, uint64_t size)
{
    struct msg_buffer piece;
    uint64_t done = 0;
    long result = 0;

    while (done < size) {
        result = msg_buffer_init(&piece, NULL, (uintptr_t)console_port.message,
                                 MIN(size - done, CONSOLE_PORT_PIECE));
        if (result == 0) {
            result = message_read(NULL, rcvid, &piece,
                                  sizeof(struct portolan_io_rw) + done);
        }
        if (result <= 0) {
            break;
        }
        console_write(console_port.message->bytes, (size_t)result);
        done += (uint64_t)result;
    }
    return result < 0 ? result : (long)done;
}

/*
 * Reading
 */

/* Do what a key says.  Returns: the line is complete */
static bool
console_port_feed(int key)
{
    char c = key == '\r' ? '\n' : (char)key;

    switch (key) {
    case CONSOLE_KEY_EOF:
        return true;
    case CONSOLE_KEY_BACKSPACE:
    case CONSOLE_KEY_DELETE:
        if (console_port.end != 0) {
            console_port.end--;
            console_write("\b \b", 3);
        }
        return false;
    case CONSOLE_KEY_KILL:
        for (; console_port.end != 0; console_port.end--) {
            console_write("\b \b", 3);
        }
        return false;
    default:
        break;
    }
    if (key > (int)UINT8_MAX ||
        (c != '\n' && console_port.end == CONSOLE_PORT_LINE - 1)) {
        return false;
    }
    console_port.line[console_port.end++] = c;
    console_write(&c, 1);
    return c == '\n';
}

/* Reply with what is left of the line. */
static void
console_port_reply_line(uint32_t rcvid)
{
    struct portolan_msg_info info;
    struct msg_buffer from;
    size_t size = console_port.end - console_port.start;
    long error;

    if (message_info(NULL, rcvid, &info) != 0) {
        return;
    }
    size = MIN(size, (size_t)info.dstmsglen);
    error = msg_buffer_init(&from, NULL,
                            (uintptr_t)console_port.line + console_port.start,
                            size);
    if (error == 0 &&
        message_reply(NULL, rcvid, (long)size, &from, NULL) == 0) {
        console_port.start += size;
    }
}

static void
console_port_read(uint32_t rcvid)
{
    if (console_port.start == console_port.end) {
        console_port.start = 0;
        console_port.end = 0;
        console_begin_reading();
        while (!console_port_feed(console_read_key())) {
            continue;
        }
    }
    console_port_reply_line(rcvid);
}

static void
console_port_read_lines(void *arg __unused)
{
    for (;;) {
        console_port_read(console_reads_next(&console_port.reads));
    }
}

/*
 * The service
 */

/* Do what a message says.  Returns: its status; 0 for reads: not yet known */
static long
console_port_do(uint32_t rcvid, const struct portolan_msg_info *info,
                bool *is_readp)
{
    const struct portolan_io_rw *rw = &console_port.message->rw;

    *is_readp = false;
    if ((size_t)info->msglen < sizeof(rw->type)) {
        return CALL_EINVAL;
    }
    if ((size_t)info->msglen < sizeof(*rw)) {
        return CALL_ENOSYS;
    }
    switch (rw->type) {
    case PORTOLAN_IO_WRITE:
        return console_port_write(
            rcvid, MIN((uint64_t)rw->nbytes_hi << 32 | rw->nbytes,
                       (uint64_t)info->srcmsglen - sizeof(*rw)));
    case PORTOLAN_IO_READ:
        *is_readp = console_reads_add(&console_port.reads, rcvid) == 0;
        return CALL_ENOMEM;
    default:
        return CALL_ENOSYS;
    }
}

static void
console_port_serve(void *arg __unused)
{
    struct portolan_msg_info info;
    struct msg_buffer buffer;
    long rcvid, status;
    bool is_read;

    for (;;) {
        status = msg_buffer_init(&buffer, NULL, (uintptr_t)console_port.message,
                                 sizeof(struct portolan_io_rw));
        rcvid = status == 0 ? message_receive(console_port.port, &buffer, &info,
                                              NULL, NULL)
                            : status;
        if (rcvid <= 0) {
            continue;
        }
        status = console_port_do((uint32_t)rcvid, &info, &is_read);
        if (!is_read) {
            status = message_reply(NULL, (uint32_t)rcvid, status, NULL, NULL);
        }
    }
}

/* Have a thread of the kernel that is never joined. */
static status_t
console_port_start(const char *name, thread_fn_t fn)
{
    struct thread *thread = thread_create(name, fn, NULL, NULL);

    if (thread == NULL) {
        return ERR_NO_MEMORY;
    }
    thread_detach(thread);
    return OK;
}

status_t
console_port_begin(void)
{
    status_t status;

    console_reads_init(&console_port.reads);
    console_port.message = kmalloc(sizeof(*console_port.message));
    if (console_port.message == NULL) {
        return ERR_NO_MEMORY;
    }
    status =
        port_create(&console_port.port, NULL, container_root, 0, "console");
    if (status == OK) {
        status = console_port_start("console server", console_port_serve);
    }
    if (status == OK) {
        status = console_port_start("console lines", console_port_read_lines);
    }
    return status;
}

status_t
console_port_right(struct task *task, struct right **rightp)
{
    return connection_right(console_port.port, task, 0, rightp);
}
