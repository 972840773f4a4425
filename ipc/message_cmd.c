/* SPDX-License-Identifier: MIT */
/*
 * Monitor command of messages.
 */
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/percpu.h>
#include <lib/macros.h>
#include <ipc/message_count.h>

PERCPU(uint64_t, message_counts[MESSAGE_NR_COUNTS]);

static void
message_cmd_messages(int argc __unused, char **argv __unused)
{
#define MESSAGE_COUNT_TEXT(name, text) text,
    static const char *const texts[] = { MESSAGE_COUNTS(MESSAGE_COUNT_TEXT) };

    for (unsigned i = 0; i < MESSAGE_NR_COUNTS; i++) {
        uint64_t sum = 0;
        uint32_t cpu;

        cpu_for_each (cpu) {
            sum += READ_ONCE((*percpu_ptr(message_counts, cpu))[i]);
        }
        console_printf("%12lu %s\n", sum, texts[i]);
    }
}

MONITOR_COMMAND(messages, "", "how messages were sent since boot",
                message_cmd_messages);
