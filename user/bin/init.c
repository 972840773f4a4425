/* SPDX-License-Identifier: MIT */
/*
 * The first program: starts others, which are boot modules, and answers for
 * names.
 *
 * usage: init [MODULE[&]]...
 *
 * Starts the modules in this order, all but itself if none are named, with the
 * words that the loader gave them, and waits until they have ended, but for
 * those with a "&".  The status is 0 if all that it waited for ended with 0.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/neutrino.h>

#include <portolan/calls.h>
#include <portolan/names.h>
#include <portolan/spawn.h>

#define INIT_PROGRAMS 32
#define INIT_WORDS    32

/* Programs that are waited for. */
static int init_tasks[INIT_PROGRAMS];
static unsigned int init_nr_tasks;

/* Connection to the server of names. */
static int init_names;

static void *
init_serve(void *arg)
{
    portolan_names_serve(*(const int *)arg);
    perror("init: names");
    return NULL;
}

/* Have names served by a thread; false after a message. */
static bool
init_begin_names(void)
{
    static int chid;
    pthread_t thread;

    chid = ChannelCreate(_NTO_CHF_DISCONNECT);
    if (chid < 0) {
        perror("init: ChannelCreate");
        return false;
    }
    init_names = ConnectAttach(ND_LOCAL_NODE, 0, chid, _NTO_SIDE_CHANNEL, 0);
    if (init_names < 0) {
        perror("init: ConnectAttach");
        return false;
    }
    if (pthread_create(&thread, NULL, init_serve, &chid) != 0) {
        fprintf(stderr, "init: no thread\n");
        return false;
    }
    return true;
}

/* Divide a string at spaces; words[] ends with NULL. */
static void
init_split(char *string, char *words[INIT_WORDS + 1])
{
    unsigned int nr_words = 0;
    char *rest = NULL;

    for (char *word = strtok_r(string, " ", &rest);
         word != NULL && nr_words < INIT_WORDS;
         word = strtok_r(NULL, " ", &rest)) {
        words[nr_words++] = word;
    }
    words[nr_words] = NULL;
}

/* Start a module; a right to its task, negative after a message. */
static int
init_start(int memory, struct portolan_module_info *info)
{
    const struct portolan_task_right rights[] = {
        { PORTOLAN_RIGHT_INPUT, PORTOLAN_RIGHT_INPUT, 0 },
        { PORTOLAN_RIGHT_OUTPUT, PORTOLAN_RIGHT_OUTPUT, 0 },
        { PORTOLAN_RIGHT_ERROR, PORTOLAN_RIGHT_ERROR, 0 },
        { init_names, PORTOLAN_RIGHT_BOOTSTRAP, 0 },
    };
    char *words[INIT_WORDS + 1];
    char *only[] = { info->name, NULL };
    struct portolan_spawn how = {
        .memory = memory,
        .size = info->size,
        .name = info->name,
        .argv = words,
        .rights = rights,
        .nr_rights = sizeof(rights) / sizeof(rights[0]),
        .container = PORTOLAN_SELF,
    };
    int task;

    init_split(info->words, words);
    if (words[0] == NULL) {
        how.argv = only;
    }
    task = portolan_spawn(&how);
    if (task < 0) {
        fprintf(stderr, "init: %s: %s\n", info->name, strerror(-task));
    }
    return task;
}

/* Start what an argument names. */
static bool
init_named(char *name)
{
    struct portolan_module_info info;
    size_t size = strlen(name);
    bool is_awaited = size == 0 || name[size - 1] != '&';
    int memory, task;

    if (!is_awaited) {
        name[size - 1] = '\0';
    }
    memory = portolan_module_find(PORTOLAN_RIGHT_BOOTSTRAP, name, &info);
    if (memory < 0) {
        fprintf(stderr, "init: module %s: %s\n", name, strerror(-memory));
        return false;
    }
    task = init_start(memory, &info);
    portolan_right_close(memory);
    if (task >= 0 && is_awaited && init_nr_tasks < INIT_PROGRAMS) {
        init_tasks[init_nr_tasks++] = task;
    }
    return task >= 0;
}

/* Start all modules but the one called @self. */
static bool
init_all(const char *self)
{
    struct portolan_module_info info;
    bool is_good = true;

    for (uint32_t i = 0; init_nr_tasks < INIT_PROGRAMS; i++) {
        long memory =
            portolan_memory_module(PORTOLAN_RIGHT_BOOTSTRAP, i, &info);
        int task = -1;

        if (memory < 0) {
            break;
        }
        if (strcmp(info.name, self) != 0) {
            task = init_start((int)memory, &info);
            is_good = is_good && task >= 0;
        }
        if (task >= 0) {
            init_tasks[init_nr_tasks++] = task;
        }
        portolan_right_close((int)memory);
    }
    return is_good;
}

int
main(int argc, char **argv)
{
    bool is_good = init_begin_names();

    for (int i = 1; i < argc; i++) {
        is_good = init_named(argv[i]) && is_good;
    }
    if (argc <= 1) {
        is_good = init_all(argc > 0 ? argv[0] : "init") && is_good;
    }
    for (unsigned int i = 0; i < init_nr_tasks; i++) {
        is_good = portolan_spawn_wait(init_tasks[i]) == 0 && is_good;
    }
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
