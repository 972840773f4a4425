/* SPDX-License-Identifier: MIT */
/*
 * Of line 18 what there is without inheritance: the order of messages.
 */
#include "client.h"

#define PRIORITY_CLIENTS 6

TEST(priority, higher_messages_first_and_equal_ones_in_order)
{
    static const int priorities[PRIORITY_CLIENTS] = { 10, 12, 11, 10, 12, 11 };
    static const int order[PRIORITY_CLIENTS] = { 1, 4, 2, 5, 0, 3 };
    struct channel channel = channel_open(0);
    struct client clients[PRIORITY_CLIENTS];
    int numbers[PRIORITY_CLIENTS];

    for (int i = 0; i < PRIORITY_CLIENTS; i++) {
        numbers[i] = i;
        clients[i] = (struct client){ .coid = channel.coid,
                                      .smsg = &numbers[i],
                                      .sbytes = sizeof(numbers[i]),
                                      .priority = priorities[i] };
        client_block(&clients[i]);
    }
    for (int i = 0; i < PRIORITY_CLIENTS; i++) {
        struct _msg_info info;
        int number = -1;
        int rcvid = MsgReceive(channel.chid, &number, sizeof(number), &info);

        EXPECT_EQ(number, order[i]);
        EXPECT_EQ(info.priority, priorities[order[i]]);
        EXPECT_EQ(MsgReply(rcvid, 0, NULL, 0), 0);
    }
    for (int i = 0; i < PRIORITY_CLIENTS; i++) {
        EXPECT_EQ(client_join(&clients[i]), 0);
    }
    channel_close(&channel);
}
