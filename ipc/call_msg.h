/* SPDX-License-Identifier: MIT */
/*
 * System calls: messages, the long way.
 */
#ifndef IPC_CALL_MSG_H
#define IPC_CALL_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message;
struct portolan_msg_info;

/* What a side of a message is made of. */
struct call_parts {
    uintptr_t base; /* bytes, or a list of parts */
    size_t size;    /* of them */
    bool is_list;
};

/*
 * Send, receive, reply.  All begin with interrupts disabled or enabled, and
 * return with them enabled.
 *
 * @options  address of the program's struct portolan_msg_options; 0: none
 * @message  that the thread has to copy already, TAKEN; NULL: none
 */
long call_msg_send_parts(uint32_t coid, struct call_parts send,
                         struct call_parts reply, uintptr_t options);
/* As above: receive. */
long call_msg_receive_parts(int32_t chid, struct message *message,
                            struct call_parts to, uintptr_t info,
                            uintptr_t options);
/* As above: reply. */
long call_msg_reply_parts(int32_t rcvid, long status, struct call_parts from,
                          uintptr_t options);
/* As above: reply, if @rcvid is not 0, and receive. */
long call_msg_reply_receive_parts(int32_t rcvid, long status,
                                  struct call_parts from, uintptr_t receive,
                                  uintptr_t options);

/*
 * Tell the program who sent the message that it has received.
 *
 * @info  address of the program's struct
 *
 * Context: interrupts enabled
 * Returns: the receive id; CALL_EFAULT: the message has been replied to
 */
long call_msg_tell(uint32_t rcvid, uintptr_t info,
                   const struct portolan_msg_info *told);

#endif /* IPC_CALL_MSG_H */
