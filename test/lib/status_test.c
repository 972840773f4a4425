/* SPDX-License-Identifier: MIT */
/*
 * Status codes and their texts.
 */
#include <lib/status.h>
#include <test/test.h>

TEST(status, every_status_has_a_text)
{
    for (unsigned int i = 0; i < STATUS_NR; i++) {
        const char *text = status_string((status_t)i);

        EXPECT(text != NULL && text[0] != '\0');
    }
    EXPECT_STREQ(status_string(OK), "success");
    EXPECT_STREQ(status_string(ERR_INTERRUPTED), "interrupted");
}

TEST(status, unknown_status_is_safe)
{
    EXPECT_STREQ(status_string(STATUS_NR), "unknown status");
}
